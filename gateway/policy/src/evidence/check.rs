//! Whether evidence is about exactly this change, and good enough to sign.

use super::{
    Claim, ClaimAnswer, Evidence, MOST_FLIPS, NOT_WIDER, Proof, claims, invariants_digest,
};
use crate::cases::{self, CasesError};
use crate::engine::Engine;
use crate::shipped;

/// What evidence must be about.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    /// The proposed set, loaded.
    pub proposed: &'a Engine,
    /// Hash of the set in force.
    pub running: [u8; 32],
    /// Digest of participants and MoUs in force.
    pub agreements: [u8; 32],
}

/// Why evidence is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// There is none.
    #[error(
        "a policy set comes into force with its evidence (cases, replay, proof): propose it with `chancery policy propose`"
    )]
    Missing,
    /// Evidence beside a text that has none.
    #[error("only a policy set has evidence")]
    Surplus,
    /// It is not a record.
    #[error("the evidence cannot be read: {0}")]
    Unreadable(String),
    /// It is about other rules than those it stands beside, or that are in force.
    #[error("the evidence is about another {0}: propose it again")]
    Other(&'static str),
    /// A cases file cannot be run.
    #[error("the evidence's cases: {file}: {cause}")]
    CasesFile {
        /// Which file.
        file: String,
        /// Why.
        cause: CasesError,
    },
    /// A case comes out differently.
    #[error("the evidence's cases: {0}")]
    Case(String),
    /// Rules without a case.
    #[error("the evidence has no case for {0}")]
    Uncovered(String),
    /// Its numbers contradict each other.
    #[error("the evidence contradicts itself: {0}")]
    Contradictory(&'static str),
    /// A claim that had to be asked was not, or was asked twice.
    #[error("the evidence's proof does not answer every claim once: {0}")]
    Claims(String),
    /// A claim does not hold.
    #[error("the proof refutes {name}: {release}")]
    Refuted {
        /// Which claim.
        name: String,
        /// The release that shows it.
        release: String,
    },
}

impl Evidence {
    /// Verifies everything that can be: that it is about these rules, that its
    /// cases hold (they are run), that the proof answers every claim, and that
    /// nothing is refuted but that the set releases no more than the one before.
    ///
    /// # Errors
    /// [`EvidenceError`], the first thing that is wrong.
    pub fn check(&self, against: &Against<'_>) -> Result<(), EvidenceError> {
        let other = |found: &str, wanted: [u8; 32], what| {
            if found == hex::encode(wanted) {
                Ok(())
            } else {
                Err(EvidenceError::Other(what))
            }
        };
        other(&self.policy, against.proposed.policy_hash(), "policy set")?;
        other(&self.running, against.running, "set in force")?;
        other(
            &self.agreements,
            against.agreements,
            "state of directory and agreements",
        )?;
        self.check_cases(against.proposed)?;
        self.check_replay()?;
        self.check_proof()
    }

    fn check_cases(&self, proposed: &Engine) -> Result<(), EvidenceError> {
        let mut all = Vec::new();
        for (file, text) in &self.cases.files {
            all.extend(
                cases::run(proposed, text).map_err(|cause| EvidenceError::CasesFile {
                    file: file.clone(),
                    cause,
                })?,
            );
        }
        if let Some(wrong) = all.iter().find(|outcome| !outcome.holds()) {
            return Err(EvidenceError::Case(wrong.to_string()));
        }
        let bare: Vec<String> = cases::uncovered(proposed, &all)
            .into_iter()
            .map(|(gate, effect)| format!("{gate} ({effect})"))
            .collect();
        if !bare.is_empty() {
            return Err(EvidenceError::Uncovered(bare.join(", ")));
        }
        if self.cases.held != all.len() as u64 {
            return Err(EvidenceError::Contradictory("the number of cases"));
        }
        Ok(())
    }

    fn check_replay(&self) -> Result<(), EvidenceError> {
        let (all, summary) = (&self.replay, &self.replay.summary);
        let counted = summary
            .decisions
            .checked_add(summary.without_facts)
            .and_then(|sum| sum.checked_add(summary.older));
        if counted != Some(all.read)
            || summary.wider > summary.flips
            || summary.flips > summary.decisions
        {
            return Err(EvidenceError::Contradictory("the replay's numbers"));
        }
        if all.flips.len() as u64 != summary.flips.min(MOST_FLIPS as u64) {
            return Err(EvidenceError::Contradictory("the replay's list of flips"));
        }
        Ok(())
    }

    fn check_proof(&self) -> Result<(), EvidenceError> {
        let Proof::Answered {
            solver,
            invariants,
            claims: answered,
        } = &self.proof
        else {
            return Ok(());
        };
        if solver.trim().is_empty() {
            return Err(EvidenceError::Claims("no solver is named".to_owned()));
        }
        if *invariants != invariants_digest(shipped::INVARIANTS) {
            return Err(EvidenceError::Other("text of the invariants"));
        }
        let wanted = claims()?;
        let mut found: Vec<(&str, &str)> = answered
            .iter()
            .map(|one| (one.name.as_str(), one.says.as_str()))
            .collect();
        found.sort_unstable();
        let wanted: Vec<(&str, &str)> = wanted
            .iter()
            .map(|(name, says)| (name.as_str(), says.as_str()))
            .collect();
        if found != wanted {
            let missing: Vec<&str> = wanted
                .iter()
                .map(|(name, _)| *name)
                .filter(|name| !found.iter().any(|(other, _)| other == name))
                .collect();
            return Err(EvidenceError::Claims(if missing.is_empty() {
                "one stands there twice, is none of them, or says something else".to_owned()
            } else {
                format!("{} is missing", missing.join(", "))
            }));
        }
        match answered.iter().find_map(breaks) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// A refuted claim that must hold. That a set is wider than the one before it is
/// for two officers to decide; everything else must be proved.
fn breaks(claim: &Claim) -> Option<EvidenceError> {
    match &claim.answer {
        ClaimAnswer::Refuted(release) if !NOT_WIDER.contains(&claim.name.as_str()) => {
            Some(EvidenceError::Refuted {
                name: claim.name.clone(),
                release: release.clone(),
            })
        }
        ClaimAnswer::Proved | ClaimAnswer::Refuted(_) => None,
    }
}
