//! The questions, one after the other.

use cedar_policy::{
    Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, RequestEnv, Schema,
};
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicy, CompiledPolicySet, Env};
use chancery_policy::PolicyTexts;
use chancery_policy::decision::Alarm;
use chancery_policy::directory::Directory;
use chancery_policy::engine::{Engine, PolicyError};
use chancery_policy::evidence::{self, NEVER_FAILS, NOT_EMPTY, NOT_WIDER};
use chancery_policy::facts::Facts as DecisionFacts;
use chancery_policy::mou::Register;

use crate::agreements;
use crate::counterexample;
use crate::invariants::{self, Invariant};
use crate::parts::{asked, claim, in_range, permit, says, told};
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
    names_are_known(question, &invariants)?;
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
    if question.old.is_some() && NOT_WIDER.iter().any(|name| asked(name)) {
        for claim in desk.is_not_wider(&asked).await {
            settle(claim);
        }
    }
    let hash = |texts: &PolicyTexts| hex::encode(texts.hash());
    Ok(Report {
        proved: claims
            .iter()
            .all(|claim| matches!(claim.outcome, Outcome::Proved)),
        whole: question.only.is_empty() && question.old.is_some(),
        invariants: evidence::invariants_digest(question.invariants),
        solver: solver.version().to_owned(),
        policy: hash(question.set),
        against: question.old.map(hash),
        claims,
    })
}

/// A claim that is named and not asked would count as proved with the others.
fn names_are_known(question: &Question<'_>, invariants: &[Invariant]) -> Result<(), ProveError> {
    for name in question.only {
        if NOT_WIDER.contains(name) {
            if question.old.is_none() {
                return Err(ProveError::Invariants(format!(
                    "{name} compares with another set: name it with --against"
                )));
            }
        } else if ![NEVER_FAILS, NOT_EMPTY].contains(name)
            && !invariants.iter().any(|one| one.name == *name)
        {
            return Err(ProveError::Invariants(format!(
                "no claim has the name {name}"
            )));
        }
    }
    Ok(())
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
        // One kind of question: a proof about one of several would say nothing of the others.
        let [environment] = <[RequestEnv; 1]>::try_from(schema.request_envs().collect::<Vec<_>>())
            .map_err(|_| {
                ProveError::Set("the schema must have exactly one kind of request".to_owned())
            })?;
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
        let rules: Vec<Policy> = self.engine.policies().policies().cloned().collect();
        let outcome = self.all_never_fail(&rules).await;
        claim(NEVER_FAILS, says(NEVER_FAILS), outcome)
    }

    async fn all_never_fail(&mut self, rules: &[Policy]) -> Outcome {
        for rule in rules.iter().filter(|rule| rule.effect() == Effect::Forbid) {
            let outcome = self.one_never_fails(rule).await;
            if !matches!(outcome, Outcome::Proved) {
                return outcome;
            }
        }
        Outcome::Proved
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
        claim(NOT_EMPTY, says(NOT_EMPTY), outcome)
    }

    async fn holds(&mut self, invariant: &Invariant) -> Claim {
        // A rule that fails is skipped: of an invariant that fails there is nothing to prove.
        let outcome = match self.one_never_fails(&invariant.rule).await {
            Outcome::Proved => self.try_holds(invariant).await,
            Outcome::Refuted { .. } | Outcome::Unknown { .. } => Outcome::Unknown {
                why: "it is not shown that the invariant itself cannot fail (overflow, missing attribute)"
                    .to_owned(),
            },
        };
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

    async fn is_not_wider(&mut self, asked: &dyn Fn(&str) -> bool) -> Vec<Claim> {
        let [denials, consent, reviews] = NOT_WIDER;
        let new = self.sets.clone();
        let old = self.old_sets().await;
        let mut claims = Vec::new();
        for (name, view) in [
            (denials, Sets::released as View),
            (consent, Sets::voted),
            (reviews, Sets::permitted),
        ] {
            if !asked(name) {
                continue;
            }
            let outcome = match &old {
                Ok(old) => self.implies(view(&new), view(old)).await,
                Err(why) => Outcome::Unknown { why: why.clone() },
            };
            self.put_away(&outcome);
            claims.push(claim(name, says(name), outcome));
        }
        claims
    }

    /// The old set's views. Where one of its rules can fail it denied in life what
    /// its text, without that rule, lets out: it cannot be compared with.
    async fn old_sets(&mut self) -> Result<Sets, String> {
        let sets = self
            .facts
            .split(&self.before)
            .map_err(|error| error.to_string())?;
        let rules: Vec<Policy> = self.before.policies().policies().cloned().collect();
        match self.all_never_fail(&rules).await {
            Outcome::Proved => Ok(sets),
            Outcome::Refuted { .. } => Err("a rule of the old set can fail".to_owned()),
            Outcome::Unknown { why } => Err(format!("the old set: {why}")),
        }
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

    /// After an answer that was none, or a model that was read in part, the process
    /// is in an unknown state: the next question gets a fresh one.
    fn put_away(&mut self, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Proved) {
            self.compiler = None;
        }
    }
}

/// A view of a policy set.
type View = fn(&Sets) -> &PolicySet;
