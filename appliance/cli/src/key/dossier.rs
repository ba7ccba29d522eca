//! Proposals and approvals: made, added, carried out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_hsm_api::approval::{Record, Vote};
use chancery_hsm_custodian::{Ceremony, Denial, Dossier, Proposal};
use chancery_machine::SystemClock;
use chancery_message::Clock as _;
use chancery_settings::Settings;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Other, custody};
use crate::failure::{Failure, failed};
use crate::officers::Desk;
use crate::{files, out};

/// Largest dossier, and roster.
const MOST: u64 = 1 << 20;
/// Largest backup.
const BACKUP: u64 = 1 << 40;
/// How long an approval counts.
const COUNTS: Duration = Duration::from_secs(12 * 60 * 60);

/// The rarer operations: what, where to, for how many hours.
pub(super) fn other(what: &Other) -> Result<(Ceremony, &PathBuf, u32), Failure> {
    Ok(match what {
        Other::ExportPublic(one) => (
            Ceremony::ExportPublic {
                role: one.role.clone(),
                generation: one.generation,
            },
            &one.to.out,
            one.to.hours,
        ),
        Other::Roster { roster, to } => {
            let text = files::text(roster, MOST)?;
            let roster = serde_json::from_str(&text)
                .map_err(failed(format!("{} is no roster", roster.display())))?;
            (Ceremony::Roster { roster }, &to.out, to.hours)
        }
        Other::RoleTable { denied, to } => {
            let denied = denied
                .iter()
                .map(|one| {
                    let (client, operation) = one.rsplit_once(':').ok_or_else(|| {
                        Failure::usage("CLIENT:OPERATION, for example door/rest:public-key")
                    })?;
                    Ok(Denial {
                        client: client.to_owned(),
                        operation: operation.to_owned(),
                    })
                })
                .collect::<Result<_, Failure>>()?;
            (Ceremony::RoleTable { denied }, &to.out, to.hours)
        }
        Other::ChangePin { to } => (Ceremony::ChangePin {}, &to.out, to.hours),
        Other::BindToken { serial, to } => (
            Ceremony::BindToken {
                serial: serial.clone(),
            },
            &to.out,
            to.hours,
        ),
        Other::Restore { backup, to } => {
            let bytes = files::read(backup, BACKUP)?;
            let digest = hex::encode(Sha256::digest(bytes));
            (Ceremony::Restore { digest }, &to.out, to.hours)
        }
    })
}

/// Writes a proposal, with the approval of who proposes where he names himself.
pub(super) fn propose(
    desk: &Desk,
    operation: Ceremony,
    file: &Path,
    hours: u32,
    json: bool,
) -> Result<(), Failure> {
    if !(1..=168).contains(&hours) {
        return Err(Failure::usage("--hours: 1 to 168"));
    }
    let settings = settings(desk)?;
    let end = SystemClock
        .now()
        .after(Duration::from_secs(u64::from(hours) * 3600));
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(failed("the system gives no random bytes"))?;
    let proposal = Proposal::new(
        &settings.custodian.log_origin,
        id,
        end.as_micros(),
        operation,
    );
    let mut dossier = Dossier {
        proposal,
        approvals: Vec::new(),
    };
    if desk.officer.is_some() {
        add(desk, &mut dossier, Vote::Approve)?;
    }
    files::create(file, 0o600, text(&dossier)?.as_bytes())?;
    told(&dossier, file, json)
}

/// Adds an approval, or a refusal.
pub(super) fn approve(desk: &Desk, file: &Path, refuse: bool, json: bool) -> Result<(), Failure> {
    let mut dossier = read(file)?;
    let settings = settings(desk)?;
    if dossier.proposal.node != settings.custodian.log_origin {
        return Err(Failure::new(format!(
            "this is a proposal for {}, not for {}",
            dossier.proposal.node, settings.custodian.log_origin
        )));
    }
    let vote = if refuse { Vote::Refuse } else { Vote::Approve };
    add(desk, &mut dossier, vote)?;
    files::replace(file, 0o600, text(&dossier)?.as_bytes())?;
    told(&dossier, file, json)
}

/// Has it carried out.
pub(super) fn perform(desk: &Desk, file: &Path, json: bool) -> Result<(), Failure> {
    let dossier = read(file)?;
    let client = custody::client(&settings(desk)?);
    let done = client.perform(&dossier).map_err(custody::told)?;
    if json {
        return out::json(&done);
    }
    out::line(format_args!("done: {}", done.done))?;
    out::line(format_args!("approved by {}", done.by.join(", ")))?;
    match done.public {
        Some(point) => out::line(point),
        None => Ok(()),
    }
}

fn add(desk: &Desk, dossier: &mut Dossier, vote: Vote) -> Result<(), Failure> {
    let officer = desk.open()?;
    if dossier
        .approvals
        .iter()
        .any(|one| one.officer() == officer.name())
    {
        return Err(Failure::new(format!(
            "{} has signed it already: another custodian must",
            officer.name()
        )));
    }
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(failed("the system gives no random bytes"))?;
    let record = Record {
        node: dossier.proposal.node.clone(),
        operation: dossier.proposal.operation.operation().to_owned(),
        digest: dossier.proposal.digest(),
        vote,
        nonce,
        not_after: SystemClock.now().after(COUNTS).as_micros(),
    };
    dossier.approvals.push(officer.sign(record)?);
    Ok(())
}

fn told(dossier: &Dossier, file: &Path, json: bool) -> Result<(), Failure> {
    let people: Vec<&str> = dossier.approvals.iter().map(|one| one.officer()).collect();
    let proposal = &dossier.proposal;
    if json {
        return out::json(&json!({
            "file": file, "operation": proposal.operation.operation(),
            "says": proposal.operation.to_string(), "node": proposal.node,
            "digest": hex::encode(proposal.digest()), "not_after": proposal.not_after,
            "signed_by": people,
        }));
    }
    out::line(format_args!("{}: {}", proposal.node, proposal.operation))?;
    out::line(format_args!("digest {}", hex::encode(proposal.digest())))?;
    let people = if people.is_empty() {
        "nobody yet".to_owned()
    } else {
        people.join(", ")
    };
    out::line(format_args!(
        "signed by {people}; to be carried out before {}",
        proposal.not_after
    ))?;
    out::line(format_args!(
        "next: chancery key approve {0}, then chancery key perform {0}",
        file.display()
    ))
}

fn read(file: &Path) -> Result<Dossier, Failure> {
    serde_json::from_str(&files::text(file, MOST)?).map_err(failed(format!(
        "{} is no proposal of this version",
        file.display()
    )))
}

fn text(dossier: &Dossier) -> Result<String, Failure> {
    serde_json::to_string_pretty(dossier)
        .map(|text| format!("{text}\n"))
        .map_err(failed("the proposal"))
}

pub(super) fn settings(desk: &Desk) -> Result<Settings, Failure> {
    Settings::load(&desk.config).map_err(|error| Failure::new(error.to_string()))
}
