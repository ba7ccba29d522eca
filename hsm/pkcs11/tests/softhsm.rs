//! The conformance suite on SoftHSM 2.
#![forbid(unsafe_code)]

mod suite;

suite::conformance!(suite::Kind::Softhsm);
