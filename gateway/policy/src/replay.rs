//! Past decisions, run again under other rules: which would come out differently.
//!
//! A past decision is one JSON line, as a node gives its own ([`Past`]), or the
//! facts alone, as [`crate::engine::Engine::decide_line`] reads them.

use chancery_message::{ParticipantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cases::spell;
use crate::decision::Verdict;
use crate::directory::Directory;
use crate::engine::Engine;
use crate::facts::Facts;
use crate::gate::Gate;
use crate::mou::{Crossing, Register};

/// A decision as a node keeps it: metadata, never content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// When it was made.
    pub at: String,
    /// Who sent.
    pub from: ParticipantId,
    /// To whom.
    pub to: ParticipantId,
    /// What came out.
    pub verdict: Verdict,
    /// The gates that spoke.
    pub gates: Vec<Gate>,
    /// Hash of the policy set, hexadecimal.
    pub policy: String,
    /// The agreement that was cited.
    #[serde(default)]
    pub mou: Option<String>,
    /// Its facts; none where an end was not in the directory: that cannot be run again.
    #[serde(default)]
    pub facts: Option<Facts>,
}

/// What decisions are run again under.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    /// The proposed rules.
    pub new: &'a Engine,
    /// What facts alone were decided by.
    pub old: &'a Engine,
    /// Proposed MoUs, with the day on which they are read.
    pub agreements: Option<(&'a Directory, &'a Register, Timestamp)>,
    /// Older decisions are left out.
    pub since: Option<Timestamp>,
}

/// A decision that would come out differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// The facts' id: message and recipient.
    pub id: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// From whom to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<(ParticipantId, ParticipantId)>,
    /// What came out, `verdict gates`.
    pub old: String,
    /// What would come out.
    pub new: String,
    /// True where it would release more: from a denial or a review towards a permit.
    pub wider: bool,
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Decisions that were run again.
    pub decisions: u64,
    /// Those that would come out differently.
    pub flips: u64,
    /// Of those, the ones that would release more.
    pub wider: u64,
    /// Decisions that cannot be run again: no facts, or an end that the
    /// directory does not have.
    pub without_facts: u64,
    /// Decisions before the asked time.
    pub older: u64,
    /// SHA-256 over all lines that were read, each with its end, hexadecimal.
    pub digest: String,
}

/// A line that is no past decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("line {line}: not a past decision: {what}")]
    Unreadable {
        /// Which, from 1.
        line: u64,
        /// Why.
        what: String,
    },
    /// It does not say when, or between whom, and that was asked about.
    #[error("line {line}: facts alone do not say {what}: give the node's own decisions")]
    FactsAlone {
        /// Which, from 1.
        line: u64,
        /// What is missing.
        what: &'static str,
    },
}

/// A replay under way.
#[derive(Debug)]
pub struct Running<'a> {
    replay: Replay<'a>,
    lines: u64,
    summary: Summary,
    digest: Sha256,
}

impl<'a> Replay<'a> {
    /// Begins.
    #[must_use]
    pub fn begin(self) -> Running<'a> {
        Running {
            replay: self,
            lines: 0,
            summary: Summary::default(),
            digest: Sha256::new(),
        }
    }
}

impl Running<'_> {
    /// Runs one past decision again; the difference, if there is one.
    ///
    /// # Errors
    /// [`ReplayError`]; nothing was counted then.
    pub fn line(&mut self, line: &str) -> Result<Option<Flip>, ReplayError> {
        let number = self.lines + 1;
        // A record has facts inside; facts alone have none.
        let flip = match serde_json::from_str::<Past>(line) {
            Ok(past) => self.past(number, &past)?,
            Err(why) => match Facts::from_json(line) {
                Ok(facts) => self.alone(number, &facts)?,
                Err(_) => {
                    let what = why.to_string();
                    return Err(ReplayError::Unreadable { line: number, what });
                }
            },
        };
        self.lines = number;
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
        if let Some(flip) = &flip {
            self.summary.flips += 1;
            self.summary.wider += u64::from(flip.wider);
        }
        Ok(flip)
    }

    /// What it came to.
    #[must_use]
    pub fn end(mut self) -> Summary {
        self.summary.digest = hex::encode(self.digest.finalize());
        self.summary
    }

    fn past(&mut self, line: u64, past: &Past) -> Result<Option<Flip>, ReplayError> {
        if let Some(since) = self.replay.since {
            let at = Timestamp::parse(&past.at).ok_or_else(|| ReplayError::Unreadable {
                line,
                what: "`at` is no time".to_owned(),
            })?;
            if at < since {
                self.summary.older += 1;
                return Ok(None);
            }
        }
        let Some(facts) = past
            .facts
            .clone()
            .and_then(|facts| self.agreed(past, facts))
        else {
            self.summary.without_facts += 1;
            return Ok(None);
        };
        self.summary.decisions += 1;
        let flip = self.compare(&facts, past.verdict, &past.gates);
        Ok(flip.map(|flip| Flip {
            at: Some(past.at.clone()),
            between: Some((past.from.clone(), past.to.clone())),
            ..flip
        }))
    }

    fn alone(&mut self, line: u64, facts: &Facts) -> Result<Option<Flip>, ReplayError> {
        let missing = |what| ReplayError::FactsAlone { line, what };
        if self.replay.since.is_some() {
            return Err(missing("when they were decided"));
        }
        if self.replay.agreements.is_some() {
            return Err(missing("between whom"));
        }
        self.summary.decisions += 1;
        let old = self.replay.old.decide(facts);
        Ok(self.compare(facts, old.verdict(), old.gates()))
    }

    /// The facts under the proposed MoUs; none where an end is not known.
    fn agreed(&self, past: &Past, mut facts: Facts) -> Option<Facts> {
        let Some((directory, register, day)) = self.replay.agreements else {
            return Some(facts);
        };
        let view = directory.at(day);
        let crossing = Crossing {
            sender: view.by_id(&past.from)?,
            recipient: view.by_id(&past.to)?,
            purpose: facts.purpose,
            level: facts.classification,
            tlp: facts.tlp,
            personal_data: facts.personal_data,
        };
        let covering = register.covering(&crossing, day);
        facts.mou = covering.state;
        facts.mou_ceiling = covering.ceiling;
        Some(facts)
    }

    fn compare(&self, facts: &Facts, verdict: Verdict, gates: &[Gate]) -> Option<Flip> {
        let new = self.replay.new.decide(facts);
        let same = new.verdict() == verdict && new.gates() == gates;
        (!same).then(|| Flip {
            id: facts.id.clone(),
            at: None,
            between: None,
            old: spell(verdict, gates),
            new: spell(new.verdict(), new.gates()),
            wider: new.verdict() < verdict,
        })
    }
}
