//! SoftHSM 2 without wrapping and derivation: keys are wrapped by AES-GCM.
#![forbid(unsafe_code)]

mod suite;

suite::poorer!(suite::Kind::Softhsm, suite::Profile::NoWrapNoDerive);
