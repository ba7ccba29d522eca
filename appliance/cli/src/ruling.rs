//! What `mou`, `participant`, `officer` and `policy` have in common: proposing,
//! approving, refusing, suspending, resuming; and the files beside.

use std::path::{Path, PathBuf};

use chancery_message::Timestamp;
use chancery_pipeline::officers::{Request, change};
use chancery_pipeline::rows::DocumentKind;
use chancery_pipeline::rulebook::{self, Change, RuleText, Subject};
use chancery_policy::PolicyTexts;
use chancery_policy::approval::Vote;
use chancery_policy::directory::Directory;
use chancery_settings::Settings;
use clap::Subcommand;
use serde_json::Value;

use crate::failure::{Failure, failed};
use crate::officers::{Desk, Officer, text, values};
use crate::{files, out, policy};

/// What every kind of rule can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Common {
    /// Lists the proposals that wait for another security officer, with their texts.
    Proposals,
    /// Approves a proposal of another officer: it is in force at once.
    Approve {
        /// The proposal.
        proposal: String,
    },
    /// Refuses a proposal: one officer is enough.
    Refuse {
        /// The proposal.
        proposal: String,
    },
    /// Suspends at once: one security officer is enough. Returns when nothing is
    /// under way any more under the older rules, and says what could no longer
    /// be stopped.
    Suspend {
        /// Which.
        id: String,
        /// Why: it is recorded.
        #[arg(long, value_name = "REASON")]
        why: String,
    },
    /// Proposes to lift a suspension: another officer approves it.
    Resume {
        /// Which.
        id: String,
        /// Why: it is recorded.
        #[arg(long, value_name = "REASON")]
        why: String,
    },
}

/// The noun of a command, and the kind of its suspensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noun {
    Mou,
    Participant,
    Person,
    Officer,
}

impl Noun {
    const fn kind(self) -> DocumentKind {
        match self {
            Self::Mou => DocumentKind::Mou,
            Self::Participant | Self::Person => DocumentKind::Participant,
            Self::Officer => DocumentKind::Officer,
        }
    }

    fn subject(self, id: &str) -> Result<Subject, Failure> {
        let word = match self {
            Self::Person => "person",
            Self::Mou | Self::Participant | Self::Officer => self.kind().word(),
        };
        format!("{word}/{id}")
            .parse()
            .map_err(|()| Failure::usage(format!("`{id}` is no id of what can be suspended")))
    }
}

/// Carries out what every kind has.
pub(crate) async fn common(
    desk: &Desk,
    officer: &Officer,
    noun: Noun,
    command: &Common,
    json: bool,
) -> Result<(), Failure> {
    match command {
        Common::Proposals => proposals(officer, json).await,
        Common::Approve { proposal } => vote(desk, officer, proposal, Vote::Approve, json).await,
        Common::Refuse { proposal } => vote(desk, officer, proposal, Vote::Refuse, json).await,
        Common::Suspend { id, why } => {
            let request = Request::Suspend {
                subject: noun.subject(id)?.to_string(),
                why: why.clone(),
            };
            let done = values(&officer.order(request).await?)?;
            if json {
                return done.iter().try_for_each(out::json);
            }
            done.iter().try_for_each(suspended)
        }
        Common::Resume { id, why } => {
            let rule = RuleText::resume(&noun.subject(id)?, why);
            propose(officer, &Change::new(rule, why), json).await
        }
    }
}

/// Lists the proposals that wait, each with what an officer must see.
pub(crate) async fn proposals(officer: &Officer, json: bool) -> Result<(), Failure> {
    let all = values(&officer.order(Request::Proposals).await?)?;
    if json {
        return all.iter().try_for_each(out::json);
    }
    if all.is_empty() {
        return out::line("nothing is proposed");
    }
    for one in &all {
        card(one)?;
        shown(officer, one).await?;
    }
    Ok(())
}

/// The open proposal of this id.
pub(crate) async fn proposal(officer: &Officer, id: &str) -> Result<Value, Failure> {
    values(&officer.order(Request::Proposals).await?)?
        .into_iter()
        .find(|one| text(one, "id") == id)
        .ok_or_else(|| Failure::new("there is no such open proposal"))
}

/// Proposes a change.
pub(crate) async fn propose(officer: &Officer, change: &Change, json: bool) -> Result<(), Failure> {
    let rule = &change.rule;
    let request = Request::Propose {
        kind: rule.kind.word().to_owned(),
        key: rule.key.clone(),
        text: rule.text.clone(),
        why: change.why.clone(),
        evidence: change.evidence.clone(),
    };
    let done = values(&officer.order(request).await?)?;
    if json {
        return done.iter().try_for_each(out::json);
    }
    done.iter().try_for_each(|one| {
        out::line(format_args!(
            "proposed as {}: another security officer looks at it (proposals) and approves it (approve {})",
            text(one, "id"),
            text(one, "id")
        ))
    })
}

/// Approves or refuses a proposal, shown again before it is signed.
pub(crate) async fn vote(
    desk: &Desk,
    officer: &Officer,
    proposal: &str,
    vote: Vote,
    json: bool,
) -> Result<(), Failure> {
    let found = self::proposal(officer, proposal).await?;
    let change = change(
        text(&found, "kind"),
        text(&found, "key"),
        text(&found, "text"),
        text(&found, "why"),
        found.get("evidence").and_then(Value::as_str),
    )
    .map_err(|refusal| Failure::new(refusal.detail))?;
    if vote == Vote::Approve {
        if !json {
            card(&found)?;
            shown(officer, &found).await?;
        }
        if change.rule.kind == DocumentKind::Policy {
            policy::show::verify(officer, &found).await?;
        }
    }
    let rule = &change.rule;
    // What is signed is the digest of what was shown, not of what the node says it is.
    let request = Request::Approve {
        proposal: proposal.to_owned(),
        kind: rule.kind.word().to_owned(),
        digest: hex::encode(change.digest()),
    };
    let done = values(&officer.order_voting(request, vote).await?)?;
    if json {
        done.iter().try_for_each(out::json)?;
    }
    for one in &done {
        let in_force = text(one, "state") == "in-force";
        if !json {
            out::line(if in_force {
                format!("{} {} is in force", text(one, "kind"), text(one, "key"))
            } else {
                "refused: it will not be in force".to_owned()
            })?;
        }
        if in_force
            && let Err(failure) = keep(desk, rule)
            && !json
        {
            out::line(format_args!(
                "the files of the rules here were not brought up to date: {failure}"
            ))?;
        }
    }
    Ok(())
}

/// Brings the rules' files up to what is in force. The signatures stand in the
/// ledger, with reason and evidence; those beside the file were over another text.
fn keep(desk: &Desk, rule: &RuleText) -> Result<(), Failure> {
    let settings = Settings::load(&desk.config).map_err(|error| Failure::new(error.to_string()))?;
    let rules = &settings.rules;
    let file = match rule.kind {
        DocumentKind::Participant => rules.participants.clone(),
        DocumentKind::Officer => rules.officers.clone(),
        DocumentKind::Mou => file_of(&rules.mous, &rule.key),
        DocumentKind::Policy => {
            let texts: std::collections::BTreeMap<String, String> =
                serde_json::from_str(&rule.text).map_err(failed("the policy set"))?;
            for entry in std::fs::read_dir(&rules.policies).map_err(failed("the policies"))? {
                let path = entry.map_err(failed("the policies"))?.path();
                let name = path.file_name().and_then(|name| name.to_str());
                if name.is_some_and(|name| PolicyTexts::is_part(name) && !texts.contains_key(name))
                {
                    std::fs::remove_file(&path).map_err(failed("an old policy"))?;
                }
            }
            for (name, text) in &texts {
                files::replace(&rules.policies.join(name), 0o600, text.as_bytes())?;
            }
            return unsigned(&rules.policies);
        }
        DocumentKind::Suspension | DocumentKind::Proposal => return Ok(()),
    };
    files::replace(&file, 0o600, rule.text.as_bytes())?;
    unsigned(&file)
}

/// Takes the signatures of another text away.
fn unsigned(file: &Path) -> Result<(), Failure> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".sig");
    match std::fs::remove_file(Path::new(&beside)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("the signatures of an older text")(error))
        }
        _ => Ok(()),
    }
}

/// The file of an MoU: the one that has its id, else a new one named after it.
fn file_of(folder: &Path, id: &str) -> PathBuf {
    policy::folder_of(folder, ".toml")
        .unwrap_or_default()
        .into_iter()
        .find(|(name, text)| RuleText::mou(name, text.clone()).is_ok_and(|rule| rule.key == id))
        .map_or_else(
            || folder.join(format!("{id}.toml")),
            |(name, _)| folder.join(name),
        )
}

/// The texts in force of a kind, as core gives them.
pub(crate) async fn texts(officer: &Officer, kind: DocumentKind) -> Result<Vec<Value>, Failure> {
    let request = Request::Rules {
        kind: kind.word().to_owned(),
    };
    values(&officer.order(request).await?)
}

/// The directory in force: participants and officers.
pub(crate) async fn directory(officer: &Officer) -> Result<Directory, Failure> {
    let one = |all: &[Value]| {
        all.first()
            .map(|one| text(one, "text").to_owned())
            .unwrap_or_default()
    };
    let participants = one(&texts(officer, DocumentKind::Participant).await?);
    let officers = one(&texts(officer, DocumentKind::Officer).await?);
    Directory::from_toml(0, &participants, &officers)
        .map_err(|error| Failure::new(error.to_string()))
}

pub(crate) fn card(one: &Value) -> Result<(), Failure> {
    out::line(format_args!(
        "{}  {} {}  by {} at {}\n  why: {}",
        text(one, "id"),
        text(one, "kind"),
        text(one, "key"),
        text(one, "by"),
        one.get("at")
            .and_then(Value::as_i64)
            .map_or_else(String::new, |at| Timestamp::from_micros(at).to_string()),
        out::safe(text(one, "why"))
    ))
}

/// What an officer must see before signing: of a directory the entries that
/// change, of everything else the text.
async fn shown(officer: &Officer, one: &Value) -> Result<(), Failure> {
    let kind = DocumentKind::from_word(text(one, "kind"));
    let indented = |text: &str| {
        text.lines()
            .try_for_each(|line| out::line(format_args!("  | {}", out::safe(line))))
    };
    if kind == Some(DocumentKind::Policy) {
        return policy::show::shown(officer, one).await;
    }
    if !matches!(
        kind,
        Some(DocumentKind::Participant | DocumentKind::Officer)
    ) {
        return indented(text(one, "text"));
    }
    let now = directory(officer).await?;
    let (participants, officers) = now.to_toml().map_err(failed("the directory"))?;
    let proposed = if kind == Some(DocumentKind::Participant) {
        Directory::from_toml(0, text(one, "text"), &officers)
    } else {
        Directory::from_toml(0, &participants, text(one, "text"))
    }
    .map_err(|error| Failure::new(error.to_string()))?;
    let mut changed = rulebook::changed(now.participants(), proposed.participants(), |it| {
        it.id.to_string()
    });
    let people = Directory::new(
        0,
        proposed
            .participants()
            .iter()
            .filter(|it| changed.contains(&it.id.to_string()))
            .cloned()
            .collect(),
        Vec::new(),
    );
    if let Ok((text, _)) = people
        .map_err(|error| Failure::new(error.to_string()))
        .and_then(|some| some.to_toml().map_err(failed("the directory")))
    {
        indented(&text)?;
    }
    let judges = rulebook::changed(now.officers(), proposed.officers(), |it| it.id.to_string());
    for id in &judges {
        for it in proposed.officers().iter().filter(|it| it.id.as_str() == id) {
            let roles = serde_json::to_string(&it.roles).unwrap_or_default();
            indented(&format!(
                "officer {id} ({}), of {}, roles {roles}",
                it.name, it.participant
            ))?;
        }
    }
    changed.extend(judges);
    out::line(format_args!("  changes: {}", changed.join(", ")))
}

fn suspended(one: &Value) -> Result<(), Failure> {
    let number = |key: &str| one.get(key).and_then(Value::as_u64).unwrap_or_default();
    out::line(format_args!(
        "{} is suspended (epoch {}). {} waiting deliveries do not go any more.",
        text(one, "subject"),
        number("epoch"),
        number("waiting")
    ))?;
    for (key, words) in [
        ("under_way", "was on its way"),
        ("given", "was given before, not yet acknowledged"),
    ] {
        for it in one.get(key).and_then(Value::as_array).into_iter().flatten() {
            let gone = it.get("gone").and_then(Value::as_u64);
            let gone = gone.map_or_else(String::new, |bytes| format!(", {bytes} bytes gone"));
            out::line(format_args!(
                "  {} to {} {words}: {}{gone}",
                text(it, "delivery"),
                text(it, "recipient"),
                text(it, "outcome")
            ))?;
        }
    }
    if one.get("closed").and_then(Value::as_bool) == Some(false) {
        out::line("  WARNING: something was still on its way when the time for it was over")?;
    }
    Ok(())
}
