//! What the tests of this crate share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests; every test file uses a part of it"
)]

pub(crate) mod gate;
pub(crate) mod gpg;
pub(crate) mod mail;
pub(crate) mod packets;
pub(crate) mod soft;
pub(crate) mod tls;
