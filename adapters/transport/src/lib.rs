//! TLS profiles, and what a certificate proves about a peer.
//!
//! - [`ServerTls`]: TLS 1.3 alone, the door's key in the token, client
//!   certificates against one CA and its revocation list, no resumption (it
//!   would skip the revocation check), no early data, bounded handshakes.
//! - [`ClientTls`]: the other end, for the command line and for tests.
//!
//! What comes out of a handshake is a
//! [`TransportEvidence`](chancery_message::TransportEvidence): digests of the
//! peer's certificate and the key exchange group. Who that is, the directory
//! says; names inside a certificate are never looked at.
//!
//! The cryptography is named explicitly everywhere (aws-lc-rs): nothing
//! depends on a provider that a process happened to install.
#![forbid(unsafe_code)]

mod accept;
mod certificate;
mod client;
mod clients;
mod error;
mod provider;
mod server;
mod stall;
mod token_key;

pub use accept::{Accepted, Handshakes};
pub use client::{ClientProfile, ClientTls};
pub use clients::Clients;
pub use error::{HandshakeError, Refused, TlsError};
pub use server::{Expiry, ServerProfile, ServerTls};
pub use stall::Stall;
