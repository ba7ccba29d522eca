//! What the pipeline needs of the world, and what adapters may ask of it.
//!
//! Adapters know these ports and nothing else of the gateway.

mod gate;
mod ledger;
mod senders;

pub use gate::{
    Ask, BoxFuture, Chunks, DoorRefusal, Gate, GateError, Reply, ReplyBody, TooMany, WholeChunks,
};
pub use ledger::{
    AuditLeaf, Committed, Guard, Head, Ledger, LedgerError, Step, StoredCheckpoint, Write,
};
pub use senders::{CertificateAlgorithms, SenderCertificates, SendersError};
