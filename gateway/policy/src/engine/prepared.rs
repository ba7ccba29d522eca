//! Rules prepared for many questions.
//!
//! A rule's answer depends on the facts that it reads and on nothing else:
//! Cedar has no clock, no randomness and no state. So each rule is asked alone,
//! with those facts alone, and its answers are kept. Every rule is still asked
//! for every release; none is skipped.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use cedar_policy::{Authorizer, Entities, Policy, PolicySet};
use serde_json::Value;

use super::Rule;
use super::attributes::{self, ATTRIBUTES, LIST};
use super::words::Words;
use crate::facts::{Country, Facts};

/// Most answers that are kept for one rule; beyond that it is asked each time.
const KEPT: usize = 8192;

/// One rule, ready to be asked.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What it says.
    pub(super) rule: Rule,
    /// Its id in the set: `file#number`.
    pub(super) id: String,
    alone: PolicySet,
    reads: Vec<&'static str>,
    mask: u128,
    reads_list: bool,
    kept: RwLock<HashMap<Key, bool>>,
}

/// The facts that a rule reads: equal keys, equal answers.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    packed: u128,
    list: Vec<Country>,
}

/// A rule that could not be evaluated.
#[derive(Debug)]
pub(super) struct Failed;

// === impl Prepared ===

impl Prepared {
    /// Prepares a `forbid`.
    pub(super) fn new(rule: Rule, policy: &Policy) -> Result<Self, String> {
        let reads = reads(policy)?;
        let mut alone = PolicySet::new();
        alone
            .add(policy.clone())
            .map_err(|error| error.to_string())?;
        Ok(Self {
            rule,
            id: policy.id().to_string(),
            alone,
            mask: attributes::mask(&reads),
            reads_list: reads.contains(&LIST),
            reads,
            kept: RwLock::default(),
        })
    }

    /// Whether it fires on these facts; `packed` is [`attributes::pack`] of them.
    pub(super) fn fires(
        &self,
        facts: &Facts,
        packed: u128,
        asking: &Asking<'_>,
    ) -> Result<bool, Failed> {
        let list = if self.reads_list {
            facts.releasable_to.iter().copied().collect()
        } else {
            Vec::new()
        };
        let key = Key {
            packed: packed & self.mask,
            list,
        };
        // INVARIANT: an answer is inserted whole, so that a poisoned map is sound.
        if let Some(answer) = self
            .kept
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Ok(*answer);
        }
        let answer = self.ask(facts, asking)?;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.insert(key, answer);
        }
        Ok(answer)
    }

    /// Asks Cedar. A failure is never kept.
    fn ask(&self, facts: &Facts, asking: &Asking<'_>) -> Result<bool, Failed> {
        let request = asking
            .words
            .request(facts, &self.reads)
            .map_err(|_| Failed)?;
        let response = asking
            .authorizer
            .is_authorized(&request, &self.alone, asking.nothing);
        // Cedar skips a rule that fails: any error is a refusal and an alarm.
        if response.diagnostics().errors().next().is_some() {
            return Err(Failed);
        }
        Ok(response.diagnostics().reason().next().is_some())
    }
}

/// What a question needs beside the rule.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) words: &'a Words,
    pub(super) authorizer: &'a Authorizer,
    pub(super) nothing: &'a Entities,
}

/// The attributes of the context that a rule reads. One that takes the context
/// as a whole reads all of them.
fn reads(policy: &Policy) -> Result<Vec<&'static str>, String> {
    let json = policy.to_json().map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    let by_name = json
        .get("conditions")
        .is_none_or(|conditions| collect(conditions, &mut names));
    let all = ATTRIBUTES.iter().map(|one| one.name);
    Ok(all
        .filter(|name| !by_name || names.iter().any(|read| read == name))
        .collect())
}

/// Collects the attributes that are read by name; false if the context is used otherwise.
fn collect(expression: &Value, names: &mut Vec<String>) -> bool {
    match expression {
        Value::Array(all) => all.iter().all(|one| collect(one, names)),
        Value::Object(members) => {
            members
                .iter()
                .all(|(operator, operands)| match operator.as_str() {
                    "Var" => operands != "context",
                    "Value" => true,
                    "." => {
                        let left = operands.get("left");
                        let is_context = left
                            .and_then(|left| left.get("Var"))
                            .is_some_and(|var| var == "context");
                        match operands.get("attr").and_then(Value::as_str) {
                            Some(name) if is_context => {
                                names.push(name.to_owned());
                                true
                            }
                            _ => collect(operands, names),
                        }
                    }
                    _ => collect(operands, names),
                })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(condition: &str) -> Vec<&'static str> {
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        reads(&Policy::parse(None, text).unwrap()).unwrap()
    }

    #[test]
    fn a_rule_reads_what_it_names() {
        assert_eq!(
            of("context.classification > 1 && context.cross"),
            ["classification", "cross"]
        );
        assert_eq!(
            of("[\"EU\"].contains(context.recipient_country)"),
            ["recipient_country"]
        );
        assert_eq!(
            of(
                "if context.addressed then context.caveats.isEmpty() else !(context.releasable_to.contains(context.recipient_country))"
            ),
            ["caveats", "releasable_to", "recipient_country", "addressed"]
        );
        assert_eq!(of("true"), [""; 0]);
        assert_eq!(of("principal == resource"), [""; 0]);
        // Text that looks like an expression is text.
        assert_eq!(
            of("context.recipient_country == \"Var\""),
            ["recipient_country"]
        );
    }

    #[test]
    fn a_rule_that_takes_the_context_whole_reads_everything() {
        for condition in [
            "context has mou",
            "context == {}",
            "{ a: context }.a.mou == Mou::\"none\"",
        ] {
            assert_eq!(of(condition).len(), ATTRIBUTES.len(), "{condition}");
        }
    }
}
