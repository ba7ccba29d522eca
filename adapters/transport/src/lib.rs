//! TLS profiles, and what a certificate proves about a peer.
#![forbid(unsafe_code)]
