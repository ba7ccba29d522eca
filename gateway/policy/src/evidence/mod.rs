//! What tests, replay and proof said of a proposed policy set, as the record that
//! both officers sign with it.
//!
//! The record is canonical JSON: the same evidence is always the same bytes. What
//! can be found again from it is: the cases stand in it and are run again wherever
//! it is taken in ([`Evidence::check`]). A claim is proved, or has a release that
//! breaks it; there is no word for "not known", which is no evidence.

mod check;
mod show;

use std::collections::BTreeMap;
use std::str::FromStr;

use cedar_policy::PolicySet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::replay::{Flip, Summary};
use crate::shipped;

pub use check::{Against, EvidenceError};

/// The form of the record.
pub const FORM: &str = "chancery-evidence-v1";
/// Most flips that are listed; the others are counted.
pub const MOST_FLIPS: usize = 500;

/// The claim that no rule can fail.
pub const NEVER_FAILS: &str = "rules-never-fail";
/// The claim that the set permits something, so that the others are not empty.
pub const NOT_EMPTY: &str = "not-empty";
/// The claims that a set releases nothing that the one before it did not.
pub const NOT_WIDER: [&str; 3] = [
    "not-wider-denials",
    "not-wider-consent",
    "not-wider-reviews",
];

/// What the claims beside the invariants say, by name.
pub const SAYS: [(&str, &str); 5] = [
    (
        NEVER_FAILS,
        "no rule can fail while it is evaluated (overflow, missing attribute)",
    ),
    (
        NOT_EMPTY,
        "there are releases that the set permits, so that what follows is not empty",
    ),
    (
        NOT_WIDER[0],
        "what the old set denies the new set denies too",
    ),
    (
        NOT_WIDER[1],
        "what goes by votes alone, without the originator's consent, could so before",
    ),
    (
        NOT_WIDER[2],
        "what the new set permits outright the old set permitted outright",
    ),
];

/// What was found out about a policy set before officers sign it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// [`FORM`].
    pub form: String,
    /// The program that made it, for example `chancery 0.1.0`.
    pub program: String,
    /// Hash of the proposed set, hexadecimal.
    pub policy: String,
    /// Hash of the set in force, which it was compared with, hexadecimal.
    pub running: String,
    /// Digest of participants and MoUs in force ([`agreements`]), hexadecimal.
    pub agreements: String,
    /// The cases: what is run again.
    pub cases: Cases,
    /// Past decisions under the proposed set.
    pub replay: Replayed,
    /// What the solver proved.
    pub proof: Proof,
}

/// The cases beside the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// How many there are; all came out as they must, and every rule has one.
    pub held: u64,
    /// File names and contents.
    pub files: BTreeMap<String, String>,
}

/// A replay over the node's own past decisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replayed {
    /// Only decisions from then on, microseconds UTC; none means all there are.
    pub since: Option<i64>,
    /// How many past decisions were read, oldest first.
    pub read: u64,
    /// What it came to.
    pub summary: Summary,
    /// The first [`MOST_FLIPS`] that would come out differently.
    pub flips: Vec<Flip>,
}

/// What a solver said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result", deny_unknown_fields)]
pub enum Proof {
    /// There was no solver: nothing is proved.
    NoSolver {
        /// Where one was looked for.
        why: String,
    },
    /// Every claim was answered.
    Answered {
        /// Which solver, for example `cvc5 1.4.2`.
        solver: String,
        /// SHA-256 of the invariants' text, hexadecimal.
        invariants: String,
        /// Every claim.
        claims: Vec<Claim>,
    },
}

/// One claim that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// What it says.
    pub says: String,
    /// The answer.
    pub answer: ClaimAnswer,
}

/// The solver's answer about a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClaimAnswer {
    /// It was proved.
    Proved,
    /// It is not so: a release that shows it, in one sentence.
    Refuted(String),
}

impl Evidence {
    /// The record, canonical.
    #[must_use]
    pub fn to_text(&self) -> String {
        // INVARIANT: strings, numbers and lists; writing them into memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a record; another spelling of the same evidence is refused.
    ///
    /// # Errors
    /// [`EvidenceError::Unreadable`].
    pub fn read(text: &str) -> Result<Self, EvidenceError> {
        let unreadable = EvidenceError::Unreadable;
        let found: Self =
            serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if found.form != FORM {
            return Err(unreadable(format!("its form is not {FORM}")));
        }
        if found.to_text() != text {
            return Err(unreadable("it is not written canonically".to_owned()));
        }
        Ok(found)
    }

    /// What the proof came to, in a few words for the log.
    #[must_use]
    pub fn proof_in_words(&self) -> String {
        match &self.proof {
            Proof::NoSolver { .. } => "not proved: no solver".to_owned(),
            Proof::Answered { solver, claims, .. } => {
                let refuted = claims
                    .iter()
                    .filter(|claim| claim.answer != ClaimAnswer::Proved)
                    .count();
                if refuted == 0 {
                    format!("{} claims proved by {solver}", claims.len())
                } else {
                    format!(
                        "{} of {} claims proved by {solver}: it releases more than before",
                        claims.len() - refuted,
                        claims.len()
                    )
                }
            }
        }
    }
}

/// Digest of the participants and the MoUs that a proof was made under.
#[must_use]
pub fn agreements<'a>(
    participants: &str,
    mous: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> [u8; 32] {
    let mut all: Vec<(&str, &str)> = mous.into_iter().collect();
    all.sort_unstable();
    let mut hash = Sha256::new();
    for part in
        std::iter::once(participants).chain(all.into_iter().flat_map(|(id, text)| [id, text]))
    {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Every claim that a proof of a set must have asked: name and what it says, by name.
///
/// # Errors
/// [`EvidenceError::Unreadable`] if the shipped invariants cannot be read; a test
/// reads them.
pub fn claims() -> Result<Vec<(String, String)>, EvidenceError> {
    let set = PolicySet::from_str(shipped::INVARIANTS)
        .map_err(|error| EvidenceError::Unreadable(error.to_string()))?;
    let invariants = set
        .policies()
        .filter_map(|rule| Some((rule.annotation("invariant")?, rule.annotation("says")?)));
    let mut all: Vec<(String, String)> = SAYS
        .into_iter()
        .chain(invariants)
        .map(|(name, says)| (name.to_owned(), says.to_owned()))
        .collect();
    all.sort_unstable();
    Ok(all)
}

/// SHA-256 of a text of invariants, hexadecimal.
#[must_use]
pub fn invariants_digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
