//! What the channels over HTTP have in common. Each channel adds its routes, its
//! media types and the form of its answers.
//!
//! ```text
//! stream → serve (hyper 1.1 or 2) → guard → the channel's route → requests → Gate → Reply → relay
//! ```
//! The content of a request is never looked at here. The peer's identity is an
//! argument of the connection; nothing in a request can change it. The readers
//! use [`text`] alone.
#![forbid(unsafe_code)]

mod body;
mod fault;
pub mod guard;
mod limits;
mod linger;
mod relay;
pub mod requests;
mod serve;
pub mod text;

pub use body::Tap;
pub use fault::Fault;
pub use limits::Limits;
pub use relay::{Answer, Broken, Relay, answer, refuse, refuse_many, relay};
pub use serve::{Door, Peer, Words, serve};
