//! Passports: what the log says of one message, provable without the log.
//!
//! Text, lines ended by LF: a header with the log's key and one signed
//! checkpoint, then for each record its inclusion proof and its bytes:
//!
//! ```text
//! {"chancery-audit-passport":1,"log":"…","key":"…","message":"…","records":2,"checkpoint":"<signed note>"}
//! <hashes of the proof in hex, joined by commas; - if none> <canonical record>
//! ```
//!
//! It proves that each record is in the log, not that there are no others of
//! the message: for that one needs an export.

use std::io::{self, BufRead, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use chancery_message::MessageId;
use serde::{Deserialize, Serialize};

use crate::export::{ExportError, Line, parse_json, read_hash, read_key, read_line, write_json};
use crate::report::Wrong;
use crate::tree::MAX_PROOF;
use crate::verify::Expect;
use crate::{Checkpoint, CheckpointKey, Hash, Record, RecordError, leaf_hash, verify_inclusion};

/// Most records that a passport is read with.
const MAX_RECORDS: u64 = 10_000;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "chancery-audit-passport")]
    version: u64,
    log: String,
    key: String,
    message: String,
    records: u64,
    checkpoint: String,
}

/// A record's canonical bytes and its inclusion proof.
pub type Proven = (Vec<u8>, Vec<Hash>);

/// A verified passport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passport {
    /// About which message.
    pub message: MessageId,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub fingerprint: Hash,
    /// True if that is the key that was expected; false if none was.
    pub key_expected: bool,
    /// The checkpoint that all records are proven against.
    pub checkpoint: Checkpoint,
    /// The records, in order.
    pub records: Vec<Record>,
}

/// Why a passport is not believed.
#[derive(Debug, thiserror::Error)]
pub enum PassportError {
    /// The file could not be read.
    #[error("the passport could not be read: {0}")]
    Io(#[from] io::Error),
    /// Something in its first line.
    #[error("header: {0}")]
    Header(Wrong),
    /// A record that is none, or of something else.
    #[error("line {line}: {what}")]
    Record {
        /// The line of the file, counted from 1.
        line: u64,
        /// What is wrong.
        what: Wrong,
    },
    /// A record that is not in the signed log.
    #[error("record {seq} is not in the signed log")]
    Proof {
        /// Its sequence number.
        seq: u64,
    },
}

/// Writes a passport: `note` is a checkpoint that covers all records; each
/// record comes with its inclusion proof in the tree of that size.
///
/// # Errors
/// [`ExportError::Io`].
pub fn write<W: Write>(
    mut out: W,
    key: &CheckpointKey,
    note: &str,
    message: &MessageId,
    records: &[Proven],
) -> Result<W, ExportError> {
    let header = Header {
        version: 1,
        log: key.log().to_string(),
        key: BASE64_STANDARD.encode(key.spki()),
        message: message.to_string(),
        records: records.len() as u64,
        checkpoint: note.to_owned(),
    };
    write_json(&mut out, &header)?;
    for (record, proof) in records {
        let proof: Vec<_> = proof.iter().map(hex::encode).collect();
        let proof = if proof.is_empty() {
            "-".to_owned()
        } else {
            proof.join(",")
        };
        out.write_all(proof.as_bytes())?;
        out.write_all(b" ")?;
        out.write_all(record)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(out)
}

/// Verifies a passport, offline. Anchors of `expect` are not looked at.
///
/// # Errors
/// [`PassportError`], at the first thing that is wrong.
pub fn verify<R: BufRead>(mut reader: R, expect: &Expect) -> Result<Passport, PassportError> {
    let wrong = PassportError::Header;
    let mut line = Vec::new();
    let Line::Whole = read_line(&mut reader, &mut line)? else {
        return Err(wrong(Wrong::Header("not the header of a passport")));
    };
    let header: Header =
        parse_json(&line).ok_or(wrong(Wrong::Header("not the header of a passport")))?;
    if header.version != 1 || header.records > MAX_RECORDS {
        return Err(wrong(Wrong::Header("of another version, or too long")));
    }
    let message: MessageId = header
        .message
        .parse()
        .map_err(|_| wrong(Wrong::Header("about no message")))?;
    let key =
        read_key(&header.log, &header.key).map_err(|error| wrong(Wrong::Checkpoint(error)))?;
    if expect
        .fingerprint
        .is_some_and(|expected| expected != key.fingerprint())
    {
        return Err(wrong(Wrong::Key));
    }
    if expect
        .log
        .as_ref()
        .is_some_and(|expected| expected != key.log())
    {
        return Err(wrong(Wrong::Log));
    }
    let checkpoint = Checkpoint::verify(header.checkpoint.as_bytes(), &key)
        .map_err(|error| wrong(Wrong::Checkpoint(error)))?;
    let mut records: Vec<Record> = Vec::new();
    for number in 2.. {
        match read_line(&mut reader, &mut line)? {
            Line::End => break,
            Line::Whole if (records.len() as u64) < header.records => {
                records.push(read_record(
                    &line,
                    number,
                    &message,
                    &checkpoint,
                    records.last(),
                )?);
            }
            Line::Whole | Line::Cut | Line::TooLong => {
                return Err(PassportError::Record {
                    line: number,
                    what: Wrong::More,
                });
            }
        }
    }
    if records.len() as u64 != header.records {
        return Err(PassportError::Record {
            line: records.len() as u64 + 2,
            what: Wrong::Ended,
        });
    }
    Ok(Passport {
        message,
        fingerprint: key.fingerprint(),
        key_expected: expect.fingerprint.is_some(),
        checkpoint,
        records,
    })
}

fn read_record(
    line: &[u8],
    number: u64,
    message: &MessageId,
    checkpoint: &Checkpoint,
    before: Option<&Record>,
) -> Result<Record, PassportError> {
    let wrong = |what| PassportError::Record { line: number, what };
    let malformed = || wrong(Wrong::Record(RecordError::Malformed));
    let split = line
        .iter()
        .position(|byte| *byte == b' ')
        .ok_or_else(malformed)?;
    let (proof, bytes) = line.split_at_checked(split).ok_or_else(malformed)?;
    let bytes = bytes.strip_prefix(b" ").ok_or_else(malformed)?;
    let proof = std::str::from_utf8(proof)
        .ok()
        .and_then(read_proof)
        .ok_or_else(malformed)?;
    let record = Record::parse(bytes).map_err(|error| wrong(Wrong::Record(error)))?;
    if record.log != checkpoint.log || record.event.message != Some(*message) {
        return Err(wrong(Wrong::Log));
    }
    if before.is_some_and(|before| before.seq >= record.seq) {
        return Err(wrong(Wrong::Extra { found: record.seq }));
    }
    verify_inclusion(
        &proof,
        record.seq,
        leaf_hash(bytes),
        checkpoint.size,
        checkpoint.root,
    )
    .map_err(|_| PassportError::Proof { seq: record.seq })?;
    Ok(record)
}

fn read_proof(text: &str) -> Option<Vec<Hash>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let mut proof = Vec::new();
    for hash in text.split(',') {
        if proof.len() == MAX_PROOF {
            return None;
        }
        proof.push(read_hash(hash)?);
    }
    Some(proof)
}
