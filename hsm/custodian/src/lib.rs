//! The custody protocol: what goes over the socket between those who use keys
//! and the one process that holds them.
//!
//! [`CustodyClient`] is the users' end and implements the capability traits of
//! `chancery-hsm-api`. [`Server`] is the custodian's end: it looks up in the
//! role table ([`may`]) whether this client may ask this, bounds how much is
//! asked at once, asks the token, counts, and records what it refused in its
//! own hash-chained log ([`ChainLog`]). Checkpoints of the audit log go through
//! the [`Book`], which signs only what extends what it signed before.
//!
//! Nothing here opens a socket: bytes in, bytes out.
#![forbid(unsafe_code)]

mod book;
mod card;
mod ceremony;
mod chain;
mod client;
mod council;
mod gate;
mod governance;
pub mod note;
mod period;
mod protocol;
mod register;
mod roles;
mod roster;
mod server;
mod settings;
mod uri;

pub use book::Book;
pub use card::{KeyCard, KeyState};
pub use ceremony::{Ceremony, Denial, Dossier, FORMAT as PROPOSAL_FORMAT, Proposal};
pub use chain::{ChainError, ChainLog, Done, Event, Head, Outcome, Recorder, verify_chain};
pub use client::CustodyClient;
pub use council::{NotAgreed, judge};
pub use gate::{Limit, Limits};
pub use governance::{Governance, Performed};
pub use period::{Period, Periods};
pub use protocol::{
    Answer, MAX_MAC_DATA, MAX_RANDOM, MAX_REQUEST, Operation, Request, Status, Tally,
};
pub use register::{Now, Register};
pub use roles::{Client, may};
pub use roster::{Roster, RosterFile, RosterText, is_begun as is_enrolled};
pub use server::Server;
pub use settings::{CustodianSettings, Hardening, ModuleKind, PinSource, TokenSettings};
pub use uri::{TokenUri, UriError};
