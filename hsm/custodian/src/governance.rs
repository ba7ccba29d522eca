//! What custodians order, carried out: judged against the roster, written down
//! before and after, ended after a crash.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyRole, KeyStore, durable};
use serde::{Deserialize, Serialize};

use crate::ceremony::{Ceremony, Denial, Dossier, Proposal};
use crate::chain::{Event, Outcome, Recorder};
use crate::council::{NotAgreed, judge};
use crate::register::Register;
use crate::roster::{RosterFile, RosterText};
use crate::{Client, Operation};

const WHAT: &str = "carry out what custodians ordered";
const BEGUN: &str = "ceremony.begun";
const ENDED: &str = "ceremony.done";
const ABANDONED: &str = "ceremony.abandoned";
const REFUSED: &str = "ceremony.refused";
const TABLE: &str = "role-table.changed";

/// What came of it, for who ordered it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performed {
    /// What was done, in words.
    pub done: String,
    /// Who approved.
    pub by: Vec<String>,
    /// An exported public key: uncompressed SEC 1 point of P-256, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

/// The custodians' part of the custodian.
pub struct Governance {
    node: String,
    recorder: Arc<dyn Recorder>,
    register: Register,
    roster: Mutex<Option<RosterFile>>,
    denied: Mutex<BTreeSet<Denial>>,
    denied_file: PathBuf,
    /// One ceremony at a time.
    turn: Mutex<()>,
}

impl Governance {
    /// Over an opened register and roster. `denied_file` holds what was taken
    /// from the role table.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] when that file is not what was written.
    pub fn open(
        node: String,
        recorder: Arc<dyn Recorder>,
        register: Register,
        roster: Option<RosterFile>,
        denied_file: PathBuf,
    ) -> Result<Self, KeyError> {
        let wrong = |why: &dyn std::fmt::Display| {
            let detail = format!("{}: {why}", denied_file.display());
            KeyError::new(KeyErrorKind::Config, "read the role table", detail)
        };
        let last = recorder
            .done()
            .into_iter()
            .rev()
            .find(|one| one.operation == TABLE);
        let denied = match (std::fs::read(&denied_file), last) {
            (Err(error), None) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            (Err(error), _) => return Err(wrong(&error)),
            (Ok(bytes), Some(last)) if digest(&bytes) == last.detail => {
                serde_json::from_slice(&bytes).map_err(|error| wrong(&error))?
            }
            // Agreed, begun and written, but not recorded before a crash.
            (Ok(bytes), _) if is_under_way(recorder.as_ref(), &bytes) => {
                note(recorder.as_ref(), TABLE, digest(&bytes))?;
                serde_json::from_slice(&bytes).map_err(|error| wrong(&error))?
            }
            (Ok(_), _) => {
                return Err(wrong(
                    &"it is not what its custodians agreed to: restore it",
                ));
            }
        };
        Ok(Self {
            node,
            recorder,
            register,
            roster: Mutex::new(roster),
            denied: Mutex::new(denied),
            denied_file,
            turn: Mutex::new(()),
        })
    }

    /// The register of keys.
    pub const fn register(&self) -> &Register {
        &self.register
    }

    /// The roster as it is written; none where no custodians were enrolled.
    pub fn roster(&self) -> Option<RosterText> {
        let roster = lock(&self.roster);
        roster.as_ref().map(|file| file.present().text().clone())
    }

    /// True for what was taken from the role table.
    pub fn denies(&self, client: Client, operation: Operation) -> bool {
        let denied = lock(&self.denied);
        !denied.is_empty()
            && denied.contains(&Denial {
                client: client.to_string(),
                operation: operation.to_string(),
            })
    }

    /// Ends what a crash interrupted: a rotation whose key was made is
    /// activated, one whose key was not is abandoned.
    ///
    /// # Errors
    /// Those of token and log.
    pub fn recover(&self) -> Result<(), KeyError> {
        let done = self.recorder.done();
        let ended: BTreeSet<&str> = done
            .iter()
            .filter(|one| one.operation == ENDED || one.operation == ABANDONED)
            .map(|one| one.detail.as_str())
            .collect();
        for one in done.iter().filter(|one| one.operation == BEGUN) {
            let Ok(proposal) = serde_json::from_str::<Proposal>(&one.detail) else {
                continue;
            };
            let digest = hex::encode(proposal.digest());
            if ended.contains(digest.as_str()) {
                continue;
            }
            let finished = match &proposal.operation {
                Ceremony::Rotate { role, generation } => {
                    match self.register.card(role, *generation) {
                        Some(card) if card.active_from.is_none() => {
                            self.register.activate(role, *generation)?;
                            true
                        }
                        other => other.is_some(),
                    }
                }
                Ceremony::Generate { role, generation } => {
                    self.register.card(role, *generation).is_some()
                }
                Ceremony::Destroy { role, generation } => self
                    .register
                    .card(role, *generation)
                    .is_some_and(|card| card.destroyed_at.is_some()),
                // One record is the whole of these: it was written, or not.
                Ceremony::Activate { role, generation } => self
                    .register
                    .card(role, *generation)
                    .is_some_and(|card| card.active_from.is_some()),
                Ceremony::Retire { role, generation } => self
                    .register
                    .card(role, *generation)
                    .is_some_and(|card| card.retired_at.is_some()),
                Ceremony::RoleTable { denied } => {
                    *lock(&self.denied) == denied.iter().cloned().collect()
                }
                Ceremony::Roster { roster } => self.roster().as_ref() == Some(roster),
                // Settled by who opens the token, before this.
                Ceremony::ChangePin {} | Ceremony::BindToken { .. } | Ceremony::Restore { .. } => {
                    false
                }
                // An answer that nobody got.
                Ceremony::ExportPublic { .. } => false,
            };
            self.note(if finished { ENDED } else { ABANDONED }, digest)?;
        }
        Ok(())
    }

    /// Judges a dossier; a refusal is recorded.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] with the reason.
    pub fn agreed(&self, client: &str, dossier: &Dossier) -> Result<BTreeSet<String>, KeyError> {
        let digest = hex::encode(dossier.proposal.digest());
        let judged = self.judged(dossier, &digest);
        judged.map_err(|why| {
            if matches!(why, NotAgreed::Refused(_)) && !self.was_used(&digest) {
                // One who refuses ends the proposal for good.
                if let Err(error) = self.note(REFUSED, digest.clone()) {
                    return error;
                }
            }
            let event = Event {
                client: client.to_owned(),
                operation: dossier.proposal.operation.operation().to_owned(),
                outcome: Outcome::Refused,
                detail: format!("{digest}: {why}"),
                suppressed: 0,
            };
            if let Err(error) = self.recorder.record(&event) {
                tracing::error!(%error, "a refused order could not be recorded");
            }
            KeyError::new(KeyErrorKind::Denied, WHAT, why.to_string())
        })
    }

    fn judged(&self, dossier: &Dossier, digest: &str) -> Result<BTreeSet<String>, NotAgreed> {
        let roster = lock(&self.roster);
        let file = roster.as_ref().ok_or(NotAgreed::NoRoster)?;
        let people = judge(file.present(), &self.node, dossier, self.register.now())?;
        // Begun counts: how it ended may be what could not be written down.
        if self.was_used(digest) || was_begun(self.recorder.as_ref(), &dossier.proposal) {
            return Err(NotAgreed::UsedBefore);
        }
        Ok(people)
    }

    fn was_used(&self, digest: &str) -> bool {
        [ENDED, ABANDONED, REFUSED]
            .iter()
            .any(|operation| self.recorder.was_done(operation, digest))
    }

    /// Carries a dossier out, if enough custodians approved it.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] when they did not, or where the operation
    /// cannot be done now; those of token, files and log.
    pub fn perform<K: KeyStore>(
        &self,
        keys: &K,
        client: &str,
        dossier: &Dossier,
    ) -> Result<Performed, KeyError> {
        let _turn = lock(&self.turn);
        let people = self.agreed(client, dossier)?;
        let proposal = &dossier.proposal;
        if proposal.operation.is_offline() {
            let why = "this needs the node stopped: chancery-custodian perform FILE";
            return Err(KeyError::new(KeyErrorKind::Denied, WHAT, why));
        }
        let digest = self.begin(proposal, &people)?;
        let outcome = self.carry_out(keys, dossier);
        match &outcome {
            Ok(_) => self.note(ENDED, digest)?,
            Err(_) => self.note(ABANDONED, digest)?,
        }
        let public = outcome?;
        Ok(Performed {
            done: proposal.operation.to_string(),
            by: people.into_iter().collect(),
            public,
        })
    }

    /// Writes down that a proposal is being carried out, and who approved it.
    ///
    /// # Errors
    /// Those of the log: then it must not be carried out.
    pub fn begin(
        &self,
        proposal: &Proposal,
        people: &BTreeSet<String>,
    ) -> Result<String, KeyError> {
        let text = serde_json::to_string(proposal).map_err(|error| unwritable(&error))?;
        let digest = hex::encode(proposal.digest());
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        self.note("ceremony.agreed", format!("{digest}: {}", people.join(" ")))?;
        self.note(BEGUN, text)?;
        Ok(digest)
    }

    /// Writes down how it ended, what `begin` answered being the digest.
    ///
    /// # Errors
    /// Those of the log.
    pub fn end(&self, digest: String, well: bool) -> Result<(), KeyError> {
        self.note(if well { ENDED } else { ABANDONED }, digest)
    }

    fn carry_out<K: KeyStore>(
        &self,
        keys: &K,
        dossier: &Dossier,
    ) -> Result<Option<String>, KeyError> {
        let register = &self.register;
        match &dossier.proposal.operation {
            Ceremony::Generate { role, generation } => {
                may_follow(role, *generation)?;
                register.make(keys, role, *generation)?;
            }
            Ceremony::Activate { role, generation } => register.activate(role, *generation)?,
            Ceremony::Rotate { role, generation } => {
                may_follow(role, *generation)?;
                if role.is_key_pair() {
                    let why = "a key pair needs its certificate first: generate, export-public, \
                               certify, then activate";
                    return Err(KeyError::new(KeyErrorKind::Denied, WHAT, why));
                }
                register.make(keys, role, *generation)?;
                register.activate(role, *generation)?;
            }
            Ceremony::Retire { role, generation } => register.retire(role, *generation)?,
            Ceremony::Destroy { role, generation } => register.destroy(keys, role, *generation)?,
            Ceremony::ExportPublic { role, generation } => {
                let ours = register.card(role, *generation);
                if ours.is_none_or(|card| card.destroyed_at.is_some()) {
                    let why = format!("generation {generation} of {role} was never made here");
                    return Err(KeyError::new(KeyErrorKind::Unknown, WHAT, why));
                }
                let found = keys
                    .keys()?
                    .into_iter()
                    .find(|key| key.role == *role && key.generation == *generation)
                    .and_then(|key| key.public);
                let Some(point) = found else {
                    let why = format!("generation {generation} of {role} has no public half here");
                    return Err(KeyError::new(KeyErrorKind::Unknown, WHAT, why));
                };
                return Ok(Some(hex::encode(point)));
            }
            Ceremony::RoleTable { denied } => self.take_away(denied)?,
            Ceremony::Roster { roster } => {
                let mut file = lock(&self.roster);
                let file = file.as_mut().ok_or_else(|| {
                    KeyError::new(KeyErrorKind::Denied, WHAT, NotAgreed::NoRoster.to_string())
                })?;
                file.change(roster.clone(), dossier.clone(), self.recorder.as_ref())?;
            }
            // Refused above.
            Ceremony::ChangePin {} | Ceremony::BindToken { .. } | Ceremony::Restore { .. } => {}
        }
        Ok(None)
    }

    fn take_away(&self, denied: &[Denial]) -> Result<(), KeyError> {
        for one in denied {
            let known = Client::ALL.iter().any(|c| c.to_string() == one.client)
                && Operation::ALL
                    .iter()
                    .any(|o| o.to_string() == one.operation);
            if !known || one.operation == Operation::Perform.to_string() {
                let why = format!(
                    "no client {} asks {}, or nobody could give it back",
                    one.client, one.operation
                );
                return Err(KeyError::new(KeyErrorKind::Denied, WHAT, why));
            }
        }
        let set: BTreeSet<Denial> = denied.iter().cloned().collect();
        let bytes = serde_json::to_vec_pretty(&set).map_err(|error| unwritable(&error))?;
        durable::replace(&self.denied_file, &bytes).map_err(|error| unwritable(&error))?;
        self.note(TABLE, digest(&bytes))?;
        *lock(&self.denied) = set;
        Ok(())
    }

    fn note(&self, operation: &str, detail: String) -> Result<(), KeyError> {
        note(self.recorder.as_ref(), operation, detail)
    }
}

fn note(recorder: &dyn Recorder, operation: &str, detail: String) -> Result<(), KeyError> {
    recorder
        .record(&Event {
            client: "custodian".to_owned(),
            operation: operation.to_owned(),
            outcome: Outcome::Done,
            detail,
            suppressed: 0,
        })
        .map_err(|error| unwritable(&error))
}

/// True if that proposal was ever begun.
pub(crate) fn was_begun(recorder: &dyn Recorder, proposal: &Proposal) -> bool {
    serde_json::to_string(proposal).is_ok_and(|text| recorder.was_done(BEGUN, &text))
}

/// True if the last ceremony that was begun asks for exactly this role table
/// and nobody wrote down how it ended.
fn is_under_way(recorder: &dyn Recorder, table: &[u8]) -> bool {
    let done = recorder.done();
    let Some(last) = done.iter().rev().find(|one| one.operation == BEGUN) else {
        return false;
    };
    let Ok(proposal) = serde_json::from_str::<Proposal>(&last.detail) else {
        return false;
    };
    let Ceremony::RoleTable { denied } = &proposal.operation else {
        return false;
    };
    let asked: BTreeSet<&Denial> = denied.iter().collect();
    let digest = hex::encode(proposal.digest());
    let ended = [ENDED, ABANDONED]
        .iter()
        .any(|operation| recorder.was_done(operation, &digest));
    !ended && serde_json::to_vec_pretty(&asked).is_ok_and(|text| text == table)
}

/// Roles whose later generations nothing could use.
fn may_follow(role: &KeyRole, generation: u32) -> Result<(), KeyError> {
    let why = match role {
        _ if generation == 1 => return Ok(()),
        KeyRole::Kek(_)
        | KeyRole::Mac(_)
        | KeyRole::Tls(_)
        | KeyRole::PgpSign
        | KeyRole::PgpDecrypt => return Ok(()),
        KeyRole::AuditCheckpoint => "the log is verified with it: a new key begins a new log",
    };
    Err(KeyError::new(
        KeyErrorKind::Denied,
        WHAT,
        format!("{role} has one generation: {why}"),
    ))
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

fn unwritable(error: &dyn std::fmt::Display) -> KeyError {
    KeyError::new(
        KeyErrorKind::Config,
        WHAT,
        format!("it cannot be written down: {error}"),
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Governance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Governance")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
