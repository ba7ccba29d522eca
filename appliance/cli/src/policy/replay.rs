//! Past decisions under proposed rules.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use chancery_machine::SystemClock;
use chancery_message::{Clock as _, Timestamp};
use chancery_pipeline::officers::Request;
use chancery_policy::day::Day;
use chancery_policy::engine::Engine;
use chancery_policy::replay::{Flip, Replay, Running};

use super::prove::Agreements;
use super::{load, texts};
use crate::failure::{Failure, failed};
use crate::officers::{Desk, Officer};
use crate::{out, run};

/// Decisions that a node is asked for at a time.
const PAGE: u32 = 2000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the proposed rules; `shipped` are those of this program.
    /// Without it, those of --policies.
    #[arg(long, value_name = "NEW")]
    policy: Option<PathBuf>,
    /// Proposed MoUs: each past release is looked up in them anew, on --on.
    #[command(flatten)]
    agreements: Agreements,
    /// The day on which proposed MoUs are read (default: today).
    #[arg(long, value_name = "DAY", requires = "mous")]
    on: Option<Day>,
    /// Only decisions from then on: a day, or a time such as 2026-03-01T12:00:00Z.
    #[arg(long, value_name = "T", value_parser = time)]
    since: Option<Timestamp>,
    /// Past decisions, one JSON object a line: a node's own (`--save`), or facts
    /// as `decide` reads them; `-` reads standard input. Without it the running
    /// node of --config is asked, by an officer (--officer, --key).
    file: Option<PathBuf>,
    /// Keeps the node's decisions in a new file, to replay them again.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    save: Option<PathBuf>,
    #[command(flatten)]
    desk: Desk,
}

pub(super) fn command(args: &Args, policies: Option<&Path>, json: bool) -> Result<(), Failure> {
    if args.policy.is_none() && !args.agreements.are_named() {
        return Err(Failure::usage(
            "--policy NEW: the proposed rules, or --mous DIR: the proposed MoUs",
        ));
    }
    let old = load(policies)?;
    let new = match &args.policy {
        None => load(policies)?,
        Some(folder) => Engine::load_for_study(&texts(Some(folder))?)
            .map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?,
    };
    let agreements = match args.agreements.are_named() {
        true => Some(args.agreements.read()?),
        false => None,
    };
    let day = args.on.map_or_else(|| SystemClock.now(), Day::start);
    let mut running = Replay {
        new: &new,
        old: &old,
        agreements: agreements
            .as_ref()
            .map(|(directory, register)| (directory, register, day)),
        since: args.since,
    }
    .begin();
    match &args.file {
        Some(file) if file == Path::new("-") => read(io::stdin().lock(), &mut running, json)?,
        Some(file) => {
            let opened = std::fs::File::open(file)
                .map_err(failed(format!("{} cannot be read", file.display())))?;
            read(
                BufReader::with_capacity(1 << 18, opened),
                &mut running,
                json,
            )?;
        }
        None => ask(args, &mut running, json)?,
    }
    let summary = running.end();
    if json {
        let mut told = serde_json::to_value(&summary).map_err(failed("the summary"))?;
        if let Some(told) = told.as_object_mut() {
            told.insert("policy".to_owned(), hex::encode(new.policy_hash()).into());
        }
        out::json(&told)?;
    } else {
        out::line(format_args!(
            "{} decisions run again, {} would come out differently ({} would release more); {} without facts, {} older",
            summary.decisions, summary.flips, summary.wider, summary.without_facts, summary.older
        ))?;
    }
    match summary.flips {
        0 => Ok(()),
        flips => Err(Failure::new(format!(
            "{flips} of {} decisions would come out differently",
            summary.decisions
        ))),
    }
}

fn read(mut input: impl BufRead, running: &mut Running<'_>, json: bool) -> Result<(), Failure> {
    let mut line = String::new();
    loop {
        line.clear();
        if input
            .read_line(&mut line)
            .map_err(failed("the decisions cannot be read"))?
            == 0
        {
            return Ok(());
        }
        one(line.trim_end_matches(['\r', '\n']), running, json)?;
    }
}

fn one(line: &str, running: &mut Running<'_>, json: bool) -> Result<(), Failure> {
    match running.line(line) {
        Ok(None) => Ok(()),
        Ok(Some(flip)) if json => out::json(&flip),
        Ok(Some(flip)) => tell(&flip),
        Err(error) => Err(Failure::new(error.to_string())),
    }
}

fn tell(flip: &Flip) -> Result<(), Failure> {
    let Flip {
        id,
        at,
        between,
        old,
        new,
        wider,
    } = flip;
    let between = between
        .as_ref()
        .map(|(from, to)| format!("{from} to {to}"))
        .unwrap_or_default();
    out::line(format_args!(
        "{}  {id}  {between} | {old} -> {new}{}",
        at.as_deref().unwrap_or("-"),
        if *wider { "  (releases more)" } else { "" }
    ))
}

/// Asks the running node for its decisions.
fn ask(args: &Args, running: &mut Running<'_>, json: bool) -> Result<(), Failure> {
    let officer = args.desk.open()?;
    let mut kept = Vec::new();
    run::runtime()?.block_on(past(&officer, args.since, |line| {
        if args.save.is_some() {
            kept.extend_from_slice(line.as_bytes());
            kept.push(b'\n');
        }
        one(line, running, json)
    }))?;
    match &args.save {
        Some(file) => crate::files::create(file, 0o600, &kept),
        None => Ok(()),
    }
}

/// A node's past decisions from a time on, oldest first, page by page; each line
/// is given to `take`. How many there were.
pub(super) async fn past(
    officer: &Officer,
    since: Option<Timestamp>,
    mut take: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let (mut after, mut count) = (None, 0);
    loop {
        let lines = officer
            .order(Request::Decisions {
                since: since.map(Timestamp::as_micros),
                after: after.clone(),
                limit: PAGE,
            })
            .await?;
        let Some((last, decisions)) = lines.split_last() else {
            return Err(Failure::new("the node's answer broke off: try again"));
        };
        for line in decisions {
            take(std::str::from_utf8(line).map_err(failed("a decision"))?)?;
            count += 1;
        }
        let next: serde_json::Value = serde_json::from_slice(last).map_err(failed("the answer"))?;
        match next.get("after").and_then(serde_json::Value::as_str) {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(count),
        }
    }
}

/// A day, or a moment.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .or_else(|| text.parse::<Day>().ok().map(Day::start))
        .ok_or_else(|| "write it as 2026-03-01 or 2026-03-01T12:00:00Z".to_owned())
}
