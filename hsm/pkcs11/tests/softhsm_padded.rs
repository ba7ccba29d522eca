//! SoftHSM 2 with padded key wrap alone.
#![forbid(unsafe_code)]

mod suite;

suite::poorer!(suite::Kind::Softhsm, suite::Profile::Padded);
