//! The embedded token cut down to what devices had fifteen years ago: keys are
//! wrapped by RSA-OAEP.
#![forbid(unsafe_code)]

mod suite;

suite::poorer!(suite::Kind::Kryoptic, suite::Profile::Old);
