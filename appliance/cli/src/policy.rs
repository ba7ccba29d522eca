//! `chancery policy`: decisions in bulk, the cases beside the rules, and why.

use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use chancery_pipeline::rulebook::RuleText;
use chancery_policy::PolicyTexts;
use chancery_policy::cases::{self, Outcome};
use chancery_policy::engine::Engine;
use chancery_policy::explain;
use chancery_policy::facts::Facts;
use clap::Subcommand;

use crate::failure::{Failure, failed};
use crate::officers::Desk;
use crate::{files, out, ruling, run};

/// Largest file of rules or cases.
const MOST: u64 = 16 * 1024 * 1024;

/// The cases that stand beside the shipped rules.
const SHIPPED_CASES: [(&str, &str); 10] = {
    macro_rules! shipped {
        ($($name:literal),+ $(,)?) => {
            [$(($name, include_str!(concat!("../../../config/policies/", $name, ".cases.toml")))),+]
        };
    }
    shipped![
        "00-words",
        "10-label",
        "20-protection",
        "30-agreements",
        "40-caveats",
        "50-tlp",
        "60-originator",
        "70-handling",
        "80-personal-data",
        "90-judgement",
    ]
};

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
    /// Proposes the policy set of --policies to a running node: another security
    /// officer approves it (`chancery officer approve`), and it decides from then on.
    Propose {
        #[command(flatten)]
        desk: Desk,
        /// Why: it is recorded.
        #[arg(long, value_name = "REASON")]
        why: String,
    },
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let folder = args.policies.as_deref();
    let engine = load(folder)?;
    match &args.command {
        Command::Decide => decide(&engine),
        Command::Test => test(&engine, folder, json),
        Command::Explain { facts } => explain(&engine, facts, json),
        Command::Propose { desk, why } => {
            let folder = folder.ok_or_else(|| Failure::usage("--policies DIR: which set"))?;
            let rule = RuleText::policies(&PolicyTexts::new(folder_of(folder, ".cedar")?));
            let officer = desk.open()?;
            run::runtime()?.block_on(ruling::propose(&officer, &rule, why, json))
        }
    }
}

fn load(folder: Option<&Path>) -> Result<Engine, Failure> {
    let texts = match folder {
        None => PolicyTexts::shipped(),
        Some(folder) => PolicyTexts::new(folder_of(folder, ".cedar")?),
    };
    Engine::load(&texts).map_err(|error| Failure::new(error.to_string()))
}

/// Name and text of the files of a folder whose names end so.
pub(crate) fn folder_of(folder: &Path, end: &str) -> Result<Vec<(String, String)>, Failure> {
    let cannot = || format!("{} cannot be read", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(cannot()))? {
        let path = entry.map_err(failed(cannot()))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.ends_with(end) {
            found.push((name.to_owned(), files::text(&path, MOST)?));
        }
    }
    if found.is_empty() {
        return Err(Failure::new(format!(
            "there is no `*{end}` in {}",
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

fn test(engine: &Engine, folder: Option<&Path>, json: bool) -> Result<(), Failure> {
    let cases: Vec<(String, String)> = match folder {
        None => SHIPPED_CASES
            .iter()
            .map(|(name, text)| (format!("{name}.cases.toml"), (*text).to_owned()))
            .collect(),
        Some(folder) => folder_of(folder, ".cases.toml")?,
    };
    let mut all: Vec<Outcome> = Vec::new();
    for (name, text) in &cases {
        let outcomes = cases::run(engine, text).map_err(failed(name))?;
        if !json {
            out::line(name)?;
        }
        for outcome in &outcomes {
            if json {
                out::json(&serde_json::json!({
                    "file": name, "case": outcome.name, "expected": outcome.expected,
                    "found": outcome.found, "holds": outcome.holds(),
                }))?;
            } else {
                out::line(format_args!("  {outcome}"))?;
            }
        }
        all.extend(outcomes);
    }
    let wrong = all.iter().filter(|outcome| !outcome.holds()).count();
    let bare: Vec<String> = cases::uncovered(engine, &all)
        .into_iter()
        .map(|(gate, effect)| format!("{gate} ({effect:?})").to_lowercase())
        .collect();
    if wrong > 0 {
        return Err(Failure::new(format!(
            "{wrong} of {} cases come out differently: see WRONG above",
            all.len()
        )));
    }
    if !bare.is_empty() {
        return Err(Failure::new(format!(
            "rules without a case: {}; write one for each",
            bare.join(", ")
        )));
    }
    if !json {
        out::line(format_args!("{} cases, all as they should", all.len()))?;
    }
    Ok(())
}

fn explain(engine: &Engine, file: &Path, json: bool) -> Result<(), Failure> {
    let text = files::text(file, 1 << 20)?;
    let facts = Facts::from_json(text.trim())
        .map_err(|error| Failure::new(format!("not well-formed facts (G00): {error}")))?;
    let decision = engine.decide(&facts);
    let gates: Vec<(String, String, &str)> = decision
        .gates()
        .iter()
        .map(|gate| {
            let says = engine
                .rules_of(*gate, None)
                .map(|rule| rule.says.clone())
                .next();
            let entry = gate.entry();
            let rule = says
                .or_else(|| entry.map(|entry| entry.rule.to_owned()))
                .unwrap_or_default();
            (
                gate.to_string(),
                rule,
                entry.map_or("", |entry| entry.basis),
            )
        })
        .collect();
    let hints: Vec<String> = explain::hints(engine, &facts, &[])
        .iter()
        .map(explain::Hint::text)
        .collect();
    if json {
        let gates: Vec<_> = gates
            .iter()
            .map(|(gate, rule, basis)| serde_json::json!({ "gate": gate, "rule": rule, "basis": basis }))
            .collect();
        return out::json(&serde_json::json!({
            "id": facts.id, "verdict": decision.verdict(), "gates": gates,
            "obligations": decision.obligations(), "would_change_it": hints,
        }));
    }
    out::line(format_args!("{}: {}", facts.id, decision.verdict()))?;
    for (gate, rule, basis) in &gates {
        out::line(format_args!("  {gate}  {rule}  [{basis}]"))?;
    }
    for obligation in decision.obligations() {
        out::line(format_args!("  with it: {}", obligation.text()))?;
    }
    for hint in &hints {
        out::line(format_args!("  it would go if {hint}"))?;
    }
    Ok(())
}
