//! `chancery participant`: the directory.

use std::path::{Path, PathBuf};

use chancery_machine::SystemClock;
use chancery_mail::content::certificate;
use chancery_message::{Channel, Clock as _, ParticipantId};
use chancery_pipeline::rulebook::{Change, RuleText};
use chancery_policy::directory::{Directory, Fingerprint, Participant, TlsEntry};
use chancery_settings::Settings;
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, failed};
use crate::init::authority::{Authority, Use, new_key};
use crate::init::write_directory;
use crate::officers::{Desk, Officer};
use crate::rest::client::ProfileFile;
use crate::ruling::{self, Common, Noun};
use crate::{files, out, person, run, signing};

/// Largest document.
const MOST: u64 = 16 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the participants and their usable channels.
    List,
    /// Proposes participants, or other versions of them (`[[participant]]`
    /// entries): another security officer approves it.
    Propose {
        /// The file of entries.
        file: PathBuf,
        /// Why: it is recorded.
        #[arg(long, value_name = "REASON")]
        why: String,
    },
    #[command(flatten)]
    Common(Common),
    /// Lets a participant know of another one, beside its community and its
    /// MoU partners. Knowing of it releases nothing.
    MaySee {
        /// Who.
        id: ParticipantId,
        /// Of whom.
        other: ParticipantId,
    },
    /// The people who act for participants: list, propose, enroll, suspend.
    #[command(subcommand)]
    Person(person::Command),
    /// Gives a participant of the directory its key for a channel.
    ///
    /// rest, siena: makes a key and a client certificate of the node's own
    /// authority and a client profile in --out. mail: takes the participant's
    /// OpenPGP certificate. A running node reads the directory again at SIGHUP.
    Enroll {
        /// The participant's id.
        id: ParticipantId,
        /// The channel.
        #[arg(long)]
        channel: Kind,
        /// The folder for key, certificate and profile (rest, siena).
        #[arg(long, value_name = "DIR", required_unless_present = "openpgp")]
        out: Option<PathBuf>,
        /// The participant's OpenPGP certificate (mail).
        #[arg(long, value_name = "FILE", required_if_eq("channel", "mail"))]
        openpgp: Option<PathBuf>,
        /// Its fingerprint, hexadecimal, as the participant told it another way.
        #[arg(long, value_name = "HEX")]
        fingerprint: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Rest,
    Siena,
    Mail,
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let config = &args.desk.config;
    match &args.command {
        Command::Propose { .. } | Command::Common(_) => {
            let officer = args.desk.open()?;
            run::runtime()?.block_on(as_officer(&args.desk, &officer, &args.command, json))
        }
        Command::List => list(config, json),
        Command::Person(command) => person::command(&args.desk, command, json),
        Command::MaySee { id, other } => {
            may_see(config, id, other)?;
            let signed = signing::here(config)?;
            if json {
                return out::json(
                    &json!({ "participant": id.as_str(), "may_see": other.as_str(), "signed": signed }),
                );
            }
            out::line(format_args!(
                "{id} may know of {other}. {}",
                signing::next(signed)
            ))
        }
        Command::Enroll {
            id,
            channel: Kind::Mail,
            openpgp,
            fingerprint,
            ..
        } => {
            let file = openpgp
                .as_deref()
                .ok_or_else(|| Failure::usage("--openpgp FILE"))?;
            enroll_mail(
                config,
                id,
                &files::read(file, 1 << 20)?,
                fingerprint.as_deref(),
            )?;
            let signed = signing::here(config)?;
            if json {
                return out::json(
                    &json!({ "participant": id.as_str(), "channel": "mail", "signed": signed }),
                );
            }
            out::line(format_args!(
                "{id} is reached by mail. {}",
                signing::next(signed)
            ))
        }
        Command::Enroll {
            id,
            channel,
            out: folder,
            ..
        } => {
            let folder = folder
                .as_deref()
                .ok_or_else(|| Failure::usage("--out DIR"))?;
            let profile = enroll_tls(config, id, *channel, folder)?;
            let signed = signing::here(config)?;
            if json {
                return out::json(
                    &json!({ "participant": id.as_str(), "profile": profile, "signed": signed }),
                );
            }
            out::line(format_args!(
                "{id}: profile {}. {}",
                profile.display(),
                signing::next(signed)
            ))
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
        Command::Propose { file, why } => {
            let now = ruling::directory(officer).await?;
            let given = Directory::from_toml(0, &files::text(file, MOST)?, "")
                .map_err(|error| Failure::new(error.to_string()))?;
            let mut all = now.participants().to_vec();
            all.retain(|one| !given.participants().iter().any(|other| other.id == one.id));
            all.extend(given.participants().iter().cloned());
            let merged = Directory::new(0, all, now.officers().to_vec())
                .map_err(|error| Failure::new(error.to_string()))?;
            let (text, _) = merged.to_toml().map_err(failed("the directory"))?;
            ruling::propose(
                officer,
                &Change::new(RuleText::participants(text), why),
                json,
            )
            .await
        }
        Command::Common(common) => {
            ruling::common(desk, officer, Noun::Participant, common, json).await
        }
        Command::List | Command::Person(_) | Command::MaySee { .. } | Command::Enroll { .. } => {
            Ok(())
        }
    }
}

fn list(config: &Path, json: bool) -> Result<(), Failure> {
    let directory = read(&load(config)?)?;
    for one in directory.participants() {
        let channels: Vec<&str> = [
            (
                "mail",
                one.mail.as_ref().is_some_and(|mail| mail.is_usable()),
            ),
            ("siena", one.siena.as_ref().is_some_and(TlsEntry::is_usable)),
            ("rest", one.rest.as_ref().is_some_and(TlsEntry::is_usable)),
        ]
        .into_iter()
        .filter_map(|(name, usable)| usable.then_some(name))
        .collect();
        if json {
            out::json(
                &json!({ "id": one.id.as_str(), "name": one.name, "community": one.community, "channels": channels }),
            )?;
        } else {
            let channels = if channels.is_empty() {
                "no key yet".to_owned()
            } else {
                channels.join(", ")
            };
            out::line(format_args!(
                "{:<24} {:<22} {}",
                one.id.as_str(),
                channels,
                one.name
            ))?;
        }
    }
    Ok(())
}

/// A key and client certificate for a channel over mutual TLS; the path of the
/// client profile.
pub(crate) fn enroll_tls(
    config: &Path,
    id: &ParticipantId,
    kind: Kind,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let settings = load(config)?;
    let directory = read(&settings)?;
    if !directory.participants().iter().any(|one| one.id == *id) {
        return Err(unknown(id));
    }
    let (file, channel, fingerprint) = enroll_with(config, &settings, id.as_str(), kind, folder)?;
    change(&settings, &directory, id, |one| {
        let entry = match channel {
            Channel::Siena => &mut one.siena,
            Channel::Rest | Channel::Mail => &mut one.rest,
        };
        entry
            .get_or_insert_with(TlsEntry::default)
            .certificates
            .push(fingerprint);
        Ok(())
    })?;
    Ok(file)
}

/// Makes a key, a client certificate of that name and a client profile: the
/// profile's path, the channel, and the certificate's fingerprint.
pub(crate) fn enroll_with(
    config: &Path,
    settings: &Settings,
    id: &str,
    kind: Kind,
    folder: &Path,
) -> Result<(PathBuf, Channel, Fingerprint), Failure> {
    let (door, channel, path) = match kind {
        Kind::Siena => (settings.doors.siena.as_ref(), Channel::Siena, "/siena/v1"),
        Kind::Rest | Kind::Mail => (settings.doors.rest.as_ref(), Channel::Rest, "/api/v1"),
    };
    let door = door.ok_or_else(|| {
        Failure::new(format!("the {channel} door has no section in the settings"))
    })?;
    let base = config.parent().unwrap_or(Path::new("."));
    let authority = Authority::open(&base.join("ca"))?;
    let (key, key_pem) = new_key()?;
    let (certificate, der) = authority.certify(id, &[], Use::Client, &key)?;
    files::folder(folder)?;
    let name = |end: &str| format!("{id}-{channel}.{end}");
    files::create(&folder.join(name("key")), 0o400, key_pem.as_bytes())?;
    files::create(&folder.join(name("pem")), 0o444, certificate.as_bytes())?;
    let ca = folder.join("ca.pem");
    if !ca.exists() {
        files::create(&ca, 0o444, authority.pem().as_bytes())?;
    }
    let address = door.listen;
    let host = if address.ip().is_unspecified() {
        "localhost".to_owned()
    } else {
        address.ip().to_string()
    };
    let profile = ProfileFile {
        url: format!("https://{host}:{}{path}", address.port()),
        certificate: name("pem").into(),
        key: name("key").into(),
        ca: "ca.pem".into(),
    };
    let text = toml::to_string(&profile).map_err(failed("the profile"))?;
    let file = folder.join(name("toml"));
    files::create(&file, 0o600, text.as_bytes())?;
    Ok((file, channel, Fingerprint(Sha256::digest(der).into())))
}

/// A participant's OpenPGP certificate: good now, for its address, able to sign
/// and to be encrypted to.
pub(crate) fn enroll_mail(
    config: &Path,
    id: &ParticipantId,
    file: &[u8],
    fingerprint: Option<&str>,
) -> Result<(), Failure> {
    let binary = certificate::read_file(file).map_err(failed("the OpenPGP certificate"))?;
    let found = certificate::inspect(&binary, SystemClock.now())
        .map_err(failed("the OpenPGP certificate"))?;
    let armored = certificate::armored(&binary).map_err(failed("the OpenPGP certificate"))?;
    if !found.can_sign || !found.can_encrypt {
        return Err(Failure::new(
            "the OpenPGP certificate needs a key to sign with and one to encrypt to",
        ));
    }
    let told = fingerprint.map(|text| text.replace([' ', ':'], ""));
    if told.is_some_and(|told| !told.eq_ignore_ascii_case(&found.fingerprint)) {
        return Err(Failure::new(format!(
            "the certificate's fingerprint is {}, not the one that was told: ask the participant again",
            found.fingerprint
        )));
    }
    let settings = load(config)?;
    let directory = read(&settings)?;
    change(&settings, &directory, id, |one| {
        let mail = one.mail.as_mut().ok_or_else(|| {
            Failure::new(format!(
                "{id} has no mail address: write [participant.mail] with address and approval first"
            ))
        })?;
        if !found
            .addresses
            .iter()
            .any(|address| address.eq_ignore_ascii_case(&mail.address))
        {
            return Err(Failure::new(format!(
                "the certificate is not for {}, the address of {id}",
                mail.address
            )));
        }
        mail.openpgp_certificate = Some(armored);
        mail.openpgp_fingerprint = Some(found.fingerprint);
        Ok(())
    })
}

/// Lets a participant know of another beside its community and MoU partners.
pub(crate) fn may_see(
    config: &Path,
    id: &ParticipantId,
    other: &ParticipantId,
) -> Result<(), Failure> {
    let settings = load(config)?;
    let directory = read(&settings)?;
    change(&settings, &directory, id, |one| {
        one.may_see.push(other.clone());
        Ok(())
    })
}

pub(crate) fn load(config: &Path) -> Result<Settings, Failure> {
    Settings::load(config).map_err(|error| Failure::new(error.to_string()))
}

pub(crate) fn read(settings: &Settings) -> Result<Directory, Failure> {
    let participants = files::text(&settings.rules.participants, MOST)?;
    let officers = files::text(&settings.rules.officers, MOST)?;
    Directory::from_toml(0, &participants, &officers)
        .map_err(|error| Failure::new(error.to_string()))
}

/// Changes the newest version of a participant and writes the directory, if
/// it is then still whole.
pub(crate) fn change(
    settings: &Settings,
    directory: &Directory,
    id: &ParticipantId,
    how: impl FnOnce(&mut Participant) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut participants = directory.participants().to_vec();
    let one = participants
        .iter_mut()
        .rev()
        .find(|one| one.id == *id)
        .ok_or_else(|| unknown(id))?;
    how(one)?;
    let changed = Directory::new(0, participants, directory.officers().to_vec())
        .map_err(|error| Failure::new(error.to_string()))?;
    let folder = settings
        .rules
        .participants
        .parent()
        .unwrap_or(Path::new("."));
    write_directory(folder, &changed)
}

fn unknown(id: &ParticipantId) -> Failure {
    Failure::new(format!(
        "{id} is not in the directory: add it to participants.toml first"
    ))
}
