//! The record `chancery-approval-v1`: how a person approves or refuses. Its
//! form stands here alone; officers' votes and custodians' approvals are the
//! same record over different digests.
//!
//! The record's bytes are fixed: JSON with the members in this order and no
//! white space. What is signed names the node, the operation and the digest of
//! exactly what is approved, so that no signature fits anything else.

use p256::ecdsa::signature::{Signer, Verifier as _};
use p256::ecdsa::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The format's name: the first member of every record.
pub const FORMAT: &str = "chancery-approval-v1";

/// Longest time that a record may ask to be valid for, from when it is given: one day.
pub const LONGEST: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// For or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vote {
    /// For.
    Approve,
    /// Against.
    Refuse,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Canonical", into = "Canonical")]
pub struct Record {
    /// The node that it is meant for.
    pub node: String,
    /// What is approved, for example `review.vote` or `key.rotate`.
    pub operation: String,
    /// SHA-256 of exactly what is approved.
    pub digest: [u8; 32],
    /// For or against.
    pub vote: Vote,
    /// Random, used once.
    pub nonce: [u8; 16],
    /// The moment after which it counts no more: microseconds since 1970, UTC.
    pub not_after: i64,
}

/// How it is shown who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proof {
    /// ECDSA over P-256 with SHA-256, `r || s`, over the record's canonical bytes.
    Es256 {
        /// Who signed.
        officer: String,
        /// 64 bytes, hexadecimal as text.
        signature: String,
    },
}

/// A record with its proof, as it travels and as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// What was signed.
    pub record: Record,
    /// By whom, and how that is shown.
    pub proof: Proof,
}

/// The record cannot be written: its time is outside the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the approval cannot be written")]
pub struct Unwritable;

impl Record {
    /// The bytes that are signed.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Unwritable> {
        if time_text(self.not_after).is_none() {
            return Err(Unwritable);
        }
        serde_json::to_vec(self).map_err(|_| Unwritable)
    }

    /// Signs, with a key in memory or one in its owner's token.
    ///
    /// # Errors
    /// [`Unwritable`], also where the key does not sign.
    pub fn sign(self, officer: &str, key: &impl Signer<Signature>) -> Result<Signed, Unwritable> {
        let signature: Signature = key.try_sign(&self.to_bytes()?).map_err(|_| Unwritable)?;
        let proof = Proof::Es256 {
            officer: officer.to_owned(),
            signature: hex::encode(signature.to_bytes()),
        };
        Ok(Signed {
            record: self,
            proof,
        })
    }
}

impl Signed {
    /// Who is said to have signed.
    #[must_use]
    pub fn officer(&self) -> &str {
        match &self.proof {
            Proof::Es256 { officer, .. } => officer,
        }
    }

    /// True if `key` made the proof over exactly this record.
    #[must_use]
    pub fn is_by(&self, key: &VerifyingKey) -> bool {
        let Proof::Es256 { signature, .. } = &self.proof;
        let (Ok(bytes), Ok(raw)) = (self.record.to_bytes(), hex::decode(signature)) else {
            return false;
        };
        Signature::from_slice(&raw).is_ok_and(|signature| key.verify(&bytes, &signature).is_ok())
    }
}

/// A time as it is written in records: RFC 3339 in UTC; none outside the years 1 to 9999.
#[must_use]
pub fn time_text(micros: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .ok()?
        .format(&Rfc3339)
        .ok()
}

/// Reads [`time_text`], and any other RFC 3339.
#[must_use]
pub fn read_time(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1000).ok()
}

/// The members of a record, in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Canonical {
    format: String,
    node: String,
    operation: String,
    digest: String,
    vote: Vote,
    nonce: String,
    not_after: String,
}

impl From<Record> for Canonical {
    fn from(record: Record) -> Self {
        Self {
            format: FORMAT.to_owned(),
            node: record.node,
            operation: record.operation,
            digest: hex::encode(record.digest),
            vote: record.vote,
            nonce: hex::encode(record.nonce),
            not_after: time_text(record.not_after).unwrap_or_default(),
        }
    }
}

impl TryFrom<Canonical> for Record {
    type Error = &'static str;

    fn try_from(text: Canonical) -> Result<Self, Self::Error> {
        if text.format != FORMAT {
            return Err("not a chancery-approval-v1 record");
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(&text.digest, &mut digest)
            .map_err(|_| "digest is 64 hexadecimal digits")?;
        let mut nonce = [0; 16];
        hex::decode_to_slice(&text.nonce, &mut nonce)
            .map_err(|_| "nonce is 32 hexadecimal digits")?;
        let not_after =
            read_time(&text.not_after).ok_or("not_after is a time such as 2027-12-31T12:00:00Z")?;
        Ok(Self {
            node: text.node,
            operation: text.operation,
            digest,
            vote: text.vote,
            nonce,
            not_after,
        })
    }
}
