//! How a store is opened, and why it is not.

use std::time::Duration;

use chancery_pipeline::ports::Head;

use crate::probe::Probes;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Makes the database (or this node's log in it) if there is none. False
    /// for a running node: there, a missing or empty database is a fault and
    /// not a new beginning.
    pub create: bool,
    /// Read connections.
    pub readers: u32,
    /// Steps that may wait for the writer before callers wait to hand them over.
    pub queue: usize,
    /// Steps of one transaction.
    pub batch_steps: usize,
    /// Bytes of one transaction, as far as steps are added to it.
    pub batch_bytes: usize,
    /// How long a lock, another process that holds the log, or a database that
    /// is gone is waited for.
    pub patience: Duration,
    /// The largest size of the SQLite file; none for the disk's own limit.
    pub max_bytes: Option<u64>,
    /// What the log must at least hold: the last checkpoint that is known from
    /// elsewhere. A database that does not (an older copy) is not opened.
    pub anchor: Option<Head>,
    /// For tests that stop it at a given place.
    #[doc(hidden)]
    pub probes: Probes,
}

/// Why a store cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Where it is said to be, it cannot be.
    #[error("the database cannot be used: {0}")]
    Place(String),
    /// There is none.
    #[error(
        "there is no database of this node (or it is empty): create one with `chancery init`, or restore a backup"
    )]
    Missing,
    /// It does not let us in.
    #[error("no connection to the database: {0}")]
    Connect(String),
    /// Too old a database program.
    #[error("the database is version {found}, {oldest} is needed")]
    Version {
        /// The one found.
        found: String,
        /// The oldest that does.
        oldest: &'static str,
    },
    /// A setting that durability or safety rests on is not as it must be.
    #[error("the database's `{name}` is `{found}`, it must be `{want}`")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        want: String,
    },
    /// Another process writes this log.
    #[error("another process writes this node's log: stop it first")]
    Busy,
    /// Made by a later version of this program.
    #[error(
        "the database has schema `{0}`, which this program does not know: use the newer `chancery` that made it"
    )]
    Newer(String),
    /// A migration failed.
    #[error(
        "the database's schema could not be brought up to date (as a role that owns its tables?): {0}"
    )]
    Migration(String),
    /// The log is not the one that the anchor is of.
    #[error(
        "the database is older than the last checkpoint or not of the same log ({0}): restore a newer backup"
    )]
    RolledBack(String),
    /// What was read is not what was written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            create: false,
            readers: 4,
            queue: 256,
            batch_steps: 64,
            batch_bytes: 1024 * 1024,
            patience: Duration::from_secs(5),
            max_bytes: None,
            anchor: None,
            probes: Probes::default(),
        }
    }
}
