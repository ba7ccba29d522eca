//! The checkpoint book: the last checkpoint that was signed, kept durably, so
//! that the key never signs two histories of one log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chancery_hsm_api::{
    CheckpointRequest, KeyError, KeyErrorKind, KeyRole, NoteSigning, PublicKeys, SignedCheckpoint,
    durable,
};
use serde::{Deserialize, Serialize};
use signed_note::{Note, VerifierList};
use tlog_tiles::tlog::{Hash, check_tree};

use crate::chain::{Event, Outcome, Recorder};
use crate::note::{NoteVerifier, assemble, checkpoint_text, is_origin};

const WHAT: &str = "sign a checkpoint";

/// Largest log: no log gets there, and arithmetic on tree sizes stays exact.
const MAX_SIZE: u64 = 1 << 62;

/// Longest consistency proof: twice the height of the largest tree.
const MAX_PROOF: usize = 128;

/// The last checkpoint of one log.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    origin: String,
    /// Size 0 and no note before the first.
    last: Mutex<SignedCheckpoint>,
}

/// The book as it is in its file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    format: String,
    origin: String,
    size: u64,
    root: String,
    note: String,
}

const FORMAT: &str = "chancery-checkpoint-book-v1";

/// In the custodian's log: the book of a log was begun.
const BEGUN: &str = "checkpoint-book.begun";

impl Book {
    /// Opens the book of the log with that origin. The first time it begins an
    /// empty one and tells `recorder`; a book that is gone later is therefore
    /// never taken for an empty one.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] when the file cannot be read or written, is
    /// damaged, is gone, or is the book of another log.
    pub fn open(path: &Path, origin: &str, recorder: &dyn Recorder) -> Result<Self, KeyError> {
        let wrong = |why: String| {
            let detail = format!("the checkpoint book {}: {why}", path.display());
            KeyError::new(KeyErrorKind::Config, "open the checkpoint book", detail)
        };
        if !is_origin(origin) {
            return Err(wrong(
                "the log's origin is 1 to 128 visible characters without +".into(),
            ));
        }
        let begun = recorder.was_done(BEGUN, origin);
        let last = match std::fs::read(path) {
            Ok(bytes) => read(&bytes, origin).map_err(wrong)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !begun => {
                let empty = SignedCheckpoint {
                    size: 0,
                    root: [0; 32],
                    note: String::new(),
                };
                write(path, origin, &empty).map_err(|error| wrong(error.to_string()))?;
                empty
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(wrong(
                    "it is gone: restore it, or the key could sign twice".into(),
                ));
            }
            Err(error) => return Err(wrong(error.to_string())),
        };
        if !begun {
            let event = Event {
                client: "custodian".to_owned(),
                operation: BEGUN.to_owned(),
                outcome: Outcome::Done,
                detail: origin.to_owned(),
                suppressed: 0,
            };
            recorder.record(&event).map_err(|error| {
                wrong(format!(
                    "its beginning cannot be recorded in the custodian's log: {error}"
                ))
            })?;
        }
        Ok(Self {
            path: path.to_owned(),
            origin: origin.to_owned(),
            last: Mutex::new(last),
        })
    }

    /// The origin of its log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Size and root of the last checkpoint; size 0 before the first.
    #[must_use]
    pub fn last(&self) -> (u64, [u8; 32]) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last.size, last.root)
    }

    /// Signs the next checkpoint if it extends the last, and writes it down
    /// before answering. Asked again for the last one, it answers the same note.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] when it does not extend the last, or is of
    /// another log; those of the token; [`KeyErrorKind::Config`] when the book
    /// cannot be written: then nothing was signed for anyone to see.
    pub fn sign<K: NoteSigning + PublicKeys>(
        &self,
        keys: &K,
        request: &CheckpointRequest,
    ) -> Result<SignedCheckpoint, KeyError> {
        self.check_origin(&request.origin)?;
        // Held over the signature: checkpoints come one after the other.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        check_extends(&last, request)?;
        if last.size == request.size {
            return Ok(last.clone());
        }
        let signed = self.make(keys, request)?;
        write(&self.path, &self.origin, &signed).map_err(|error| {
            let detail = format!("the checkpoint book cannot be written: {error}");
            KeyError::new(KeyErrorKind::Config, WHAT, detail)
        })?;
        *last = signed.clone();
        Ok(signed)
    }

    pub(crate) fn check_origin(&self, origin: &str) -> Result<(), KeyError> {
        if origin == self.origin {
            Ok(())
        } else {
            Err(denied("this custodian signs for another log's origin"))
        }
    }

    fn make<K: NoteSigning + PublicKeys>(
        &self,
        keys: &K,
        request: &CheckpointRequest,
    ) -> Result<SignedCheckpoint, KeyError> {
        let text = checkpoint_text(&self.origin, request.size, &request.root);
        let point = keys.public_key(&KeyRole::AuditCheckpoint)?;
        let signature = keys.sign_note(text.as_bytes())?;
        let note = assemble(&self.origin, &point, &text, &signature)
            .filter(|note| verifies(note, &self.origin, &point))
            .ok_or_else(|| {
                let detail = "the token's signature does not verify under its own public key";
                KeyError::new(KeyErrorKind::DeviceLost, WHAT, detail)
            })?;
        Ok(SignedCheckpoint {
            size: request.size,
            root: request.root,
            note,
        })
    }
}

fn write(path: &Path, origin: &str, signed: &SignedCheckpoint) -> io::Result<()> {
    let page = Page {
        format: FORMAT.to_owned(),
        origin: origin.to_owned(),
        size: signed.size,
        root: hex::encode(signed.root),
        note: signed.note.clone(),
    };
    durable::replace(path, &serde_json::to_vec_pretty(&page)?)
}

fn read(bytes: &[u8], origin: &str) -> Result<SignedCheckpoint, String> {
    let page: Page =
        serde_json::from_slice(bytes).map_err(|_| "it is not what was written there".to_owned())?;
    if page.format != FORMAT {
        return Err("it has another format".to_owned());
    }
    if page.origin != origin {
        return Err(format!("it belongs to the log `{}`", page.origin));
    }
    let mut root = [0; 32];
    hex::decode_to_slice(&page.root, &mut root).map_err(|_| "its root is no hash".to_owned())?;
    Ok(SignedCheckpoint {
        size: page.size,
        root,
        note: page.note,
    })
}

fn check_extends(last: &SignedCheckpoint, request: &CheckpointRequest) -> Result<(), KeyError> {
    if request.size == 0 {
        return Err(denied("an empty log has no checkpoint"));
    }
    if request.size > MAX_SIZE {
        return Err(denied("no log is that long"));
    }
    if request.consistency.len() > MAX_PROOF {
        return Err(denied("the consistency proof is longer than any can be"));
    }
    if last.size == 0 {
        return if request.consistency.is_empty() {
            Ok(())
        } else {
            Err(denied(
                "the first checkpoint has nothing to be consistent with",
            ))
        };
    }
    if request.size < last.size {
        return Err(denied("the log is shorter than at its last checkpoint"));
    }
    let proof = request.consistency.iter().copied().map(Hash).collect();
    check_tree(
        &proof,
        request.size,
        Hash(request.root),
        last.size,
        Hash(last.root),
    )
    .map_err(|_| denied("the log is not consistent with its last checkpoint"))
}

fn verifies(note: &str, origin: &str, point: &[u8]) -> bool {
    NoteVerifier::new(origin, point).is_some_and(|verifier| {
        Note::from_bytes(note.as_bytes())
            .and_then(|note| note.verify(&VerifierList::new(vec![Box::new(verifier)])))
            .is_ok()
    })
}

fn denied(why: &str) -> KeyError {
    KeyError::new(KeyErrorKind::Denied, WHAT, why)
}
