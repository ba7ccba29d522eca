//! The manifest: what belongs together under one content key. Sealed itself,
//! since hashes of guessable text would tell the text.

use chancery_hsm_api::{ContentKey, KekId};
use chancery_label::Label;
use chancery_message::{BodyId, MessageId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cipher::{Cipher, FORMAT, Usage};
use crate::segment::StreamFacts;
use crate::{OpenError, SealError};

/// What is known of a sealed part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFacts {
    /// Its number, as the sealer gave it.
    pub index: u32,
    /// Bytes of plaintext.
    pub size: u64,
    /// SHA-256 of the plaintext. Not to be stored or logged in the clear.
    pub sha256: [u8; 32],
    /// Hash over the tags of its segments.
    pub root: [u8; 32],
}

/// What is known of a sealed body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyFacts {
    /// Its id.
    pub id: BodyId,
    /// Bytes of plaintext.
    pub size: u64,
    /// SHA-256 of the plaintext. Not to be stored or logged in the clear.
    pub sha256: [u8; 32],
    /// Hash over the tags of its segments.
    pub root: [u8; 32],
}

impl PartFacts {
    pub(crate) const fn new(index: u32, stream: StreamFacts) -> Self {
        Self {
            index,
            size: stream.size,
            sha256: stream.sha256,
            root: stream.root,
        }
    }

    pub(crate) const fn stream(&self) -> StreamFacts {
        StreamFacts {
            size: self.size,
            sha256: self.sha256,
            root: self.root,
        }
    }
}

impl BodyFacts {
    pub(crate) const fn new(id: BodyId, stream: StreamFacts) -> Self {
        Self {
            id,
            size: stream.size,
            sha256: stream.sha256,
            root: stream.root,
        }
    }

    pub(crate) const fn stream(&self) -> StreamFacts {
        StreamFacts {
            size: self.size,
            sha256: self.sha256,
            root: self.root,
        }
    }

    /// The number of its segments.
    #[must_use]
    pub fn segments(&self) -> u32 {
        crate::segment::segments_of(self.size).unwrap_or(u32::MAX)
    }
}

/// What belongs together in a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u8,
    pub(crate) message: MessageId,
    pub(crate) kek: KekId,
    /// Canonical JSON of the label; none in quarantine.
    pub(crate) label: Option<Vec<u8>>,
    pub(crate) parts: Vec<PartFacts>,
    pub(crate) bodies: Vec<BodyFacts>,
}

impl Manifest {
    pub(crate) fn seal(&self, key: &ContentKey) -> Result<Vec<u8>, SealError> {
        seal_value(self, key, Usage::Manifest, self.message.as_bytes())
    }

    pub(crate) fn open(
        key: &ContentKey,
        message: &MessageId,
        sealed: &[u8],
    ) -> Result<Self, OpenError> {
        let manifest: Self =
            open_value(sealed, key, Usage::Manifest, message.as_bytes(), "manifest")?;
        if manifest.format == FORMAT && manifest.message == *message {
            Ok(manifest)
        } else {
            Err(OpenError::Format("manifest"))
        }
    }

    /// The label, if there is one.
    pub(crate) fn label(&self) -> Result<Option<Label>, OpenError> {
        self.label
            .as_deref()
            .map(|bytes| serde_json::from_slice(bytes).map_err(|_| OpenError::Format("label")))
            .transpose()
    }
}

/// The canonical bytes of a label.
pub(crate) fn label_bytes(label: &Label) -> Result<Vec<u8>, SealError> {
    serde_json::to_vec(label).map_err(|_| SealError::Cipher)
}

/// Seals one value under a key that seals nothing else.
pub(crate) fn seal_value<T: Serialize>(
    value: &T,
    key: &ContentKey,
    usage: Usage,
    id: &[u8; 16],
) -> Result<Vec<u8>, SealError> {
    let mut bytes = postcard::to_allocvec(value).map_err(|_| SealError::Cipher)?;
    Cipher::new(key, usage, id, 0)?.seal(0, true, &mut bytes)?;
    Ok(bytes)
}

/// Opens what [`seal_value`] sealed.
pub(crate) fn open_value<T: DeserializeOwned>(
    sealed: &[u8],
    key: &ContentKey,
    usage: Usage,
    id: &[u8; 16],
    what: &'static str,
) -> Result<T, OpenError> {
    let mut bytes = sealed.to_vec();
    Cipher::new(key, usage, id, 0)
        .and_then(|cipher| cipher.open(0, true, &mut bytes))
        .map_err(|_| OpenError::Changed(what))?;
    decode(&bytes, what)
}

/// Reads a value and refuses bytes after it.
pub(crate) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
) -> Result<T, OpenError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(OpenError::Format(what)),
    }
}
