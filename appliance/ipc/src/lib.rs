//! How the processes of a node talk to each other.
//!
//! * [`connection`]: one Unix socket, multiplexed into exchanges (a request
//!   header and a streamed body one way, an answer header and a streamed body
//!   the other) with credits, so that a slow reader slows its writer and
//!   nothing else.
//! * [`Links`]: where a daemon's sockets come from: the supervisor over the
//!   control socket (`chancery run`), or systemd on an appliance.
//! * [`Client`]: the newest connection to a server, renewed when that server
//!   was restarted. [`blocking::Channel`] is the same for code without a runtime.
//! * [`supervise`]: starts the daemons, wires them together, restarts them.
//!
//! Authority is a socket: whoever holds the end of a tag may ask what that tag
//! stands for. The peer's uid is looked at as a second check.
#![forbid(unsafe_code)]

pub mod blocking;
pub mod codec;
mod connection;
mod error;
mod exchange;
mod limits;
mod links;
mod peer;
pub mod supervise;
mod wire;

pub use connection::{Caller, Incoming, IncomingStream, connection};
pub use error::{Error, ResetCode, Violation};
pub use exchange::{Exchange, Receiver, Sender};
pub use limits::{Limits, Side};
pub use links::{Client, Command, Commands, Links, LinksError, Role, Tag, TagError};
pub use peer::peer_uid;
pub use wire::{MAX_PAYLOAD, VERSION};

/// A lock that outlives a panic: with `panic = "abort"` there is no poison to see.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
