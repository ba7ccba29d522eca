//! Review: what is held, who may judge it, and what closes it.
//!
//! A vote binds the digest of message, label, recipient, facts and gates. At
//! release the facts are derived again: the same digest with its quorum permits,
//! another digest is a new case. A deny never closes by a vote, nor does a gate
//! that waits for the originator's consent or for a label.

mod close;

use chancery_label::{Label, Level};
use chancery_message::{MessageId, ParticipantId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::decision::{Decision, Verdict};
use crate::directory::{Officer, View};
use crate::facts::Facts;
use crate::gate::{Closing, Gate};

pub use close::{Cast, Closed, Outcome, VoteRefused, check, close};

/// The operation that a vote approves or refuses.
pub const OPERATION: &str = "review.vote";

/// A held release: what officers are asked to judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The message.
    pub message: MessageId,
    /// Who sent it: none of its officers judges it.
    pub sender: ParticipantId,
    /// To whom it would go.
    pub recipient: ParticipantId,
    /// Its level: from C-UE two officers judge.
    pub level: Level,
    /// The gates that ask.
    pub gates: Vec<Gate>,
    /// What votes bind.
    pub digest: [u8; 32],
}

/// What a case waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// An officer's label (G02); the message is then decided anew.
    Label,
    /// The originator's consent (G18 to G21); then it is decided anew, and what
    /// is left may wait for votes.
    Consent,
    /// Votes of this many distinct officers.
    Votes(usize),
}

// === impl Case ===

impl Case {
    /// The case of a decision that asks for review; none for others.
    #[must_use]
    pub fn of(
        decision: &Decision,
        facts: &Facts,
        label: &Label,
        message: MessageId,
        sender: &ParticipantId,
        recipient: &ParticipantId,
    ) -> Option<Self> {
        if decision.verdict() != Verdict::Review || facts.digest() != decision.facts_digest() {
            return None;
        }
        Some(Self {
            message,
            sender: sender.clone(),
            recipient: recipient.clone(),
            level: facts.classification,
            gates: decision.gates().to_vec(),
            digest: digest(message, label, recipient, decision),
        })
    }

    /// What it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Waits {
        let closings: Vec<_> = self.gates.iter().map(|gate| gate.closing()).collect();
        if closings.contains(&Closing::Label) {
            Waits::Label
        } else if closings.contains(&Closing::Consent) || closings.contains(&Closing::Never) {
            Waits::Consent
        } else {
            Waits::Votes(quorum(self.level))
        }
    }
}

/// How many distinct officers judge a release of this level: two from C-UE up.
#[must_use]
pub fn quorum(level: Level) -> usize {
    if level >= Level::Confidential { 2 } else { 1 }
}

/// What votes bind: SHA-256 over a fixed prefix and, each preceded by its length
/// in bytes (8 bytes, big-endian), the message's id, the canonical label, the
/// recipient's id, the digest of the facts and the gates' names.
#[must_use]
pub fn digest(
    message: MessageId,
    label: &Label,
    recipient: &ParticipantId,
    decision: &Decision,
) -> [u8; 32] {
    // INVARIANT: a label is strings, numbers and sets of strings: this cannot
    // fail. Were it to, the digest would fit no case at all that was voted on.
    let label = serde_json::to_vec(label).unwrap_or_default();
    let facts = decision.facts_digest();
    let gates: Vec<_> = decision.gates().iter().map(ToString::to_string).collect();
    let gates = gates.join(" ");
    let parts: [&[u8]; 5] = [
        message.as_bytes(),
        &label,
        recipient.as_str().as_bytes(),
        &facts,
        gates.as_bytes(),
    ];
    let mut hash = Sha256::new();
    hash.update(b"chancery-review-v1");
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// True if the officer is of the sender's own organisation, or of a participant
/// that the directory no longer has.
pub(crate) fn is_own(officer: &Officer, sender: &ParticipantId, directory: &View<'_>) -> bool {
    if officer.participant == *sender {
        return true;
    }
    match (
        directory.by_id(&officer.participant),
        directory.by_id(sender),
    ) {
        (Some(own), Some(sender)) => own.organisation == sender.organisation,
        _ => true,
    }
}
