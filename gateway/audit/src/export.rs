//! Exports: a stretch of the log as one file that proves itself.
//!
//! Text, lines ended by LF:
//!
//! ```text
//! {"chancery-audit-export":1,"log":"chancery/node-1","key":"<base64 SubjectPublicKeyInfo>",
//!  "from":0,"to":3,"before":[],"checkpoints":1}          the header, one line
//! <64 hex digits of the leaf hash> <canonical record>    record `from`
//! <64 hex digits of the leaf hash> <canonical record>    …
//! {"checkpoint":"<signed note>"}                         where the log had its size
//! <64 hex digits of the leaf hash> <canonical record>    record `to` - 1
//! ```
//!
//! `before` are the hashes of the [`Frontier`] at `from`, so that a stretch
//! from the middle leads to the same signed roots as the whole log.

use std::io::{self, BufRead as _, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use crate::checkpoint::MAX_NOTE;
use crate::{CheckpointError, CheckpointKey, Frontier, Hash, LogId, MAX_RECORD_BYTES, leaf_hash};

/// Longest line of an export: a record behind its leaf hash.
pub(crate) const MAX_LINE: usize = MAX_RECORD_BYTES + 66;

/// Why an export could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file could not be written.
    #[error("the export could not be written: {0}")]
    Io(#[from] io::Error),
    /// Not as many records or checkpoints came as were announced, or one that
    /// has no place in an export.
    #[error("the export is not whole: {0}")]
    Incomplete(&'static str),
}

/// The first line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    #[serde(rename = "chancery-audit-export")]
    version: u64,
    log: String,
    key: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
    before: Vec<String>,
    pub(crate) checkpoints: u64,
}

/// A checkpoint's line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointLine {
    pub(crate) checkpoint: String,
}

/// Writes an export, record by record.
#[derive(Debug)]
pub struct Exporter<W> {
    out: W,
    next: u64,
    to: u64,
    checkpoints: u64,
}

impl<W: Write> Exporter<W> {
    /// Begins an export of the records from `before.size()` to `to` (not
    /// itself), with that many checkpoints among them.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn begin(
        mut out: W,
        key: &CheckpointKey,
        before: &Frontier,
        to: u64,
        checkpoints: u64,
    ) -> Result<Self, ExportError> {
        let header = Header {
            version: 1,
            log: key.log().to_string(),
            key: BASE64_STANDARD.encode(key.spki()),
            from: before.size(),
            to,
            before: before.hashes().iter().map(hex::encode).collect(),
            checkpoints,
        };
        write_json(&mut out, &header)?;
        Ok(Self {
            out,
            next: before.size(),
            to,
            checkpoints,
        })
    }

    /// Writes the next record: its canonical bytes, and its leaf hash as
    /// stored beside it. Where none is stored, the bytes' own is written: then
    /// a record that was changed in the database shows at the next checkpoint
    /// only, not by its number.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn record(&mut self, record: &[u8], stored: Option<&Hash>) -> Result<(), ExportError> {
        if self.next >= self.to {
            return Err(ExportError::Incomplete(
                "more records came than were announced",
            ));
        }
        if record.len() > MAX_RECORD_BYTES || record.contains(&b'\n') {
            return Err(ExportError::Incomplete(
                "a record is none: run `chancery audit verify` on the node",
            ));
        }
        let leaf = stored.copied().unwrap_or_else(|| leaf_hash(record));
        self.out.write_all(hex::encode(leaf).as_bytes())?;
        self.out.write_all(b" ")?;
        self.out.write_all(record)?;
        self.out.write_all(b"\n")?;
        self.next += 1;
        Ok(())
    }

    /// Number of records of the log up to here: a checkpoint of this size is
    /// to be written now.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.next
    }

    /// Writes the checkpoint of the present size.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn checkpoint(&mut self, note: &str) -> Result<(), ExportError> {
        self.checkpoints = self
            .checkpoints
            .checked_sub(1)
            .ok_or(ExportError::Incomplete(
                "more checkpoints came than were announced",
            ))?;
        write_json(
            &mut self.out,
            &CheckpointLine {
                checkpoint: note.to_owned(),
            },
        )
    }

    /// Ends the export.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn finish(mut self) -> Result<W, ExportError> {
        if self.next != self.to {
            return Err(ExportError::Incomplete(
                "fewer records came than were announced",
            ));
        }
        if self.checkpoints != 0 {
            return Err(ExportError::Incomplete(
                "fewer checkpoints came than were announced",
            ));
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

// === reading ===

impl Header {
    /// Reads the canonical form alone.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, &'static str> {
        let header: Self = parse_json(line).ok_or("not the header of an audit export")?;
        if header.version != 1 {
            return Err("of another version: use a newer `chancery`");
        }
        if header.from > header.to {
            return Err("a range that ends before it begins");
        }
        Ok(header)
    }

    pub(crate) fn key(&self) -> Result<CheckpointKey, CheckpointError> {
        read_key(&self.log, &self.key)
    }

    pub(crate) fn frontier(&self) -> Option<Frontier> {
        let hashes = self
            .before
            .iter()
            .map(|hash| read_hash(hash))
            .collect::<Option<_>>()?;
        Frontier::new(self.from, hashes).ok()
    }
}

pub(crate) fn read_key(log: &str, key: &str) -> Result<CheckpointKey, CheckpointError> {
    let log: LogId = log.parse().map_err(|_| CheckpointError::OtherLog)?;
    let spki = BASE64_STANDARD
        .decode(key)
        .map_err(|_| CheckpointError::Key)?;
    CheckpointKey::from_spki(&log, &spki)
}

/// A hash in lower-case hexadecimal, one spelling.
pub(crate) fn read_hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    (!text.bytes().any(|byte| byte.is_ascii_uppercase())).then_some(hash)
}

/// Reads a line of JSON, if it is as `serde_json` writes it.
pub(crate) fn parse_json<T: Serialize + for<'a> Deserialize<'a>>(line: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(line).ok()?;
    (serde_json::to_vec(&value).ok()? == line).then_some(value)
}

pub(crate) fn write_json<W: Write, T: Serialize>(
    out: &mut W,
    value: &T,
) -> Result<(), ExportError> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// What came of reading a line.
pub(crate) enum Line {
    /// A whole one, without its LF.
    Whole,
    /// One that the end of the file cut off.
    Cut,
    /// One that is longer than any may be.
    TooLong,
    /// None: the file is at its end.
    End,
}

/// Reads a line into `line`, never more than the longest that may be.
pub(crate) fn read_line<R: io::BufRead>(reader: &mut R, line: &mut Vec<u8>) -> io::Result<Line> {
    const LIMIT: u64 = (if MAX_LINE > 2 * MAX_NOTE {
        MAX_LINE
    } else {
        2 * MAX_NOTE
    }) as u64
        + 1;
    line.clear();
    io::Read::take(&mut *reader, LIMIT).read_until(b'\n', line)?;
    Ok(match line.pop() {
        None => Line::End,
        Some(b'\n') => Line::Whole,
        Some(last) => {
            line.push(last);
            if line.len() as u64 == LIMIT {
                Line::TooLong
            } else {
                Line::Cut
            }
        }
    })
}
