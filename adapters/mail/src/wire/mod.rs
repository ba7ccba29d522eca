//! SMTP and LMTP in (RFC 5321, RFC 2033), SMTP out through a relay.
//!
//! The state machine in [`session`](self) is without input and output: bytes go
//! in, replies and actions come out, so that every table test runs without a
//! socket. [`serve_connection`] performs the actions for one connection.
//!
//! Security: the listener reads no content, runs no program, relays for
//! nobody (recipients are in the gateway's own domains), knows no
//! authentication, and ends the connection on anything that two mail servers
//! might read differently (bare CR, LF or NUL; bytes sent ahead of STARTTLS).
//!
//! Standards: RFC 5321, 1870 (SIZE), 2033 (LMTP), 2034 and 3463 (enhanced
//! status codes), 2920 (PIPELINING), 3030 (CHUNKING), 3207 (STARTTLS), 6152
//! (8BITMIME), 6531 (SMTPUTF8).

mod body;
mod command;
mod limits;
mod reply;
pub mod send;
mod serve;
mod session;

pub use limits::{Limits, Protocol, Settings};
pub use serve::{BoxStream, Connection, Door, Ended, Stream, Upgrade, serve_connection, turn_away};
