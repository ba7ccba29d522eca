//! `chancery policy`: decisions in bulk, the cases beside the rules, why, what a
//! change would do, and proofs.

mod cases;
mod diff;
mod explain;
mod propose;
mod prove;
mod replay;
pub(crate) mod show;

use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use chancery_policy::PolicyTexts;
use chancery_policy::approval::Vote;
use chancery_policy::engine::Engine;
use clap::Subcommand;

use crate::failure::{Failure, failed};
use crate::officers::Desk;
use crate::{files, out, ruling, run};

/// Largest file of rules or cases.
const MOST: u64 = 16 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the rules (`*.cedar`) and their cases (`*.cases.toml`);
    /// without it, those that are shipped.
    #[arg(long, value_name = "DIR", global = true)]
    policies: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Decides facts: one JSON object a line in, one a line out, as they come.
    ///
    /// In: the facts of one release (id, label_state, classification, …). Out:
    /// {"id":…,"verdict":"permit|review|deny","gates":["G06",…]}; facts that are
    /// not well-formed are refused with G00 and say why in `error`.
    Decide,
    /// Runs the cases beside the rules; status 1 if one comes out differently
    /// or a rule has no case.
    Test,
    /// Explains one decision: the gates, their rules, and what would change it.
    Explain {
        /// The facts as one JSON object; `-` reads standard input.
        #[arg(default_value = "-")]
        facts: PathBuf,
    },
    /// Shows the decisions of the golden matrix that two policy sets make
    /// differently; status 0 if there are none, 1 if there are.
    Diff(diff::Args),
    /// Runs a proposed policy set, or proposed MoUs, over past decisions, and
    /// lists each that would come out differently; status 0 if none would, 1
    /// if some would.
    Replay(replay::Args),
    /// Proves that a policy set keeps every invariant, or shows a release that
    /// breaks one; status 0 only if all is proved.
    ///
    /// Needs the solver cvc5 (appliance/packages/solver installs it). No solver,
    /// no answer in time and an answer that cannot be read are failures.
    Prove(prove::Args),
    /// Proposes the policy set of --policies to a running node, with its evidence:
    /// the cases beside it, the node's past decisions run again, and the proof.
    ///
    /// What fails is not proposed. Without a solver the evidence says that nothing
    /// is proved. Another security officer reads set and evidence (`show`) and
    /// signs exactly them (`approve`); then the set decides, on all processes.
    Propose(propose::Args),
    /// Lists the policy sets that ever decided on a node, by the hash that decisions
    /// record; with a hash writes that set into a folder, to run it again.
    Sets {
        #[command(flatten)]
        desk: Desk,
        /// The hash, or its beginning.
        #[arg(requires = "out")]
        hash: Option<String>,
        /// The new folder for its rules, and its cases where it has evidence.
        #[arg(long, value_name = "DIR", requires = "hash")]
        out: Option<PathBuf>,
    },
    /// Lists the proposals that wait for another security officer.
    Proposals {
        #[command(flatten)]
        desk: Desk,
    },
    /// Shows a proposed policy set: what changes, why, and its evidence.
    Show {
        #[command(flatten)]
        desk: Desk,
        /// The proposal.
        proposal: String,
        /// Writes the proposed rules and their cases into a new folder, to replay
        /// and prove them again.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Shows a proposed policy set with its evidence, runs its cases again, and
    /// signs it: it decides at once.
    Approve {
        #[command(flatten)]
        desk: Desk,
        /// The proposal.
        proposal: String,
    },
    /// Refuses a proposed policy set: one officer is enough.
    Refuse {
        #[command(flatten)]
        desk: Desk,
        /// The proposal.
        proposal: String,
    },
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let folder = args.policies.as_deref();
    match &args.command {
        Command::Decide => decide(&load(folder)?),
        Command::Test => cases::command(&load(folder)?, folder, json),
        Command::Explain { facts } => explain::command(&load(folder)?, facts, json),
        Command::Diff(it) => diff::command(it, json),
        Command::Replay(it) => replay::command(it, folder, json),
        Command::Prove(it) => prove::command(it, &texts(folder)?, json),
        Command::Propose(it) => propose::command(it, folder, json),
        Command::Sets { desk, hash, out } => {
            let officer = desk.open()?;
            run::runtime()?.block_on(show::sets(&officer, hash.as_deref(), out.as_deref(), json))
        }
        Command::Proposals { desk } => {
            let officer = desk.open()?;
            run::runtime()?.block_on(ruling::proposals(&officer, json))
        }
        Command::Show {
            desk,
            proposal,
            out,
        } => {
            let officer = desk.open()?;
            run::runtime()?.block_on(show::command(&officer, proposal, out.as_deref(), json))
        }
        Command::Approve { desk, proposal } => vote(desk, proposal, Vote::Approve, json),
        Command::Refuse { desk, proposal } => vote(desk, proposal, Vote::Refuse, json),
    }
}

fn vote(desk: &Desk, proposal: &str, vote: Vote, json: bool) -> Result<(), Failure> {
    let officer = desk.open()?;
    run::runtime()?.block_on(ruling::vote(desk, &officer, proposal, vote, json))
}

fn load(folder: Option<&Path>) -> Result<Engine, Failure> {
    Engine::load(&texts(folder)?).map_err(|error| Failure::new(error.to_string()))
}

/// The policy set of a folder; without one, or named `shipped`, the shipped one.
fn texts(folder: Option<&Path>) -> Result<PolicyTexts, Failure> {
    match folder {
        None => Ok(PolicyTexts::shipped()),
        Some(folder) if means_shipped(folder) => Ok(PolicyTexts::shipped()),
        Some(folder) => set_of(folder),
    }
}

/// True for the word `shipped` where no folder has that name.
fn means_shipped(folder: &Path) -> bool {
    folder == Path::new("shipped") && !folder.exists()
}

/// The policy set of a folder: its rules, and the cryptographic policy.
pub(crate) fn set_of(folder: &Path) -> Result<PolicyTexts, Failure> {
    files_of(folder, PolicyTexts::is_part, "*.cedar").map(PolicyTexts::new)
}

/// Name and text of the files of a folder whose names end so.
pub(crate) fn folder_of(folder: &Path, end: &str) -> Result<Vec<(String, String)>, Failure> {
    files_of(folder, |name| name.ends_with(end), &format!("*{end}"))
}

fn files_of(
    folder: &Path,
    wanted: impl Fn(&str) -> bool,
    named: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let cannot = || format!("{} cannot be read", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(cannot()))? {
        let path = entry.map_err(failed(cannot()))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if wanted(name) {
            found.push((name.to_owned(), files::text(&path, MOST)?));
        }
    }
    if found.is_empty() {
        return Err(Failure::new(format!(
            "there is no `{named}` in {}",
            folder.display()
        )));
    }
    found.sort();
    Ok(found)
}

fn decide(engine: &Engine) -> Result<(), Failure> {
    let mut input = BufReader::with_capacity(1 << 18, io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .read_until(b'\n', &mut line)
            .map_err(failed("standard input cannot be read"))?;
        if read == 0 {
            break;
        }
        let facts = line.strip_suffix(b"\n").unwrap_or(&line);
        let facts = facts.strip_suffix(b"\r").unwrap_or(facts);
        let answer = engine.decide_bytes(facts);
        output
            .write_all(answer.as_bytes())
            .and_then(|()| output.write_all(b"\n"))
            .map_err(|error| out::write_failed(&error))?;
        // Who asks line by line gets its answer before the next question.
        if input.buffer().is_empty() {
            output.flush().map_err(|error| out::write_failed(&error))?;
        }
    }
    output.flush().map_err(|error| out::write_failed(&error))
}
