//! What the engine answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::gate::{Effect, Gate};

/// The answer to "may this go to them?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may.
    Permit,
    /// Not before a person or the originator has spoken.
    Review,
    /// It may not.
    Deny,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permit => "permit",
            Self::Review => "review",
            Self::Deny => "deny",
        })
    }
}

/// What goes with a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obligation {
    /// Registered at both ends (from C-UE).
    RegisterBothEnds,
    /// A receipt is due (from C-UE).
    ReceiptRequired,
    /// The national marking stands beside the EU equivalent.
    NationalMarkingBeside,
    /// "Not for use in judicial proceedings" on the rendered message (H1).
    NotForJudicialProceedings,
    /// The TLP label stands beside, never instead of, the classification.
    TlpBesideClassification,
    /// By way of the central registry (third States and organisations).
    ByCentralRegistry,
}

impl Obligation {
    /// In words for the record and the rendered message.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::RegisterBothEnds => "register at both ends",
            Self::ReceiptRequired => "receipt required",
            Self::NationalMarkingBeside => "keep the national marking beside the EU marking",
            Self::NotForJudicialProceedings => "not for use in judicial proceedings",
            Self::TlpBesideClassification => {
                "TLP stands beside the classification, never instead of it"
            }
            Self::ByCentralRegistry => "by way of the central registry",
        }
    }
}

/// Something that cannot happen while code and rules are sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// A rule could not be evaluated.
    RuleFailed {
        /// The rule's id in the policy set.
        rule: String,
    },
    /// Code and rule text disagree about a gate that both state.
    Disagreement {
        /// Which gate.
        gate: Gate,
        /// Whether the code says that it fires; the rule text says the contrary.
        lattice: bool,
    },
    /// The rule text finds that the derived words contradict the facts.
    Inconsistent,
    /// The policy set answered something that it cannot answer.
    Unexpected {
        /// What.
        what: String,
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RuleFailed { rule } => write!(f, "rule {rule} could not be evaluated"),
            Self::Disagreement {
                gate,
                lattice: true,
            } => write!(f, "{gate} fires in code but not in the rule text"),
            Self::Disagreement {
                gate,
                lattice: false,
            } => write!(f, "{gate} fires in the rule text but not in code"),
            Self::Inconsistent => f.write_str("the derived words contradict the facts"),
            Self::Unexpected { what } => write!(f, "the policy set answered {what}"),
        }
    }
}

/// The engine's answer about one set of facts. Made by the engine alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    id: String,
    verdict: Verdict,
    gates: Vec<Gate>,
    obligations: Vec<Obligation>,
    alarms: Vec<Alarm>,
    #[serde(serialize_with = "hex_digest")]
    facts: [u8; 32],
    #[serde(serialize_with = "hex_digest")]
    policy: [u8; 32],
}

fn hex_digest<S: serde::Serializer>(digest: &[u8; 32], out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&hex::encode(digest))
}

/// What a decision is about and under which rules it was made.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) id: String,
    pub(crate) facts: [u8; 32],
    pub(crate) policy: [u8; 32],
}

// === impl Decision ===

impl Decision {
    /// From the gates that fired.
    pub(crate) fn of(about: About, fired: &[(Gate, Effect)], obligations: Vec<Obligation>) -> Self {
        let unlabelled = (Gate::UNLABELLED, Effect::Review);
        let fired = if fired.contains(&unlabelled) {
            &[unlabelled][..]
        } else {
            fired
        };
        let (verdict, kind) = if fired.iter().any(|(_, effect)| *effect == Effect::Deny) {
            (Verdict::Deny, Effect::Deny)
        } else if fired.is_empty() {
            (Verdict::Permit, Effect::Deny)
        } else {
            (Verdict::Review, Effect::Review)
        };
        let mut gates: Vec<Gate> = fired
            .iter()
            .filter(|(_, effect)| *effect == kind)
            .map(|(gate, _)| *gate)
            .collect();
        gates.sort_unstable();
        gates.dedup();
        Self {
            id: about.id,
            verdict,
            gates,
            obligations,
            alarms: Vec::new(),
            facts: about.facts,
            policy: about.policy,
        }
    }

    /// G00, alone.
    pub(crate) fn malformed(about: About, alarms: Vec<Alarm>) -> Self {
        Self {
            id: about.id,
            verdict: Verdict::Deny,
            gates: vec![Gate::MALFORMED],
            obligations: Vec::new(),
            alarms,
            facts: about.facts,
            policy: about.policy,
        }
    }

    /// The facts' `id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The verdict.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Every gate of the deciding kind that fired, sorted; empty for a permit.
    #[must_use]
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }

    /// What goes with the release, sorted; empty for a denial.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// What must be raised as an alarm event; empty while all is sound.
    #[must_use]
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// SHA-256 of the facts' canonical text; of an unreadable line, of its bytes.
    #[must_use]
    pub const fn facts_digest(&self) -> [u8; 32] {
        self.facts
    }

    /// The hash of the policy set that decided.
    #[must_use]
    pub const fn policy_hash(&self) -> [u8; 32] {
        self.policy
    }

    /// True where nothing may pass it: a deny, which never closes by a vote.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        matches!(self.verdict, Verdict::Deny)
    }
}
