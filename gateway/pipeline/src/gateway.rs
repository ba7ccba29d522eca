//! What every stage works with: ledger, keys, time, randomness, and the rules
//! in force.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chancery_hsm_api::{Compartment, ContentKeys, KekId, KeyError, WrappedKey};
use chancery_label::{Label, ReadOptions};
use chancery_message::{
    BodyId, Channel, Clock, Entropy, EntropyError, ParticipantId, Precedence, Timestamp,
    TransportEvidence,
};
use chancery_seal::{IndexKey, RowKey};

use crate::documents::UnreadableDocument;
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{Ledger, LedgerError};
use crate::rows::Holder;
use crate::rules::Rules;
use crate::underway::UnderWay;

/// The gateway's means. One for each core process.
pub struct Gateway {
    /// State and audit log.
    pub ledger: Arc<dyn Ledger>,
    /// Content keys, wrapped in the token.
    pub keys: Arc<dyn ContentKeys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Authenticates rows.
    pub row_key: RowKey,
    /// Finds sealed values again.
    pub index_key: IndexKey,
    /// The node's own settings.
    pub node: Node,
    /// Releases that are under way.
    pub under_way: Arc<UnderWay>,
    rules: RwLock<Arc<Rules>>,
    /// Over what the latest uploads came.
    uploads: Mutex<BTreeMap<BodyId, TransportEvidence>>,
    /// The generation of each KEK that makes things now, as far as core knows.
    newest: RwLock<BTreeMap<KekId, u32>>,
    /// What was opened and is under an older one: rewrapped first.
    stale: Mutex<BTreeSet<Holder>>,
}

/// Most holders that are remembered for being rewrapped first.
const MOST_STALE: usize = 10_000;
/// Most uploads of which it is remembered over what they came; the oldest are
/// forgotten first and count as uploaded over the weakest session.
const MOST_UPLOADS: usize = 10_000;

/// What a node sets for itself.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name: in approvals and in the log.
    pub name: String,
    /// The domain of its mail addresses.
    pub mail_domain: String,
    /// The least label of what comes by each channel.
    pub floors: [(Channel, Label); 3],
    /// The participant that "Europol in copy" means.
    pub europol: Option<ParticipantId>,
    /// From so many portions of one level a message counts as an aggregate.
    pub aggregate_portions: u32,
    /// Largest attachment, bytes.
    pub max_attachment: u64,
    /// Largest message that goes by mail, bytes of content.
    pub max_mail: u64,
    /// How long an upload is kept for a message to refer to it.
    pub upload_lifetime: Duration,
    /// How long a delivery waits to be fetched or accepted.
    pub delivery_lifetime: Duration,
    /// Whether nothing more goes to a recipient that owes an overdue receipt.
    pub hold_for_receipts: bool,
    /// By when people must have spoken.
    pub times: Times,
}

/// By when people must have spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// In which an originator answers a request for its consent.
    pub consent: Duration,
    /// In which a held release is judged and a receipt is due: flash and
    /// override, immediate, priority, routine, deferred (RFC 6477 names).
    pub by_precedence: [Duration; 5],
}

impl Default for Times {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        Self {
            consent: Duration::from_secs(72 * 60 * MINUTE),
            by_precedence: [10, 30, 4 * 60, 24 * 60, 72 * 60]
                .map(|minutes| Duration::from_secs(minutes * MINUTE)),
        }
    }
}

impl Times {
    /// In which a message of this precedence is judged, and acknowledged.
    #[must_use]
    pub const fn of(&self, precedence: Precedence) -> Duration {
        let [flash, immediate, priority, routine, deferred] = self.by_precedence;
        match precedence {
            Precedence::Override | Precedence::Flash => flash,
            Precedence::Immediate => immediate,
            Precedence::Priority => priority,
            Precedence::Routine => routine,
            Precedence::Deferred => deferred,
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("node", &self.node.name)
            .finish_non_exhaustive()
    }
}

/// A stage could not do its work: nothing was changed, and the peer may try
/// again (or, for [`StageError::Refused`], hears why not).
#[derive(Clone, Debug, thiserror::Error)]
pub enum StageError {
    /// Refused, with words for the peer.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Sealed bytes or a row are not what was written.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
}

impl From<UnreadableDocument> for StageError {
    fn from(error: UnreadableDocument) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl StageError {
    /// What the peer hears.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal.clone(),
            Self::Ledger(LedgerError::Conflict) => {
                Refusal::new(RefusalKind::Busy, "the state changed meanwhile: try again")
            }
            Self::Ledger(_) | Self::Keys(_) | Self::Entropy(_) | Self::Corrupt(_) => Refusal::new(
                RefusalKind::Unavailable,
                "the gateway cannot do this now: nothing was accepted, try again later",
            ),
        }
    }
}

// === impl Gateway ===

impl Gateway {
    /// Composes a gateway.
    #[allow(
        clippy::too_many_arguments,
        reason = "each is a means of its own; called in one place"
    )]
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        keys: Arc<dyn ContentKeys>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        row_key: RowKey,
        index_key: IndexKey,
        node: Node,
        rules: Rules,
    ) -> Self {
        Self {
            ledger,
            keys,
            clock,
            entropy,
            row_key,
            index_key,
            node,
            under_way: Arc::default(),
            rules: RwLock::new(Arc::new(rules)),
            uploads: Mutex::default(),
            newest: RwLock::default(),
            stale: Mutex::default(),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How labels are read today.
    ///
    /// # Errors
    /// [`StageError::Corrupt`] where the clock is outside the calendar.
    pub fn reading(&self) -> Result<ReadOptions, StageError> {
        let on = self
            .now()
            .date()
            .ok_or_else(|| StageError::Corrupt("the clock is out of range".to_owned()))?;
        Ok(ReadOptions { country: None, on })
    }

    /// The rules in force: a decision uses one snapshot from beginning to end.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other rules in force. Steps decided under older ones fail at their
    /// epoch guard and are decided again. Rules of an older epoch than those in
    /// force are left: whoever made them did not see what came meanwhile.
    pub fn replace_rules(&self, rules: Rules) {
        let mut current = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if rules.epoch() >= current.epoch() {
            *current = Arc::new(rules.reading(&current));
        }
    }

    /// An upload is whole: over what it came is remembered until it is used.
    pub(crate) fn set_uploaded_over(&self, id: BodyId, over: TransportEvidence) {
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        while uploads.len() >= MOST_UPLOADS && uploads.pop_first().is_some() {}
        uploads.insert(id, over);
    }

    /// Over what an upload came, as far as it is known.
    pub(crate) fn uploaded_over(&self, id: &BodyId) -> Option<TransportEvidence> {
        self.uploads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    /// Tells which generation of each KEK makes things now.
    pub fn set_newest(&self, newest: BTreeMap<KekId, u32>) {
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = newest;
    }

    /// Something was opened: under an older generation it is rewrapped first.
    pub(crate) fn opened(&self, holder: Holder, wrapped: &WrappedKey) {
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        if newest
            .get(&wrapped.kek)
            .is_some_and(|newest| wrapped.generation < *newest)
        {
            let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
            if stale.len() < MOST_STALE {
                stale.insert(holder);
            }
        }
    }

    /// What was opened lately and is under an older generation.
    #[must_use]
    pub fn take_stale(&self) -> BTreeSet<Holder> {
        std::mem::take(&mut *self.stale.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The least label of what comes by a channel.
    #[must_use]
    pub fn floor(&self, channel: Channel) -> Label {
        self.node
            .floors
            .iter()
            .find(|(one, _)| *one == channel)
            .map(|(_, label)| label.clone())
            .unwrap_or_default()
    }
}

/// The KEK for a label of that rank whose originator lives in that compartment.
#[must_use]
pub const fn kek(rank: u8, compartment: Compartment) -> KekId {
    KekId::Label { rank, compartment }
}
