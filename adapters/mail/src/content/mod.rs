//! Content: reading what came, rendering what goes. Pure: bytes in, values
//! out; keys, directory, time and randomness are arguments.
//!
//! * [`read()`] makes a submission of received bytes;
//! * [`render()`] makes mail of a permitted delivery;
//! * [`reply()`] makes the SMTP or LMTP answer of an outcome;
//! * [`certificate`] makes the gateway's own certificate and reads others.

mod fault;
mod fields;
mod label;
mod mime;
mod outer;
mod parts;
mod pgp;
mod protected;
mod read;
mod render;
mod reply;

pub use read::{ReadKeys, Unavailable, read};
pub use render::{RenderContext, RenderError, render};
pub use reply::reply;

/// OpenPGP certificates: the gateway's own, and those of the directory.
pub mod certificate {
    pub use super::pgp::own::{OwnCertificate, build};
    pub use super::pgp::registered::{
        CertificateError, CertificateInfo, MAX_CERTIFICATE, algorithms, armored, inspect, read_file,
    };
}
