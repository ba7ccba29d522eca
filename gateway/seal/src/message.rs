//! A message, sealed: manifest, wrapped key and the parts that stand in its row.

use std::fmt;

use chancery_hsm_api::{ContentKey, ContentKeys, KekId, WrappedKey};
use chancery_label::Label;
use chancery_message::{MessageId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cipher::{Cipher, FORMAT, Usage};
use crate::manifest::{Manifest, decode, label_bytes};
use crate::segment::{SegmentSealer, StreamFacts};
use crate::{
    BodyFacts, MAX_PART_BYTES, MAX_PARTS, OpenError, OpenMessage, OpeningPermit, PartFacts,
    SealError,
};

/// The part for short values: subject, file names, references.
pub const PART_HEADER: u32 = 0;
/// The part for the text.
pub const PART_TEXT: u32 = 1;

/// Seals a message under a fresh content key.
pub struct MessageSealer {
    key: ContentKey,
    wrapped: WrappedKey,
    manifest: Manifest,
    parts: Vec<SealedPart>,
}

/// A sealed message: one row.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedMessage {
    format: u8,
    message: MessageId,
    wrapped: WrappedKey,
    manifest: Vec<u8>,
    parts: Vec<SealedPart>,
}

/// A part's segments, one behind the other.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedPart {
    pub(crate) index: u32,
    pub(crate) segments: Vec<u8>,
}

// === impl MessageSealer ===

impl MessageSealer {
    /// Begins a message of that label, or of none yet (quarantine).
    ///
    /// # Errors
    /// [`SealError::KekLevel`] unless `kek` is one of the label's level, or the
    /// intake's where there is no label; [`SealError::Key`].
    pub fn begin(
        keys: &dyn ContentKeys,
        kek: &KekId,
        message: MessageId,
        label: Option<&Label>,
    ) -> Result<Self, SealError> {
        if !is_kek_of(kek, label) {
            return Err(SealError::KekLevel);
        }
        let label = label.map(label_bytes).transpose()?;
        let (key, wrapped) = keys.new_content_key(kek)?;
        let manifest = Manifest {
            format: FORMAT,
            message,
            kek: kek.clone(),
            label,
            parts: Vec::new(),
            bodies: Vec::new(),
        };
        Ok(Self {
            key,
            wrapped,
            manifest,
            parts: Vec::new(),
        })
    }

    /// How the content key is wrapped.
    #[must_use]
    pub const fn scheme(&self) -> chancery_hsm_api::WrapScheme {
        self.wrapped.scheme
    }

    /// Seals a part. Numbers are the caller's: [`PART_HEADER`], [`PART_TEXT`]
    /// and above, each once.
    ///
    /// # Errors
    /// [`SealError::Parts`].
    pub fn part(&mut self, index: u32, plain: &[u8]) -> Result<(), SealError> {
        let known = self.manifest.parts.iter().any(|part| part.index == index);
        if known || self.parts.len() >= MAX_PARTS || plain.len() > MAX_PART_BYTES {
            return Err(SealError::Parts);
        }
        let cipher = Cipher::new(
            &self.key,
            Usage::Part,
            self.manifest.message.as_bytes(),
            index,
        )?;
        let (segments, facts) = seal_whole(cipher, plain)?;
        self.parts.push(SealedPart { index, segments });
        self.manifest.parts.push(PartFacts::new(index, facts));
        Ok(())
    }

    /// Binds a sealed body to the message.
    ///
    /// # Errors
    /// [`SealError::Parts`] when it is bound already, or too many are.
    pub fn bind(&mut self, body: BodyFacts) -> Result<(), SealError> {
        let bodies = &mut self.manifest.bodies;
        if bodies.len() >= MAX_PARTS || bodies.iter().any(|bound| bound.id == body.id) {
            return Err(SealError::Parts);
        }
        bodies.push(body);
        Ok(())
    }

    /// Seals the manifest over all.
    ///
    /// # Errors
    /// [`SealError::Cipher`], never in practice.
    pub fn finish(self) -> Result<SealedMessage, SealError> {
        Ok(SealedMessage {
            format: FORMAT,
            message: self.manifest.message,
            manifest: self.manifest.seal(&self.key)?,
            wrapped: self.wrapped,
            parts: self.parts,
        })
    }
}

impl fmt::Debug for MessageSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageSealer({})", self.manifest.message)
    }
}

fn seal_whole(cipher: Cipher, plain: &[u8]) -> Result<(Vec<u8>, StreamFacts), SealError> {
    let mut sealer = SegmentSealer::new(cipher);
    let mut all = Vec::new();
    for segment in sealer.push(plain)? {
        all.extend_from_slice(&segment.bytes);
    }
    let (last, facts) = sealer.finish()?;
    all.extend_from_slice(&last.bytes);
    Ok((all, facts))
}

/// True if content of that label may be sealed under that KEK.
fn is_kek_of(kek: &KekId, label: Option<&Label>) -> bool {
    match (kek, label) {
        (KekId::Intake, None) => true,
        (KekId::Label { rank, .. }, Some(label)) => *rank == label.level.rank(),
        (KekId::Intake, Some(_)) | (KekId::Label { .. }, None) => false,
    }
}

// === impl SealedMessage ===

impl SealedMessage {
    /// The message's id.
    #[must_use]
    pub const fn message(&self) -> MessageId {
        self.message
    }

    /// Its content key as stored.
    #[must_use]
    pub const fn wrapped(&self) -> &WrappedKey {
        &self.wrapped
    }

    /// The bytes for its row.
    ///
    /// # Errors
    /// [`SealError::Cipher`], never in practice.
    pub fn encode(&self) -> Result<Vec<u8>, SealError> {
        postcard::to_allocvec(self).map_err(|_| SealError::Cipher)
    }

    /// The wrapped key in the bytes of a row, without reading the rest; none
    /// where these bytes hold nothing sealed (yet).
    #[must_use]
    pub fn wrapped_in(bytes: &[u8]) -> Option<WrappedKey> {
        let head: Result<((u8, MessageId, WrappedKey), _), _> = postcard::take_from_bytes(bytes);
        head.ok()
            .filter(|((format, ..), _)| *format == FORMAT)
            .map(|((_, _, wrapped), _)| wrapped)
    }

    /// Reads the bytes of a row.
    ///
    /// # Errors
    /// [`OpenError::Format`].
    pub fn decode(bytes: &[u8]) -> Result<Self, OpenError> {
        let sealed: Self = decode(bytes, "message")?;
        if sealed.format == FORMAT {
            Ok(sealed)
        } else {
            Err(OpenError::Format("message"))
        }
    }

    /// The same message under the newest generation of its KEK.
    ///
    /// # Errors
    /// [`OpenError::Key`].
    pub fn rewrapped(&self, keys: &dyn ContentKeys) -> Result<Self, OpenError> {
        let wrapped = keys.rewrap_key(&self.wrapped, &self.wrapped.kek)?;
        Ok(Self {
            wrapped,
            ..self.clone()
        })
    }

    /// Opens the message: the permit must be of this message and hold `now`,
    /// and `label` (what the caller's row says) must be the label that was
    /// sealed with it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open<'p, P: OpeningPermit>(
        &self,
        keys: &dyn ContentKeys,
        permit: &'p P,
        label: Option<&Label>,
        now: Timestamp,
    ) -> Result<OpenMessage<'p>, OpenError> {
        if permit.message() != self.message {
            return Err(OpenError::Permit);
        }
        if !permit.holds_at(now) {
            return Err(OpenError::Expired);
        }
        let key = keys.unwrap_key(&self.wrapped)?;
        let manifest = Manifest::open(&key, &self.message, &self.manifest)?;
        if manifest.kek != self.wrapped.kek {
            return Err(OpenError::Changed("key"));
        }
        let sealed_label = manifest.label()?;
        if sealed_label.as_ref() != label || !is_kek_of(&manifest.kek, label) {
            return Err(OpenError::Label);
        }
        OpenMessage::new(key, manifest, self.parts.clone())
    }
}

impl fmt::Debug for SealedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SealedMessage({} under {})",
            self.message, self.wrapped.kek
        )
    }
}
