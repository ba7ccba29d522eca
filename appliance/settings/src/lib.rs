//! The settings file: every option with its meaning and default.
#![forbid(unsafe_code)]
