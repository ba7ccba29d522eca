//! The process that talks to strangers.
#![forbid(unsafe_code)]
