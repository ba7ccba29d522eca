//! What the tests of whole nodes need: a node of the real programs (made by
//! `chancery init`, run by `chancery run`, used by the commands that people
//! type), the far ends of its partners (real `gpg`, `swaks`, `curl`, Postfix),
//! the second database, and the search for plaintext.
//!
//! The programs are found beside the test: `cargo build --workspace` makes
//! them, and `hsm/token` the token.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may end where it fails"
)]

pub mod cbom;
mod certificate;
pub mod command;
mod failing;
pub mod gpg;
pub mod mail;
pub mod memory;
pub mod node;
pub mod ports;
pub mod postfix;
pub mod postgres;
pub mod search;
pub mod siena;
pub mod sink;
pub mod smtp;

pub use command::{chancery, good, json, programs, told, until_done};
pub use gpg::Gpg;
pub use node::{Node, Setup};
pub use postfix::Postfix;
pub use postgres::Postgres;
pub use siena::Siena;
pub use sink::Sink;
pub use smtp::Smtp;
