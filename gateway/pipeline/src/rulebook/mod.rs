//! The rules as documents with versions: what is in force is what the ledger
//! holds, each version with the signatures that carried it. Files are how a
//! version is offered, never what rules: whoever owns the folder alone widens
//! nothing.

mod book;
mod change;
mod complete;
mod enact;
mod keeper;
mod offer;
mod past;
mod proposals;
mod suspend;

use std::collections::{BTreeMap, BTreeSet};

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::Timestamp;
use chancery_policy::PolicyTexts;
use chancery_policy::approval::Signed;
use chancery_policy::directory::DirectoryError;
use chancery_policy::engine::PolicyError;
use chancery_policy::mou::{self, MouError};
use chancery_policy::widening::{self, SignatureError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ports::LedgerError;
use crate::rows::DocumentKind;

pub use change::Change;
pub use keeper::{Candidate, Keeper, NotTaken, changed};
pub use offer::{Agreement, Counts, Flow, report};
pub use past::{PastSet, past_sets};
pub use proposals::{Proposal, ProposalState, approve, open as open_proposals, propose};
pub use suspend::{Stopped, Subject, Suspended, suspend};

/// The key of the one document of participants.
pub const PARTICIPANTS: &str = "participants";
/// The key of the one document of officers.
pub const OFFICERS: &str = "officers";
/// The key of the one document of the policy set.
pub const POLICIES: &str = "policies";

/// A text that is to rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// What kind of text.
    pub kind: DocumentKind,
    /// Which: an MoU's id, else a fixed word; of a suspension `participant/ID` and so on.
    pub key: String,
    /// The text: TOML; of a policy set its files as a JSON object; of a suspension JSON.
    pub text: String,
}

/// A version as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The text.
    pub text: String,
    /// The signatures that carried it: over the text's digest where it came from a
    /// file, over the whole change ([`Change::digest`]) where it was proposed.
    pub approvals: Vec<Signed>,
    /// Why it was proposed; none where it came from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Of a policy set that was proposed: its evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// What a suspension says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Whether it holds, or was lifted.
    pub suspended: bool,
    /// Why.
    pub why: String,
}

/// All that the ledger holds of the rules.
#[derive(Clone, Debug, Default)]
pub struct Book {
    texts: BTreeMap<(DocumentKind, String), Version>,
    counts: BTreeMap<(DocumentKind, String), u64>,
    suspended: BTreeSet<Subject>,
    proposals: BTreeMap<String, Proposal>,
    nonces: BTreeSet<[u8; 16]>,
}

/// Why rules do not come into force: everything that is wrong with them.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The agreements.
    #[error(transparent)]
    Mous(#[from] MouError),
    /// The policies.
    #[error(transparent)]
    Policies(#[from] PolicyError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The founding texts are not signed as they must be.
    #[error("{place}: {cause}")]
    Signatures {
        /// Which file.
        place: String,
        /// Why.
        cause: SignatureError,
    },
    /// What the ledger holds is not what was written.
    #[error("a stored rule is not what was written: {0}")]
    Damaged(String),
    /// Versions of rules are missing, or there are some of another time.
    #[error(
        "the tables of the rules hold {versions} versions, and the database's epoch is {epoch}: versions were removed or put back; restore a backup (chancery restore)"
    )]
    Incomplete {
        /// How many there are.
        versions: u64,
        /// How many there must be.
        epoch: u64,
    },
    /// The rules are older than the log.
    #[error(
        "the rules are of epoch {epoch}, and the log has records of epoch {log}: an old copy of the rules was put back; restore a backup (chancery restore)"
    )]
    Behind {
        /// The database's epoch.
        epoch: u64,
        /// The last epoch that the log names.
        log: u64,
    },
    /// A text that every node has is not there.
    #[error("there is no text of the {0}")]
    Missing(&'static str),
}

// === impl RuleText ===

impl RuleText {
    /// The participants.
    #[must_use]
    pub fn participants(text: String) -> Self {
        Self::new(DocumentKind::Participant, PARTICIPANTS, text)
    }

    /// The officers.
    #[must_use]
    pub fn officers(text: String) -> Self {
        Self::new(DocumentKind::Officer, OFFICERS, text)
    }

    /// An MoU: its key is its id, whatever its file is called.
    ///
    /// # Errors
    /// [`MouError`] where the text is no MoU, by line.
    pub fn mou(file: &str, text: String) -> Result<Self, MouError> {
        let id = mou::read(file, &text)?.id;
        Ok(Self::new(DocumentKind::Mou, id.as_str(), text))
    }

    /// A policy set: a file left out is a change too.
    #[must_use]
    pub fn policies(texts: &PolicyTexts) -> Self {
        let files: BTreeMap<&str, &str> = texts.files().collect();
        // INVARIANT: strings; writing them into memory cannot fail.
        let text = serde_json::to_string(&files).unwrap_or_default();
        Self::new(DocumentKind::Policy, POLICIES, text)
    }

    /// Lifts a suspension.
    #[must_use]
    pub fn resume(subject: &Subject, why: &str) -> Self {
        let lifted = Suspension {
            suspended: false,
            why: why.to_owned(),
        };
        // INVARIANT: a flag and a string; writing them into memory cannot fail.
        let text = serde_json::to_string(&lifted).unwrap_or_default();
        Self::new(DocumentKind::Suspension, &subject.to_string(), text)
    }

    /// A text of a kind and key.
    #[must_use]
    pub fn new(kind: DocumentKind, key: &str, text: String) -> Self {
        Self {
            kind,
            key: key.to_owned(),
            text,
        }
    }

    /// What security officers approve when they approve it.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        operation(self.kind)
    }

    /// What their signatures bind: SHA-256 of the text; of a policy set its
    /// hash, which every decision records; of a lifted suspension of its
    /// subject and text.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        match self.kind {
            DocumentKind::Policy => policy_texts(&self.text).map_or([0; 32], |texts| texts.hash()),
            DocumentKind::Suspension => Sha256::new()
                .chain_update((self.key.len() as u64).to_be_bytes())
                .chain_update(&self.key)
                .chain_update(&self.text)
                .finalize()
                .into(),
            DocumentKind::Participant
            | DocumentKind::Officer
            | DocumentKind::Mou
            | DocumentKind::Proposal => Sha256::digest(self.text.as_bytes()).into(),
        }
    }
}

/// What security officers approve for a text of this kind.
#[must_use]
pub const fn operation(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Participant => widening::DIRECTORY,
        DocumentKind::Officer => widening::OFFICERS,
        DocumentKind::Mou => widening::MOU,
        DocumentKind::Policy => widening::POLICY,
        DocumentKind::Suspension => widening::RESUME,
        DocumentKind::Proposal => "rules.propose",
    }
}

fn policy_texts(text: &str) -> Option<PolicyTexts> {
    let files: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    Some(PolicyTexts::new(files))
}

/// The event of a text that came into force.
pub(crate) fn event(
    change: &Change,
    approvals: &[Signed],
    version: u64,
    epoch: u64,
    actor: Actor,
    now: Timestamp,
) -> Event {
    let rule = &change.rule;
    let (kind, named) = match rule.kind {
        DocumentKind::Mou => (EventKind::MouChanged, Some((Key::Mou, rule.key.as_str()))),
        DocumentKind::Policy => (EventKind::PolicyActivated, None),
        DocumentKind::Participant
        | DocumentKind::Officer
        | DocumentKind::Suspension
        | DocumentKind::Proposal => (EventKind::DirectoryChanged, None),
    };
    let officers: Vec<String> = approvals
        .iter()
        .map(|one| one.officer().to_string())
        .collect();
    let event = Event::new(kind, now, actor)
        .detail(Key::Approvals, officers)
        .detail(Key::Digest, hex::encode(rule.digest()))
        .detail(Key::Epoch, i64::try_from(epoch).unwrap_or(i64::MAX))
        .detail(Key::Version, i64::try_from(version).unwrap_or(i64::MAX))
        .detail(Key::Name, rule.key.as_str())
        .detail_if(Key::Evidence, change.evidence_digest())
        .detail_if(
            Key::Reason,
            (!change.why.is_empty()).then(|| change.why.clone()),
        );
    match named {
        Some((key, value)) => event.detail(key, value),
        None => event,
    }
}
