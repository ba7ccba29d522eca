//! The custodians: who may approve what is done with keys, and how many must.
//!
//! The roster is a file of its own in the custodian's folder, one line for each
//! version, chained by hashes. The first version is written when the token is
//! set up; each later one carries the approvals of m custodians of the version
//! before it, so that the file proves itself. The hashes are recorded in the
//! custodian's log, so that a roster that was cut or exchanged shows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chancery_hsm_api::{KeyError, KeyErrorKind, durable};
use p256::ecdsa::VerifyingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ceremony::{Ceremony, Dossier};
use crate::chain::{Event, Outcome, Recorder};
use crate::council::signed_by_enough;
use crate::governance::was_begun;

const DOMAIN: &[u8] = b"chancery-custodian-roster-v1\n";
const OPEN: &str = "open the roster of custodians";
/// In the log: the first version, and each later one.
const BEGUN: &str = "roster.begun";
const CHANGED: &str = "roster.changed";

/// Most custodians of one node.
const MOST: usize = 16;

/// A roster as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterText {
    /// How many distinct custodians must approve: two or more.
    pub needed: u32,
    /// Their ids and public keys: uncompressed SEC 1 points of P-256, in hex.
    pub custodians: BTreeMap<String, String>,
}

/// A roster whose keys were read.
#[derive(Clone, Debug)]
pub struct Roster {
    text: RosterText,
    keys: BTreeMap<String, VerifyingKey>,
}

impl Roster {
    /// Reads a roster.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(text: RosterText) -> Result<Self, String> {
        let count = text.custodians.len();
        if count > MOST {
            return Err(format!("a node has at most {MOST} custodians"));
        }
        if text.needed < 2 || usize::try_from(text.needed).is_ok_and(|needed| needed > count) {
            return Err(format!(
                "of {count} custodians at least 2 and at most {count} must agree, not {}",
                text.needed
            ));
        }
        let mut keys = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (name, point) in &text.custodians {
            if !is_name(name) {
                return Err("a custodian's id is 1 to 64 of a-z, 0-9, - and .".to_owned());
            }
            let key = hex::decode(point)
                .ok()
                .and_then(|bytes| VerifyingKey::from_sec1_bytes(&bytes).ok())
                .ok_or_else(|| format!("the key of {name} is no public key of P-256"))?;
            if !seen.insert(key.to_encoded_point(true).as_bytes().to_vec()) {
                return Err(format!("{name} has the key of another custodian"));
            }
            keys.insert(name.clone(), key);
        }
        Ok(Self { text, keys })
    }

    /// How many must agree.
    #[must_use]
    pub fn needed(&self) -> usize {
        usize::try_from(self.text.needed).unwrap_or(usize::MAX)
    }

    /// As it is written.
    #[must_use]
    pub const fn text(&self) -> &RosterText {
        &self.text
    }

    pub(crate) fn key(&self, name: &str) -> Option<&VerifyingKey> {
        self.keys.get(name)
    }
}

/// True once custodians were enrolled: from then on they alone have keys made.
#[must_use]
pub fn is_begun(recorder: &dyn Recorder) -> bool {
    recorder.done().iter().any(|one| one.operation == BEGUN)
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
}

/// The roster in its file.
#[derive(Debug)]
pub struct RosterFile {
    path: PathBuf,
    present: Roster,
    head: [u8; 32],
    seq: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    roster: RosterText,
    /// Of every version but the first: how the one before agreed.
    agreed: Option<Dossier>,
    hash: String,
}

impl RosterFile {
    /// Writes the first version. Only where the token is set up.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] when there is one already, or it is no roster.
    pub fn begin(path: &Path, text: RosterText, recorder: &dyn Recorder) -> Result<(), KeyError> {
        Roster::new(text.clone()).map_err(|why| wrong(path, &why))?;
        let (line, hash) =
            line(1, &[0; 32], text, None).map_err(|e| wrong(path, &e.to_string()))?;
        let recorded: Vec<String> = hashes_in(recorder);
        if path.exists() || (!recorded.is_empty() && recorded != [hex::encode(hash)]) {
            return Err(wrong(
                path,
                "there is one already: it is changed by its custodians",
            ));
        }
        // The log first: a roster that nobody recorded is never believed. After
        // a crash in between the same roster is enrolled once more.
        if recorded.is_empty() {
            note(recorder, BEGUN, &hash).map_err(|error| wrong(path, &error.to_string()))?;
        }
        durable::replace(path, &line).map_err(|error| wrong(path, &error.to_string()))
    }

    /// Opens the roster and verifies it from its first line; none where no
    /// custodians were ever enrolled.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] when it was changed, cut, or is gone.
    pub fn open(
        path: &Path,
        node: &str,
        recorder: &dyn Recorder,
    ) -> Result<Option<Self>, KeyError> {
        let recorded = hashes_in(recorder);
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound && recorded.is_empty() => {
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let why = "it is gone: restore it (or, if enrolling was interrupted, enrol the \
                           same custodians again)";
                return Err(wrong(path, why));
            }
            Err(error) => return Err(wrong(path, &error.to_string())),
        };
        let first = recorded
            .first()
            .ok_or_else(|| wrong(path, "the custodian's log knows of no roster"))?;
        let (mut head, mut seq) = ([0; 32], 0);
        let mut present: Option<Roster> = None;
        let mut hashes = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            // A torn last line was never answered for.
            let Some(piece) = piece.strip_suffix(b"\n") else {
                break;
            };
            seq += 1;
            let broken = |why: &str| wrong(path, &format!("line {seq}: {why}"));
            let read: Line =
                serde_json::from_slice(piece).map_err(|_| broken("it is no line of a roster"))?;
            let next = Roster::new(read.roster.clone()).map_err(|why| broken(&why))?;
            match (&present, &read.agreed) {
                (None, None) => {}
                (Some(before), Some(dossier)) => {
                    let asked = Ceremony::Roster {
                        roster: read.roster.clone(),
                    };
                    if dossier.proposal.operation != asked
                        || dossier.proposal.node != node
                        || !signed_by_enough(before, dossier)
                    {
                        return Err(broken("the custodians before did not agree to it"));
                    }
                }
                _ => return Err(broken("only the first version has no approvals")),
            }
            let begun = read
                .agreed
                .as_ref()
                .is_none_or(|dossier| was_begun(recorder, &dossier.proposal));
            let (again, hash) = line(seq, &head, read.roster, read.agreed)
                .map_err(|error| broken(&error.to_string()))?;
            // What was signed and never carried out, because its time was over
            // or somebody refused, is no version: whoever wrote it here was not
            // this custodian.
            if !begun {
                return Err(broken("the log does not tell that it was carried out"));
            }
            if again.strip_suffix(b"\n") != Some(piece) {
                return Err(broken("it is not what was written there"));
            }
            hashes.push(hex::encode(hash));
            head = hash;
            present = Some(next);
        }
        if hashes.first() != Some(first) {
            return Err(wrong(
                path,
                "its beginning is not the one that the log tells",
            ));
        }
        if recorded.iter().any(|hash| !hashes.contains(hash)) {
            return Err(wrong(path, "it was cut: the log tells of a later version"));
        }
        // Agreed and written, but not recorded before a crash.
        for hash in hashes.iter().filter(|hash| !recorded.contains(hash)) {
            record(recorder, CHANGED, hash).map_err(|error| wrong(path, &error.to_string()))?;
        }
        let present = present.ok_or_else(|| wrong(path, "it is empty"))?;
        Ok(Some(Self {
            path: path.to_owned(),
            present,
            head,
            seq,
        }))
    }

    /// The roster that decides now.
    #[must_use]
    pub const fn present(&self) -> &Roster {
        &self.present
    }

    /// Writes the next version, which the present one agreed to.
    pub(crate) fn change(
        &mut self,
        text: RosterText,
        agreed: Dossier,
        recorder: &dyn Recorder,
    ) -> Result<(), KeyError> {
        let failed = |error: &dyn std::fmt::Display| {
            KeyError::new(KeyErrorKind::Config, "change the roster", error.to_string())
        };
        let next = Roster::new(text.clone()).map_err(|why| failed(&why))?;
        let seq = self.seq + 1;
        let (bytes, hash) =
            line(seq, &self.head, text, Some(agreed)).map_err(|error| failed(&error))?;
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(|error| failed(&error))?;
        let length = file.metadata().map_err(|error| failed(&error))?.len();
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_all()) {
            // Half a line must not precede the next.
            let cut = file.set_len(length);
            return Err(failed(&cut.err().unwrap_or(error)));
        }
        if let Err(error) = note(recorder, CHANGED, &hash) {
            // It does not count, and must not stand before the next.
            let cut = file.set_len(length).and_then(|()| file.sync_all());
            return Err(failed(&cut.err().unwrap_or(error)));
        }
        self.present = next;
        self.head = hash;
        self.seq = seq;
        Ok(())
    }
}

/// A line with its end, and its hash.
fn line(
    seq: u64,
    previous: &[u8; 32],
    roster: RosterText,
    agreed: Option<Dossier>,
) -> io::Result<(Vec<u8>, [u8; 32])> {
    let mut line = Line {
        seq,
        roster,
        agreed,
        hash: String::new(),
    };
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(previous);
    hash.update(serde_json::to_vec(&line)?);
    let hash: [u8; 32] = hash.finalize().into();
    line.hash = hex::encode(hash);
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    Ok((bytes, hash))
}

/// The versions that the log tells of.
fn hashes_in(recorder: &dyn Recorder) -> Vec<String> {
    recorder
        .done()
        .into_iter()
        .filter(|one| one.operation == BEGUN || one.operation == CHANGED)
        .map(|one| one.detail)
        .collect()
}

fn note(recorder: &dyn Recorder, operation: &str, hash: &[u8; 32]) -> io::Result<()> {
    record(recorder, operation, &hex::encode(hash))
}

fn record(recorder: &dyn Recorder, operation: &str, hash: &str) -> io::Result<()> {
    recorder.record(&Event {
        client: "custodian".to_owned(),
        operation: operation.to_owned(),
        outcome: Outcome::Done,
        detail: hash.to_owned(),
        suppressed: 0,
    })
}

fn wrong(path: &Path, why: &str) -> KeyError {
    let detail = format!("the roster {}: {why}", path.display());
    KeyError::new(KeyErrorKind::Config, OPEN, detail)
}
