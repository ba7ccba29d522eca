//! `chancery review`: what waits for people.

use chancery_pipeline::officers::Request;
use chancery_policy::approval::Vote;
use clap::Subcommand;
use serde_json::Value;

use crate::failure::{Failure, failed};
use crate::officers::{Desk, Officer, text, values};
use crate::{out, run};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the open cases: held releases, and messages in quarantine.
    List,
    /// Shows a case with its content. The reading is recorded with its reason.
    Show {
        /// The case.
        case: String,
        /// Why you read it.
        #[arg(long, value_name = "REASON")]
        why: String,
    },
    /// Votes for the release. From C-UE up two distinct officers must.
    Approve {
        /// The case.
        case: String,
    },
    /// Votes against it: one vote closes the case.
    Refuse {
        /// The case.
        case: String,
    },
    /// Takes a case up for an hour, so that two officers do not do the same work.
    Claim {
        /// The case.
        case: String,
    },
    /// Gives it back.
    Unclaim {
        /// The case.
        case: String,
    },
    /// Records the originator's consent that came on paper: two officers do.
    Paper {
        /// The case.
        case: String,
        /// The paper's reference.
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// The paper refuses: one officer is enough.
        #[arg(long)]
        refused: bool,
    },
    /// Gives a message in quarantine its label; it is then decided like any other.
    Label {
        /// The message.
        message: String,
        /// The label, as marking text.
        label: String,
    },
    /// Refuses a message in quarantine for good.
    Reject {
        /// The message.
        message: String,
    },
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let officer = args.desk.open()?;
    run::runtime()?.block_on(carry_out(&officer, &args.command, json))
}

async fn carry_out(officer: &Officer, command: &Command, json: bool) -> Result<(), Failure> {
    let answers = match command {
        Command::List => cases(officer).await?,
        Command::Show { case, why } => {
            let request = Request::Show {
                case: case.clone(),
                why: why.clone(),
            };
            values(&officer.order(request).await?)?
        }
        Command::Approve { case } => vote(officer, case, Vote::Approve).await?,
        Command::Refuse { case } => vote(officer, case, Vote::Refuse).await?,
        Command::Claim { case } => {
            let request = Request::Claim { case: case.clone() };
            values(&officer.order(request).await?)?
        }
        Command::Unclaim { case } => {
            let request = Request::Unclaim { case: case.clone() };
            values(&officer.order(request).await?)?
        }
        Command::Paper {
            case,
            reference,
            refused,
        } => paper(officer, case, reference, !refused).await?,
        Command::Label { message, label } => give_label(officer, message, label).await?,
        Command::Reject { message } => {
            let request = Request::Reject {
                message: message.clone(),
            };
            values(&officer.order(request).await?)?
        }
    };
    if json {
        return answers.iter().try_for_each(out::json);
    }
    match command {
        Command::List if answers.is_empty() => out::line("nothing waits"),
        Command::Paper { .. } => answers.iter().try_for_each(|answer| {
            let counts = answer.get("recorded").and_then(Value::as_bool) == Some(true);
            out::line(if counts {
                "recorded: it counts"
            } else {
                "kept: it counts when another officer records the same"
            })
        }),
        Command::List
        | Command::Approve { .. }
        | Command::Refuse { .. }
        | Command::Claim { .. }
        | Command::Unclaim { .. } => answers.iter().try_for_each(card),
        Command::Show { .. } => answers.iter().try_for_each(content),
        Command::Label { .. } => answers.iter().try_for_each(|answer| {
            out::line(format_args!(
                "{} is labelled {}",
                text(answer, "message"),
                text(answer, "label")
            ))?;
            for pair in answer
                .get("recipients")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let word = |at: usize| pair.get(at).and_then(Value::as_str).unwrap_or_default();
                out::line(format_args!("  {:<24} {}", word(0), word(1)))?;
            }
            Ok(())
        }),
        Command::Reject { message } => out::line(format_args!("{message} is refused for good")),
    }
}

/// Signs what a paper says: message, recipient, answer and reference.
async fn paper(
    officer: &Officer,
    case: &str,
    reference: &str,
    grant: bool,
) -> Result<Vec<Value>, Failure> {
    let all = cases(officer).await?;
    let found = all
        .iter()
        .find(|one| text(one, "case") == case)
        .ok_or_else(|| Failure::new("there is no such open case"))?;
    let message = text(found, "message").parse().map_err(failed("the case"))?;
    let recipient = text(found, "recipient")
        .parse()
        .map_err(failed("the case"))?;
    let vote = if grant { Vote::Approve } else { Vote::Refuse };
    let digest = chancery_policy::consent::paper_digest(message, &recipient, vote, reference);
    let request = Request::ConsentPaper {
        case: case.to_owned(),
        grant,
        reference: reference.to_owned(),
        digest: hex::encode(digest),
    };
    values(&officer.order(request).await?)
}

/// The open cases.
pub(crate) async fn cases(officer: &Officer) -> Result<Vec<Value>, Failure> {
    values(&officer.order(Request::Cases).await?)
}

/// Labels a message in quarantine.
pub(crate) async fn give_label(
    officer: &Officer,
    message: &str,
    label: &str,
) -> Result<Vec<Value>, Failure> {
    let request = Request::Label {
        message: message.to_owned(),
        label: label.to_owned(),
    };
    values(&officer.order(request).await?)
}

/// Votes: the record binds the case as it is now.
pub(crate) async fn vote(officer: &Officer, case: &str, vote: Vote) -> Result<Vec<Value>, Failure> {
    let open = cases(officer).await?;
    let card = open
        .iter()
        .find(|card| text(card, "case") == case)
        .ok_or_else(|| {
            Failure::new(format!(
                "{case} is no open case: see `chancery review list`"
            ))
        })?;
    let mut digest = [0; 32];
    hex::decode_to_slice(text(card, "digest"), &mut digest).map_err(failed("the case's digest"))?;
    values(&officer.vote(case, digest, vote).await?)
}

fn card(card: &Value) -> Result<(), Failure> {
    let word = |key: &str| out::safe(text(card, key));
    out::line(format_args!("{}  {}", word("case"), word("state")))?;
    let to = if word("recipient").is_empty() {
        String::new()
    } else {
        format!(" to {}", word("recipient"))
    };
    let label = if word("label").is_empty() {
        "no label".to_owned()
    } else {
        word("label")
    };
    out::line(format_args!(
        "  message {}: {}{to}, {label}",
        word("message"),
        word("sender")
    ))?;
    let gates: Vec<&str> = card
        .get("gates")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !gates.is_empty() {
        out::line(format_args!("  asked by {}", gates.join(", ")))?;
    }
    for (key, words) in [("claimed", "taken up by"), ("asked", "consent asked of")] {
        if !word(key).is_empty() {
            out::line(format_args!("  {words} {}", word(key)))?;
        }
    }
    if !word("quarantine").is_empty() {
        out::line(format_args!("  in quarantine: {}", word("quarantine")))?;
    }
    let votes: Vec<String> = card
        .get("votes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|vote| format!("{} {}", text(vote, "officer"), text(vote, "vote")))
        .collect();
    let votes = if votes.is_empty() {
        "none".to_owned()
    } else {
        votes.join(", ")
    };
    out::line(format_args!(
        "  closes by {}; votes: {votes}; due {}",
        word("closes_by"),
        word("due_at")
    ))
}

/// Why it is held: every gate with its rules, the agreement, and what would help.
fn explanation(why: &Value) -> Result<(), Failure> {
    let list = |value: &Value, key: &str| -> Vec<Value> {
        value
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    out::line(format_args!("\nAs of now: {}", text(why, "verdict")))?;
    for gate in list(why, "gates") {
        for rule in list(&gate, "rules") {
            let word = |at: usize| rule.get(at).and_then(Value::as_str).unwrap_or_default();
            out::line(format_args!(
                "  {}  {} ({})",
                text(&gate, "gate"),
                word(0),
                word(1)
            ))?;
        }
        for fact in list(&gate, "facts") {
            out::line(format_args!("       {}", fact.as_str().unwrap_or_default()))?;
        }
        if !text(&gate, "article").is_empty() {
            out::line(format_args!("       under {}", text(&gate, "article")))?;
        }
        out::line(match text(&gate, "closes") {
            "consent" => "       closed by the originator's consent alone",
            "label" => "       closed by a label",
            "never" => "       nothing closes it",
            _ => "       closed by officers' votes",
        })?;
    }
    for (key, words) in [("mou", "agreement"), ("article", "against it stands")] {
        if !text(why, key).is_empty() {
            out::line(format_args!("  {words}: {}", text(why, key)))?;
        }
    }
    for hint in list(why, "would_help") {
        out::line(format_args!(
            "  would help: {}",
            hint.as_str().unwrap_or_default()
        ))?;
    }
    Ok(())
}

fn content(found: &Value) -> Result<(), Failure> {
    if let Some(case) = found.get("case") {
        card(case)?;
    }
    if let Some(why) = found.get("explanation").filter(|why| why.is_object()) {
        explanation(why)?;
    }
    out::line(format_args!(
        "\nSubject: {}\n\n{}",
        out::safe(text(found, "subject")),
        out::safe(text(found, "body"))
    ))
}
