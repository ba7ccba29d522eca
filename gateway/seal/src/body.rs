//! Bodies: streams that are sealed before their message is known (uploads,
//! originals as received), each under a content key of its own.

use std::fmt;

use chancery_hsm_api::{ContentKey, ContentKeys, KekId, WrappedKey};
use chancery_message::BodyId;
use serde::{Deserialize, Serialize};

use crate::cipher::{Cipher, FORMAT, Usage};
use crate::manifest::{decode, open_value, seal_value};
use crate::segment::SegmentSealer;
use crate::{BodyFacts, BodyOpener, IntakePermit, OpenError, SealError, SealedSegment};

/// Seals a stream as it comes. Memory: one segment.
pub struct BodySealer {
    id: BodyId,
    key: ContentKey,
    wrapped: WrappedKey,
    stream: SegmentSealer,
}

/// A sealed body's row: wrapped key and sealed facts. The segments stand beside.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedBody {
    format: u8,
    id: BodyId,
    wrapped: WrappedKey,
    facts: Vec<u8>,
}

/// A stream that was sealed to its end.
#[derive(Debug)]
pub struct FinishedBody {
    /// The last segment.
    pub last: SealedSegment,
    /// The row.
    pub body: SealedBody,
    /// Size and digests of the plaintext.
    pub facts: BodyFacts,
    /// Who sealed it just now may open it again, while nobody knows it yet.
    pub permit: IntakePermit,
}

// === impl BodySealer ===

impl BodySealer {
    /// Begins a stream under a fresh content key, wrapped under `kek`
    /// ([`KekId::Intake`] while the label is not known).
    ///
    /// # Errors
    /// [`SealError::Key`].
    pub fn begin(keys: &dyn ContentKeys, kek: &KekId, id: BodyId) -> Result<Self, SealError> {
        let (key, wrapped) = keys.new_content_key(kek)?;
        let stream = SegmentSealer::new(Cipher::new(&key, Usage::BodyStream, id.as_bytes(), 0)?);
        Ok(Self {
            id,
            key,
            wrapped,
            stream,
        })
    }

    /// The body's id.
    #[must_use]
    pub const fn id(&self) -> BodyId {
        self.id
    }

    /// Takes bytes; gives the segments that are full by them, in order. Pushed
    /// piece by piece (64 KiB and less), at most one segment comes back.
    ///
    /// # Errors
    /// [`SealError::TooLong`] after 2^32 segments.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<SealedSegment>, SealError> {
        self.stream.push(bytes)
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// As [`BodySealer::push`].
    pub fn finish(self) -> Result<FinishedBody, SealError> {
        let (last, stream) = self.stream.finish()?;
        let facts = BodyFacts::new(self.id, stream);
        let sealed = seal_value(&facts, &self.key, Usage::BodyFacts, self.id.as_bytes())?;
        Ok(FinishedBody {
            last,
            body: SealedBody {
                format: FORMAT,
                id: self.id,
                wrapped: self.wrapped,
                facts: sealed,
            },
            facts,
            permit: IntakePermit::new(self.id),
        })
    }
}

impl fmt::Debug for BodySealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodySealer({})", self.id)
    }
}

// === impl SealedBody ===

impl SealedBody {
    /// The body's id.
    #[must_use]
    pub const fn id(&self) -> BodyId {
        self.id
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
        let head: Result<((u8, BodyId, WrappedKey), _), _> = postcard::take_from_bytes(bytes);
        head.ok()
            .filter(|((format, ..), _)| *format == FORMAT)
            .map(|((_, _, wrapped), _)| wrapped)
    }

    /// Reads the bytes of a row.
    ///
    /// # Errors
    /// [`OpenError::Format`].
    pub fn decode(bytes: &[u8]) -> Result<Self, OpenError> {
        let body: Self = decode(bytes, "body")?;
        if body.format == FORMAT {
            Ok(body)
        } else {
            Err(OpenError::Format("body"))
        }
    }

    /// Size and digests of the plaintext, after a restart; for binding it to a
    /// message. Gives no plaintext.
    ///
    /// # Errors
    /// [`OpenError::Key`]; [`OpenError::Changed`].
    pub fn facts(&self, keys: &dyn ContentKeys) -> Result<BodyFacts, OpenError> {
        self.facts_under(&keys.unwrap_key(&self.wrapped)?)
    }

    fn facts_under(&self, key: &ContentKey) -> Result<BodyFacts, OpenError> {
        let facts: BodyFacts = open_value(
            &self.facts,
            key,
            Usage::BodyFacts,
            self.id.as_bytes(),
            "body",
        )?;
        if facts.id == self.id {
            Ok(facts)
        } else {
            Err(OpenError::Changed("body"))
        }
    }

    /// The same body under another KEK: that of its label once it is known,
    /// or the same KEK's newest generation. Segments stay as they are.
    ///
    /// # Errors
    /// [`OpenError::Key`].
    pub fn rewrapped(&self, keys: &dyn ContentKeys, to: &KekId) -> Result<Self, OpenError> {
        let wrapped = keys.rewrap_key(&self.wrapped, to)?;
        Ok(Self {
            wrapped,
            ..self.clone()
        })
    }

    /// Opens a body that was sealed just now, before it belongs to a message.
    ///
    /// # Errors
    /// [`OpenError::Permit`] when the permit is of another body;
    /// [`OpenError::Key`]; [`OpenError::Changed`].
    pub fn open_own<'p>(
        &self,
        keys: &dyn ContentKeys,
        permit: &'p IntakePermit,
    ) -> Result<BodyOpener<'p>, OpenError> {
        if permit.body() != self.id {
            return Err(OpenError::Permit);
        }
        self.open_checked(keys, None)
    }

    /// Opens the stream, if its facts are those expected. The caller has a permit.
    pub(crate) fn open_checked<'p>(
        &self,
        keys: &dyn ContentKeys,
        expected: Option<&BodyFacts>,
    ) -> Result<BodyOpener<'p>, OpenError> {
        let key = keys.unwrap_key(&self.wrapped)?;
        let facts = self.facts_under(&key)?;
        if expected.is_some_and(|expected| *expected != facts) {
            return Err(OpenError::Changed("body"));
        }
        BodyOpener::new(
            Cipher::new(&key, Usage::BodyStream, self.id.as_bytes(), 0)
                .map_err(|_| OpenError::Changed("body"))?,
            facts,
        )
    }
}

impl fmt::Debug for SealedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBody({} under {})", self.id, self.wrapped.kek)
    }
}
