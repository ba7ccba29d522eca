//! The questions, one after the other.

use std::future::Future;
use std::time::Duration;

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, RequestEnv, Schema,
};
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicy, CompiledPolicySet, Env, err};
use chancery_policy::PolicyTexts;
use chancery_policy::decision::Alarm;
use chancery_policy::directory::Directory;
use chancery_policy::engine::{Engine, PolicyError};
use chancery_policy::facts::Facts as DecisionFacts;
use chancery_policy::mou::Register;

use crate::agreements;
use crate::counterexample;
use crate::invariants::{self, Invariant};
use crate::report::{Claim, Outcome, Report};
use crate::sets::{Facts, Sets};
use crate::solver::{Solver, SolverError};

/// What is to be proved.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The policy set.
    pub set: &'a PolicyTexts,
    /// The invariants, as text.
    pub invariants: &'a str,
    /// Who takes part.
    pub directory: &'a Directory,
    /// The MoUs.
    pub register: &'a Register,
    /// The set that it must not be more permissive than.
    pub old: Option<&'a PolicyTexts>,
    /// The claims that are asked, by name; all where empty.
    pub only: &'a [&'a str],
}

/// Why nothing could be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The set does not load.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The invariants cannot be read.
    #[error("the invariants: {0}")]
    Invariants(String),
    /// The solver.
    #[error(transparent)]
    Solver(#[from] SolverError),
    /// A set cannot be put together.
    #[error("the policy set cannot be proved about: {0}")]
    Set(String),
}

/// The claims that every set is asked about beside the invariants.
const NEVER_FAILS: &str = "rules-never-fail";
const NOT_EMPTY: &str = "not-empty";
const DENIALS: &str = "not-wider-denials";
const REVIEWS: &str = "not-wider-reviews";

/// Asks the solver everything. `heard` is told each claim as it is settled.
///
/// # Errors
/// [`ProveError`] where nothing can be asked. What the solver does not answer is
/// [`Outcome::Unknown`] in the report.
pub async fn prove(
    question: &Question<'_>,
    solver: &Solver,
    mut heard: impl FnMut(&Claim),
) -> Result<Report, ProveError> {
    let invariants = invariants::read(question.invariants)?;
    let mut desk = Desk::open(question, solver)?;
    let mut claims = Vec::new();
    let mut settle = |claim: Claim| {
        heard(&claim);
        claims.push(claim);
    };
    let asked = |name: &str| question.only.is_empty() || question.only.contains(&name);
    if asked(NEVER_FAILS) {
        settle(desk.never_fails().await);
    }
    if asked(NOT_EMPTY) {
        settle(desk.lets_something_out().await);
    }
    for invariant in invariants.iter().filter(|one| asked(&one.name)) {
        settle(desk.holds(invariant).await);
    }
    if question.old.is_some() && (asked(DENIALS) || asked(REVIEWS)) {
        for claim in desk.is_not_wider().await {
            settle(claim);
        }
    }
    if claims.is_empty() {
        return Err(ProveError::Invariants(
            "no claim has any of the names given".to_owned(),
        ));
    }
    let hash = |texts: &PolicyTexts| hex::encode(texts.hash());
    Ok(Report {
        proved: claims
            .iter()
            .all(|claim| matches!(claim.outcome, Outcome::Proved)),
        solver: solver.version().to_owned(),
        policy: hash(question.set),
        against: question.old.map(hash),
        claims,
    })
}

/// Everything that questions need.
struct Desk<'a> {
    solver: &'a Solver,
    compiler: Option<CedarSymCompiler<LocalSolver>>,
    schema: Schema,
    environment: RequestEnv,
    facts: Facts,
    engine: Engine,
    sets: Sets,
    /// The old set, or the shipped one.
    before: Engine,
    agreements: Policy,
}

impl<'a> Desk<'a> {
    fn open(question: &Question<'_>, solver: &'a Solver) -> Result<Self, ProveError> {
        let set = |error: &dyn std::fmt::Display| ProveError::Set(error.to_string());
        let (schema, _warnings) =
            Schema::from_cedarschema_str(PolicyTexts::schema()).map_err(|error| set(&error))?;
        let environment = schema
            .request_envs()
            .next()
            .ok_or_else(|| ProveError::Set("the schema has no action".to_owned()))?;
        let engine = Engine::load_for_study(question.set)?;
        let before = Engine::load_for_study(question.old.unwrap_or(&PolicyTexts::shipped()))?;
        let facts = Facts::shipped()?;
        let condition = agreements::condition(question.directory, question.register);
        let text = format!("forbid (principal, action, resource) unless {{ {condition} }};");
        let agreements =
            Policy::parse(Some(PolicyId::new("agreements")), text).map_err(|error| set(&error))?;
        Ok(Self {
            sets: facts.split(&engine)?,
            solver,
            compiler: None,
            schema,
            environment,
            facts,
            engine,
            before,
            agreements,
        })
    }

    /// No rule can fail on real facts: one that does refuses all that it is asked about.
    async fn never_fails(&mut self) -> Claim {
        let says = "no rule can fail while it is evaluated (overflow, missing attribute)";
        let mut outcome = Outcome::Proved;
        let rules: Vec<Policy> = self.engine.policies().policies().cloned().collect();
        for rule in rules.iter().filter(|rule| rule.effect() == Effect::Forbid) {
            outcome = self.one_never_fails(rule).await;
            if !matches!(outcome, Outcome::Proved) {
                break;
            }
        }
        claim(NEVER_FAILS, says, outcome)
    }

    async fn one_never_fails(&mut self, rule: &Policy) -> Outcome {
        let guarded = match in_range(rule).and_then(|rule| {
            CompiledPolicy::compile(&rule, &self.environment, &self.schema)
                .map_err(|error| error.to_string())
        }) {
            Ok(guarded) => guarded,
            Err(why) => {
                return Outcome::Unknown {
                    why: format!("rule {}: {why}", rule.id()),
                };
            }
        };
        let limit = self.solver.limit();
        let found = match self.compiler() {
            Ok(compiler) => {
                asked(
                    limit,
                    compiler.check_never_errors_with_counterexample_opt(&guarded),
                )
                .await
            }
            Err(why) => Err(why),
        };
        let id = rule.id().to_string();
        let breaks = |facts: &DecisionFacts| {
            self.engine
                .decide(facts)
                .alarms()
                .iter()
                .any(|alarm| matches!(alarm, Alarm::RuleFailed { rule } if *rule == id))
        };
        let outcome = self.outcome(found, &breaks);
        self.put_away(&outcome);
        outcome
    }

    /// A set that lets nothing out would prove everything.
    async fn lets_something_out(&mut self) -> Claim {
        let says = "there are releases that the set permits, so that what follows is not empty";
        let outcome = match self.compile(&self.sets.permitted) {
            Err(why) => Outcome::Unknown { why },
            Ok(permitted) => {
                let limit = self.solver.limit();
                let denied = match self.compiler() {
                    Ok(compiler) => {
                        asked(limit, compiler.check_always_denies_opt(&permitted)).await
                    }
                    Err(why) => Err(why),
                };
                match denied {
                    Ok(false) => Outcome::Proved,
                    Ok(true) => Outcome::Unknown {
                        why: "the set permits nothing at all".to_owned(),
                    },
                    Err(why) => Outcome::Unknown { why },
                }
            }
        };
        self.put_away(&outcome);
        claim(NOT_EMPTY, says, outcome)
    }

    async fn holds(&mut self, invariant: &Invariant) -> Claim {
        let outcome = self.try_holds(invariant).await;
        self.put_away(&outcome);
        claim(&invariant.name, &invariant.says, outcome)
    }

    async fn try_holds(&mut self, invariant: &Invariant) -> Outcome {
        let mut out = self.sets.released.clone();
        let added = if invariant.given_agreements {
            out.add(self.agreements.clone())
        } else {
            Ok(())
        };
        let allowed = permit().and_then(|permit| {
            added.map_err(|error| error.to_string())?;
            PolicySet::from_policies([permit, invariant.rule.clone()])
                .map_err(|error| error.to_string())
        });
        match allowed {
            Ok(allowed) => self.implies(&out, &allowed).await,
            Err(why) => Outcome::Unknown { why },
        }
    }

    async fn is_not_wider(&mut self) -> Vec<Claim> {
        let mut claims = Vec::new();
        let old = match self.facts.split(&self.before) {
            Ok(old) => old,
            Err(error) => {
                let why = error.to_string();
                return vec![claim(DENIALS, "the old set", Outcome::Unknown { why })];
            }
        };
        let (new_released, new_permitted) =
            (self.sets.released.clone(), self.sets.permitted.clone());
        for (name, says, new, old) in [
            (
                DENIALS,
                "what the old set denies the new set denies too",
                &new_released,
                &old.released,
            ),
            (
                REVIEWS,
                "what the new set permits outright the old set permitted outright",
                &new_permitted,
                &old.permitted,
            ),
        ] {
            let outcome = self.implies(new, old).await;
            self.put_away(&outcome);
            claims.push(claim(name, says, outcome));
        }
        claims
    }

    /// Whether everything that `one` allows `other` allows too.
    async fn implies(&mut self, one: &PolicySet, other: &PolicySet) -> Outcome {
        let (first, second) = match (self.compile(one), self.compile(other)) {
            (Ok(first), Ok(second)) => (first, second),
            (Err(why), _) | (_, Err(why)) => return Outcome::Unknown { why },
        };
        let limit = self.solver.limit();
        let found = match self.compiler() {
            Ok(compiler) => {
                asked(
                    limit,
                    compiler.check_implies_with_counterexample_opt(&first, &second),
                )
                .await
            }
            Err(why) => Err(why),
        };
        let breaks = |facts: &DecisionFacts| {
            self.allows(one, facts) == Some(true) && self.allows(other, facts) == Some(false)
        };
        self.outcome(found, &breaks)
    }

    /// What Cedar itself says of these facts; none where a rule fails.
    fn allows(&self, set: &PolicySet, facts: &DecisionFacts) -> Option<bool> {
        let request = self.engine.question(facts).ok()?;
        let response = Authorizer::new().is_authorized(&request, set, &Entities::empty());
        let sound = response.diagnostics().errors().next().is_none();
        sound.then(|| response.decision() == Decision::Allow)
    }

    fn outcome(
        &self,
        found: Result<Option<Env>, String>,
        breaks: &dyn Fn(&DecisionFacts) -> bool,
    ) -> Outcome {
        match found {
            Ok(None) => Outcome::Proved,
            Ok(Some(env)) => {
                let shown =
                    counterexample::of(env.request.context(), breaks, &self.engine, &self.before);
                match shown {
                    Ok(counterexample) => Outcome::Refuted {
                        counterexample: Box::new(counterexample),
                    },
                    Err(why) => Outcome::Unknown { why },
                }
            }
            Err(why) => Outcome::Unknown { why },
        }
    }

    fn compile(&self, set: &PolicySet) -> Result<CompiledPolicySet, String> {
        CompiledPolicySet::compile(set, &self.environment, &self.schema)
            .map_err(|error| told(&error))
    }

    fn compiler(&mut self) -> Result<&mut CedarSymCompiler<LocalSolver>, String> {
        if self.compiler.is_none() {
            let process = self.solver.start()?;
            let compiler = CedarSymCompiler::new(process).map_err(|error| told(&error))?;
            self.compiler = Some(compiler);
        }
        self.compiler
            .as_mut()
            .ok_or_else(|| "the solver did not start".to_owned())
    }

    /// After an answer that was none the process is in an unknown state.
    fn put_away(&mut self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Unknown { .. }) {
            self.compiler = None;
        }
    }
}

/// One question within its time. The solver has its own limit; ours is for one
/// that does not keep it.
async fn asked<T>(
    limit: Duration,
    question: impl Future<Output = Result<T, err::Error>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit.saturating_mul(2), question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(told(&error)),
        Err(_) => Err(format!("no answer in {} s", limit.as_secs() * 2)),
    }
}

fn told(error: &err::Error) -> String {
    match error {
        err::Error::SolverUnknown => {
            "the solver does not know (was its time too short?)".to_owned()
        }
        other => other.to_string(),
    }
}

fn claim(name: &str, says: &str, outcome: Outcome) -> Claim {
    Claim {
        name: name.to_owned(),
        says: says.to_owned(),
        outcome,
    }
}

fn permit() -> Result<Policy, String> {
    Policy::parse(
        Some(PolicyId::new("permit")),
        "permit (principal, action, resource);",
    )
    .map_err(|error| error.to_string())
}

/// The rule, asked about ranks that there are: its other conditions come after.
fn in_range(rule: &Policy) -> Result<Policy, String> {
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
