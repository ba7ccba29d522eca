//! What will end, which routes stop with it, and what to do.

use std::path::Path;
use std::time::Duration;

use chancery_hsm_api::KeyRole;
use chancery_hsm_custodian::{KeyCard, KeyState};
use chancery_machine::SystemClock;
use chancery_mail::content::certificate;
use chancery_message::{Clock as _, Timestamp};
use chancery_policy::directory::Directory;
use chancery_policy::foresight::{self, Ending};
use chancery_policy::mou;
use chancery_settings::Settings;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::FromDer as _;

use super::{dossier::settings, show};
use crate::failure::{Failure, failed};
use crate::officers::Desk;
use crate::{files, out};

/// Largest document.
const MOST: u64 = 16 * 1024 * 1024;

/// Prints what ends within so many days, what ends first first.
pub(super) fn print(desk: &Desk, days: u32, json: bool) -> Result<(), Failure> {
    let now = SystemClock.now();
    let until = now.after(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    let settings = settings(desk)?;
    let mut all = of_directory(&settings, now, until)?;
    all.extend(
        show::cards(desk)?
            .iter()
            .filter_map(|card| of_key(card, now)),
    );
    of_certificates(&settings, now, &mut all)?;
    all.retain(|one| one.ends <= until);
    all.sort_by(|a, b| (a.ends, a.kind, &a.name).cmp(&(b.ends, b.kind, &b.name)));
    for one in &all {
        let left = one.ends.since(now).as_secs() / (24 * 60 * 60);
        if json {
            let mut value = serde_json::to_value(one).map_err(failed("the forecast"))?;
            if let Some(object) = value.as_object_mut() {
                object.insert("days".to_owned(), left.into());
            }
            out::json(&value)?;
            continue;
        }
        let day: String = one.ends.to_string().chars().take(10).collect();
        out::line(format_args!(
            "{day}  in {left:>4} days  {} {}",
            one.kind, one.name
        ))?;
        for route in &one.stops {
            out::line(format_args!("    stops: {route}"))?;
        }
        out::line(format_args!("    do: {}", one.advice))?;
    }
    if all.is_empty() && !json {
        out::line(format_args!("nothing ends within {days} days"))?;
    }
    Ok(())
}

fn of_directory(
    settings: &Settings,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Ending>, Failure> {
    let rules = &settings.rules;
    let directory = Directory::from_toml(
        0,
        &files::text(&rules.participants, MOST)?,
        &files::text(&rules.officers, MOST)?,
    )
    .map_err(|error| Failure::new(error.to_string()))?;
    let mut texts = Vec::new();
    let entries = std::fs::read_dir(&rules.mous)
        .map_err(failed(format!("{} cannot be read", rules.mous.display())))?;
    for entry in entries {
        let path = entry.map_err(failed("the MoUs"))?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            texts.push((name.into_owned(), files::text(&path, MOST)?));
        }
    }
    let register = mou::Register::from_toml(
        texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
        &directory,
    )
    .map_err(|error| Failure::new(error.to_string()))?;
    let mut all = foresight::endings(&directory, &register, now, until);
    for one in directory.participants() {
        let armored = one
            .mail
            .as_ref()
            .and_then(|mail| mail.openpgp_certificate.as_deref());
        let ends = armored
            .and_then(|text| certificate::read_file(text.as_bytes()).ok())
            .and_then(|bytes| certificate::inspect(&bytes, now).ok())
            .and_then(|info| info.expires_at);
        if let Some(ends) = ends.filter(|_| one.validity().holds(now)) {
            all.push(Ending {
                kind: "openpgp",
                name: one.id.to_string(),
                ends,
                stops: vec![format!("mail to and from {}", one.id)],
                advice: "ask for the extended certificate: chancery participant enroll".to_owned(),
            });
        }
    }
    Ok(all)
}

/// The end of a key that is in use.
pub(crate) fn of_key(card: &KeyCard, now: Timestamp) -> Option<Ending> {
    if card.state(now.as_micros()) != KeyState::Active {
        return None;
    }
    let end = match (&card.role, card.make_until, card.open_until) {
        (KeyRole::Mac(_) | KeyRole::PgpDecrypt, _, open) => open?,
        (_, make, open) => make.into_iter().chain(open).min()?,
    };
    let (stops, advice) = routes(&card.role);
    Some(Ending {
        kind: "key",
        name: format!("{}#{}", card.role, card.generation),
        ends: Timestamp::from_micros(end),
        stops: vec![stops],
        advice: advice.to_owned(),
    })
}

fn routes(role: &KeyRole) -> (String, &'static str) {
    use chancery_hsm_api::KekId;
    const ROTATE: &str = "rotate it before: chancery key rotate";
    match role {
        KeyRole::Kek(KekId::Intake) => ("everything that comes in".to_owned(), ROTATE),
        KeyRole::Kek(KekId::Label { rank, compartment }) => (
            format!("everything of level {rank} from {compartment}"),
            ROTATE,
        ),
        KeyRole::Mac(_) => (
            "the whole node: rows cannot be verified".to_owned(),
            "move to a new node before that day",
        ),
        KeyRole::AuditCheckpoint => (
            "every release: the log cannot be signed".to_owned(),
            "move to a new log before that day (docs/key-ceremony.md)",
        ),
        KeyRole::PgpSign => (
            "every mail that goes out".to_owned(),
            "make the next one and its certificate (docs/key-ceremony.md)",
        ),
        KeyRole::PgpDecrypt => (
            "every mail that comes in encrypted".to_owned(),
            "make the next one and its certificate (docs/key-ceremony.md)",
        ),
        KeyRole::Tls(zone) => (
            format!("everything by the {zone} door"),
            "generate, export-public, certify, activate (docs/key-ceremony.md)",
        ),
    }
}

fn of_certificates(
    settings: &Settings,
    now: Timestamp,
    all: &mut Vec<Ending>,
) -> Result<(), Failure> {
    let doors = &settings.doors;
    if let Some(mail) = &doors.mail {
        certificates(&mail.certificate, "everything by the mail door", all)?;
        if let Some(ca) = &mail.relay_ca {
            certificates(ca, "every mail that goes out", all)?;
        }
        let own = settings.node.data.join("openpgp.pgp");
        if own.exists() {
            let info = certificate::inspect(&files::read(&own, MOST)?, now)
                .map_err(failed(own.display()))?;
            if let Some(ends) = info.expires_at {
                all.push(Ending {
                    kind: "openpgp",
                    name: "the gateway's own certificate".to_owned(),
                    ends,
                    stops: vec!["every mail, both ways".to_owned()],
                    advice: "extend it and give it to the partners".to_owned(),
                });
            }
        }
    }
    for (zone, door) in [("siena", &doors.siena), ("rest", &doors.rest)] {
        let Some(door) = door else {
            continue;
        };
        let stops = format!("everything by the {zone} door");
        certificates(&door.certificate, &stops, all)?;
        certificates(&door.client_ca, &stops, all)?;
        if let Some(crl) = &door.crl {
            lists(crl, &stops, all)?;
        }
    }
    Ok(())
}

fn certificates(file: &Path, stops: &str, all: &mut Vec<Ending>) -> Result<(), Failure> {
    let pem = files::read(file, MOST)?;
    for one in CertificateDer::pem_slice_iter(&pem) {
        let der = one.map_err(failed(file.display()))?;
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(&der)
            .map_err(failed(file.display()))?;
        all.push(Ending {
            kind: "certificate",
            name: format!("{} ({})", parsed.subject(), file.display()),
            ends: at(parsed.validity().not_after.timestamp()),
            stops: vec![stops.to_owned()],
            advice: "issue the next one and put it in the file's place".to_owned(),
        });
    }
    Ok(())
}

fn lists(file: &Path, stops: &str, all: &mut Vec<Ending>) -> Result<(), Failure> {
    let pem = files::read(file, MOST)?;
    for one in CertificateRevocationListDer::pem_slice_iter(&pem) {
        let der = one.map_err(failed(file.display()))?;
        let (_, parsed) = x509_parser::revocation_list::CertificateRevocationList::from_der(&der)
            .map_err(failed(file.display()))?;
        if let Some(next) = parsed.next_update() {
            all.push(Ending {
                kind: "revocation-list",
                name: format!("{} ({})", parsed.issuer(), file.display()),
                ends: at(next.timestamp()),
                stops: vec![stops.to_owned()],
                advice: "fetch its next edition; the door refuses everybody after that".to_owned(),
            });
        }
    }
    Ok(())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}
