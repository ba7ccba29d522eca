//! The custodians' office: register, roster and role table of this node, and
//! what custodians order while the node is stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery_hsm_api::{Inventory as _, durable};
use chancery_hsm_custodian::{
    Ceremony, ChainLog, CustodianSettings, Dossier, Governance, PinSource, Proposal, Recorder,
    Register, RosterFile, RosterText,
};
use chancery_hsm_pkcs11::{Pin, Token};
use serde::de::DeserializeOwned;

use crate::house::House;
use crate::{Failure, clock, commands};

/// Most bytes of a file that people hand over.
const MOST: u64 = 1 << 20;

fn roster_file(settings: &CustodianSettings) -> PathBuf {
    settings.state_dir.join("roster.jsonl")
}

/// Register, roster and role table over an opened token; what a crash
/// interrupted is ended.
pub(crate) fn govern(
    settings: &CustodianSettings,
    house: &House,
    token: &Token,
) -> Result<Governance, Failure> {
    let log: Arc<dyn Recorder> = Arc::<ChainLog>::clone(&house.log);
    let register = Register::open(Arc::clone(&log), settings.periods, Arc::new(clock::now))?;
    let there: Vec<_> = token
        .keys()?
        .into_iter()
        .map(|key| (key.role, key.generation))
        .collect();
    register.reconcile(token, &there)?;
    let roster = RosterFile::open(&roster_file(settings), &settings.log_origin, log.as_ref())?;
    if roster.is_none() {
        tracing::warn!("no custodians are enrolled: nobody can order anything done with keys");
    }
    let governance = Governance::open(
        settings.log_origin.clone(),
        log,
        register,
        roster,
        settings.state_dir.join("role-table.json"),
    )?;
    governance.recover()?;
    Ok(governance)
}

/// Enrols the first custodians.
pub(crate) fn enrol(
    settings: &CustodianSettings,
    house: &House,
    file: &Path,
) -> Result<(), Failure> {
    let text: RosterText = read(file)?;
    RosterFile::begin(&roster_file(settings), text, house.log.as_ref())?;
    Ok(())
}

/// Carries out what needs the node stopped.
pub(crate) fn perform(
    settings: &CustodianSettings,
    house: &House,
    file: &Path,
) -> Result<(), Failure> {
    let dossier: Dossier = read(file)?;
    let token = commands::open(settings, house, commands::load(settings)?)?;
    let governance = govern(settings, house, &token)?;
    let people = governance.agreed("custodian", &dossier)?;
    match &dossier.proposal.operation {
        Ceremony::ChangePin {} => {
            let (present, next) = pin_files(settings)?;
            // Read before anything is begun: a file that is no PIN changes nothing.
            let new = Pin::from_file(&next)?;
            let digest = governance.begin(&dossier.proposal, &people)?;
            // A token that fails may have changed it all the same: both files
            // stay, and the next start finds out which of the two holds.
            token.change_pin(&new)?;
            take(&present, &next)?;
            governance.end(digest, true)?;
            Ok(())
        }
        other => Err(Failure::Asked(format!(
            "{} is carried out otherwise: by the running node (chancery key perform), \
             chancery-custodian bind-token, or chancery restore",
            other.operation()
        ))),
    }
}

/// Takes that token for this node's; its serial number. Once there are
/// custodians they must have agreed to exactly that one.
pub(crate) fn bind(
    settings: &CustodianSettings,
    house: &House,
    token: &Token,
    dossier: Option<&Path>,
) -> Result<String, Failure> {
    if !is_enrolled(house) {
        return house.bind(token);
    }
    let serial = token.health().serial;
    let Some(file) = dossier else {
        house.record_refusal("token.bind", serial.clone())?;
        return Err(Failure::Asked(format!(
            "this node has custodians, who must agree: chancery key propose bind-token {serial}"
        )));
    };
    let dossier: Dossier = read(file)?;
    let governance = govern(settings, house, token)?;
    let people = governance.agreed("custodian", &dossier)?;
    let wanted = Ceremony::BindToken {
        serial: serial.clone(),
    };
    if dossier.proposal.operation != wanted {
        house.record_refusal("token.bind", serial.clone())?;
        return Err(Failure::Asked(format!(
            "the custodians agreed to {}; the token that is there has the serial number {serial}",
            dossier.proposal.operation
        )));
    }
    let digest = governance.begin(&dossier.proposal, &people)?;
    house.bind(token)?;
    governance.end(digest, true)?;
    Ok(serial)
}

/// True once custodians were enrolled.
pub(crate) fn is_enrolled(house: &House) -> bool {
    chancery_hsm_custodian::is_enrolled(house.log.as_ref())
}

/// A change of the PIN that a crash interrupted: the token may have either.
pub(crate) struct PinChange {
    present: PathBuf,
    next: PathBuf,
    proposal: Proposal,
}

/// The change of the PIN that was begun and whose end nobody wrote down.
pub(crate) fn pin_under_way(settings: &CustodianSettings, house: &House) -> Option<PinChange> {
    let (present, next) = pin_files(settings).ok()?;
    let done = house.log.done();
    let proposal = done
        .iter()
        .rev()
        .filter(|one| one.operation == "ceremony.begun")
        .filter_map(|one| serde_json::from_str::<Proposal>(&one.detail).ok())
        .find(|proposal| proposal.operation == Ceremony::ChangePin {})?;
    let digest = hex::encode(proposal.digest());
    let ended = ["ceremony.done", "ceremony.abandoned"]
        .iter()
        .any(|operation| house.log.was_done(operation, &digest));
    (!ended && next.exists()).then_some(PinChange {
        present,
        next,
        proposal,
    })
}

impl PinChange {
    /// The PIN that may be the token's by now.
    pub(crate) fn pin(&self) -> Result<Pin, Failure> {
        Ok(Pin::from_file(&self.next)?)
    }

    /// The token took it: it is the PIN from now on.
    pub(crate) fn settle(self, house: &House) -> Result<(), Failure> {
        take(&self.present, &self.next)?;
        house.record("ceremony.done", hex::encode(self.proposal.digest()))
    }
}

/// The file with the PIN, and the one with the next.
fn pin_files(settings: &CustodianSettings) -> Result<(PathBuf, PathBuf), Failure> {
    match &settings.pin {
        PinSource::File(path) => {
            let mut next = path.clone().into_os_string();
            next.push(".next");
            Ok((path.clone(), next.into()))
        }
        PinSource::Credential(_) | PinSource::Nowhere => Err(Failure::Asked(
            "the PIN is a credential: put a file in its place for the change, \
             and seal the new one as a credential afterwards"
                .to_owned(),
        )),
    }
}

fn take(present: &Path, next: &Path) -> Result<(), Failure> {
    std::fs::rename(next, present)
        .and_then(|()| durable::sync_folder_of(present))
        .map_err(Failure::file(next, "cannot take the old PIN's place"))
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(MOST).read_to_string(&mut text))
        .map_err(Failure::file(file, "cannot be read"))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Asked(format!("{}: {error}", file.display())))
}
