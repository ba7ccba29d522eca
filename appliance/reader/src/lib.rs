//! The process that reads what strangers sent.
#![forbid(unsafe_code)]
