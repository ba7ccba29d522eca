//! Cases beside the rules: `<nn>-<topic>.cases.toml` says, for facts that people
//! can read, what must come out.
//!
//! Every case starts from the same facts ([`BASE`]: an unclassified message
//! between two agencies of one community, which is permitted), changes those
//! that it names, and states verdict and gates.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use crate::decision::Verdict;
use crate::engine::Engine;
use crate::facts::Facts;
use crate::gate::{Effect, Gate};

/// The facts that every case starts from.
pub const BASE: &str = r#"{
  "id": "base", "label_state": "valid", "classification": "NC", "caveats": [], "releasable_to": [], "tlp": null,
  "handling_codes": [], "personal_data": false, "purpose": "law-enforcement", "sender_community": "law-enforcement",
  "recipient_community": "law-enforcement", "sender_kind": "agency", "recipient_kind": "agency",
  "recipient_country": "EU", "recipient_clearance": "S-UE", "channel_accreditation": "S-UE", "crypto_approval": "S-UE",
  "mou_ceiling": "NC", "channel_public": false, "holder_is_originator": true, "consent": "n/a", "addressed": true,
  "relation": "community", "mou": "none", "external_agreement": "n/a", "article_25_basis": "n/a", "review_flags": []
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    facts: toml::Table,
    verdict: Verdict,
    #[serde(default)]
    gates: Vec<Gate>,
}

/// What a case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The case's name.
    pub name: String,
    /// What it says must come out, `verdict gates`.
    pub expected: String,
    /// What came out.
    pub found: String,
    /// The rules that fired, as gate and effect.
    pub fired: Vec<(Gate, Effect)>,
}

impl Outcome {
    /// True if it came out as it must.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.expected == self.found
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holds() {
            write!(f, "ok    {}: {}", self.name, self.found)
        } else {
            write!(
                f,
                "WRONG {}: expected {}, found {}",
                self.name, self.expected, self.found
            )
        }
    }
}

/// A cases file that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CasesError {
    /// It is not a cases file.
    #[error("{0}")]
    Unreadable(String),
    /// The facts of a case are not facts.
    #[error("case `{name}`: {what}")]
    Facts {
        /// Which case.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// It has no case.
    #[error("there is no case in it: write `[[case]]`")]
    Empty,
}

/// Runs a cases file.
///
/// # Errors
/// [`CasesError`] if it cannot be read, has no case, or a case names a fact or
/// value that there is not.
pub fn run(engine: &Engine, text: &str) -> Result<Vec<Outcome>, CasesError> {
    let file: File =
        toml::from_str(text).map_err(|error| CasesError::Unreadable(error.to_string()))?;
    if file.case.is_empty() {
        return Err(CasesError::Empty);
    }
    file.case.iter().map(|case| run_one(engine, case)).collect()
}

fn run_one(engine: &Engine, case: &Case) -> Result<Outcome, CasesError> {
    let facts = facts(&case.facts).map_err(|what| CasesError::Facts {
        name: case.name.clone(),
        what,
    })?;
    let decision = engine.decide(&facts);
    let mut gates = case.gates.clone();
    gates.sort_unstable();
    let effect = match decision.verdict() {
        Verdict::Review => Effect::Review,
        Verdict::Permit | Verdict::Deny => Effect::Deny,
    };
    Ok(Outcome {
        name: case.name.clone(),
        expected: spell(case.verdict, &gates),
        found: spell(decision.verdict(), decision.gates()),
        fired: decision
            .gates()
            .iter()
            .map(|gate| (*gate, effect))
            .collect(),
    })
}

/// The base facts with these changes.
///
/// # Errors
/// When a fact or value does not exist.
pub fn facts(changes: &toml::Table) -> Result<Facts, String> {
    let mut all: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(BASE).map_err(|error| error.to_string())?;
    for (name, value) in changes {
        if !all.contains_key(name) {
            return Err(format!("`{name}` is not a fact"));
        }
        let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
        all.insert(name.clone(), value);
    }
    let text = serde_json::to_string(&all).map_err(|error| error.to_string())?;
    Facts::from_json(&text).map_err(|error| error.to_string())
}

/// `permit`, or the verdict with its gates.
#[must_use]
pub fn spell(verdict: Verdict, gates: &[Gate]) -> String {
    std::iter::once(verdict.to_string())
        .chain(gates.iter().map(ToString::to_string))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The rules of the set that no outcome shows firing, as gate and effect: each
/// rule needs a case. G00 is left out: sound facts cannot show it.
#[must_use]
pub fn uncovered<'a>(
    engine: &Engine,
    outcomes: impl IntoIterator<Item = &'a Outcome>,
) -> BTreeSet<(Gate, Effect)> {
    let shown: BTreeSet<_> = outcomes
        .into_iter()
        .flat_map(|outcome| outcome.fired.iter().copied())
        .collect();
    engine
        .rules()
        .map(|rule| (rule.gate, rule.effect))
        .filter(|stated| stated.0 != Gate::MALFORMED && !shown.contains(stated))
        .collect()
}
