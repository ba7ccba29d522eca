//! What the questions are made of: the wait for an answer, and the policies that
//! stand beside the rules that are asked about.

use std::future::Future;
use std::time::Duration;

use cedar_policy::{Policy, PolicyId};
use cedar_policy_symcc::err;
use chancery_policy::evidence;

use crate::report::{Claim, Outcome};

/// One question within its time. The solver has its own limit; ours is for one
/// that does not keep it.
pub(crate) async fn asked<T>(
    limit: Duration,
    question: impl Future<Output = Result<T, err::Error>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit.saturating_mul(2), question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(told(&error)),
        Err(_) => Err(format!("no answer in {} s", limit.as_secs() * 2)),
    }
}

pub(crate) fn told(error: &err::Error) -> String {
    match error {
        err::Error::SolverUnknown => {
            "the solver does not know (was its time too short?)".to_owned()
        }
        other => other.to_string(),
    }
}

pub(crate) fn claim(name: &str, says: &str, outcome: Outcome) -> Claim {
    Claim {
        name: name.to_owned(),
        says: says.to_owned(),
        outcome,
    }
}

/// What a claim beside the invariants says.
pub(crate) fn says(name: &str) -> &'static str {
    evidence::SAYS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("", |(_, says)| says)
}

pub(crate) fn permit() -> Result<Policy, String> {
    Policy::parse(
        Some(PolicyId::new("permit")),
        "permit (principal, action, resource);",
    )
    .map_err(|error| error.to_string())
}

/// The rule, asked about ranks that there are: its other conditions come after.
pub(crate) fn in_range(rule: &Policy) -> Result<Policy, String> {
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    let ranks: Vec<String> = [
        "classification",
        "recipient_clearance",
        "channel_accreditation",
        "crypto_approval",
        "mou_ceiling",
    ]
    .iter()
    .map(|name| format!("context.{name} >= 0 && context.{name} <= 4"))
    .collect();
    let text = format!(
        "forbid (principal, action, resource) when {{ {} }};",
        ranks.join(" && ")
    );
    let range = Policy::parse(None, text)
        .map_err(|error| wrong(&error))?
        .to_json()
        .map_err(|error| wrong(&error))?;
    let mut json = rule.to_json().map_err(|error| wrong(&error))?;
    let first = range
        .get("conditions")
        .and_then(|conditions| conditions.get(0))
        .cloned();
    let conditions = json
        .get_mut("conditions")
        .and_then(serde_json::Value::as_array_mut);
    match (first, conditions) {
        (Some(first), Some(conditions)) => conditions.insert(0, first),
        _ => return Err("a rule cannot be written as JSON".to_owned()),
    }
    Policy::from_json(Some(rule.id().clone()), json).map_err(|error| wrong(&error))
}
