//! Sealing: content keys, binding of label to content, the sealed format,
//! opening by permit.
//!
//! ```text
//! MessageSealer ─ part, part, … ─ bind(body) ─ finish ─▶ SealedMessage   (one row)
//! BodySealer    ─ push, push, … ─────────────── finish ─▶ SealedBody     (one row) + segments
//!
//! SealedMessage ─ open(permit) ─▶ OpenMessage ─ part(n) ─▶ Content
//!                                             └ body(b) ─▶ BodyOpener ─ open(segment) ─▶ Chunk
//! ```
//!
//! A message has a content key of its own, wrapped by the custodian under the
//! KEK of its level and compartment. Its parts are sealed under keys derived
//! from it; a manifest, sealed too, binds the label, the KEK, every part and
//! every body to the message's id. So a label moved to other content, a part,
//! body or segment from elsewhere, and anything cut off, all show.
//!
//! **No permit, no plaintext**: every way to plaintext in this crate asks for
//! an [`OpeningPermit`], and what it gives out cannot outlive that permit.
//!
//! A content key seals once: it comes fresh from the custodian into a sealer
//! that is consumed by `finish`. That is why derived keys can count their
//! nonces from zero.
#![forbid(unsafe_code)]

// Named in Cargo.toml for their features alone.
use aes as _;
use ghash as _;

pub mod archive;
mod body;
mod cipher;
pub mod error;
mod generations;
pub mod index;
pub mod manifest;
pub mod message;
mod open;
pub mod permit;
pub mod row;
mod segment;

#[cfg(test)]
mod tests;

pub use archive::{ArchiveError, open_archive, seal_archive};
pub use body::{BodySealer, FinishedBody, SealedBody};
pub use error::{OpenError, SealError};
pub use index::IndexKey;
pub use manifest::{BodyFacts, PartFacts};
pub use message::{MessageSealer, PART_HEADER, PART_TEXT, SealedMessage};
pub use open::{BodyOpener, Chunk, OpenMessage};
pub use permit::{IntakePermit, OpeningPermit};
pub use row::{RowKey, RowMismatch};
pub use segment::SealedSegment;

/// Plaintext bytes of a full segment.
pub const SEGMENT_BYTES: usize = 64 * 1024;
/// Bytes by which a sealed segment is longer.
pub const TAG_BYTES: usize = 16;
/// Largest part of a message that is sealed whole, bytes.
pub const MAX_PART_BYTES: usize = 32 * 1024 * 1024;
/// Largest number of parts of a message, and of bodies bound to it.
pub const MAX_PARTS: usize = 256;
