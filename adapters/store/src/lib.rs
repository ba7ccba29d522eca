//! Diesel over SQLite and PostgreSQL behind the same ports.
#![forbid(unsafe_code)]
