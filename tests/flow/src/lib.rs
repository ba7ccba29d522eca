//! Whole-gateway tests: the real daemons and the commands that people type.
//! They need the programs of the same profile: `cargo build --workspace`.
#![forbid(unsafe_code)]
