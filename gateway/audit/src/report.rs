//! What the offline verifier found, for people and for machines.

use std::fmt;

use crate::{CheckpointError, Hash, LogId, RecordError};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The log, as far as the header could be read.
    pub log: Option<LogId>,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub fingerprint: Option<Hash>,
    /// True if that is the key that was expected; false if none was.
    pub key_expected: bool,
    /// The first record of the export.
    pub from: u64,
    /// Number of records of the log up to the last good one.
    pub size: u64,
    /// Root hash over them.
    pub root: Hash,
    /// Checkpoints of the export that were verified.
    pub checkpoints: u64,
    /// Anchors that were met.
    pub anchors: u64,
    /// Records below this are covered by a verified checkpoint (in the export
    /// or among the anchors); those from here on are not yet anchored.
    pub anchored: u64,
    /// The first thing that is wrong; nothing after it was looked at.
    pub fault: Option<Fault>,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub what: Wrong,
    /// The line of the file, counted from 1.
    pub line: u64,
}

/// Where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the first line.
    Header,
    /// At this record: it is the first bad one.
    Record(u64),
    /// Somewhere among these records, the last one included: each is well
    /// formed, together they are not what was signed.
    Records(u64, u64),
    /// In the checkpoint of that size.
    Checkpoint(u64),
    /// In an anchor: the one with this index.
    Anchor(usize),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The header.
    #[error("{0}")]
    Header(&'static str),
    /// The key is not the expected one.
    #[error("signed with another key than expected")]
    Key,
    /// The log is not the expected one.
    #[error("of another log than expected")]
    Log,
    /// A line that is no record.
    #[error("{0}")]
    Record(RecordError),
    /// The bytes do not have the hash that was recorded for them.
    #[error("the record was changed: it has not the hash recorded for it")]
    LeafHash,
    /// A later record stands here.
    #[error("the record is missing or out of its place: record {found} stands there")]
    Missing {
        /// Its sequence number.
        found: u64,
    },
    /// An earlier record stands here again.
    #[error("a record stands there that does not belong: record {found} again")]
    Extra {
        /// Its sequence number.
        found: u64,
    },
    /// A checkpoint stands here that covers more records than there are.
    #[error("the record is missing: the checkpoint after {announced} records stands there")]
    Before {
        /// The size of the checkpoint.
        announced: u64,
    },
    /// The file ends before it should.
    #[error("the record is missing: the file ends before it")]
    Ended,
    /// The file goes on after it should have ended.
    #[error("there is more in the file than its header announces")]
    More,
    /// Not as many checkpoints as announced.
    #[error("a checkpoint is missing")]
    CheckpointMissing,
    /// A checkpoint that is not believed.
    #[error("{0}")]
    Checkpoint(CheckpointError),
    /// A checkpoint at the wrong place.
    #[error("the checkpoint stands out of its place")]
    CheckpointPlace,
    /// The records are not those that were signed.
    #[error(
        "the records are not those of the signed checkpoint: one was changed, added, removed or the log was forked"
    )]
    Root,
    /// An anchor tells of more records than there are.
    #[error("a checkpoint held elsewhere tells of {size} records: the end of the log is missing")]
    Anchor {
        /// Its size.
        size: u64,
    },
}

// === impl Report ===

impl Report {
    /// True if nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.fault.is_none()
    }

    /// Records that no verified checkpoint covers yet.
    #[must_use]
    pub const fn not_yet_anchored(&self) -> u64 {
        self.size.saturating_sub(self.anchored)
    }

    /// For machines.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let (first, last) = match self.fault.as_ref().map(|fault| fault.place) {
            Some(Place::Record(seq)) => (Some(seq), Some(seq)),
            Some(Place::Records(first, last)) => (Some(first), Some(last)),
            Some(Place::Header | Place::Checkpoint(_) | Place::Anchor(_)) | None => (None, None),
        };
        serde_json::json!({
            "sound": self.is_sound(),
            "log": self.log.as_ref().map(LogId::as_str),
            "key_fingerprint": self.fingerprint.map(hex::encode),
            "key_expected": self.key_expected,
            "from": self.from,
            "size": self.size,
            "root": hex::encode(self.root),
            "checkpoints": self.checkpoints,
            "anchors": self.anchors,
            "anchored": self.anchored,
            "not_yet_anchored": self.not_yet_anchored(),
            "fault": self.fault.as_ref().map(ToString::to_string),
            "first_bad": first,
            "last_possible": last,
            "line": self.fault.as_ref().map(|fault| fault.line),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Header => write!(f, "header: ")?,
            Place::Record(seq) => write!(f, "record {seq}: ")?,
            Place::Records(first, last) if first == last => write!(f, "record {first}: ")?,
            Place::Records(first, last) => write!(f, "one of the records {first} to {last}: ")?,
            Place::Checkpoint(size) => write!(f, "checkpoint after {size} records: ")?,
            Place::Anchor(index) => write!(f, "checkpoint held elsewhere, number {}: ", index + 1)?,
        }
        write!(f, "{} (line {})", self.what, self.line)
    }
}

impl fmt::Display for Report {
    /// A few lines for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(log) = &self.log {
            writeln!(f, "log          {log}")?;
        }
        if let Some(fingerprint) = &self.fingerprint {
            let note = if self.key_expected {
                "as expected"
            } else {
                "the file's own claim: compare it"
            };
            writeln!(f, "key          {} ({note})", hex::encode(fingerprint))?;
        }
        writeln!(
            f,
            "records      {} to {} (not itself)",
            self.from, self.size
        )?;
        writeln!(f, "root         {}", hex::encode(self.root))?;
        writeln!(
            f,
            "checkpoints  {} verified, {} held elsewhere met",
            self.checkpoints, self.anchors
        )?;
        if self.not_yet_anchored() > 0 {
            writeln!(
                f,
                "not yet anchored by a checkpoint: {} records from {}",
                self.not_yet_anchored(),
                self.anchored
            )?;
        }
        match &self.fault {
            None => write!(f, "sound"),
            Some(fault) => write!(f, "NOT SOUND: {fault}"),
        }
    }
}
