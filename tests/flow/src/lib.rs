//! Whole-gateway tests: the real daemons and the commands that people type.
//! They need the programs of the same profile: `cargo build --workspace`.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

pub mod tour;
