//! The process that decides.
#![forbid(unsafe_code)]
