//! The token: roles, provisioning by the custodian, what it tells.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chancery_hsm_api::{DoorZone, KeyRole, MacUse};
use chancery_policy::directory::{Directory, Role};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, failed};
use crate::files;

/// What the custodian tells of the token's keys.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    /// Verifies the log's checkpoints.
    pub(crate) checkpoint_key: Option<String>,
    keys: Vec<Key>,
}

#[derive(Debug, Deserialize)]
struct Key {
    role: String,
    public: Option<String>,
}

impl Report {
    /// The public point of a role's key.
    pub(crate) fn point(&self, role: &KeyRole) -> Result<Vec<u8>, Failure> {
        let name = role.to_string();
        self.keys
            .iter()
            .find(|key| key.role == name)
            .and_then(|key| hex::decode(key.public.as_deref()?).ok())
            .ok_or_else(|| Failure::new(format!("the token has no key for {name}")))
    }
}

/// The roles of all keys of a node with this directory.
pub(crate) fn roles(directory: &Directory) -> Result<Vec<String>, Failure> {
    let compartments: BTreeSet<&str> = directory
        .participants()
        .iter()
        .map(|one| one.compartment.as_str())
        .collect();
    let mut names = vec!["kek/intake".to_owned()];
    for compartment in compartments {
        names.extend((0..=4).map(|rank| format!("kek/{rank}/{compartment}")));
    }
    let fixed = [
        KeyRole::Mac(MacUse::Index),
        KeyRole::Mac(MacUse::Row),
        KeyRole::AuditCheckpoint,
    ]
    .into_iter()
    .chain([KeyRole::PgpSign, KeyRole::PgpDecrypt])
    .chain(DoorZone::ALL.map(KeyRole::Tls));
    names.extend(fixed.map(|role| role.to_string()));
    for name in &names {
        name.parse::<KeyRole>().map_err(failed(name))?;
    }
    Ok(names)
}

/// Has the custodian initialise the token and make the keys that are missing.
pub(crate) fn provision(
    program: &Path,
    config: &Path,
    pin: &Path,
    roles: &[String],
) -> Result<Report, Failure> {
    let mut child = Command::new(program)
        .arg("--config")
        .arg(config)
        .args([
            "provision",
            "--roles-file",
            "-",
            "--make-pins",
            "--officer-pin-file",
        ])
        .arg(pin)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed(format!("{} cannot be started", program.display())))?;
    if let Some(mut input) = child.stdin.take() {
        input
            .write_all(roles.join("\n").as_bytes())
            .map_err(failed("the custodian"))?;
    }
    let output = child.wait_with_output().map_err(failed("the custodian"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let last = told.lines().last().unwrap_or("it said nothing").to_owned();
        return Err(Failure::new(format!("the token was not set up: {last}")));
    }
    serde_json::from_slice(&output.stdout).map_err(failed("the custodian's report"))
}

/// Enrols the key custodians of the directory in the custodian; two of them
/// must agree. None where there are not two.
pub(crate) fn enrol(
    program: &Path,
    config: &Path,
    directory: &Directory,
    folder: &Path,
) -> Result<bool, Failure> {
    use p256::pkcs8::DecodePublicKey as _;
    let mut custodians = std::collections::BTreeMap::new();
    for officer in directory.officers() {
        let Some(pem) = officer.key.as_deref() else {
            continue;
        };
        if officer.roles.contains(&Role::KeyCustodian) {
            let key = p256::ecdsa::VerifyingKey::from_public_key_pem(pem)
                .map_err(failed(format!("the key of {}", officer.id)))?;
            let point = hex::encode(key.to_encoded_point(false).as_bytes());
            custodians.insert(officer.id.to_string(), point);
        }
    }
    if custodians.len() < 2 {
        return Ok(false);
    }
    let roster = serde_json::json!({ "needed": 2, "custodians": custodians });
    let file = folder.join("roster.json");
    files::create(&file, 0o400, roster.to_string().as_bytes())?;
    let output = Command::new(program)
        .arg("--config")
        .arg(config)
        .arg("enrol")
        .arg("--roster")
        .arg(&file)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(failed(format!("{} cannot be started", program.display())))?;
    if output.status.success() {
        return Ok(true);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let last = told.lines().last().unwrap_or("it said nothing").to_owned();
    Err(Failure::new(format!(
        "the custodians were not enrolled: {last}"
    )))
}

/// SHA-256 of the module, so that no other is ever loaded.
pub(crate) fn digest(module: &Path) -> Result<String, Failure> {
    let bytes = files::read(module, 1 << 30)?;
    Ok(hex::encode(Sha256::digest(bytes)))
}
