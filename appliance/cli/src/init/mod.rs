//! `chancery init`: a new node.

pub(crate) mod authority;
pub(crate) mod backing;
pub(crate) mod officers;
mod settings;
mod token;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chancery_hsm_api::{DoorZone, KeyRole};
use chancery_policy::PolicyTexts;
use chancery_policy::directory::Directory;
use chancery_policy::shipped;
use chancery_settings::{Listen, Place};
use serde_json::json;

use crate::failure::{Failure, failed};
use crate::{files, out, run};
use authority::{Authority, Point, Use};
use backing::Backing;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The node's folder: new, or empty.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Fills the directory with the example participants, officers and MoUs.
    #[arg(long)]
    with_examples: bool,
    /// The node's name: 1 to 32 of a-z, 0-9 and -.
    #[arg(long, default_value = "node-1")]
    name: String,
    /// The host name by which the doors are reached (127.0.0.1 and localhost work too).
    #[arg(long, default_value = "localhost")]
    host: String,
    /// The doors to open.
    #[arg(long, value_delimiter = ',', default_value = "mail,siena,rest")]
    zones: Vec<DoorZone>,
    /// Where the REST door listens.
    #[arg(long, default_value = "127.0.0.1:8443")]
    rest: SocketAddr,
    /// Where the SIENA-style door listens.
    #[arg(long, default_value = "127.0.0.1:8444")]
    siena: SocketAddr,
    /// Where the mail door listens (SMTP with STARTTLS); without it and --lmtp,
    /// 127.0.0.1:2525.
    #[arg(long)]
    smtp: Option<SocketAddr>,
    /// Where it listens for a mail server of this machine in front (LMTP):
    /// unix:PATH, or an address of this machine alone.
    #[arg(long)]
    lmtp: Option<Listen>,
    /// The gateway's mail domain.
    #[arg(long, default_value = "gateway.example.eu")]
    mail_domain: String,
    /// The mail server that outgoing mail is given to, HOST:PORT, by STARTTLS.
    #[arg(long, default_value = "127.0.0.1:2526")]
    relay: String,
    /// The authority of that server's certificate, PEM; without it, the node's own.
    #[arg(long, value_name = "FILE")]
    relay_ca: Option<PathBuf>,
    #[command(flatten)]
    backing: Backing,
    /// The folder of the daemons' programs; without it, that of `chancery` itself.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// The passphrase of the officers' keys; without it one is made.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// WARNING: daemons start even where the kernel lacks a part of the sandbox.
    #[arg(long)]
    best_effort: bool,
}

/// What a new node is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) dir: PathBuf,
    pub(crate) examples: bool,
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) zones: Vec<DoorZone>,
    pub(crate) rest: SocketAddr,
    pub(crate) siena: SocketAddr,
    pub(crate) smtp: Option<SocketAddr>,
    pub(crate) lmtp: Option<Listen>,
    pub(crate) mail_domain: String,
    pub(crate) relay: (String, u16),
    pub(crate) relay_ca: Option<Vec<u8>>,
    pub(crate) backing: Backing,
    pub(crate) programs: PathBuf,
    pub(crate) passphrase: Option<String>,
    pub(crate) best_effort: bool,
}

/// A node's places.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) dir: PathBuf,
}

impl Places {
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("chancery.toml")
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.join("ca")
    }

    pub(crate) fn officers(&self) -> PathBuf {
        self.dir.join("officers")
    }

    pub(crate) fn audit_key(&self) -> PathBuf {
        self.dir.join("data/audit.key")
    }

    fn officer_pin(&self) -> PathBuf {
        self.dir.join("security-officer.pin")
    }
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let (relay, port) = args
        .relay
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)))
        .ok_or_else(|| Failure::usage("--relay: HOST:PORT"))?;
    let plan = Plan {
        dir: args.dir.clone(),
        examples: args.with_examples,
        name: args.name.clone(),
        host: args.host.clone(),
        zones: args.zones.clone(),
        rest: args.rest,
        siena: args.siena,
        smtp: args.smtp.or_else(|| {
            let none = args.lmtp.is_none();
            none.then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 2525)))
        }),
        lmtp: args.lmtp.clone(),
        mail_domain: args.mail_domain.clone(),
        relay: (relay, port),
        relay_ca: args
            .relay_ca
            .as_deref()
            .map(|file| files::read(file, 1 << 20))
            .transpose()?,
        backing: args.backing.clone(),
        programs: run::programs(args.programs.as_deref())?,
        passphrase: args
            .passphrase_file
            .as_deref()
            .map(|file| {
                files::text(file, 1 << 12)
                    .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            })
            .transpose()?,
        best_effort: args.best_effort,
    };
    let places = make(&plan, |step| {
        if !json {
            let _told = out::line(format_args!("  {step}"));
        }
    })?;
    tell(&places, &plan, json)
}

/// Makes the node. What is there is never written over.
pub(crate) fn make(plan: &Plan, mut step: impl FnMut(&str)) -> Result<Places, Failure> {
    let dir = std::path::absolute(&plan.dir).map_err(failed("the folder"))?;
    let places = Places { dir: dir.clone() };
    if std::fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(format!(
            "{} is not empty: name a new folder",
            dir.display()
        )));
    }
    let database = plan.backing.place()?;
    let module = plan.backing.module(&plan.programs)?;
    files::folder(&dir)?;
    for name in [
        "data",
        "run",
        "rules/policies",
        "rules/mous",
        "rules/schemes",
        "tls",
        "ca",
        "officers",
    ] {
        files::folder(&dir.join(name))?;
    }

    step("settings");
    let text = settings::text(plan, &module)?;
    files::create(&places.config(), 0o600, text.as_bytes())?;

    step("rules, participants, officers");
    let directory = rules(plan, &places)?;

    step("token and keys");
    let roles = token::roles(&directory)?;
    let custodian = plan.programs.join("chancery-custodian");
    let report = token::provision(&custodian, &places.config(), &places.officer_pin(), &roles)?;
    token::enrol(&custodian, &places.config(), &directory, &places.officers())?;
    if let Some(key) = &report.checkpoint_key {
        files::create(&places.audit_key(), 0o444, format!("{key}\n").as_bytes())?;
    }

    step("authority and the doors' certificates");
    let authority = Authority::make(&places.authority(), &plan.name)?;
    let mut hosts = vec![
        plan.host.clone(),
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
    ];
    hosts.dedup();
    for zone in DoorZone::ALL {
        let key = Point(report.point(&KeyRole::Tls(zone))?);
        let (pem, _) = authority.certify(&plan.host, &hosts, Use::Server, &key)?;
        files::create(&dir.join(format!("tls/{zone}.pem")), 0o444, pem.as_bytes())?;
    }
    let relay_ca = plan
        .relay_ca
        .as_deref()
        .unwrap_or(authority.pem().as_bytes());
    files::create(&dir.join("tls/relay-ca.pem"), 0o444, relay_ca)?;
    // Beside public things alone: core reads this folder for the doors, never
    // that of the authority's key.
    files::create(
        &dir.join("tls/clients.pem"),
        0o444,
        authority.pem().as_bytes(),
    )?;

    step("database");
    create_database(&plan.programs.join("chancery-core"), &places.config())?;
    let file = match &database {
        None => Some(dir.join("data/chancery.db")),
        Some(Place::Sqlite(file)) => Some(dir.join(file)),
        Some(Place::Postgres { .. }) => None,
    };
    if file.is_some_and(|file| !file.is_file()) {
        return Err(Failure::new(
            "chancery-core made no database: is it of the same version as this program?",
        ));
    }
    Ok(places)
}

/// The rules' files, and the directory with the officers' public keys.
fn rules(plan: &Plan, places: &Places) -> Result<Directory, Failure> {
    let folder = places.dir.join("rules");
    for (name, text) in PolicyTexts::shipped().files() {
        files::create(&folder.join("policies").join(name), 0o600, text.as_bytes())?;
    }
    if plan.examples {
        for (name, text) in shipped::MOUS {
            files::create(&folder.join("mous").join(name), 0o600, text.as_bytes())?;
        }
    }
    let directory = if plan.examples {
        shipped::directory(0)
    } else {
        Directory::from_toml(0, settings::FIRST_PARTICIPANT, settings::FIRST_OFFICERS)
    }
    .map_err(|error| Failure::new(error.to_string()))?;
    let passphrase = match &plan.passphrase {
        Some(text) => zeroize::Zeroizing::new(text.clone()),
        None => {
            let made = officers::passphrase();
            files::create(
                &places.officers().join("passphrase"),
                0o400,
                made.as_bytes(),
            )?;
            made
        }
    };
    let mut people = directory.officers().to_vec();
    let signers = officers::make_keys(&mut people, &places.officers(), &passphrase)?;
    let directory = Directory::new(0, directory.participants().to_vec(), people)
        .map_err(|error| Failure::new(error.to_string()))?;
    write_directory(&folder, &directory)?;
    // The founding: the first security officers sign what they found.
    let settings = chancery_settings::Settings::load(&places.config())
        .map_err(|error| Failure::new(error.to_string()))?;
    crate::signing::sign(&settings, &signers)?;
    Ok(directory)
}

/// Writes both documents of the directory.
pub(crate) fn write_directory(folder: &Path, directory: &Directory) -> Result<(), Failure> {
    let (participants, officers) = directory.to_toml().map_err(failed("the directory"))?;
    files::replace(
        &folder.join("participants.toml"),
        0o600,
        participants.as_bytes(),
    )?;
    files::replace(&folder.join("officers.toml"), 0o600, officers.as_bytes())
}

fn create_database(program: &Path, config: &Path) -> Result<(), Failure> {
    let output = Command::new(program)
        .arg("--config")
        .arg(config)
        .arg("--create")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(failed(format!("{} cannot be started", program.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let last = told.lines().last().unwrap_or("it said nothing").to_owned();
    Err(Failure::new(format!("the database was not made: {last}")))
}

fn tell(places: &Places, plan: &Plan, json: bool) -> Result<(), Failure> {
    let config = places.config();
    let made = plan
        .passphrase
        .is_none()
        .then(|| places.officers().join("passphrase"));
    if json {
        return out::json(&json!({
            "config": config, "officer_keys": places.officers(), "passphrase": made,
            "security_officer_pin": places.officer_pin(), "audit_key": places.audit_key(),
        }));
    }
    let config = config.display();
    out::line(format_args!(
        "\nThe node is in {}. Next:",
        places.dir.display()
    ))?;
    out::line(format_args!(
        "  1. Take the security officer's PIN off this machine: {}",
        places.officer_pin().display()
    ))?;
    let officers = places.officers();
    out::line(format_args!(
        "  2. Give each officer the key in {} and take it off this machine",
        officers.display()
    ))?;
    if let Some(made) = made {
        out::line(format_args!(
            "     (their passphrase was made: {}; give it another way)",
            made.display()
        ))?;
    }
    out::line(format_args!(
        "  3. Keep {} elsewhere too: it verifies the log without this machine",
        places.audit_key().display()
    ))?;
    out::line(format_args!("  4. chancery check --config {config}"))?;
    out::line(format_args!(
        "  5. chancery participant enroll ID --channel rest --out DIR --config {config}"
    ))?;
    out::line(format_args!("  6. chancery run --config {config}"))
}
