//! `chancery participant person`: the people who act for a participant.

use std::path::PathBuf;

use chancery_label::Level;
use chancery_message::{Channel, ParticipantId, PersonId};
use chancery_pipeline::rulebook::{Change, RuleText};
use chancery_policy::day::Day;
use chancery_policy::directory::{Clearance, Directory, Participant, Person};
use clap::Subcommand;
use serde_json::json;

use crate::failure::{Failure, failed};
use crate::officers::{Desk, Officer};
use crate::participant::{Kind, change, enroll_with, load, read};
use crate::ruling::{self, Common, Noun};
use crate::{out, run, signing};

/// What is done with the people who act for participants.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the people: for whom each acts, cleared up to what, by which channels.
    List,
    /// Proposes a person who acts for a participant, or another clearance of one:
    /// another security officer approves it.
    ///
    /// A person without --level is cleared for what is unclassified alone. A
    /// person sees and sends no more than its own clearance and the
    /// participant's allow, and the log names it.
    Propose {
        /// The participant.
        participant: ParticipantId,
        /// The person's id: 1 to 64 of a-z, 0-9, - and .
        id: PersonId,
        /// The person's name, as it is on the clearance.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Up to which level: NC, R-UE, C-UE, S-UE, TS-UE.
        #[arg(long, value_name = "LEVEL", requires = "until")]
        level: Option<Level>,
        /// The clearance's last day, for example 2027-12-31.
        #[arg(long, value_name = "DAY", requires = "level")]
        until: Option<Day>,
        /// Why: it is recorded.
        #[arg(long, value_name = "REASON")]
        why: String,
    },
    /// Makes a person's own key and client certificate, and a client profile in --out.
    ///
    /// The person is in the directory already. A running node reads the
    /// directory again at SIGHUP.
    Enroll {
        /// The person.
        id: PersonId,
        /// The channel: rest or siena. By mail a participant has one key for all.
        #[arg(long)]
        channel: Kind,
        /// The folder for key, certificate and profile.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Suspends, resumes; lists, approves and refuses proposals.
    #[command(flatten)]
    Common(Common),
}

pub(crate) fn command(desk: &Desk, command: &Command, json: bool) -> Result<(), Failure> {
    match command {
        Command::List => list(desk, json),
        Command::Enroll { id, channel, out } => enroll(desk, id, *channel, out, json),
        Command::Propose { .. } | Command::Common(_) => {
            let officer = desk.open()?;
            run::runtime()?.block_on(as_officer(desk, &officer, command, json))
        }
    }
}

async fn as_officer(
    desk: &Desk,
    officer: &Officer,
    command: &Command,
    json: bool,
) -> Result<(), Failure> {
    match command {
        Command::Propose {
            participant,
            id,
            name,
            level,
            until,
            why,
        } => {
            let now = ruling::directory(officer).await?;
            let clearance = level
                .zip(*until)
                .map(|(level, until)| Clearance { level, until });
            let mut all = now.participants().to_vec();
            let one = all
                .iter_mut()
                .rev()
                .find(|one| one.id == *participant)
                .ok_or_else(|| {
                    Failure::new(format!(
                        "{participant} is not in the directory: see `chancery participant list`"
                    ))
                })?;
            set(one, id, name, clearance);
            let next = Directory::new(0, all, now.officers().to_vec())
                .map_err(|error| Failure::new(error.to_string()))?;
            let (text, _) = next.to_toml().map_err(failed("the directory"))?;
            let change = Change::new(RuleText::participants(text), why);
            ruling::propose(officer, &change, json).await
        }
        Command::Common(common) => ruling::common(desk, officer, Noun::Person, common, json).await,
        Command::List | Command::Enroll { .. } => Ok(()),
    }
}

/// Adds a person, or changes the name and clearance of one that is there.
fn set(one: &mut Participant, id: &PersonId, name: &str, clearance: Option<Clearance>) {
    if let Some(person) = one.people.iter_mut().find(|person| person.id == *id) {
        name.clone_into(&mut person.name);
        person.clearance = clearance;
        return;
    }
    one.people.push(Person {
        id: id.clone(),
        name: name.to_owned(),
        rest: Vec::new(),
        siena: Vec::new(),
        valid_from: None,
        valid_until: None,
        suspended: false,
        clearance,
    });
}

fn list(desk: &Desk, json: bool) -> Result<(), Failure> {
    let directory = read(&load(&desk.config)?)?;
    let mut any = false;
    for one in directory.participants() {
        for person in &one.people {
            any = true;
            let cleared = person.clearance.as_ref();
            let level = cleared.map_or(Level::Nc, |one| one.level);
            let until = cleared.map(|one| one.until.to_string());
            let channels: Vec<&str> = [("rest", &person.rest), ("siena", &person.siena)]
                .into_iter()
                .filter_map(|(name, prints)| (!prints.is_empty()).then_some(name))
                .collect();
            if json {
                out::json(&json!({
                    "id": person.id.as_str(), "name": person.name, "participant": one.id.as_str(),
                    "level": level.code(), "until": until, "channels": channels,
                }))?;
                continue;
            }
            let until = until.map_or_else(String::new, |day| format!(" until {day}"));
            let channels = if channels.is_empty() {
                "no certificate yet".to_owned()
            } else {
                channels.join(", ")
            };
            out::line(format_args!(
                "{:<20} for {:<20} {}{until}  {channels}  {}",
                person.id.as_str(),
                one.id.as_str(),
                level.code(),
                out::safe(&person.name)
            ))?;
        }
    }
    if any || json {
        return Ok(());
    }
    out::line("nobody is named: `chancery participant person propose` names one")
}

fn enroll(
    desk: &Desk,
    id: &PersonId,
    kind: Kind,
    folder: &std::path::Path,
    json: bool,
) -> Result<(), Failure> {
    if kind == Kind::Mail {
        return Err(Failure::usage(
            "--channel rest or siena: by mail a participant has one key for all who act for it",
        ));
    }
    let config = &desk.config;
    let settings = load(config)?;
    let directory = read(&settings)?;
    let holder = directory
        .participants()
        .iter()
        .rev()
        .find(|one| one.people.iter().any(|person| person.id == *id))
        .map(|one| one.id.clone())
        .ok_or_else(|| {
            Failure::new(format!(
                "{id} is not in the directory: name the person first (`chancery participant person propose`)"
            ))
        })?;
    let (profile, channel, fingerprint) =
        enroll_with(config, &settings, id.as_str(), kind, folder)?;
    change(&settings, &directory, &holder, |one| {
        let person = one.people.iter_mut().find(|person| person.id == *id);
        if let Some(person) = person {
            match channel {
                Channel::Siena => person.siena.push(fingerprint),
                Channel::Rest | Channel::Mail => person.rest.push(fingerprint),
            }
        }
        Ok(())
    })?;
    let signed = signing::here(config)?;
    if json {
        return out::json(
            &json!({ "person": id.as_str(), "participant": holder.as_str(), "profile": profile, "signed": signed }),
        );
    }
    out::line(format_args!(
        "{id} acts for {holder}: profile {}. {}",
        profile.display(),
        signing::next(signed)
    ))
}
