//! A stream as sealed segments of at most 64 KiB of plaintext. The last one
//! says that it is the last; an empty stream is one empty segment.

use std::fmt;

use chancery_message::Content;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::cipher::Cipher;
use crate::{OpenError, SEGMENT_BYTES, SealError, TAG_BYTES};

/// A sealed segment: ciphertext and tag, at most 64 KiB and 16 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSegment {
    /// Its place, from 0.
    pub index: u32,
    /// Ciphertext and tag.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SealedSegment({}, {} bytes)",
            self.index,
            self.bytes.len()
        )
    }
}

/// What is true of a stream: sealed in a manifest, compared when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamFacts {
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) root: [u8; 32],
}

/// The number of segments of a stream of that size.
pub(crate) fn segments_of(size: u64) -> Option<u32> {
    u32::try_from(size.div_ceil(SEGMENT_BYTES as u64).max(1)).ok()
}

/// Counts and hashes what goes through, on both sides.
struct Tally {
    size: u64,
    plain: Sha256,
    tags: Sha256,
}

impl Tally {
    fn new() -> Self {
        Self {
            size: 0,
            plain: Sha256::new(),
            tags: Sha256::new_with_prefix(b"chancery-segments-v1"),
        }
    }

    fn facts(self) -> StreamFacts {
        StreamFacts {
            size: self.size,
            sha256: self.plain.finalize().into(),
            root: self.tags.finalize().into(),
        }
    }
}

/// Seals a stream. Holds at most one segment.
pub(crate) struct SegmentSealer {
    cipher: Cipher,
    tally: Tally,
    next: u32,
    /// A full segment waits here until it is known whether it is the last.
    buffer: Zeroizing<Vec<u8>>,
}

impl SegmentSealer {
    pub(crate) fn new(cipher: Cipher) -> Self {
        Self {
            cipher,
            tally: Tally::new(),
            next: 0,
            buffer: Zeroizing::default(),
        }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<SealedSegment>, SealError> {
        let mut done = Vec::new();
        while !bytes.is_empty() {
            if self.buffer.len() == SEGMENT_BYTES {
                done.push(self.seal(false)?);
            }
            if self.buffer.capacity() == 0 {
                // Once, in full: a buffer that grows leaves copies behind.
                self.buffer.reserve_exact(SEGMENT_BYTES + TAG_BYTES);
            }
            let room = SEGMENT_BYTES
                .saturating_sub(self.buffer.len())
                .min(bytes.len());
            let (now, later) = bytes.split_at_checked(room).ok_or(SealError::Cipher)?;
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(done)
    }

    pub(crate) fn finish(mut self) -> Result<(SealedSegment, StreamFacts), SealError> {
        let last = self.seal(true)?;
        Ok((last, self.tally.facts()))
    }

    fn seal(&mut self, last: bool) -> Result<SealedSegment, SealError> {
        let mut bytes = std::mem::take(&mut *self.buffer);
        self.tally.size += bytes.len() as u64;
        self.tally.plain.update(&bytes);
        let index = self.next;
        self.next = index.checked_add(1).ok_or(SealError::TooLong)?;
        match self.cipher.seal(index, last, &mut bytes) {
            Ok(tag) => self.tally.tags.update(tag),
            Err(_) => {
                drop(Zeroizing::new(bytes));
                return Err(SealError::Cipher);
            }
        }
        Ok(SealedSegment { index, bytes })
    }
}

/// Opens a stream. Holds nothing.
pub(crate) struct SegmentOpener {
    cipher: Cipher,
    /// None once the end was given out.
    tally: Option<Tally>,
    next: u32,
    segments: u32,
    expected: StreamFacts,
}

impl SegmentOpener {
    pub(crate) fn new(cipher: Cipher, expected: StreamFacts) -> Result<Self, OpenError> {
        let segments = segments_of(expected.size).ok_or(OpenError::Format("stream"))?;
        Ok(Self {
            cipher,
            tally: Some(Tally::new()),
            next: 0,
            segments,
            expected,
        })
    }

    pub(crate) const fn segments(&self) -> u32 {
        self.segments
    }

    /// Opens the next segment; true beside the last one, which is given out
    /// only when the whole stream has proven to be what was sealed.
    pub(crate) fn open(&mut self, mut sealed: Vec<u8>) -> Result<(Content, bool), OpenError> {
        const CHANGED: OpenError = OpenError::Changed("segment");
        let mut tally = self.tally.take().ok_or(OpenError::AfterEnd)?;
        let (index, last) = (self.next, self.next + 1 == self.segments);
        let whole = sealed.len() == SEGMENT_BYTES + TAG_BYTES;
        if sealed.len() > SEGMENT_BYTES + TAG_BYTES || (!last && !whole) {
            return Err(CHANGED);
        }
        let tag = self
            .cipher
            .open(index, last, &mut sealed)
            .map_err(|_| CHANGED)?;
        let plain = Content::new(sealed);
        tally.size += plain.len() as u64;
        tally.plain.update(plain.expose());
        tally.tags.update(tag);
        self.next = self.next.saturating_add(1);
        if last {
            if tally.facts() != self.expected {
                return Err(OpenError::Changed("stream"));
            }
        } else {
            self.tally = Some(tally);
        }
        Ok((plain, last))
    }

    /// True once the last segment was opened and all was well.
    pub(crate) const fn is_complete(&self) -> bool {
        self.tally.is_none() && self.next == self.segments
    }
}
