//! The store: the writer's queue, the readers' pool, the port.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use chancery_audit::{Hash, LeafHashes, LogId, Tree, TreeError};
use chancery_hsm_api::KekId;
use chancery_message::{BodyId, CaseId, Channel, DeliveryId, MessageId, ParticipantId, Timestamp};
use chancery_pipeline::ports::{
    AuditLeaf, Committed, Head, Ledger, LedgerError, Step, StoredCheckpoint,
};
use chancery_pipeline::rows::{
    BodyRow, CaseRow, DeliveryRow, DeliveryState, DocumentKind, DocumentRow, Holder,
    IdempotencyRow, IndexKind, MessageRow, SegmentRow, VoteRow,
};
use diesel::r2d2::{NopErrorHandler, Pool};

use crate::config::{OpenError, StoreConfig};
use crate::connection::{Db, Pooled, Readers, Target, postgres, read, sqlite};
use crate::fault::{Done, Fault};
use crate::tables::{audit, body, case, delivery, document, lookup, message, once, wrapping};
use crate::writer::{Job, Order, Published, Session, Work, Writer};

/// State and audit log in one database.
///
/// Dropping it waits until the steps that were handed over are answered.
#[derive(Debug)]
pub struct Store {
    log_id: String,
    orders: SyncSender<Order>,
    published: Arc<Published>,
    readers: Pooled,
    writer: Option<JoinHandle<()>>,
}

/// Leaf hashes out of the database, for proofs.
struct StoredHashes<'a>(&'a Store);

// === opening ===

impl Store {
    /// Opens (with [`StoreConfig::create`]: makes) a SQLite database.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_sqlite(
        path: &Path,
        log_id: &LogId,
        config: &StoreConfig,
    ) -> Result<Self, OpenError> {
        let place = sqlite::Place::new(path, patience_ms(config), config.max_bytes)?;
        Self::open_target(Target::Sqlite(place), log_id, config)
    }

    /// Opens a PostgreSQL database behind a Unix socket, by
    /// `postgres:///DATABASE?host=/SOCKET/DIRECTORY&user=NAME`. The database
    /// itself must be there; its tables are made with [`StoreConfig::create`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_postgres(
        url: &str,
        log_id: &LogId,
        config: &StoreConfig,
    ) -> Result<Self, OpenError> {
        let place = postgres::Place::new(url, patience_ms(config))?;
        Self::open_target(Target::Postgres(place), log_id, config)
    }

    /// Opens what a setting names: `sqlite:PATH` or `postgres:///…`. Nothing
    /// else is taken for a file's name.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(url: &str, log_id: &LogId, config: &StoreConfig) -> Result<Self, OpenError> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => {
                Self::open_sqlite(Path::new(path), log_id, config)
            }
            Some(("postgres", _)) => Self::open_postgres(url, log_id, config),
            _ => Err(OpenError::Place(
                "write `sqlite:PATH` or `postgres:///DATABASE?host=/SOCKET/DIRECTORY`".into(),
            )),
        }
    }

    fn open_target(
        target: Target,
        log_id: &LogId,
        config: &StoreConfig,
    ) -> Result<Self, OpenError> {
        let (session, published) = Session::open(target.clone(), log_id, config)?;
        let published = Arc::new(published);
        let readers = Pool::builder()
            .max_size(config.readers.max(1))
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(config.patience)
            .error_handler(Box::new(NopErrorHandler))
            .build(Readers(target))
            .map_err(|error| OpenError::Connect(error.to_string()))?;
        let (orders, queue) = sync_channel(config.queue.max(1));
        let writer = start(
            Writer::new(session, Arc::clone(&published), log_id.clone(), config),
            queue,
        )?;
        Ok(Self {
            log_id: log_id.to_string(),
            orders,
            published,
            readers,
            writer: Some(writer),
        })
    }
}

fn start(writer: Writer, queue: Receiver<Order>) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || writer.run(&queue))
        .map_err(|error| OpenError::Place(format!("the writer's thread does not start: {error}")))
}

fn patience_ms(config: &StoreConfig) -> u32 {
    u32::try_from(config.patience.as_millis())
        .unwrap_or(u32::MAX)
        .clamp(1, 600_000)
}

impl Drop for Store {
    fn drop(&mut self) {
        // The writer answers what was handed over before, then ends.
        if self.orders.send(Order::Stop).is_ok()
            && let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}

// === the way to the writer ===

impl Store {
    fn submit(&self, work: Work) -> Result<Committed, LedgerError> {
        let closed = |()| LedgerError::Unavailable("the store is closed".into());
        let (answer, answered) = sync_channel(1);
        self.orders
            .send(Order::Job(Job { work, answer }))
            .map_err(|_| closed(()))?;
        answered.recv().map_err(|_| closed(()))?
    }

    fn read<T>(&self, reading: impl FnMut(&mut Db) -> Done<T>) -> Result<T, LedgerError> {
        Ok(read(&self.readers, reading)?)
    }

    fn proof<T>(
        &self,
        proving: impl FnOnce(&Tree, &StoredHashes<'_>) -> Result<T, TreeError>,
    ) -> Result<T, LedgerError> {
        // The tree as it is now; the writer goes on meanwhile.
        let tree = self.published.tree();
        Ok(proving(&tree, &StoredHashes(self)).map_err(Fault::from)?)
    }
}

impl LeafHashes for StoredHashes<'_> {
    fn leaf_hashes(&self, range: Range<u64>) -> Result<Vec<Hash>, TreeError> {
        read(&self.0.readers, |db| {
            audit::hashes(db, &self.0.log_id, &range)
        })
        .map_err(|fault| match fault {
            Fault::Damaged(_) => TreeError::Changed,
            other => TreeError::Read(LedgerError::from(other).to_string()),
        })
    }
}

// === impl Ledger ===

impl Ledger for Store {
    fn commit(&self, step: Step) -> Result<Committed, LedgerError> {
        self.submit(Work::Step(Box::new(step)))
    }

    fn next_registration(&self) -> Result<u64, LedgerError> {
        loop {
            match self.published.next_number() {
                Some(number) => return Ok(number),
                None => self.submit(Work::Reserve)?,
            };
        }
    }

    fn epoch(&self) -> Result<u64, LedgerError> {
        Ok(self.published.epoch())
    }

    fn message(&self, id: &MessageId) -> Result<Option<MessageRow>, LedgerError> {
        self.read(|db| message::get(db, id))
    }

    fn quarantined(&self, limit: u32) -> Result<Vec<MessageRow>, LedgerError> {
        self.read(|db| message::quarantined(db, limit))
    }

    fn find_indexed(
        &self,
        kind: IndexKind,
        digest: &[u8; 32],
    ) -> Result<Vec<MessageId>, LedgerError> {
        self.read(|db| lookup::find(db, kind, digest))
    }

    fn delivery(&self, id: &DeliveryId) -> Result<Option<DeliveryRow>, LedgerError> {
        self.read(|db| delivery::get(db, id))
    }

    fn deliveries_of(&self, message: &MessageId) -> Result<Vec<DeliveryRow>, LedgerError> {
        self.read(|db| delivery::of_message(db, message))
    }

    fn inbox(
        &self,
        participant: &ParticipantId,
        channel: Channel,
        after: Option<&DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, LedgerError> {
        self.read(|db| delivery::inbox(db, participant, channel, after, limit))
    }

    fn due(
        &self,
        channel: Channel,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, LedgerError> {
        self.read(|db| delivery::due(db, channel, now, limit))
    }

    fn in_state(&self, state: DeliveryState, limit: u32) -> Result<Vec<DeliveryRow>, LedgerError> {
        self.read(|db| delivery::in_state(db, state, limit))
    }

    fn deliveries_since(
        &self,
        since: Timestamp,
        after: Option<&DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, LedgerError> {
        self.read(|db| delivery::since(db, since, after, limit))
    }

    fn count_in_state(
        &self,
        state: DeliveryState,
    ) -> Result<(u64, Option<Timestamp>), LedgerError> {
        self.read(|db| delivery::count_in_state(db, state))
    }

    fn body(&self, id: &BodyId) -> Result<Option<BodyRow>, LedgerError> {
        self.read(|db| body::get(db, id))
    }

    fn segment(&self, body: &BodyId, index: u32) -> Result<Option<SegmentRow>, LedgerError> {
        self.read(|db| body::get_segment(db, body, index))
    }

    fn expired_bodies(&self, now: Timestamp, limit: u32) -> Result<Vec<BodyId>, LedgerError> {
        self.read(|db| body::expired(db, now, limit))
    }

    fn under_kek(
        &self,
        kek: &KekId,
        generation: u32,
        limit: u32,
    ) -> Result<Vec<Holder>, LedgerError> {
        self.read(|db| wrapping::under(db, kek, generation, limit))
    }

    fn count_under_kek(&self, kek: &KekId, generation: u32) -> Result<u64, LedgerError> {
        self.read(|db| wrapping::count(db, kek, generation))
    }

    fn case(&self, id: &CaseId) -> Result<Option<CaseRow>, LedgerError> {
        self.read(|db| case::get(db, id))
    }

    fn open_cases(&self, limit: u32) -> Result<Vec<CaseRow>, LedgerError> {
        self.read(|db| case::open(db, limit))
    }

    fn count_open_cases(&self) -> Result<u64, LedgerError> {
        self.read(case::count_open)
    }

    fn case_of(&self, delivery: &DeliveryId) -> Result<Option<CaseRow>, LedgerError> {
        self.read(|db| case::of_delivery(db, delivery))
    }

    fn votes(&self, case: &CaseId) -> Result<Vec<VoteRow>, LedgerError> {
        self.read(|db| case::votes(db, case))
    }

    fn idempotency(
        &self,
        participant: &ParticipantId,
        key: &[u8; 32],
    ) -> Result<Option<IdempotencyRow>, LedgerError> {
        self.read(|db| once::key(db, participant, key))
    }

    fn documents(&self, kind: DocumentKind) -> Result<Vec<DocumentRow>, LedgerError> {
        self.read(|db| document::of_kind(db, kind))
    }

    fn head(&self) -> Result<Head, LedgerError> {
        let tree = self.published.tree();
        Ok(Head {
            size: tree.size(),
            root: tree.root(),
        })
    }

    fn leaves(&self, from: u64, limit: u32) -> Result<Vec<AuditLeaf>, LedgerError> {
        self.read(|db| audit::leaves(db, &self.log_id, from, limit))
    }

    fn leaves_of(&self, message: &MessageId) -> Result<Vec<AuditLeaf>, LedgerError> {
        self.read(|db| audit::of_message(db, &self.log_id, message))
    }

    fn last_leaf_of(&self, delivery: &DeliveryId) -> Result<Option<AuditLeaf>, LedgerError> {
        self.read(|db| audit::last_of_delivery(db, &self.log_id, delivery))
    }

    fn consistency(&self, old: u64, new: u64) -> Result<Vec<[u8; 32]>, LedgerError> {
        self.proof(|tree, hashes| tree.prove_consistency(old, new, hashes))
    }

    fn inclusion(&self, seq: u64, size: u64) -> Result<Vec<[u8; 32]>, LedgerError> {
        self.proof(|tree, hashes| tree.prove_inclusion(seq, size, hashes))
    }

    fn root(&self, size: u64) -> Result<[u8; 32], LedgerError> {
        self.proof(|tree, hashes| tree.root_at(size, hashes))
    }

    fn store_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), LedgerError> {
        if self.root(checkpoint.size)? != checkpoint.root {
            return Err(LedgerError::Corrupt(
                "the checkpoint is not of this log".into(),
            ));
        }
        self.submit(Work::Checkpoint(Box::new(checkpoint.clone())))
            .map(drop)
    }

    fn checkpoints(&self, from: u64, to: u64) -> Result<Vec<StoredCheckpoint>, LedgerError> {
        self.read(|db| audit::checkpoints(db, &self.log_id, from, to))
    }
}
