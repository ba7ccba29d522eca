//! Loading a policy set: parse, annotations, strict validation, completeness.
//! Everything that is wrong is told at once.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use cedar_policy::{
    ActionConstraint, Authorizer, Effect as CedarEffect, Entities, ParseError, Policy, PolicyId,
    PolicySet, PrincipalConstraint, ResourceConstraint, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;

use super::prepared::Prepared;
use super::{Engine, Rule, words};
use crate::crypto::CryptoPolicy;
use crate::gate::{CATALOGUE, Effect, Gate};
use crate::texts::{PolicyTexts, SCHEMA};

/// Why a policy set does not load: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    problems: Vec<Problem>,
}

/// One thing that is wrong with a policy set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file; empty for the set as a whole.
    pub file: String,
    /// The line, counted from 1, where it can be told.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub what: String,
}

/// Whether every shipped gate must be stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completeness {
    Required,
    NotRequired,
}

impl PolicyError {
    /// What is wrong, in the order of the files.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy set does not load")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str(&self.what),
            (file, None) => write!(f, "{file}: {}", self.what),
            (file, Some(line)) => write!(f, "{file}:{line}: {}", self.what),
        }
    }
}

pub(super) fn load(texts: &PolicyTexts, completeness: Completeness) -> Result<Engine, PolicyError> {
    let mut loading = Loading::default();
    for (file, text) in texts.files() {
        if file.ends_with(".cedar") {
            loading.file(file, text);
        } else if file != crate::crypto::FILE {
            loading.problem(
                file,
                None,
                "no part of a policy set: its files are *.cedar and crypto.toml",
            );
        }
    }
    loading.whole(completeness);
    let crypto = CryptoPolicy::read(texts.crypto());
    let schema = match Schema::from_cedarschema_str(SCHEMA) {
        Ok((schema, _warnings)) => schema,
        Err(error) => {
            loading.problem("facts.cedarschema", None, error.to_string());
            return Err(loading.into_error());
        }
    };
    let mut policies = PolicySet::new();
    for policy in std::mem::take(&mut loading.policies) {
        let id = policy.id().to_string();
        if let Err(error) = policies.add(policy) {
            loading.problem("", None, format!("rule {id}: {error}"));
        }
    }
    loading.validate(schema, &policies);
    let rules = loading.prepare(&policies);
    let words = match words::Words::new() {
        Ok(words) => words,
        Err(what) => {
            loading.problem("facts.cedarschema", None, what);
            return Err(loading.into_error());
        }
    };
    let crypto = match crypto {
        Ok(crypto) if loading.problems.is_empty() => crypto,
        Ok(_) => return Err(loading.into_error()),
        Err(problems) => {
            loading.problems.extend(problems);
            return Err(loading.into_error());
        }
    };
    Ok(Engine {
        crypto,
        policies,
        rules,
        words,
        authorizer: Authorizer::new(),
        nothing: Entities::empty(),
        hash: texts.hash(),
    })
}

/// A set while it is read.
#[derive(Default)]
struct Loading {
    policies: Vec<Policy>,
    rules: HashMap<PolicyId, Rule>,
    places: HashMap<PolicyId, (String, usize)>,
    permits: usize,
    problems: Vec<Problem>,
}

impl Loading {
    fn problem(&mut self, file: &str, line: Option<usize>, what: impl Into<String>) {
        self.problems.push(Problem {
            file: file.to_owned(),
            line,
            what: what.into(),
        });
    }

    fn into_error(self) -> PolicyError {
        PolicyError {
            problems: self.problems,
        }
    }

    /// Reads one file; its rules are named `<file>#<n>`, in their order.
    fn file(&mut self, file: &str, text: &str) {
        let set = match PolicySet::from_str(text) {
            Ok(set) => set,
            Err(errors) => {
                for error in errors.iter() {
                    self.problem(file, line_of(text, error), error.to_string());
                }
                return;
            }
        };
        if set.templates().next().is_some() {
            self.problem(file, None, "templates are not read: write each rule out");
        }
        // The parser names the rules policy0, policy1, … in their order.
        for number in 0..set.num_of_policies() {
            let Some(policy) = set.policy(&PolicyId::new(format!("policy{number}"))) else {
                self.problem(file, None, format!("rule {number} was not found again"));
                continue;
            };
            let policy = policy.new_id(PolicyId::new(format!("{file}#{}", number + 1)));
            let line = nth_rule_line(text, number);
            self.rule(file, line, policy);
        }
    }

    fn rule(&mut self, file: &str, line: usize, policy: Policy) {
        let id = policy.id().clone();
        self.places.insert(id.clone(), (file.to_owned(), line));
        match policy.effect() {
            CedarEffect::Permit => {
                self.permits += 1;
                let open = policy.principal_constraint() == PrincipalConstraint::Any
                    && policy.resource_constraint() == ResourceConstraint::Any
                    && policy.action_constraint() == ActionConstraint::Any;
                if !open || policy.has_non_scope_constraint() || policy.annotation("gate").is_some()
                {
                    self.problem(
                        file,
                        Some(line),
                        "the one permit is `permit (principal, action, resource);`",
                    );
                }
            }
            CedarEffect::Forbid => match read_rule(file, &policy) {
                Ok(rule) => {
                    self.rules.insert(id, rule);
                }
                Err(what) => self.problem(file, Some(line), what),
            },
        }
        self.policies.push(policy);
    }

    /// What must hold of the set as a whole.
    fn whole(&mut self, completeness: Completeness) {
        if self.permits != 1 {
            let found = self.permits;
            self.problem(
                "",
                None,
                format!("a policy set has one permit and forbids; found {found} permits"),
            );
        }
        if completeness == Completeness::NotRequired {
            return;
        }
        let stated: BTreeSet<(Gate, Effect)> = self
            .rules
            .values()
            .map(|rule| (rule.gate, rule.effect))
            .collect();
        for entry in &CATALOGUE {
            for effect in entry.effects {
                if !stated.contains(&(entry.gate, *effect)) {
                    let gate = entry.gate;
                    self.problem(
                        "",
                        None,
                        format!("no rule states {gate} with effect {effect}: {}", entry.rule),
                    );
                }
            }
        }
    }

    /// Strict validation against the schema; warnings count too.
    fn validate(&mut self, schema: Schema, policies: &PolicySet) {
        let result = Validator::new(schema).validate(policies, ValidationMode::Strict);
        let errors = result
            .validation_errors()
            .map(|e| (e.policy_id().clone(), e.to_string()));
        let warnings = result
            .validation_warnings()
            .map(|w| (w.policy_id().clone(), w.to_string()));
        for (id, what) in errors.chain(warnings).collect::<Vec<_>>() {
            let (file, line) = self.places.get(&id).cloned().unwrap_or_default();
            self.problem(&file, Some(line), what);
        }
        self.problems
            .sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    }
}

impl Loading {
    /// The rules, ready to be asked, in the order of files and lines.
    fn prepare(&mut self, policies: &PolicySet) -> Vec<Prepared> {
        let mut ids: Vec<_> = self.rules.keys().cloned().collect();
        ids.sort_by_key(|id| self.places.get(id).cloned());
        let mut prepared = Vec::new();
        for id in ids {
            let (Some(rule), Some(policy)) = (self.rules.remove(&id), policies.policy(&id)) else {
                continue;
            };
            let (file, line) = self.places.get(&id).cloned().unwrap_or_default();
            match Prepared::new(rule, policy) {
                Ok(one) => prepared.push(one),
                Err(what) => self.problem(&file, Some(line), what),
            }
        }
        prepared
    }
}

/// The annotations of a forbid.
fn read_rule(file: &str, policy: &Policy) -> Result<Rule, String> {
    for (name, _) in policy.annotations() {
        if !["gate", "effect", "rule"].contains(&name) {
            return Err(format!(
                "@{name} is not an annotation of a rule: @gate, @effect and @rule are"
            ));
        }
    }
    let of = |name: &str| {
        policy
            .annotation(name)
            .ok_or_else(|| format!("a forbid needs @{name}"))
    };
    let gate: Gate = of("gate")?
        .parse()
        .map_err(|error| format!("@gate: {error}"))?;
    let effect = match of("effect")? {
        "deny" => Effect::Deny,
        "review" => Effect::Review,
        _ => return Err("@effect is \"deny\" or \"review\"".to_owned()),
    };
    let says = of("rule")?.trim();
    if says.is_empty() {
        return Err("@rule says in one sentence what the rule is".to_owned());
    }
    match gate.entry() {
        Some(entry) if !entry.effects.contains(&effect) => {
            return Err(format!("{gate} cannot have the effect {effect}"));
        }
        None if !gate.is_local() => {
            return Err(format!(
                "{gate} is not a shipped gate: rules of the site are named L00 to L99"
            ));
        }
        _ => {}
    }
    Ok(Rule {
        gate,
        effect,
        says: says.to_owned(),
        file: file.to_owned(),
    })
}

/// The line where the parser stopped.
fn line_of(text: &str, error: &ParseError) -> Option<usize> {
    let first = error.labels()?.next()?;
    Some(
        text.bytes()
            .take(first.offset())
            .filter(|b| *b == b'\n')
            .count()
            + 1,
    )
}

/// The line where the rule of this number (from 0) begins: the parser does
/// not tell, but rules begin their line with one of two words.
fn nth_rule_line(text: &str, number: usize) -> usize {
    text.lines()
        .enumerate()
        .filter(|(_, line)| {
            let line = line.trim_start();
            line.starts_with("permit") || line.starts_with("forbid")
        })
        .nth(number)
        .map_or(1, |(at, _)| at + 1)
}
