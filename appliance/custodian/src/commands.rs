//! What each command does.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chancery_hsm_api::{Capability, Inventory as _, KeyInfo, KeyRole};
use chancery_hsm_custodian::{CustodianSettings, PinSource, note};
use chancery_hsm_pkcs11::{Module, Pin, Token};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::{Args, Command};
use crate::house::House;
use crate::{Failure, environment, office, serve, settings};

/// Does what was typed.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let path = args.config.as_deref().ok_or(Failure::NoConfig)?;
    let settings = settings::read(path)?;
    match &args.command {
        None => {
            environment::prepare(&settings)?;
            serve::serve(&settings)
        }
        Some(Command::Provision {
            roles_file,
            officer_pin_file,
            make_pins,
        }) => {
            environment::make_store(&settings)?;
            environment::prepare(&settings)?;
            let roles = read_roles(roles_file)?;
            provision(&settings, &roles, officer_pin_file.as_deref(), *make_pins)
        }
        Some(Command::Keys) => {
            environment::prepare(&settings)?;
            let house = House::open(&settings)?;
            let token = open(&settings, &house, load(&settings)?)?;
            print(&settings, &token, token.keys()?)
        }
        Some(Command::Capabilities { json }) => {
            environment::prepare(&settings)?;
            let house = House::open(&settings)?;
            let token = open(&settings, &house, load(&settings)?)?;
            let rows = token.try_all_plans()?;
            let shown = if *json {
                serde_json::to_string_pretty(&rows).map_err(std::io::Error::from)
            } else {
                Ok(table(&rows))
            };
            let mut out = std::io::stdout().lock();
            shown
                .and_then(|text| writeln!(out, "{text}"))
                .map_err(Failure::system("print what the token can do"))
        }
        Some(Command::BindToken { dossier }) => {
            environment::prepare(&settings)?;
            let house = House::open(&settings)?;
            let token = open_any(&settings, &house, load(&settings)?)?;
            let serial = office::bind(&settings, &house, &token, dossier.as_deref())?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "bound to the token with the serial number {serial}")
                .map_err(Failure::system("say so"))
        }
        Some(Command::Enrol { roster }) => {
            let house = House::open(&settings)?;
            office::enrol(&settings, &house, roster)
        }
        Some(Command::Perform { dossier }) => {
            environment::prepare(&settings)?;
            let house = House::open(&settings)?;
            office::perform(&settings, &house, dossier)
        }
        Some(Command::ResetTries) => {
            let house = House::open(&settings)?;
            house.record("pin-tries.reset", String::new())?;
            Ok(house.tries.reset()?)
        }
    }
}

/// Loads the module of the settings.
pub(crate) fn load(settings: &CustodianSettings) -> Result<Module, Failure> {
    let token = &settings.token;
    Ok(Module::load(&token.module, token.module_sha256.as_deref())?)
}

/// Logs in to the token of the settings, which must be this node's.
pub(crate) fn open(
    settings: &CustodianSettings,
    house: &House,
    module: Module,
) -> Result<Token, Failure> {
    let token = open_any(settings, house, module)?;
    house.recognise(&token)?;
    Ok(token)
}

/// The same with any token.
fn open_any(settings: &CustodianSettings, house: &House, module: Module) -> Result<Token, Failure> {
    let open = |module, pin| {
        let config = settings::token_config(&settings.token);
        Token::open(module, config, pin, house.tries.clone())
    };
    let before = house.tries.wrong_so_far()?;
    match open(module.clone(), settings::pin(settings)?) {
        Ok(token) => Ok(token),
        Err(error) => {
            // Only a PIN that the token refused is a reason to try the next one.
            let refused = house.tries.wrong_so_far()? > before;
            let Some(change) = refused
                .then(|| office::pin_under_way(settings, house))
                .flatten()
            else {
                return Err(error.into());
            };
            let token = open(module, change.pin()?)?;
            change.settle(house)?;
            Ok(token)
        }
    }
}

fn provision(
    settings: &CustodianSettings,
    roles: &BTreeSet<KeyRole>,
    officer_pin_file: Option<&Path>,
    make_pins: bool,
) -> Result<(), Failure> {
    let house = House::open(settings)?;
    let module = load(settings)?;
    let label = &settings.token.label;
    let there = module
        .tokens()?
        .iter()
        .any(|token| token.initialised && token.has_user_pin && token.label == *label);
    if !there {
        let officer = officer_pin_file.ok_or_else(|| {
            Failure::Asked(format!(
                "no token has the label `{label}`: to initialise an empty one, say --officer-pin-file FILE"
            ))
        })?;
        if make_pins {
            make_pin(officer)?;
            if let PinSource::File(path) = &settings.pin {
                make_pin(path)?;
            }
        }
        let (officer, user) = (Pin::from_file(officer)?, settings::pin(settings)?);
        let identity = module.initialise(label, &officer, &user)?;
        house.record(
            "token.initialised",
            format!("{label}, serial {}", identity.serial),
        )?;
    }
    let token = open(settings, &house, module)?;
    let before: BTreeSet<KeyRole> = token.keys()?.into_iter().map(|key| key.role).collect();
    let missing: Vec<String> = roles.difference(&before).map(ToString::to_string).collect();
    if !missing.is_empty() && office::is_enrolled(&house) {
        house.record_refusal("key.make", missing.join(" "))?;
        return Err(Failure::Asked(format!(
            "{}: this node has custodians, who order new keys: chancery key rotate (a KEK), or \
             generate and activate",
            missing.join(", ")
        )));
    }
    // Written before: a key without a record must not be.
    for role in roles.difference(&before) {
        house.record("key.make", role.to_string())?;
    }
    let keys = token.provision(roles)?;
    // From now on the register knows them.
    office::govern(settings, &house, &token)?;
    print(settings, &token, keys)
}

/// The matrix as people read it.
fn table(rows: &[Capability]) -> String {
    let mut lines = vec![format!(
        "{:34} {:14} {:8} by or why not",
        "roles", "plan", ""
    )];
    for row in rows {
        let (word, why) = match (row.chosen, row.works) {
            (true, _) => ("chosen", row.mechanisms.join(", ")),
            (false, Some(true)) => ("works", row.mechanisms.join(", ")),
            (false, _) => ("no", row.why_not()),
        };
        lines.push(format!("{:34} {:14} {word:8} {why}", row.roles, row.plan));
    }
    lines.join("\n")
}

/// What is there, without secrets.
#[derive(Serialize)]
struct Report {
    token: ReportedToken,
    /// Verifies the checkpoints of the audit log (C2SP signed-note).
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_key: Option<String>,
    keys: Vec<ReportedKey>,
}

#[derive(Serialize)]
struct ReportedToken {
    label: String,
    serial: String,
    model: String,
}

#[derive(Serialize)]
struct ReportedKey {
    role: String,
    generation: u32,
    /// The uncompressed point of P-256, in hex; null for secret keys.
    public: Option<String>,
}

fn print(settings: &CustodianSettings, token: &Token, keys: Vec<KeyInfo>) -> Result<(), Failure> {
    let health = token.health();
    let checkpoint_key = keys
        .iter()
        .find(|key| key.role == KeyRole::AuditCheckpoint)
        .and_then(|key| key.public.as_deref())
        .map(|point| note::verifier_key(&settings.log_origin, point));
    let report = Report {
        token: ReportedToken {
            label: health.label,
            serial: health.serial,
            model: health.model,
        },
        checkpoint_key,
        keys: keys
            .into_iter()
            .map(|key| ReportedKey {
                role: key.role.to_string(),
                generation: key.generation,
                public: key.public.map(hex::encode),
            })
            .collect(),
    };
    let told = Failure::system("print the keys");
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &report)
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(out))
        .map_err(told)
}

fn read_roles(path: &Path) -> Result<BTreeSet<KeyRole>, Failure> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(Failure::system("read the roles"))?;
    } else {
        text = std::fs::read_to_string(path).map_err(Failure::file(path, "cannot be read"))?;
    }
    let mut roles = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let line = line
            .split_once('#')
            .map_or(line, |(before, _)| before)
            .trim();
        if line.is_empty() {
            continue;
        }
        let role = line.parse().map_err(|error| {
            Failure::Asked(format!(
                "{} line {}: `{line}` is {error}",
                path.display(),
                number + 1
            ))
        })?;
        roles.insert(role);
    }
    Ok(roles)
}

/// Makes a PIN file with a random PIN of 128 bits, if there is none.
fn make_pin(path: &Path) -> Result<(), Failure> {
    let mut bytes = Zeroizing::new([0; 16]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Failure::Asked(format!("the system gives no random bytes: {error}")))?;
    let mut text = Zeroizing::new(vec![0; 32]);
    hex::encode_to_slice(*bytes, &mut text)
        .map_err(|error| Failure::Asked(format!("a PIN cannot be written: {error}")))?;
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(path);
    match made {
        Ok(mut file) => file
            .write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(Failure::file(path, "cannot be written")),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Failure::file(path, "cannot be made")(error)),
    }
}
