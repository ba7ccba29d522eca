//! Checkpoints: the log's head, signed by the custodian.
//!
//! A checkpoint is a signed note (C2SP signed-note and tlog-checkpoint): the
//! text is the log's id, the number of records, the base64 root hash, each on
//! a line; the signature is ECDSA P-256 over SHA-256, type 0x02, DER, behind
//! the first four bytes of SHA-256 over `name 0x0A 0x02 SubjectPublicKeyInfo`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use sha2::{Digest as _, Sha256};
use signed_note::{Note, Verifier, VerifierList};

use crate::{Hash, LogId};

/// Signature type of ECDSA in C2SP signed-note.
const ECDSA: u8 = 2;
/// Longest note, bytes.
pub(crate) const MAX_NOTE: usize = 16 * 1024;

/// Why a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The key is not an ECDSA P-256 public key.
    #[error("the key is not an ECDSA P-256 public key")]
    Key,
    /// Not a signed note.
    #[error("not a signed note of a checkpoint")]
    Malformed,
    /// No signature by this key.
    #[error("the checkpoint is not signed by the log's key {0}")]
    OtherKey(String),
    /// A signature that does not verify.
    #[error("the checkpoint's signature is wrong")]
    Signature,
    /// A checkpoint of another log.
    #[error("the checkpoint is of another log")]
    OtherLog,
}

/// The public key with which a log's checkpoints are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointKey {
    log: LogId,
    key: VerifyingKey,
    spki: Vec<u8>,
    id: u32,
}

/// A verified head of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub log: LogId,
    /// Number of records.
    pub size: u64,
    /// Root hash over them.
    pub root: Hash,
}

// === impl CheckpointKey ===

impl CheckpointKey {
    /// From a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`CheckpointError::Key`].
    pub fn from_spki(log: &LogId, spki: &[u8]) -> Result<Self, CheckpointError> {
        let key = VerifyingKey::from_public_key_der(spki).map_err(|_| CheckpointError::Key)?;
        let made = Self::of(log, key)?;
        // One key, one encoding, one key id.
        if made.spki == spki {
            Ok(made)
        } else {
            Err(CheckpointError::Key)
        }
    }

    /// From an uncompressed SEC 1 point of P-256, 65 bytes, as the key port gives it.
    ///
    /// # Errors
    /// [`CheckpointError::Key`].
    pub fn from_point(log: &LogId, point: &[u8]) -> Result<Self, CheckpointError> {
        let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| CheckpointError::Key)?;
        Self::of(log, key)
    }

    /// From PEM (`PUBLIC KEY`).
    ///
    /// # Errors
    /// [`CheckpointError::Key`].
    pub fn from_pem(log: &LogId, pem: &str) -> Result<Self, CheckpointError> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|_| CheckpointError::Key)?;
        Self::of(log, key)
    }

    fn of(log: &LogId, key: VerifyingKey) -> Result<Self, CheckpointError> {
        let spki = key
            .to_public_key_der()
            .map_err(|_| CheckpointError::Key)?
            .into_vec();
        let id = signed_note::key_id(log.as_str(), &typed(&spki));
        Ok(Self {
            log: log.clone(),
            key,
            spki,
            id,
        })
    }

    /// The log whose checkpoints it signs.
    #[must_use]
    pub const fn log(&self) -> &LogId {
        &self.log
    }

    /// The DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the SubjectPublicKeyInfo: what to compare by telephone.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        Sha256::digest(&self.spki).into()
    }

    /// The key as C2SP tools take it: `origin+keyid+base64(type, key)`.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        format!(
            "{}+{:08x}+{}",
            self.log,
            self.id,
            BASE64_STANDARD.encode(typed(&self.spki))
        )
    }

    /// Its short name, for messages: `origin+keyid`.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}+{:08x}", self.log, self.id)
    }
}

fn typed(spki: &[u8]) -> Vec<u8> {
    [&[ECDSA], spki].concat()
}

impl Verifier for CheckpointKey {
    fn name(&self) -> &str {
        self.log.as_str()
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, msg: &[u8], sig: &[u8]) -> bool {
        Signature::from_der(sig).is_ok_and(|signature| self.key.verify(msg, &signature).is_ok())
    }
}

// === impl Checkpoint ===

impl Checkpoint {
    /// Reads a note and verifies its signature. Signatures by other keys
    /// (witnesses) may stand beside and are not looked at.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: &[u8], key: &CheckpointKey) -> Result<Self, CheckpointError> {
        if note.len() > MAX_NOTE {
            return Err(CheckpointError::Malformed);
        }
        let note = Note::from_bytes(note).map_err(|_| CheckpointError::Malformed)?;
        let known = VerifierList::new(vec![Box::new(key.clone())]);
        note.verify(&known).map_err(|error| match error {
            signed_note::NoteError::UnverifiedNote => CheckpointError::OtherKey(key.short()),
            signed_note::NoteError::InvalidSignature { .. } => CheckpointError::Signature,
            _ => CheckpointError::Malformed,
        })?;
        let parsed = Self::parse_text(note.text())?;
        if parsed.log == key.log {
            Ok(parsed)
        } else {
            Err(CheckpointError::OtherLog)
        }
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.log,
            self.size,
            BASE64_STANDARD.encode(self.root)
        )
    }

    fn parse_text(text: &[u8]) -> Result<Self, CheckpointError> {
        let parsed =
            tlog_tiles::Checkpoint::from_bytes(text).map_err(|_| CheckpointError::Malformed)?;
        Ok(Self {
            log: parsed
                .origin()
                .parse()
                .map_err(|_| CheckpointError::OtherLog)?,
            size: parsed.size(),
            root: parsed.hash().0,
        })
    }
}
