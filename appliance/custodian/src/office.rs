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
    let roster = RosterFile::open(&roster_file(settings), log.as_ref())?;
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
            if let Err(error) = token.change_pin(&new) {
                governance.end(digest, false)?;
                return Err(error.into());
            }
            take(&present, &next)?;
            governance.end(digest, true)?;
            Ok(())
        }
        other => Err(Failure::Asked(format!(
            "{} is carried out by the running node: chancery key perform",
            other.operation()
        ))),
    }
}

/// After a crash between the token's taking the new PIN and the file's being
/// moved: moves it. True if there was one to take.
pub(crate) fn take_next_pin(settings: &CustodianSettings, house: &House) -> Result<bool, Failure> {
    let Ok((present, next)) = pin_files(settings) else {
        return Ok(false);
    };
    let done = house.log.done();
    let begun = done.iter().rev().find(|one| {
        one.operation == "ceremony.begun"
            && serde_json::from_str::<Proposal>(&one.detail)
                .is_ok_and(|proposal| proposal.operation == Ceremony::ChangePin {})
    });
    let ended = |proposal: &Proposal| {
        let digest = hex::encode(proposal.digest());
        house.log.was_done("ceremony.done", &digest)
    };
    let open = begun
        .and_then(|one| serde_json::from_str::<Proposal>(&one.detail).ok())
        .is_some_and(|proposal| !ended(&proposal));
    if !open || Pin::from_file(&next).is_err() {
        return Ok(false);
    }
    take(&present, &next)?;
    Ok(true)
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
