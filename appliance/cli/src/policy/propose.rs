//! Proposing a policy set with its evidence.

use std::path::Path;

use chancery_message::Timestamp;
use chancery_pipeline::rows::DocumentKind;
use chancery_pipeline::rulebook::{Change, RuleText};
use chancery_policy::PolicyTexts;
use chancery_policy::crypto;
use chancery_policy::directory::Directory;
use chancery_policy::engine::Engine;
use chancery_policy::evidence::{self, Cases, Evidence, FORM, MOST_FLIPS, Proof, Replayed};
use chancery_policy::mou::Register;
use chancery_policy::replay::Replay;
use chancery_prover::{INVARIANTS, Question, SolverError, prove};
use serde_json::Value;

use super::cases::{self, Told};
use super::prove::Solving;
use super::{load, replay, texts};
use crate::failure::{Failure, failed};
use crate::officers::{Desk, Officer, text};
use crate::{out, ruling, run};

/// How often a replay is made again where messages came while it was made.
const ATTEMPTS: u32 = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    desk: Desk,
    /// Why: it is signed and recorded.
    #[arg(long, value_name = "REASON")]
    why: String,
    /// Past decisions from then on are run again (default: all that the node has).
    #[arg(long, value_name = "T", value_parser = replay::time)]
    since: Option<Timestamp>,
    /// The set is meant to release more than the one in force: what the proof
    /// finds is shown to the officer who approves.
    #[arg(long)]
    wider: bool,
    #[command(flatten)]
    solving: Solving,
}

/// What is in force on the node.
struct InForce {
    policies: PolicyTexts,
    directory: Directory,
    register: Register,
    agreements: [u8; 32],
}

pub(super) fn command(args: &Args, folder: Option<&Path>, json: bool) -> Result<(), Failure> {
    let folder = folder.ok_or_else(|| Failure::usage("--policies DIR: which set"))?;
    let set = texts(Some(folder))?;
    let engine = load(Some(folder))?;
    let files = cases::files(Some(folder))?;
    let held = cases::run(&engine, &files, Told::Wrong)?;
    let officer = args.desk.open()?;
    run::runtime()?.block_on(async {
        let in_force = in_force(&officer).await?;
        let set = with_crypto(set, &in_force.policies);
        let engine = Engine::load(&set).map_err(|error| Failure::new(error.to_string()))?;
        let proof = proof(args, &set, &in_force, json).await?;
        let mut found = Evidence {
            form: FORM.to_owned(),
            program: concat!("chancery ", env!("CARGO_PKG_VERSION")).to_owned(),
            policy: hex::encode(set.hash()),
            running: hex::encode(in_force.policies.hash()),
            agreements: hex::encode(in_force.agreements),
            cases: Cases {
                held,
                files: files.into_iter().collect(),
            },
            replay: again(args, &officer, &engine, &in_force).await?,
            proof,
        };
        let mut attempt = 1;
        loop {
            let change =
                Change::new(RuleText::policies(&set), &args.why).with_evidence(found.to_text());
            match ruling::propose(&officer, &change, json).await {
                // Messages came, or went, between the replay and the proposal.
                Err(failure)
                    if attempt < ATTEMPTS && failure.to_string().contains("the replay of") =>
                {
                    attempt += 1;
                    found.replay = again(args, &officer, &engine, &in_force).await?;
                }
                Err(failure) => return Err(failure),
                Ok(()) if json => return Ok(()),
                Ok(()) => return out::line(out::safe(&found.to_string())),
            }
        }
    })
}

/// A set of rules alone goes with the cryptographic policy in force: leaving the
/// file out changes nothing.
fn with_crypto(set: PolicyTexts, in_force: &PolicyTexts) -> PolicyTexts {
    let has = |texts: &PolicyTexts| texts.files().any(|(name, _)| name == crypto::FILE);
    if has(&set) || !has(in_force) {
        set
    } else {
        set.with(crypto::FILE, in_force.crypto())
    }
}

async fn in_force(officer: &Officer) -> Result<InForce, Failure> {
    let none = || Failure::new("the node's answer lacks the rules in force: try again");
    let policies = ruling::texts(officer, DocumentKind::Policy).await?;
    let policies = policies.first().ok_or_else(none)?;
    let policies: std::collections::BTreeMap<String, String> =
        serde_json::from_str(text(policies, "text")).map_err(failed("the policy set in force"))?;
    let participants = ruling::texts(officer, DocumentKind::Participant).await?;
    let participants = text(participants.first().ok_or_else(none)?, "text").to_owned();
    let mous: Vec<Value> = ruling::texts(officer, DocumentKind::Mou).await?;
    let files: Vec<(&str, &str)> = mous
        .iter()
        .map(|one| (text(one, "key"), text(one, "text")))
        .collect();
    // Nobody is an officer here: nobody signs anything.
    let directory = Directory::from_toml(0, &participants, "")
        .map_err(|error| Failure::new(error.to_string()))?;
    let register = Register::from_toml(files.iter().copied(), &directory)
        .map_err(|error| Failure::new(error.to_string()))?;
    Ok(InForce {
        agreements: evidence::agreements(&participants, files),
        policies: PolicyTexts::new(policies),
        directory,
        register,
    })
}

/// The node's past decisions under the proposed set.
async fn again(
    args: &Args,
    officer: &Officer,
    new: &Engine,
    in_force: &InForce,
) -> Result<Replayed, Failure> {
    let old = Engine::load(&in_force.policies)
        .map_err(|error| Failure::new(format!("the set in force: {error}")))?;
    let mut running = Replay {
        new,
        old: &old,
        agreements: None,
        since: args.since,
    }
    .begin();
    let mut flips = Vec::new();
    let read = replay::past(officer, args.since, |line| {
        let flip = running
            .line(line)
            .map_err(|error| Failure::new(error.to_string()))?;
        flips.extend(flip.filter(|_| flips.len() < MOST_FLIPS));
        Ok(())
    })
    .await?;
    Ok(Replayed {
        since: args.since.map(Timestamp::as_micros),
        read,
        summary: running.end(),
        flips,
    })
}

/// What the solver says; no answer in time, or none that can be read, is a failure.
async fn proof(
    args: &Args,
    set: &PolicyTexts,
    in_force: &InForce,
    json: bool,
) -> Result<Proof, Failure> {
    let solver = match args.solving.find().await {
        Ok(solver) => solver,
        Err(SolverError::Missing { looked }) => {
            let why = format!("looked for {looked}");
            if !json {
                out::line(format_args!("NOT PROVED: no solver ({why})"))?;
            }
            return Ok(Proof::NoSolver { why });
        }
        Err(error @ SolverError::Broken { .. }) => return Err(Failure::new(error.to_string())),
    };
    let question = Question {
        set,
        invariants: INVARIANTS,
        directory: &in_force.directory,
        register: &in_force.register,
        old: Some(&in_force.policies),
        only: &[],
    };
    let mut told = Ok(());
    let report = prove(&question, &solver, |claim| {
        if !json && told.is_ok() {
            told = out::line(claim);
        }
    })
    .await
    .map_err(|error| Failure::new(error.to_string()))?;
    told?;
    let proof = report
        .evidence()
        .map_err(|why| Failure::new(format!("not proposed: {why}")))?;
    let wider = |name: &str| evidence::NOT_WIDER.contains(&name);
    let broken: Vec<&str> = report
        .failed()
        .map(|claim| claim.name.as_str())
        .filter(|name| !wider(name))
        .collect();
    if !broken.is_empty() {
        return Err(Failure::new(format!(
            "not proposed: the set breaks {} (chancery policy prove --against shows how)",
            broken.join(", ")
        )));
    }
    if !report.proved && !args.wider {
        return Err(Failure::new(
            "not proposed: the set releases more than the one in force; if that is meant, say --wider",
        ));
    }
    Ok(proof)
}
