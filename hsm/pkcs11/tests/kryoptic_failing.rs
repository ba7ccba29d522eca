//! The embedded token behind the module that fails on command.
#![forbid(unsafe_code)]

mod suite;

suite::failing!(suite::Kind::Kryoptic);
