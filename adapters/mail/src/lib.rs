//! Mail. Two doors, as in every channel:
//!
//! * [`wire`] speaks SMTP and LMTP with the peers of the mail door and sends to
//!   the relay; it never looks into content.
//! * [`content`] is pure: it reads received bytes into a submission (MIME,
//!   OpenPGP through the token), and renders deliveries as signed and encrypted
//!   mail.
#![forbid(unsafe_code)]

mod address;
pub mod content;
pub mod wire;

pub use address::{Address, AddressFault};
