//! Policy sets as they are proved about.

use cedar_policy::{Effect, Policy, PolicyId, PolicySet};
use chancery_policy::PolicyTexts;
use chancery_policy::engine::Engine;
use chancery_policy::gate::{Closing, Gate};

use crate::prove::ProveError;

/// The file of the shipped set that says what the words made of facts mean.
const WORDS: &str = "00-words.cedar";

/// Every real release has facts whose ranks go from 0 to 4 and whose words mean
/// what the shipped texts say: the code makes them so, and a test holds the two
/// together. So the shipped rules of G00 stand in every set that is proved about.
#[derive(Debug)]
pub(crate) struct Facts {
    rules: Vec<Policy>,
}

/// A policy set, split.
#[derive(Clone, Debug)]
pub(crate) struct Sets {
    /// Allows what the set permits outright.
    pub(crate) permitted: PolicySet,
    /// Allows what no gate denies, where there is a label: what may be let out
    /// once officers have closed the reviews.
    pub(crate) released: PolicySet,
    /// Allows what officers' votes alone may let out: what waits for the
    /// originator's consent is not among it.
    pub(crate) voted: PolicySet,
}

// === impl Sets ===

impl Sets {
    pub(crate) const fn permitted(&self) -> &PolicySet {
        &self.permitted
    }

    pub(crate) const fn released(&self) -> &PolicySet {
        &self.released
    }

    pub(crate) const fn voted(&self) -> &PolicySet {
        &self.voted
    }
}

// === impl Facts ===

impl Facts {
    /// From the shipped texts.
    pub(crate) fn shipped() -> Result<Self, ProveError> {
        let engine = Engine::load(&PolicyTexts::shipped())?;
        let rules = engine
            .policies()
            .policies()
            .filter(|one| one.id().to_string().starts_with(WORDS))
            .filter(|one| one.effect() == Effect::Forbid)
            .enumerate()
            .map(|(at, one)| one.new_id(PolicyId::new(format!("facts#{at}"))))
            .collect();
        Ok(Self { rules })
    }

    /// A set with the rules of G00 beside its own.
    pub(crate) fn with(
        &self,
        rules: impl IntoIterator<Item = Policy>,
    ) -> Result<PolicySet, ProveError> {
        let all = rules.into_iter().chain(self.rules.iter().cloned());
        PolicySet::from_policies(all).map_err(|error| ProveError::Set(error.to_string()))
    }

    /// The two views of an engine's set.
    pub(crate) fn split(&self, engine: &Engine) -> Result<Sets, ProveError> {
        let rules = || engine.policies().policies().cloned();
        Ok(Sets {
            permitted: self.with(rules())?,
            released: self.with(rules().filter(counts))?,
            voted: self.with(rules().filter(|rule| counts(rule) || waits_for_consent(rule)))?,
        })
    }
}

/// A gate that the originator's consent closes, never a vote.
fn waits_for_consent(rule: &Policy) -> bool {
    rule.annotation("gate")
        .and_then(|gate| gate.parse::<Gate>().ok())
        .is_some_and(|gate| gate.closing() == Closing::Consent)
}

/// The permit, every rule that denies, and the gate that asks for a label: it
/// closes by a label alone, and then all is decided anew.
fn counts(rule: &Policy) -> bool {
    rule.effect() == Effect::Permit
        || rule.annotation("effect") == Some("deny")
        || rule.annotation("gate") == Some("G02")
}
