//! A change as officers sign it: the text, why, and of a policy set what tests,
//! replay and proof said of it.

use chancery_audit::{Event, Key};
use chancery_message::Timestamp;
use chancery_policy::engine::Engine;
use chancery_policy::evidence::{self, Against, Evidence, EvidenceError, MOST_FLIPS};
use chancery_policy::replay::{Replay, Summary};
use sha2::{Digest as _, Sha256};

use super::{Book, PARTICIPANTS, POLICIES, RuleText, policy_texts};
use crate::gateway::{Gateway, StageError};
use crate::rows::DocumentKind;
use crate::stages::history;

/// Past decisions read from the ledger at one time.
const PAGE: u32 = 5000;

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The text that is to rule.
    pub rule: RuleText,
    /// Why.
    pub why: String,
    /// Of a policy set: its evidence ([`Evidence`], canonical).
    pub evidence: Option<String>,
}

/// Evidence that fits its policy set, which is loaded.
#[derive(Debug)]
pub(crate) struct Checked {
    evidence: Evidence,
    engine: Engine,
}

/// Why a change is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The ledger has other past decisions than the evidence was made of.
    #[error(
        "the replay of this node's past decisions comes out differently ({found} decisions, {flips} flips): propose it again"
    )]
    Replay { found: u64, flips: u64 },
    #[error(transparent)]
    Stage(#[from] StageError),
}

// === impl Change ===

impl Change {
    /// A change without evidence: of directory and agreements, and what lifts a suspension.
    #[must_use]
    pub fn new(rule: RuleText, why: &str) -> Self {
        Self {
            rule,
            why: why.trim().to_owned(),
            evidence: None,
        }
    }

    /// The same with its evidence.
    #[must_use]
    pub fn with_evidence(mut self, evidence: String) -> Self {
        self.evidence = Some(evidence);
        self
    }

    /// What both officers' signatures bind: SHA-256 over a word for the form, the
    /// kind, the key, the text's own digest, the reason, and the evidence where
    /// there is some, each preceded by its length (8 bytes, big-endian).
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let rule = self.rule.digest();
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(b"chancery-change-v1");
        part(self.rule.kind.word().as_bytes());
        part(self.rule.key.as_bytes());
        part(&rule);
        part(self.why.as_bytes());
        if let Some(evidence) = &self.evidence {
            part(evidence.as_bytes());
        }
        hash.finalize().into()
    }

    /// SHA-256 of the evidence, hexadecimal: as the log has it.
    #[must_use]
    pub fn evidence_digest(&self) -> Option<String> {
        self.evidence
            .as_ref()
            .map(|text| hex::encode(Sha256::digest(text.as_bytes())))
    }

    /// Verifies the evidence against the rules of the book: of a policy set there
    /// must be some, of anything else none.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(crate) fn check(&self, book: &Book) -> Result<Option<Checked>, ChangeError> {
        let text = match (self.rule.kind, &self.evidence) {
            (DocumentKind::Policy, Some(text)) => text,
            (DocumentKind::Policy, None) => return Err(EvidenceError::Missing.into()),
            (_, Some(_)) => return Err(EvidenceError::Surplus.into()),
            (_, None) => return Ok(None),
        };
        let evidence = Evidence::read(text)?;
        let proposed = policy_texts(&self.rule.text).ok_or(EvidenceError::Other("policy set"))?;
        let engine = Engine::load(&proposed)
            .map_err(|error| EvidenceError::Unreadable(error.to_string()))?;
        evidence.check(&Against {
            proposed: &engine,
            running: book.running(),
            agreements: book.agreements(),
        })?;
        Ok(Some(Checked { evidence, engine }))
    }
}

// === impl Checked ===

impl Checked {
    /// What the log says of it.
    pub(crate) fn describe(&self, event: Event) -> Event {
        let flips = self.evidence.replay.summary.flips;
        event
            .detail(Key::Proved, self.evidence.proof_in_words())
            .detail(Key::Flips, i64::try_from(flips).unwrap_or(i64::MAX))
    }

    /// Runs the ledger's past decisions again, those that the evidence says it
    /// read: it must come to the same.
    ///
    /// # Errors
    /// [`ChangeError::Replay`] where it does not.
    pub(crate) fn replay(&self, gateway: &Gateway) -> Result<(), ChangeError> {
        let evidence = &self.evidence;
        let rules = gateway.rules();
        let mut running = Replay {
            new: &self.engine,
            old: rules.engine(),
            agreements: None,
            since: evidence.replay.since.map(Timestamp::from_micros),
        }
        .begin();
        let mut flips = Vec::new();
        let (mut after, mut left) = (None, evidence.replay.read);
        while left > 0 {
            let page = history::decisions(gateway, evidence.replay.since, after.as_deref(), PAGE)?;
            for one in page.decisions {
                if left == 0 {
                    break;
                }
                left -= 1;
                let line = serde_json::to_string(&one)
                    .map_err(|error| StageError::Corrupt(error.to_string()))?;
                let flip = running
                    .line(&line)
                    .map_err(|error| StageError::Corrupt(error.to_string()))?;
                flips.extend(flip.filter(|_| flips.len() < MOST_FLIPS));
            }
            match page.after {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let found: Summary = running.end();
        if left > 0 || found != evidence.replay.summary || flips != evidence.replay.flips {
            return Err(ChangeError::Replay {
                found: found.decisions,
                flips: found.flips,
            });
        }
        Ok(())
    }
}

// === impl Book ===

impl Book {
    /// Hash of the policy set in force; zeros before there is one.
    #[must_use]
    pub fn running(&self) -> [u8; 32] {
        self.text(DocumentKind::Policy, POLICIES)
            .and_then(|version| policy_texts(&version.text))
            .map_or([0; 32], |texts| texts.hash())
    }

    /// Digest of participants and MoUs in force, as evidence names them.
    #[must_use]
    pub fn agreements(&self) -> [u8; 32] {
        let participants = self
            .text(DocumentKind::Participant, PARTICIPANTS)
            .map_or("", |version| version.text.as_str());
        evidence::agreements(
            participants,
            self.of_kind(DocumentKind::Mou)
                .map(|(id, version)| (id, version.text.as_str())),
        )
    }
}
