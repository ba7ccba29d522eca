//! The originator's consent, as a protocol.
//!
//! A release that needs consent is parked, the originator is asked by its own
//! channel, and the answer that comes back must name the request: consent is
//! bound to message, recipient and time. Besides, two officers may record what
//! came on paper, and an MoU may let silence count, for unclassified
//! information alone (classified information needs prior written consent).

use std::time::Duration;

use chancery_label::Level;
use chancery_message::{MessageId, MouId, OfficerId, ParticipantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::approval::{Verified, Vote};
use crate::facts::Consent;
use crate::mou::Mou;

/// The operation that officers approve when they record consent given on paper.
pub const RECORD: &str = "consent.record";

/// Officers who record what came on paper.
const QUORUM: usize = 2;

/// A request to an originator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The message.
    pub message: MessageId,
    /// To whom it would go.
    pub recipient: ParticipantId,
    /// Whose information it is: the one who may answer.
    pub originator: ParticipantId,
    /// The message's level.
    pub level: Level,
    /// Random, named by the answer, used once.
    pub nonce: [u8; 16],
    /// When it was asked.
    pub asked_at: Timestamp,
    /// The moment after which an answer counts no more.
    pub answer_by: Timestamp,
}

/// What an originator answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The message.
    pub message: MessageId,
    /// The recipient.
    pub recipient: ParticipantId,
    /// The request's nonce.
    pub nonce: [u8; 16],
    /// For or against.
    pub vote: Vote,
}

/// One entry of the consent register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The message.
    pub message: MessageId,
    /// The recipient.
    pub recipient: ParticipantId,
    /// For or against.
    pub vote: Vote,
    /// How it was given.
    pub source: Source,
    /// From when it counts.
    pub given_at: Timestamp,
    /// The moment after which it counts no more; none: as long as the message is held.
    pub until: Option<Timestamp>,
}

/// How consent was given or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The originator answered the request of this nonce.
    Answered {
        /// Which request.
        nonce: [u8; 16],
    },
    /// On paper, recorded by officers.
    Paper {
        /// The reference of the paper.
        reference: String,
        /// Who recorded it.
        officers: Vec<OfficerId>,
    },
    /// The originator kept silent, as this MoU lets it.
    Silence {
        /// Which MoU.
        mou: MouId,
    },
}

/// Why an answer or a record is refused. Each is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsentError {
    /// Somebody else than the originator answered.
    #[error("only the originator answers a request for consent")]
    NotTheOriginator,
    /// The answer names another request.
    #[error("the answer does not fit the request")]
    Mismatch,
    /// It came too late.
    #[error("the answer came after its time: ask again")]
    Late,
    /// The request was answered before.
    #[error("the request was answered before")]
    Replayed,
    /// Too few officers recorded it.
    #[error("two officers record consent given on paper")]
    TooFew,
    /// The paper has no reference.
    #[error("consent on paper is recorded with the paper's reference")]
    NoReference,
    /// Silence does not count here.
    #[error("silence does not count as consent here")]
    SilenceDoesNotCount,
    /// The time for an answer is not over.
    #[error("the originator may still answer")]
    TooEarly,
}

// === impl Request ===

impl Request {
    /// What the gateway signs when it asks, and the originator when it answers:
    /// SHA-256 over a fixed prefix and message, recipient, originator, nonce and
    /// time, each preceded by its length in bytes (8 bytes, big-endian).
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let until = self.answer_by.as_micros().to_be_bytes();
        hash(
            b"chancery-consent-v1",
            &[
                self.message.as_bytes(),
                self.recipient.as_str().as_bytes(),
                self.originator.as_str().as_bytes(),
                &self.nonce,
                &until,
            ],
        )
    }

    /// Takes an answer in. `by` is who was authenticated on the channel that it
    /// came by; `register` holds what was taken in before.
    ///
    /// # Errors
    /// [`ConsentError`]: not the originator's, about something else, late, or given before.
    pub fn take(
        &self,
        answer: &Answer,
        by: &ParticipantId,
        register: &[Entry],
        now: Timestamp,
    ) -> Result<Entry, ConsentError> {
        if *by != self.originator {
            return Err(ConsentError::NotTheOriginator);
        }
        if answer.message != self.message
            || answer.recipient != self.recipient
            || answer.nonce != self.nonce
        {
            return Err(ConsentError::Mismatch);
        }
        if now > self.answer_by || now < self.asked_at {
            return Err(ConsentError::Late);
        }
        let source = Source::Answered { nonce: self.nonce };
        if register.iter().any(|entry| entry.source == source) {
            return Err(ConsentError::Replayed);
        }
        Ok(Entry {
            message: self.message,
            recipient: self.recipient.clone(),
            vote: answer.vote,
            source,
            given_at: now,
            until: None,
        })
    }

    /// Counts silence as consent, where this MoU lets it: the message is
    /// unclassified, the MoU's hours since the request are over, and nobody
    /// objected.
    ///
    /// # Errors
    /// [`ConsentError::SilenceDoesNotCount`] or [`ConsentError::TooEarly`].
    pub fn silence(
        &self,
        mou: &Mou,
        register: &[Entry],
        now: Timestamp,
    ) -> Result<Entry, ConsentError> {
        let hours = mou.silence_hours.ok_or(ConsentError::SilenceDoesNotCount)?;
        let answered = fact(register, self.message, &self.recipient, now) != Consent::NotApplicable;
        if self.level != Level::Nc || answered || !mou.parties.contains(&self.originator) {
            return Err(ConsentError::SilenceDoesNotCount);
        }
        if now
            < self
                .asked_at
                .after(Duration::from_secs(u64::from(hours) * 60 * 60))
        {
            return Err(ConsentError::TooEarly);
        }
        Ok(Entry {
            message: self.message,
            recipient: self.recipient.clone(),
            vote: Vote::Approve,
            source: Source::Silence {
                mou: mou.id.clone(),
            },
            given_at: now,
            until: None,
        })
    }
}

/// The digest that officers approve ([`RECORD`]) when they record a paper.
#[must_use]
pub fn paper_digest(
    message: MessageId,
    recipient: &ParticipantId,
    vote: Vote,
    reference: &str,
) -> [u8; 32] {
    let vote: &[u8] = match vote {
        Vote::Approve => b"granted",
        Vote::Refuse => b"refused",
    };
    hash(
        b"chancery-consent-paper-v1",
        &[
            message.as_bytes(),
            recipient.as_str().as_bytes(),
            vote,
            reference.as_bytes(),
        ],
    )
}

/// Records what came on paper: consent by two distinct officers, a refusal by one.
/// The approvals were verified against [`paper_digest`].
///
/// # Errors
/// [`ConsentError::NoReference`] or [`ConsentError::TooFew`].
pub fn record(
    message: MessageId,
    recipient: &ParticipantId,
    vote: Vote,
    reference: &str,
    approvals: &[Verified],
    now: Timestamp,
) -> Result<Entry, ConsentError> {
    if reference.trim().is_empty() {
        return Err(ConsentError::NoReference);
    }
    let digest = paper_digest(message, recipient, vote, reference);
    let mut officers: Vec<_> = approvals
        .iter()
        .filter(|one| {
            one.vote() == Vote::Approve
                && one.record().digest == digest
                && one.record().operation == RECORD
        })
        .map(|one| one.officer().clone())
        .collect();
    officers.sort();
    officers.dedup();
    let needed = match vote {
        Vote::Approve => QUORUM,
        Vote::Refuse => 1,
    };
    if officers.len() < needed {
        return Err(ConsentError::TooFew);
    }
    Ok(Entry {
        message,
        recipient: recipient.clone(),
        vote,
        source: Source::Paper {
            reference: reference.to_owned(),
            officers,
        },
        given_at: now,
        until: None,
    })
}

/// The fact `consent` of a release: what the last entry says that counts at
/// this moment; of several of one moment, a refusal.
#[must_use]
pub fn fact(
    register: &[Entry],
    message: MessageId,
    recipient: &ParticipantId,
    now: Timestamp,
) -> Consent {
    let last = register
        .iter()
        .filter(|entry| entry.message == message && entry.recipient == *recipient)
        .filter(|entry| entry.given_at <= now && entry.until.is_none_or(|until| now <= until))
        .max_by_key(|entry| (entry.given_at, entry.vote == Vote::Refuse));
    match last.map(|entry| entry.vote) {
        None => Consent::NotApplicable,
        Some(Vote::Approve) => Consent::Granted,
        Some(Vote::Refuse) => Consent::Refused,
    }
}

fn hash(prefix: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(prefix);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
