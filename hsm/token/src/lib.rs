//! The embedded default token: Kryoptic behind the three functions through
//! which a PKCS#11 module is found. Everything else is Kryoptic's.
