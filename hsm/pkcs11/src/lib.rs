//! Keys in a PKCS#11 token: the one crate that names cryptoki.
#![forbid(unsafe_code)]
