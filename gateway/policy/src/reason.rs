//! Reasons: a safe one for senders, a full one for officers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decision::{Decision, Verdict};
use crate::directory::Participant;
use crate::engine::Engine;
use crate::facts::Facts;
use crate::gate::{Closing, Effect, Gate};
use crate::mou::MouFact;

/// What a sender is told: nothing about other compartments, about the
/// recipient's clearance or agreements, or about rules that do not follow from
/// what the sender itself wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SafeReason {
    /// It may go.
    Released,
    /// The label cannot be read.
    LabelUnreadable,
    /// There is no label; an officer gives it one.
    LabelMissing,
    /// The label and a marking in the content differ; an officer looks.
    LabelConflict,
    /// The marking itself does not allow this recipient.
    MarkingExcludes,
    /// The originator of the information must consent.
    ConsentNeeded,
    /// The originator of the information refused.
    ConsentRefused,
    /// An officer looks at it first.
    HeldForReview,
    /// It cannot be released to this recipient. Which rule says so is not told.
    NotReleasable,
}

impl SafeReason {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::LabelUnreadable => "the label cannot be read: correct it and send again",
            Self::LabelMissing => "there is no label: an officer will give it one",
            Self::LabelConflict => {
                "the label and a marking in the text differ: an officer will look at it"
            }
            Self::MarkingExcludes => "the marking does not allow this recipient",
            Self::ConsentNeeded => "the originator of the information must consent first",
            Self::ConsentRefused => "the originator of the information refused",
            Self::HeldForReview => "an officer will look at it before it goes",
            Self::NotReleasable => "it cannot be released to this recipient",
        }
    }
}

impl fmt::Display for SafeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The one reason that a sender is told. Of several gates the one speaks that
/// tells least; a private sender hears only of what it wrote itself.
#[must_use]
pub fn safe(decision: &Decision, facts: Option<&Facts>, sender: &Participant) -> SafeReason {
    let verdict = decision.verdict();
    let refused = facts.is_some_and(|facts| facts.consent == crate::facts::Consent::Refused);
    decision
        .gates()
        .iter()
        .map(|gate| of_gate(*gate, verdict, refused, sender.is_private()))
        .max()
        .unwrap_or(match verdict {
            Verdict::Permit => SafeReason::Released,
            Verdict::Review => SafeReason::HeldForReview,
            Verdict::Deny => SafeReason::NotReleasable,
        })
}

fn of_gate(gate: Gate, verdict: Verdict, refused: bool, private: bool) -> SafeReason {
    let number = if gate.is_local() { 0 } else { gate.number() };
    match (verdict, number) {
        (Verdict::Permit, _) => SafeReason::Released,
        (_, 1) => SafeReason::LabelUnreadable,
        (_, 2) => SafeReason::LabelMissing,
        (Verdict::Review, 5) => SafeReason::LabelConflict,
        // RELEASABLE TO, caveats and TLP follow from what the sender wrote and
        // whom it named.
        (Verdict::Deny, 9 | 12..=17) if !private => SafeReason::MarkingExcludes,
        (Verdict::Deny, 14..=17) => SafeReason::MarkingExcludes,
        (Verdict::Review, 18..=21) if !private => SafeReason::ConsentNeeded,
        (Verdict::Deny, 18..=21) if refused && !private => SafeReason::ConsentRefused,
        (Verdict::Review, _) => SafeReason::HeldForReview,
        (Verdict::Deny, _) => SafeReason::NotReleasable,
    }
}

/// What an officer is told about one gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The gate.
    pub gate: Gate,
    /// What it did.
    pub effect: Effect,
    /// The rule's sentence.
    pub rule: String,
    /// The file that the rule stands in.
    pub file: String,
    /// Where the gate comes from.
    pub basis: Option<&'static str>,
    /// The facts that it looked at, as `name = value`.
    pub facts: Vec<String>,
    /// The MoU and article that it follows from, for the gates of agreements.
    pub article: Option<String>,
    /// What closes it.
    pub closing: Closing,
}

/// The full explanation of a decision, gate by gate, for officers.
#[must_use]
pub fn explain(
    engine: &Engine,
    decision: &Decision,
    facts: &Facts,
    mou: Option<&MouFact>,
) -> Vec<Explanation> {
    let effect = match decision.verdict() {
        Verdict::Review => Effect::Review,
        Verdict::Permit | Verdict::Deny => Effect::Deny,
    };
    decision
        .gates()
        .iter()
        .map(|gate| {
            let rule = engine.rules_of(*gate, Some(effect)).next();
            let entry = gate.entry();
            Explanation {
                gate: *gate,
                effect,
                rule: rule
                    .map(|rule| rule.says.clone())
                    .or_else(|| entry.map(|entry| entry.rule.to_owned()))
                    .unwrap_or_default(),
                file: rule.map(|rule| rule.file.clone()).unwrap_or_default(),
                basis: entry.map(|entry| entry.basis),
                facts: looked_at(*gate, facts),
                article: mou
                    .filter(|_| matches!(gate.number(), 6 | 7) && !gate.is_local())
                    .and_then(cited),
                closing: match effect {
                    Effect::Deny => Closing::Never,
                    Effect::Review => gate.closing(),
                },
            }
        })
        .collect()
}

fn cited(mou: &MouFact) -> Option<String> {
    match (&mou.article, &mou.mou) {
        (Some((id, number)), _) => Some(format!("{id}, article {number}")),
        (None, Some(id)) => Some(format!("{id}, {}, ceiling {}", mou.state, mou.ceiling)),
        (None, None) => None,
    }
}

/// The facts that a shipped gate speaks of, by their names in the table.
const FACTS_OF: [(u8, &[&str]); 28] = [
    (1, &["label_state"]),
    (2, &["label_state"]),
    (3, &["classification", "channel_accreditation"]),
    (4, &["classification", "crypto_approval"]),
    (5, &["label_state", "classification"]),
    (
        6,
        &[
            "mou",
            "sender_community",
            "recipient_community",
            "recipient_kind",
            "recipient_country",
        ],
    ),
    (7, &["classification", "mou_ceiling"]),
    (
        8,
        &[
            "classification",
            "recipient_country",
            "recipient_kind",
            "external_agreement",
        ],
    ),
    (9, &["releasable_to", "recipient_country"]),
    (
        10,
        &["classification", "recipient_kind", "external_agreement"],
    ),
    (11, &["classification", "recipient_clearance"]),
    (
        12,
        &["caveats", "recipient_kind", "recipient_country", "consent"],
    ),
    (13, &["caveats", "review_flags"]),
    (14, &["tlp", "consent", "addressed"]),
    (15, &["tlp", "consent", "holder_is_originator", "relation"]),
    (16, &["tlp", "consent", "holder_is_originator", "relation"]),
    (17, &["tlp", "consent", "channel_public", "relation"]),
    (
        18,
        &[
            "classification",
            "caveats",
            "holder_is_originator",
            "consent",
            "addressed",
        ],
    ),
    (19, &["handling_codes", "purpose", "consent"]),
    (20, &["handling_codes", "addressed", "consent"]),
    (
        21,
        &[
            "handling_codes",
            "recipient_community",
            "purpose",
            "consent",
        ],
    ),
    (22, &["handling_codes"]),
    (23, &["personal_data", "sender_community", "recipient_kind"]),
    (
        24,
        &[
            "personal_data",
            "sender_community",
            "recipient_country",
            "article_25_basis",
        ],
    ),
    (25, &["review_flags"]),
    (26, &["review_flags", "holder_is_originator", "consent"]),
    (27, &["review_flags"]),
    (28, &["review_flags"]),
];

fn looked_at(gate: Gate, facts: &Facts) -> Vec<String> {
    let names = FACTS_OF
        .iter()
        .find(|(number, _)| !gate.is_local() && *number == gate.number())
        .map_or(&[][..], |(_, names)| names);
    let all = serde_json::to_value(facts).unwrap_or_default();
    names
        .iter()
        .filter_map(|name| all.get(*name).map(|value| format!("{name} = {value}")))
        .collect()
}
