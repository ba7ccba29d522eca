//! SoftHSM 2 cut down to what devices had fifteen years ago: keys are wrapped by
//! RSA-OAEP.
#![forbid(unsafe_code)]

mod suite;

suite::poorer!(suite::Kind::Softhsm, suite::Profile::Old);
