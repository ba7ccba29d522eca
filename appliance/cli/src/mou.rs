//! `chancery mou`: the agreements that rule.

use std::path::PathBuf;

use chancery_machine::SystemClock;
use chancery_message::Clock as _;
use chancery_pipeline::officers::Request;
use chancery_pipeline::rows::DocumentKind;
use chancery_pipeline::rulebook::{Change, RuleText};
use chancery_policy::mou;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::officers::{Desk, Officer, text, values};
use crate::ruling::{self, Common, Noun};
use crate::{files, out, run};

/// Largest MoU.
const MOST: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the MoUs and how each stands today.
    List,
    /// Shows an MoU with who signed it.
    Show {
        /// The MoU's id.
        id: String,
    },
    /// Proposes an MoU, or another version of one: another security officer approves it.
    Propose {
        /// The MoU's file.
        file: PathBuf,
        /// Why: it is recorded.
        #[arg(
            long,
            value_name = "REASON",
            default_value = "as agreed by its parties"
        )]
        why: String,
    },
    /// Reports all flows per MoU, from the log.
    Report {
        /// One MoU alone.
        id: Option<String>,
    },
    #[command(flatten)]
    Common(Common),
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let officer = args.desk.open()?;
    run::runtime()?.block_on(carry_out(&args.desk, &officer, &args.command, json))
}

async fn carry_out(
    desk: &Desk,
    officer: &Officer,
    command: &Command,
    json: bool,
) -> Result<(), Failure> {
    match command {
        Command::List => list(officer, json).await,
        Command::Show { id } => show(officer, id, json).await,
        Command::Propose { file, why } => {
            let name = file.display().to_string();
            let rule = RuleText::mou(&name, files::text(file, MOST)?)
                .map_err(|error| Failure::new(error.to_string()))?;
            ruling::propose(officer, &Change::new(rule, why), json).await
        }
        Command::Report { id } => report(officer, id.clone(), json).await,
        Command::Common(common) => ruling::common(desk, officer, Noun::Mou, common, json).await,
    }
}

/// How an MoU stands today.
fn standing(mou: &mou::Mou, suspended: bool) -> &'static str {
    let now = SystemClock.now();
    match mou.state {
        _ if suspended => "suspended",
        mou::Standing::Suspended => "suspended",
        mou::Standing::Draft => "draft",
        mou::Standing::Agreed if mou.validity().is_over(now) => "expired",
        mou::Standing::Agreed if mou.validity().holds(now) => "in force",
        mou::Standing::Agreed => "not yet in force",
    }
}

fn is_suspended(one: &Value) -> bool {
    let subject = format!("mou/{}", text(one, "key"));
    one.get("suspended")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .any(|it| it.as_str() == Some(&subject))
}

async fn list(officer: &Officer, json: bool) -> Result<(), Failure> {
    for one in ruling::texts(officer, DocumentKind::Mou).await? {
        let mou = mou::read(text(&one, "key"), text(&one, "text"))
            .map_err(|error| Failure::new(error.to_string()))?;
        let state = standing(&mou, is_suspended(&one));
        if json {
            out::json(&json!({
                "id": mou.id.as_str(), "title": mou.title, "standing": state,
                "valid_from": mou.valid_from.to_string(), "valid_until": mou.valid_until.to_string(),
                "ceiling": mou.ceiling.code(), "parties": mou.parties,
                "approvals": one.get("approvals"), "versions": one.get("versions"),
            }))?;
        } else {
            let parties: Vec<&str> = mou.parties.iter().map(|id| id.as_str()).collect();
            out::line(format_args!(
                "{:<20} {:<16} until {}  up to {:<5} {}",
                mou.id.as_str(),
                state,
                mou.valid_until,
                mou.ceiling.code(),
                parties.join(", ")
            ))?;
        }
    }
    Ok(())
}

async fn show(officer: &Officer, id: &str, json: bool) -> Result<(), Failure> {
    let all = ruling::texts(officer, DocumentKind::Mou).await?;
    let one = all
        .iter()
        .find(|one| text(one, "key") == id)
        .ok_or_else(|| Failure::new(format!("there is no MoU {id}: chancery mou list")))?;
    if json {
        return out::json(one);
    }
    out::line(text(one, "text"))?;
    let approvals: Vec<&str> = one
        .get("approvals")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    out::line(format_args!("# signed by {}", approvals.join(" and ")))?;
    if is_suspended(one) {
        out::line("# SUSPENDED")?;
    }
    Ok(())
}

async fn report(officer: &Officer, id: Option<String>, json: bool) -> Result<(), Failure> {
    let all = values(&officer.order(Request::MouReport { mou: id }).await?)?;
    if json {
        return all.iter().try_for_each(out::json);
    }
    if all.is_empty() {
        return out::line("nothing has flowed");
    }
    for one in &all {
        out::line(match text(one, "mou") {
            "-" => "without an MoU (none was needed, or none covered it)",
            id => id,
        })?;
        let flows = one.get("flows").and_then(Value::as_array);
        for counts in flows.into_iter().flatten() {
            let number = |key: &str| counts.get(key).and_then(Value::as_u64).unwrap_or_default();
            out::line(format_args!(
                "  {} to {}: {} permitted, {} held, {} refused, {} opened; last {}",
                text(counts, "from"),
                text(counts, "to"),
                number("permitted"),
                number("held"),
                number("refused"),
                number("opened"),
                text(counts, "last")
            ))?;
        }
    }
    Ok(())
}
