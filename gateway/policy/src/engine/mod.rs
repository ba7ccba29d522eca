//! The decision: code and rule text, both must agree to permit.

mod attributes;
mod line;
mod load;
mod prepared;
mod words;

use cedar_policy::{Authorizer, Decision as CedarDecision, Entities, PolicySet};
use chancery_label::{HandlingCode, Level};
use chancery_message::{MessageId, ParticipantId};
use sha2::{Digest, Sha256};

use crate::crypto::CryptoPolicy;
use crate::decision::{About, Alarm, Decision, Obligation};
use crate::derive::{Underivable, fact_id};
use crate::facts::Facts;
use crate::gate::{Effect, Gate};
use crate::lattice;
use crate::texts::PolicyTexts;

pub use load::{PolicyError, Problem};

/// A loaded policy set, ready to decide.
#[derive(Debug)]
pub struct Engine {
    /// The whole set, as it was validated.
    policies: PolicySet,
    rules: Vec<prepared::Prepared>,
    words: words::Words,
    authorizer: Authorizer,
    nothing: Entities,
    crypto: CryptoPolicy,
    hash: [u8; 32],
}

/// One rule of the set: a `forbid` with its annotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The gate that it states.
    pub gate: Gate,
    /// What it does when it fires.
    pub effect: Effect,
    /// What it says, in one sentence.
    pub says: String,
    /// The file that it stands in.
    pub file: String,
}

// === impl Engine ===

impl Engine {
    /// Reads and validates a whole policy set.
    ///
    /// # Errors
    /// [`PolicyError`] with everything that is wrong; nothing is half loaded.
    pub fn load(texts: &PolicyTexts) -> Result<Self, PolicyError> {
        load::load(texts, load::Completeness::Required)
    }

    /// Reads and validates a set that may lack shipped gates: for studying what
    /// a change would do. Gates stated in code still refuse.
    ///
    /// # Errors
    /// As [`Engine::load`], but for missing gates.
    pub fn load_for_study(texts: &PolicyTexts) -> Result<Self, PolicyError> {
        load::load(texts, load::Completeness::NotRequired)
    }

    /// The shipped policy set.
    ///
    /// # Errors
    /// [`PolicyError`]; the tests load the same texts, so that it does not happen.
    pub fn shipped() -> Result<Self, PolicyError> {
        Self::load(&PolicyTexts::shipped())
    }

    /// Decides.
    #[must_use]
    pub fn decide(&self, facts: &Facts) -> Decision {
        let about = About {
            id: facts.id.clone(),
            facts: facts.digest(),
            policy: self.hash,
        };
        let text = match self.ask_rules(facts) {
            Ok(fired) => fired,
            Err(alarms) => return Decision::malformed(about, alarms),
        };
        let code = lattice::fired(facts);
        let alarms = compare(&code, &text);
        if !alarms.is_empty() {
            return Decision::malformed(about, alarms);
        }
        let denied = text.iter().any(|(_, effect)| *effect == Effect::Deny);
        let obligations = if denied {
            Vec::new()
        } else {
            obligations(facts)
        };
        Decision::of(about, &text, obligations)
    }

    /// The decision about a release that has no facts: refused with G00. No
    /// alarm: it is the directory that says so.
    #[must_use]
    pub fn refuse(
        &self,
        message: MessageId,
        recipient: &ParticipantId,
        why: Underivable,
    ) -> Decision {
        let id = fact_id(message, recipient);
        let facts = Sha256::digest(format!("{id} {why}").as_bytes()).into();
        let about = About {
            id,
            facts,
            policy: self.hash,
        };
        Decision::malformed(about, Vec::new())
    }

    /// The cryptographic policy of the set.
    #[must_use]
    pub const fn crypto(&self) -> &CryptoPolicy {
        &self.crypto
    }

    /// Hash of the policy set: [`PolicyTexts::hash`].
    #[must_use]
    pub const fn policy_hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The set as Cedar reads it: for proofs about it. A rule's id is `file#number`.
    #[must_use]
    pub const fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// What Cedar is asked about these facts: for proofs.
    ///
    /// # Errors
    /// When the facts cannot be put to Cedar.
    pub fn question(&self, facts: &Facts) -> Result<cedar_policy::Request, Alarm> {
        let all: Vec<_> = attributes::ATTRIBUTES.iter().map(|one| one.name).collect();
        self.words
            .request(facts, &all)
            .map_err(|what| Alarm::Unexpected { what })
    }

    /// All rules, in the order of files and lines.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|one| &one.rule)
    }

    /// The rules that state this gate, with this effect or any.
    pub fn rules_of(&self, gate: Gate, effect: Option<Effect>) -> impl Iterator<Item = &Rule> {
        let mut rules: Vec<_> = self
            .rules
            .iter()
            .map(|one| &one.rule)
            .filter(|rule| rule.gate == gate && effect.is_none_or(|wanted| wanted == rule.effect))
            .collect();
        rules.sort_by(|a, b| (a.effect, &a.file, &a.says).cmp(&(b.effect, &b.file, &b.says)));
        rules.into_iter()
    }

    /// The gates that the rule texts say fire, or what went wrong.
    fn ask_rules(&self, facts: &Facts) -> Result<Vec<(Gate, Effect)>, Vec<Alarm>> {
        let asking = prepared::Asking {
            words: &self.words,
            authorizer: &self.authorizer,
            nothing: &self.nothing,
        };
        let packed = attributes::pack(facts);
        let mut fired = Vec::new();
        let mut alarms = Vec::new();
        for one in &self.rules {
            match one.fires(facts, packed, &asking) {
                Ok(false) => {}
                Ok(true) if one.rule.gate == Gate::MALFORMED => alarms.push(Alarm::Inconsistent),
                Ok(true) => fired.push((one.rule.gate, one.rule.effect)),
                Err(prepared::Failed) => alarms.push(Alarm::RuleFailed {
                    rule: one.id.clone(),
                }),
            }
        }
        if alarms.is_empty() {
            Ok(fired)
        } else {
            Err(alarms)
        }
    }

    /// Asks the whole set at once, as Cedar's own authorizer reads it: true if
    /// it allows. What [`Engine::decide`] answers rule by rule must agree.
    ///
    /// # Errors
    /// When the facts cannot be put to Cedar, or a rule fails.
    pub fn allows_as_a_whole(&self, facts: &Facts) -> Result<bool, Alarm> {
        let request = self.question(facts)?;
        let response = self
            .authorizer
            .is_authorized(&request, &self.policies, &self.nothing);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(Alarm::Unexpected {
                what: error.to_string(),
            });
        }
        Ok(response.decision() == CedarDecision::Allow)
    }
}

/// Where code and rule text disagree about a gate that both state.
fn compare(code: &[(Gate, Effect)], text: &[(Gate, Effect)]) -> Vec<Alarm> {
    lattice::mandatory()
        .filter_map(|stated| {
            let lattice = code.contains(&stated);
            (lattice != text.contains(&stated)).then_some(Alarm::Disagreement {
                gate: stated.0,
                lattice,
            })
        })
        .collect()
}

/// What goes with a release of these facts.
fn obligations(facts: &Facts) -> Vec<Obligation> {
    let mut all = Vec::new();
    if facts.classification >= Level::Confidential {
        all.extend([Obligation::RegisterBothEnds, Obligation::ReceiptRequired]);
    }
    if facts.handling_codes.contains(&HandlingCode::H1) {
        all.push(Obligation::NotForJudicialProceedings);
    }
    if facts.tlp.is_some() && facts.classification > Level::Nc {
        all.push(Obligation::TlpBesideClassification);
    }
    if facts.is_external() {
        all.push(Obligation::ByCentralRegistry);
    }
    all
}
