//! The writer's hold on the database: one connection, one lock, one claim.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

use chancery_audit::{LogId, Tree};

use super::{Outcome, Published};
use crate::config::{OpenError, StoreConfig};
use crate::connection::{Db, Link, Target, Use, postgres, sqlite};
use crate::fault::{Done, Fault};
use crate::migrate::migrate;
use crate::tables::audit;
use crate::tables::node::{self, Claim};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// Leaf hashes that are read at once at the start.
const READ_AHEAD: u64 = 8192;
/// The last leaves, whose records are compared with their hashes at the start.
const TAIL: u64 = 256;

pub(crate) struct Session {
    target: Target,
    patience: Duration,
    db: Option<Db>,
    /// False after a connection could not be made: then the next step is told
    /// at once, instead of waiting as long again.
    hopeful: bool,
    /// The file's lock; of PostgreSQL the connection itself holds one.
    #[expect(dead_code, reason = "held, not read")]
    lock: Option<sqlite::Lock>,
    claim: Claim,
    /// A transaction whose COMMIT was sent and not answered.
    doubt: Option<Outcome>,
    /// Another writer has the log: this one does not even ask any more.
    superseded: bool,
}

/// What became of the transaction in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It was done.
    Done,
    /// It was not (or there was none).
    Undone,
}

// === opening ===

impl Session {
    /// Takes over the log, with all that is checked before anything is written.
    pub(crate) fn open(
        target: Target,
        log_id: &LogId,
        config: &StoreConfig,
    ) -> Result<(Self, Published), OpenError> {
        let lock = match &target {
            Target::Sqlite(place) => {
                place.prepare(config.create)?;
                Some(wait(config.patience, || place.lock())?)
            }
            Target::Postgres(_) => None,
        };
        let mut db = wait(config.patience, || connect(&target, log_id.as_str()))?;
        migrate(&mut db, config.create)?;
        let damaged = |fault| {
            OpenError::Damaged(chancery_pipeline::ports::LedgerError::from(fault).to_string())
        };
        let claim = claim(&mut db, log_id, config.create)
            .map_err(damaged)?
            .ok_or(OpenError::Missing)?;
        let tree = rebuild(&mut db, log_id.as_str()).map_err(damaged)?;
        check_anchor(&mut db, log_id.as_str(), &tree, config)?;
        let epoch = node::epoch_now(&mut db).map_err(damaged)?;
        let published = Published::new(tree, epoch, claim.registration);
        let session = Self {
            target,
            patience: config.patience,
            db: Some(db),
            hopeful: true,
            lock,
            claim,
            doubt: None,
            superseded: false,
        };
        Ok((session, published))
    }
}

/// Tries until there is something, for as long as the patience lasts.
fn wait<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>, OpenError>,
) -> Result<T, OpenError> {
    let begin = Instant::now();
    loop {
        let error = match attempt() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => OpenError::Busy,
            Err(error @ OpenError::Connect(_)) => error,
            Err(error) => return Err(error),
        };
        if begin.elapsed() >= patience {
            return Err(error);
        }
        park_timeout(PAUSE);
    }
}

/// A connection that may write this log; none while another session may.
fn connect(target: &Target, log_id: &str) -> Result<Option<Db>, OpenError> {
    let mut db = target.connect(Use::Write)?;
    if let Link::Postgres(connection) = &mut db.link {
        let free = postgres::try_lock(connection, &format!("log:{log_id}"))
            .map_err(|error| OpenError::Connect(error.to_string()))?;
        return Ok(free.then_some(db));
    }
    Ok(Some(db))
}

fn claim(db: &mut Db, log_id: &LogId, create: bool) -> Done<Option<Claim>> {
    db.begin()?;
    if create {
        node::insert(db, log_id.as_str())?;
    }
    let claim = node::claim(db, log_id.as_str())?;
    db.commit()?;
    Ok(claim)
}

/// The tree from all leaf hashes; the records of the last leaves are hashed anew.
fn rebuild(db: &mut Db, log_id: &str) -> Done<Tree> {
    let size = audit::size(db, log_id)?;
    let mut tree = Tree::new();
    while tree.size() < size {
        let hashes = audit::hashes(db, log_id, &(tree.size()..tree.size() + READ_AHEAD))?;
        if hashes.is_empty() {
            return Err(Fault::Damaged(format!(
                "audit leaf {} is missing",
                tree.size()
            )));
        }
        hashes.into_iter().for_each(|hash| tree.push(hash));
    }
    audit::leaves(db, log_id, size.saturating_sub(TAIL), u32::MAX)?;
    Ok(tree)
}

fn check_anchor(
    db: &mut Db,
    log_id: &str,
    tree: &Tree,
    config: &StoreConfig,
) -> Result<(), OpenError> {
    let Some(anchor) = config.anchor else {
        return Ok(());
    };
    let size = tree.size();
    if size < anchor.size {
        return Err(OpenError::RolledBack(format!(
            "{size} records, at least {} were signed",
            anchor.size
        )));
    }
    // Small steps: nothing but the frontier is needed, and it is needed once.
    let mut then = chancery_audit::Frontier::default();
    while then.size() < anchor.size {
        let end = anchor.size.min(then.size() + READ_AHEAD);
        let hashes = audit::hashes(db, log_id, &(then.size()..end)).map_err(|fault| {
            OpenError::Damaged(chancery_pipeline::ports::LedgerError::from(fault).to_string())
        })?;
        if hashes.is_empty() {
            return Err(OpenError::Damaged("the log ended while it was read".into()));
        }
        hashes.into_iter().for_each(|hash| then.push(hash));
    }
    if then.root() == anchor.root {
        Ok(())
    } else {
        Err(OpenError::RolledBack(format!(
            "its first {} records are others than those signed",
            anchor.size
        )))
    }
}

// === the connection's life ===

impl Session {
    pub(super) const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The connection; `settle` has to have been called.
    pub(super) fn db(&mut self) -> Done<&mut Db> {
        self.db
            .as_mut()
            .ok_or_else(|| Fault::Lost("there is no connection".into()))
    }

    /// Throws the connection away. What it had not committed is undone.
    pub(super) fn lose(&mut self) {
        self.db = None;
    }

    /// As [`Session::lose`], after a COMMIT without answer.
    pub(super) fn doubt(&mut self, outcome: Outcome) {
        self.db = None;
        self.doubt = Some(outcome);
    }

    /// Leaves the log to the writer that has taken it over.
    pub(super) fn give_up(&mut self) {
        self.db = None;
        self.superseded = true;
    }

    /// A transaction was answered.
    pub(super) const fn advance(&mut self) {
        self.claim.commits += 1;
    }

    /// Makes sure of a connection. After one was lost, finds out on the new one
    /// what became of the transaction in doubt, and gives back what is to be
    /// published if it was done.
    pub(super) fn settle(&mut self) -> Done<(Settled, Option<Outcome>)> {
        if self.superseded {
            return Err(Fault::Superseded);
        }
        if self.db.is_some() {
            return Ok((Settled::Undone, None));
        }
        let patience = if self.hopeful {
            self.patience
        } else {
            Duration::ZERO
        };
        self.hopeful = false;
        let mut db = wait(patience, || connect(&self.target, &self.claim.log_id))
            .map_err(|error| Fault::Lost(error.to_string()))?;
        db.begin()?;
        let commits = node::settle(&mut db, &self.claim).inspect_err(|fault| {
            self.superseded |= *fault == Fault::Superseded;
        })?;
        db.commit()?;
        let result = match (commits - self.claim.commits, self.doubt.take()) {
            (0, _) => (Settled::Undone, None),
            (1, Some(outcome)) => {
                self.claim.commits = commits;
                (Settled::Done, Some(outcome))
            }
            // The lock was ours, or the claim would be gone.
            _ => {
                return Err(Fault::Damaged(
                    "the number of transactions is not the one that was written".into(),
                ));
            }
        };
        self.db = Some(db);
        self.hopeful = true;
        Ok(result)
    }

    /// The proper end: no registration number is skipped.
    pub(super) fn close(mut self, next_number: u64) {
        let Some(mut db) = self.db.take() else { return };
        let end = |db: &mut Db| {
            db.begin()?;
            node::advance(db, &self.claim, next_number)?;
            db.commit()?;
            match db.link {
                Link::Sqlite(_) => db.run("PRAGMA wal_checkpoint(TRUNCATE)"),
                Link::Postgres(_) => Ok(()),
            }
        };
        if let Err(fault) = end(&mut db) {
            tracing::warn!(?fault, "the store was closed without its last bookkeeping");
        }
    }
}
