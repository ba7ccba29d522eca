//! The ledger: state and audit log, written together by one writer.
//!
//! ```text
//! stage → Step { guards, writes, events } → commit → state + audit leaves, durable, together
//! ```
//!
//! The writer groups waiting steps into one transaction (group commit). A step
//! that fails is rolled back to its savepoint, or the batch is rolled back and
//! its steps are retried singly: it never sinks its neighbours. The audit tree
//! in memory advances only after the commit. After a commit whose outcome is
//! unknown (connection lost) the log's head is read again before any answer:
//! [`LedgerError::UnknownOutcome`] is returned only where even that fails.

use chancery_audit::Event;
use chancery_hsm_api::KekId;
use chancery_message::{
    BodyId, CaseId, Channel, DeliveryId, MessageId, OfficerId, ParticipantId, Timestamp,
};
use chancery_seal::{SealedBody, SealedMessage};

use crate::rows::{
    BodyRow, CaseRow, DeliveryRow, DocumentKind, DocumentRow, Holder, IdempotencyRow, IndexKind,
    MessageRow, SegmentRow, VoteRow, Wrapping,
};

/// One atomic change, with the events that tell it. There is no way to change
/// state without one.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// All must hold, or nothing is written ([`LedgerError::Conflict`]).
    pub guards: Vec<Guard>,
    /// Applied in order.
    pub writes: Vec<Write>,
    /// Recorded in order.
    pub events: Vec<Event>,
}

/// A condition on the state at the moment of writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The directory, MoUs and policies have not changed since they were read.
    Epoch(u64),
}

/// One change. Inserts fail with [`LedgerError::Duplicate`] where the key is
/// taken; updates with [`LedgerError::Conflict`] where the stored version is
/// not `row.version - 1`.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new message (version 1).
    InsertMessage(Box<MessageRow>),
    /// A message's next version.
    UpdateMessage(Box<MessageRow>),
    /// A new delivery (version 1).
    InsertDelivery(Box<DeliveryRow>),
    /// A delivery's next version.
    UpdateDelivery(Box<DeliveryRow>),
    /// A new sealed stream (version 1).
    InsertBody(Box<BodyRow>),
    /// Its next version (completed, bound to a message).
    UpdateBody(Box<BodyRow>),
    /// Forgets an unbound body and its segments.
    DeleteBody(BodyId),
    /// A sealed segment of a stream.
    InsertSegment(SegmentRow),
    /// A new case (version 1).
    InsertCase(Box<CaseRow>),
    /// Its next version.
    UpdateCase(Box<CaseRow>),
    /// An officer's vote: one for each officer and case.
    InsertVote(Box<VoteRow>),
    /// A keyed digest under which a message is found again. Where `unique`, a
    /// second message under the same digest is a [`LedgerError::Duplicate`].
    InsertIndex {
        /// What kind of value.
        kind: IndexKind,
        /// HMAC-SHA-256 of it.
        digest: [u8; 32],
        /// The message found by it.
        message: MessageId,
        /// Whether only one message may have it.
        unique: bool,
    },
    /// A peer's idempotency key, used.
    InsertIdempotency(Box<IdempotencyRow>),
    /// Forgets all idempotency keys that expired at or before then: until that
    /// is done an expired key is still a [`LedgerError::Duplicate`].
    ForgetIdempotency(Timestamp),
    /// The nonce of an approval, used ([`LedgerError::Duplicate`] if it was before).
    InsertNonce([u8; 16]),
    /// A version of a directory, MoU or policy document. Raises the epoch by one.
    InsertDocument(Box<DocumentRow>),
    /// Nothing is put under that generation of a KEK any more: every later row
    /// that would be is a [`LedgerError::Conflict`]. A conflict itself while
    /// anything is under it; harmless to repeat.
    CloseKek {
        /// Which KEK.
        kek: KekId,
        /// Which generation.
        generation: u32,
    },
}

impl Write {
    /// Under which KEK the content key of a message or body is, where it has one.
    #[must_use]
    pub fn wrapping(&self) -> Option<Wrapping> {
        let (holder, wrapped) = match self {
            Self::InsertMessage(row) | Self::UpdateMessage(row) => (
                Holder::Message(row.id),
                SealedMessage::wrapped_in(&row.sealed)?,
            ),
            Self::InsertBody(row) | Self::UpdateBody(row) => {
                (Holder::Body(row.id), SealedBody::wrapped_in(&row.document)?)
            }
            _ => return None,
        };
        Some(Wrapping {
            holder,
            kek: wrapped.kek,
            generation: wrapped.generation,
        })
    }
}

/// What a commit gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The audit sequence number of the step's first event (the next one, if it had none).
    pub first_seq: u64,
    /// The epoch after it.
    pub epoch: u64,
}

/// The log's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root hash.
    pub root: [u8; 32],
}

/// One leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLeaf {
    /// Its place, from 0.
    pub seq: u64,
    /// The canonical record.
    pub record: Vec<u8>,
}

/// A checkpoint as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Number of leaves.
    pub size: u64,
    /// Root hash.
    pub root: [u8; 32],
    /// The signed note.
    pub note: String,
    /// When it was stored.
    pub at: Timestamp,
}

/// Why the ledger did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A guard did not hold, or a version was not the expected one: read again, decide again.
    #[error("the state changed meanwhile")]
    Conflict,
    /// A key is taken.
    #[error("{what} exists already")]
    Duplicate {
        /// Which: the `Write`'s name in lower case, for example `index`, `nonce`, `vote`, `idempotency`.
        what: &'static str,
        /// The message that holds it, where one does.
        message: Option<MessageId>,
    },
    /// The database cannot be written or read now (locked, full, down): nothing was done.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Whether it was done cannot be told.
    #[error("the outcome of a commit is unknown: {0}")]
    UnknownOutcome(String),
    /// What was read is not what was written.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
}

/// State and audit log. Every call may block; writes go through the one writer.
pub trait Ledger: Send + Sync {
    /// Applies a step, durably, with its events.
    ///
    /// # Errors
    /// See [`LedgerError`]; on every error but `UnknownOutcome` nothing was done.
    fn commit(&self, step: Step) -> Result<Committed, LedgerError>;

    /// The next registration number: unique and rising; a step that fails leaves a gap.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn next_registration(&self) -> Result<u64, LedgerError>;

    /// The current epoch of directory, MoUs and policies.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn epoch(&self) -> Result<u64, LedgerError>;

    /// A message.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn message(&self, id: &MessageId) -> Result<Option<MessageRow>, LedgerError>;

    /// The messages in quarantine, oldest first.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn quarantined(&self, limit: u32) -> Result<Vec<MessageRow>, LedgerError>;

    /// The message behind an indexed value, newest first.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn find_indexed(
        &self,
        kind: IndexKind,
        digest: &[u8; 32],
    ) -> Result<Vec<MessageId>, LedgerError>;

    /// A delivery.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn delivery(&self, id: &DeliveryId) -> Result<Option<DeliveryRow>, LedgerError>;

    /// All deliveries of a message, in the order of their recipients.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn deliveries_of(&self, message: &MessageId) -> Result<Vec<DeliveryRow>, LedgerError>;

    /// What waits in a participant's inbox on a pulled channel (queued, or
    /// opened and not acknowledged), by precedence (highest first), then age.
    /// Keyset: only what comes after `after` in that order.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn inbox(
        &self,
        participant: &ParticipantId,
        channel: Channel,
        after: Option<&DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, LedgerError>;

    /// Deliveries that the gateway is to send now: queued or deferred on a
    /// pushed channel with `next_at` at or before `now`, by precedence, then age.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn due(
        &self,
        channel: Channel,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, LedgerError>;

    /// Deliveries in that state, oldest first (recovery after a crash, reminders).
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn in_state(
        &self,
        state: crate::rows::DeliveryState,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, LedgerError>;

    /// Deliveries queued from then on, in the order of their ids (which is that
    /// of time); only what comes after `after`.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn deliveries_since(
        &self,
        since: Timestamp,
        after: Option<&DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, LedgerError>;

    /// How many deliveries are in that state, and since when the oldest exists.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn count_in_state(
        &self,
        state: crate::rows::DeliveryState,
    ) -> Result<(u64, Option<Timestamp>), LedgerError>;

    /// A sealed stream.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn body(&self, id: &BodyId) -> Result<Option<BodyRow>, LedgerError>;

    /// One of its segments.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn segment(&self, body: &BodyId, index: u32) -> Result<Option<SegmentRow>, LedgerError>;

    /// Unbound bodies that expired at or before `now`.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn expired_bodies(&self, now: Timestamp, limit: u32) -> Result<Vec<BodyId>, LedgerError>;

    /// What is under that generation of a KEK, at most `limit`.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn under_kek(
        &self,
        kek: &KekId,
        generation: u32,
        limit: u32,
    ) -> Result<Vec<Holder>, LedgerError>;

    /// How much is under that generation of a KEK.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn count_under_kek(&self, kek: &KekId, generation: u32) -> Result<u64, LedgerError>;

    /// A case.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn case(&self, id: &CaseId) -> Result<Option<CaseRow>, LedgerError>;

    /// Open cases, the most urgent first (due time, then age).
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn open_cases(&self, limit: u32) -> Result<Vec<CaseRow>, LedgerError>;

    /// How many cases are open.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn count_open_cases(&self) -> Result<u64, LedgerError>;

    /// The case of a delivery that was opened last.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn case_of(&self, delivery: &DeliveryId) -> Result<Option<CaseRow>, LedgerError>;

    /// The votes of a case, in order.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn votes(&self, case: &CaseId) -> Result<Vec<VoteRow>, LedgerError>;

    /// True if the officer voted in that case.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn has_voted(&self, case: &CaseId, officer: &OfficerId) -> Result<bool, LedgerError> {
        Ok(self
            .votes(case)?
            .iter()
            .any(|vote| &vote.officer == officer))
    }

    /// A used idempotency key.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn idempotency(
        &self,
        participant: &ParticipantId,
        key: &[u8; 32],
    ) -> Result<Option<IdempotencyRow>, LedgerError>;

    /// All versions of the documents of a kind, in the order recorded.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn documents(&self, kind: DocumentKind) -> Result<Vec<DocumentRow>, LedgerError>;

    /// The audit log's head (committed).
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn head(&self) -> Result<Head, LedgerError>;

    /// Leaves from `from`, at most `limit`.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn leaves(&self, from: u64, limit: u32) -> Result<Vec<AuditLeaf>, LedgerError>;

    /// The leaves about one message, in order.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn leaves_of(&self, message: &MessageId) -> Result<Vec<AuditLeaf>, LedgerError>;

    /// The last leaf about one delivery.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn last_leaf_of(&self, delivery: &DeliveryId) -> Result<Option<AuditLeaf>, LedgerError>;

    /// RFC 6962 consistency proof between two sizes of the log.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn consistency(&self, old: u64, new: u64) -> Result<Vec<[u8; 32]>, LedgerError>;

    /// RFC 6962 inclusion proof of a leaf in the tree of that size.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn inclusion(&self, seq: u64, size: u64) -> Result<Vec<[u8; 32]>, LedgerError>;

    /// Root hash of the tree of that size.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn root(&self, size: u64) -> Result<[u8; 32], LedgerError>;

    /// Keeps a signed checkpoint (not part of the log itself).
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn store_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), LedgerError>;

    /// Stored checkpoints with a size in that range, in order of size.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn checkpoints(&self, from: u64, to: u64) -> Result<Vec<StoredCheckpoint>, LedgerError>;
}
