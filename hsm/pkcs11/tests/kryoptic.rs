//! The conformance suite on the embedded token.
#![forbid(unsafe_code)]

mod suite;

suite::conformance!(suite::Kind::Kryoptic);
