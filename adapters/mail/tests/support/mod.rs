//! What the tests of this crate share.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod gate;
pub(crate) mod tls;
