//! Builders and far ends for the tests.
#![forbid(unsafe_code)]
