//! Diesel over SQLite and PostgreSQL behind the same port:
//! [`Ledger`](chancery_pipeline::ports::Ledger).
//!
//! ```text
//! callers ── Step ──▶ bounded queue ──▶ one writer thread ──▶ one transaction for all that wait
//!    ▲                                       │                state rows · audit leaves · counters
//!    └────────── answer, after COMMIT ◀──────┘
//! readers: their own connections, one short query at a time
//! ```
//!
//! What holds, on both databases and by the same tests (`tests/contract`):
//!
//! * A step is done whole, with its audit leaves, or not at all. An answer
//!   comes only after its transaction is on disk.
//! * A step that fails does not sink the others of its transaction: the batch
//!   is rolled back and done again in savepoints, without those that fail.
//! * Leaves have no gap; the tree in memory advances after COMMIT alone.
//! * When the answer to COMMIT is lost, the connection is thrown away, and the
//!   number of transactions that were done is read on a new one by a
//!   transaction that itself commits. Only where that fails for longer than
//!   the configured patience is a step's outcome said to be unknown.
//! * One writer for each log: a lock that dies with its holder, and a number
//!   that rises with every takeover, checked in every transaction.
//!
//! [`Store`] starts a thread and opens files: sandboxes that bind the calling
//! thread are set up before it.
#![forbid(unsafe_code)]

mod config;
mod connection;
mod fault;
mod kept;
mod migrate;
mod probe;
mod schema;
mod store;
mod tables;
mod writer;

pub use config::{OpenError, StoreConfig};
pub use connection::sqlite::snapshot_sqlite;
#[doc(hidden)]
pub use probe::{Act, Point, Probe, Probes};
pub use store::Store;

// Linked for what they build, not for what they name.
use libsqlite3_sys as _;
use pq_sys as _;
