//! Invariants: what no policy set may ever let out, as Cedar text that officers read.

use std::str::FromStr;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet};
use chancery_policy::PolicyTexts;

use crate::prove::ProveError;

/// The invariants that are shipped: `config/invariants.cedar`.
pub const INVARIANTS: &str = chancery_policy::shipped::INVARIANTS;

/// One invariant.
#[derive(Clone, Debug)]
pub struct Invariant {
    /// Its name.
    pub name: String,
    /// What never happens.
    pub says: String,
    /// Whether the directory and the MoUs are taken into account.
    pub given_agreements: bool,
    /// Forbids what it says never happens.
    pub(crate) rule: Policy,
}

/// Reads a file of invariants.
///
/// # Errors
/// [`ProveError::Invariants`] where it cannot be read, has none, or one is not
/// valid Cedar over the facts.
pub(crate) fn read(text: &str) -> Result<Vec<Invariant>, ProveError> {
    let wrong = |what: String| ProveError::Invariants(what);
    let set = PolicySet::from_str(text).map_err(|error| wrong(error.to_string()))?;
    validate(&set)?;
    // A template is no rule: nothing would be asked about it.
    if set.templates().next().is_some() {
        return Err(wrong("templates are not read".to_owned()));
    }
    let mut all: Vec<Invariant> = Vec::new();
    for number in 0..set.num_of_policies() {
        let Some(rule) = set.policy(&PolicyId::new(format!("policy{number}"))) else {
            return Err(wrong(format!(
                "invariant {}: it cannot be found",
                number + 1
            )));
        };
        let found = one(rule).map_err(|what| wrong(format!("invariant {}: {what}", number + 1)))?;
        if all.iter().any(|other| other.name == found.name) {
            return Err(wrong(format!("there are two of the name {}", found.name)));
        }
        all.push(found);
    }
    if all.is_empty() {
        return Err(wrong("there is no invariant in it".to_owned()));
    }
    Ok(all)
}

fn one(rule: &Policy) -> Result<Invariant, String> {
    if rule.effect() != Effect::Forbid {
        return Err("write it as a forbid: what never happens".to_owned());
    }
    let of = |name: &str| {
        rule.annotation(name)
            .filter(|value| !value.trim().is_empty())
            .map(str::to_owned)
            .ok_or_else(|| format!("@{name} is missing"))
    };
    let given_agreements = match rule.annotation("given") {
        None => false,
        Some("agreements") => true,
        Some(_) => return Err("@given is \"agreements\", or is left out".to_owned()),
    };
    let name = of("invariant")?;
    Ok(Invariant {
        says: of("says")?,
        given_agreements,
        rule: rule.new_id(PolicyId::new(format!("invariant {name}"))),
        name,
    })
}

/// Strict validation, as rules are validated.
fn validate(set: &PolicySet) -> Result<(), ProveError> {
    use cedar_policy::{Schema, ValidationMode, Validator};
    let (schema, _warnings) = Schema::from_cedarschema_str(PolicyTexts::schema())
        .map_err(|error| ProveError::Invariants(error.to_string()))?;
    let result = Validator::new(schema).validate(set, ValidationMode::Strict);
    match result.validation_errors().next() {
        Some(error) => Err(ProveError::Invariants(error.to_string())),
        None => Ok(()),
    }
}
