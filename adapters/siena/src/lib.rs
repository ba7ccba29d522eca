//! SIENA-style structured law-enforcement exchange, XML over mutual TLS.
#![forbid(unsafe_code)]
