//! What came out: for people, for machines, and for what officers sign.

use std::fmt;

use chancery_policy::evidence::{self, ClaimAnswer, Proof};
use serde::Serialize;

use crate::counterexample::Counterexample;

/// What a proof of a policy set came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// True if every claim that was asked was proved.
    pub proved: bool,
    /// True if every claim was asked that there is, comparison included.
    pub whole: bool,
    /// The solver, for example `cvc5 1.4.2`.
    pub solver: String,
    /// Hash of the set, as decisions record it.
    pub policy: String,
    /// SHA-256 of the invariants' text, hexadecimal.
    pub invariants: String,
    /// Hash of the set that it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// Every claim.
    pub claims: Vec<Claim>,
}

/// One claim.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// What it says.
    pub says: String,
    /// What came out.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a claim came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// The solver proved it.
    Proved,
    /// It is not so: here is a release.
    Refuted {
        /// The release.
        counterexample: Box<Counterexample>,
    },
    /// The solver did not say: not a proof.
    Unknown {
        /// Why.
        why: String,
    },
}

// === impl Report ===

impl Report {
    /// The claims that were not proved.
    pub fn failed(&self) -> impl Iterator<Item = &Claim> {
        self.claims
            .iter()
            .filter(|claim| !matches!(claim.outcome, Outcome::Proved))
    }

    /// One line: how many claims were proved, by what, of which set.
    #[must_use]
    pub fn summary(&self) -> String {
        let all = self.claims.len();
        let against = match &self.against {
            Some(old) => format!(", compared with {old}"),
            None => String::new(),
        };
        let some = if self.whole { "" } else { " (of those asked)" };
        format!(
            "{} of {all} claims{some} proved by {}, policy set {}{against}",
            all - self.failed().count(),
            self.solver,
            self.policy
        )
    }

    /// The report as the evidence that officers sign.
    ///
    /// # Errors
    /// In words, where a claim has no answer or not all were asked: that is none.
    pub fn evidence(&self) -> Result<Proof, String> {
        if !self.whole {
            return Err("not every claim was asked".to_owned());
        }
        let claims = self
            .claims
            .iter()
            .map(|claim| {
                let answer = match &claim.outcome {
                    Outcome::Proved => ClaimAnswer::Proved,
                    Outcome::Refuted { counterexample } => ClaimAnswer::Refuted(format!(
                        "{}; decided {}, before {}",
                        counterexample.release, counterexample.decided, counterexample.before
                    )),
                    Outcome::Unknown { why } => {
                        return Err(format!("no answer about {}: {why}", claim.name));
                    }
                };
                Ok(evidence::Claim {
                    name: claim.name.clone(),
                    says: claim.says.clone(),
                    answer,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Proof::Answered {
            solver: self.solver.clone(),
            invariants: self.invariants.clone(),
            claims,
        })
    }

    /// The claim of this name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.name == name)
    }
}

// === impl Claim ===

impl Claim {
    /// The counterexample, where there is one.
    #[must_use]
    pub fn counterexample(&self) -> Option<&Counterexample> {
        match &self.outcome {
            Outcome::Refuted { counterexample } => Some(counterexample),
            Outcome::Proved | Outcome::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Proved => write!(f, "proved   {}: {}", self.name, self.says),
            Outcome::Unknown { why } => {
                write!(f, "UNKNOWN  {}: {}\n         {why}", self.name, self.says)
            }
            Outcome::Refuted { counterexample } => {
                let Counterexample {
                    release,
                    decided,
                    before,
                    facts,
                } = counterexample.as_ref();
                write!(f, "REFUTED  {}: {}", self.name, self.says)?;
                write!(f, "\n         {release}")?;
                write!(f, "\n         this set decides: {decided}")?;
                if decided == "deny G00" {
                    f.write_str(
                        " (the code's own limits stand against the text, which would let it out)",
                    )?;
                }
                write!(f, "\n         before it: {before}")?;
                write!(f, "\n         {}", facts.to_json())
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.claims
            .iter()
            .try_for_each(|claim| writeln!(f, "{claim}"))?;
        f.write_str(&self.summary())
    }
}
