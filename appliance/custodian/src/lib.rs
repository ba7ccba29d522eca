//! The process that holds keys.
#![forbid(unsafe_code)]
