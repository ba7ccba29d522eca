//! The audit log: event catalogue, canonical records, Merkle tree,
//! checkpoints, exports and their offline verification.
//!
//! Pure: no clock, no database, no keys. An [`Event`] says what happened; the
//! ledger gives it its place and makes it a [`Record`]; the record's bytes are
//! one leaf of a [`Tree`] (RFC 6962 hashing); the custodian signs the tree's
//! head as a [`Checkpoint`]; [`verify`] needs an [`export`] and the public
//! key, nothing else.
//!
//! ```
//! use chancery_audit::{Actor, Event, EventKind, Key, LogId, Record};
//! use chancery_message::Timestamp;
//!
//! let event = Event::new(EventKind::ReleaseRefused, Timestamp::from_micros(0), Actor::System)
//!     .detail(Key::Recipient, "vendor-1")
//!     .detail(Key::Gates, ["G04", "G11"]);
//! let log: LogId = "chancery/node-1".parse()?;
//! let record = Record::new(&log, 0, event);
//! let bytes = record.encode();
//! assert_eq!(Record::parse(&bytes)?, record);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod actor;
pub mod catalogue;
pub mod checkpoint;
mod escape;
pub mod event;
pub mod export;
pub mod frontier;
pub mod passport;
pub mod record;
pub mod report;
pub mod timeline;
pub mod tree;
pub mod value;
pub mod verify;
pub mod words;

pub use actor::{Actor, InvalidName, LogId, PeerId, ProcessName};
pub use catalogue::{EventKind, Severity};
pub use checkpoint::{Checkpoint, CheckpointError, CheckpointKey};
pub use event::{Details, Event};
pub use export::{ExportError, Exporter};
pub use frontier::Frontier;
pub use record::{Record, RecordError, leaf_hash};
pub use report::{Fault, Place, Report, Wrong};
pub use tree::{LeafHashes, Staged, Tree, TreeError, verify_consistency, verify_inclusion};
pub use value::Value;
pub use verify::Expect;
pub use words::{Key, UnknownName};

/// A SHA-256 hash: of a leaf, a node, a root.
pub type Hash = [u8; 32];

/// Largest canonical record, bytes.
pub const MAX_RECORD_BYTES: usize = 60 * 1024;
