//! Opened messages and bodies: they live as long as the permit that opened them.

use std::fmt;
use std::marker::PhantomData;

use chancery_hsm_api::{ContentKey, ContentKeys};
use chancery_message::{BodyId, Content, MessageId};
use zeroize::Zeroizing;

use crate::cipher::{Cipher, Usage};
use crate::manifest::Manifest;
use crate::message::SealedPart;
use crate::segment::SegmentOpener;
use crate::{BodyFacts, OpenError, PartFacts, SEGMENT_BYTES, SealedBody, TAG_BYTES};

/// A message whose manifest was verified: its content key is in memory while
/// this value lives.
pub struct OpenMessage<'p> {
    key: ContentKey,
    manifest: Manifest,
    parts: Vec<SealedPart>,
    permit: PhantomData<&'p ()>,
}

/// A body that is being opened, segment by segment.
pub struct BodyOpener<'p> {
    stream: SegmentOpener,
    facts: BodyFacts,
    permit: PhantomData<&'p ()>,
}

/// Opened bytes of a body.
#[derive(Debug)]
pub struct Chunk {
    /// The bytes, at most 64 KiB.
    pub bytes: Content,
    /// True on the last one, which comes only when the whole stream has proven
    /// to be what was sealed. A reader that never sees it must not treat what
    /// it has as whole.
    pub last: bool,
}

// === impl OpenMessage ===

impl OpenMessage<'_> {
    pub(crate) fn new(
        key: ContentKey,
        manifest: Manifest,
        parts: Vec<SealedPart>,
    ) -> Result<Self, OpenError> {
        // What stands in the row must be what the manifest lists, no more, no less.
        let listed = manifest.parts.iter().map(|part| part.index);
        if !listed.eq(parts.iter().map(|part| part.index)) {
            return Err(OpenError::Changed("list of parts"));
        }
        Ok(Self {
            key,
            manifest,
            parts,
            permit: PhantomData,
        })
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> MessageId {
        self.manifest.message
    }

    /// Its parts, in the order in which they were sealed.
    #[must_use]
    pub fn parts(&self) -> &[PartFacts] {
        &self.manifest.parts
    }

    /// The bodies bound to it, in order.
    #[must_use]
    pub fn bodies(&self) -> &[BodyFacts] {
        &self.manifest.bodies
    }

    /// What is known of one of its bodies.
    #[must_use]
    pub fn body_facts(&self, id: &BodyId) -> Option<&BodyFacts> {
        self.manifest.bodies.iter().find(|body| body.id == *id)
    }

    /// Opens a part, whole.
    ///
    /// # Errors
    /// [`OpenError::Absent`]; [`OpenError::Changed`]; [`OpenError::Truncated`].
    pub fn part(&self, index: u32) -> Result<Content, OpenError> {
        let at = self
            .parts
            .iter()
            .position(|part| part.index == index)
            .ok_or(OpenError::Absent("part"))?;
        let (Some(part), Some(facts)) = (self.parts.get(at), self.manifest.parts.get(at)) else {
            return Err(OpenError::Absent("part"));
        };
        let cipher = Cipher::new(
            &self.key,
            Usage::Part,
            self.manifest.message.as_bytes(),
            index,
        )
        .map_err(|_| OpenError::Changed("part"))?;
        let mut stream = SegmentOpener::new(cipher, facts.stream())?;
        let mut plain = Zeroizing::new(Vec::new());
        // Once, in full, and never more than there is: the size was authenticated.
        plain.reserve_exact(part.segments.len());
        for segment in part.segments.chunks(SEGMENT_BYTES + TAG_BYTES) {
            plain.extend_from_slice(stream.open(segment.to_vec())?.0.expose());
        }
        if stream.is_complete() {
            Ok(Content::new(std::mem::take(&mut *plain)))
        } else {
            Err(OpenError::Truncated)
        }
    }

    /// Begins to open a body of this message, under the same permit.
    ///
    /// # Errors
    /// [`OpenError::Absent`] when it is not bound to the message;
    /// [`OpenError::Key`]; [`OpenError::Changed`] when it is not the body that
    /// was bound.
    pub fn body(
        &self,
        keys: &dyn ContentKeys,
        body: &SealedBody,
    ) -> Result<BodyOpener<'_>, OpenError> {
        let bound = self
            .body_facts(&body.id())
            .ok_or(OpenError::Absent("body"))?;
        body.open_checked(keys, Some(bound))
    }
}

impl fmt::Debug for OpenMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenMessage({})", self.manifest.message)
    }
}

// === impl BodyOpener ===

impl BodyOpener<'_> {
    pub(crate) fn new(cipher: Cipher, facts: BodyFacts) -> Result<Self, OpenError> {
        let stream = SegmentOpener::new(cipher, facts.stream())?;
        Ok(Self {
            stream,
            facts,
            permit: PhantomData,
        })
    }

    /// Size and digests of the whole, authenticated.
    #[must_use]
    pub const fn facts(&self) -> &BodyFacts {
        &self.facts
    }

    /// The number of segments that must come.
    #[must_use]
    pub const fn segments(&self) -> u32 {
        self.stream.segments()
    }

    /// Opens the next segment.
    ///
    /// # Errors
    /// [`OpenError::Changed`] when it is not the one sealed at this place;
    /// [`OpenError::AfterEnd`] after the last or after an error. After an error
    /// nothing more is opened.
    pub fn open(&mut self, sealed: Vec<u8>) -> Result<Chunk, OpenError> {
        let (bytes, last) = self.stream.open(sealed)?;
        Ok(Chunk { bytes, last })
    }

    /// Ends the opening.
    ///
    /// # Errors
    /// [`OpenError::Truncated`] when the last segment was not among those opened.
    pub fn finish(self) -> Result<(), OpenError> {
        if self.stream.is_complete() {
            Ok(())
        } else {
            Err(OpenError::Truncated)
        }
    }
}

impl fmt::Debug for BodyOpener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyOpener({})", self.facts.id)
    }
}
