//! A vote or approval is a signature over a canonical record.
//!
//! The record's form stands in `chancery_hsm_api::approval`; here it has the
//! gateway's own types. What is signed names the node, the operation and the digest of
//! exactly what is approved, so that no signature fits anything else. Whether a
//! nonce was used before, the caller asks the store.

use std::collections::BTreeSet;

use chancery_hsm_api::approval as form;
use chancery_message::{OfficerId, Timestamp};
use p256::ecdsa::Signature;
use p256::ecdsa::signature::{Signer, Verifier};
use serde::{Deserialize, Serialize};

use crate::directory::{Officer, Role, View};

pub use chancery_hsm_api::approval::{FORMAT, Vote};

/// What an officer signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "form::Record", into = "form::Record")]
pub struct Record {
    /// The node that it is meant for.
    pub node: String,
    /// What is approved, for example `review.vote` or `mou.agree`.
    pub operation: String,
    /// SHA-256 of exactly what is approved.
    pub digest: [u8; 32],
    /// For or against.
    pub vote: Vote,
    /// Random, used once.
    pub nonce: [u8; 16],
    /// The moment after which it counts no more.
    pub not_after: Timestamp,
}

/// How it is shown that the officer made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proof {
    /// ECDSA over P-256 with SHA-256, `r || s`, over the record's canonical bytes.
    Es256 {
        /// Who signed.
        officer: OfficerId,
        /// 64 bytes, hexadecimal as text.
        #[serde(with = "hex_bytes")]
        signature: Vec<u8>,
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

/// An approval whose proof was verified. Made by [`verify`] alone.
#[derive(Debug)]
pub struct Verified {
    officer: OfficerId,
    record: Record,
}

/// What a record must be about, and who may make it.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// This node.
    pub node: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The digest of what is approved.
    pub digest: [u8; 32],
    /// The officer has one of these roles.
    pub roles: &'a [Role],
    /// When the approval was given: now, or, of one that was kept, when it was
    /// taken in. It must have been in time then; the officer must be in office now.
    pub given_at: Timestamp,
}

/// Why an approval does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// No officer of that id is in force, or the officer is suspended.
    #[error("no officer of that name is in office: ask a security officer")]
    UnknownOfficer,
    /// The officer has no readable key.
    #[error("no key is registered for the officer: register one first")]
    NoKey,
    /// The signature does not fit.
    #[error("the signature does not fit: sign again with the officer's own key")]
    BadSignature,
    /// The record is another node's.
    #[error("the approval is meant for another node")]
    OtherNode,
    /// The record is about another operation.
    #[error("the approval is meant for another operation")]
    OtherOperation,
    /// The record is about something else, or what it is about has changed.
    #[error("what was approved has changed: look at it again and sign anew")]
    OtherDigest,
    /// The record's time is over.
    #[error("the approval has expired: sign anew")]
    Expired,
    /// The record asks to be valid for longer than a day.
    #[error("an approval is valid for at most one day")]
    TooLong,
    /// The officer has none of the roles that may.
    #[error("the officer's roles do not allow this")]
    WrongRole,
    /// There is no record to sign: a part of it cannot be written.
    #[error("the approval cannot be written")]
    Unwritable,
}

// === impl Record ===

impl Record {
    /// The bytes that are signed.
    ///
    /// # Errors
    /// [`ApprovalError::Unwritable`] when a time is outside the years 1 to 9999.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ApprovalError> {
        form::Record::from(self.clone())
            .to_bytes()
            .map_err(|form::Unwritable| ApprovalError::Unwritable)
    }

    /// Signs.
    ///
    /// # Errors
    /// As [`Record::to_bytes`].
    pub fn sign(
        self,
        officer: OfficerId,
        key: &impl Signer<Signature>,
    ) -> Result<Signed, ApprovalError> {
        let signature: Signature = key
            .try_sign(&self.to_bytes()?)
            .map_err(|_| ApprovalError::Unwritable)?;
        let proof = Proof::Es256 {
            officer,
            signature: signature.to_bytes().to_vec(),
        };
        Ok(Signed {
            record: self,
            proof,
        })
    }
}

// === impl Signed ===

impl Signed {
    /// Who is said to have signed.
    #[must_use]
    pub const fn officer(&self) -> &OfficerId {
        match &self.proof {
            Proof::Es256 { officer, .. } => officer,
        }
    }
}

// === impl Verified ===

impl Verified {
    /// Who approved.
    #[must_use]
    pub const fn officer(&self) -> &OfficerId {
        &self.officer
    }

    /// For or against.
    #[must_use]
    pub const fn vote(&self) -> Vote {
        self.record.vote
    }

    /// What was signed.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }
}

/// Verifies an approval: the officer is in office and may, the record is about
/// what is expected and in time, the signature fits.
///
/// # Errors
/// [`ApprovalError`], the first that applies.
pub fn verify(
    signed: &Signed,
    expected: &Expected<'_>,
    directory: &View<'_>,
) -> Result<Verified, ApprovalError> {
    let officer = directory
        .officer(signed.officer())
        .ok_or(ApprovalError::UnknownOfficer)?;
    check_signature(signed, officer)?;
    let record = &signed.record;
    if record.node != expected.node {
        return Err(ApprovalError::OtherNode);
    }
    if record.operation != expected.operation {
        return Err(ApprovalError::OtherOperation);
    }
    if record.digest != expected.digest {
        return Err(ApprovalError::OtherDigest);
    }
    if record.not_after < expected.given_at {
        return Err(ApprovalError::Expired);
    }
    if record.not_after > expected.given_at.after(form::LONGEST) {
        return Err(ApprovalError::TooLong);
    }
    if !expected
        .roles
        .iter()
        .any(|role| officer.roles.contains(role))
    {
        return Err(ApprovalError::WrongRole);
    }
    Ok(Verified {
        officer: officer.id.clone(),
        record: record.clone(),
    })
}

/// The signature alone, whatever the record says: for verifying what was
/// approved long ago.
///
/// # Errors
/// [`ApprovalError::NoKey`] or [`ApprovalError::BadSignature`].
pub fn check_signature(signed: &Signed, officer: &Officer) -> Result<(), ApprovalError> {
    let Proof::Es256 { signature, .. } = &signed.proof;
    let key = officer.verifying_key().ok_or(ApprovalError::NoKey)?;
    let signature = Signature::from_slice(signature).map_err(|_| ApprovalError::BadSignature)?;
    key.verify(&signed.record.to_bytes()?, &signature)
        .map_err(|_| ApprovalError::BadSignature)
}

/// How many distinct officers approved; none if one refused.
#[must_use]
pub fn count(approvals: &[Verified]) -> Option<usize> {
    if approvals.iter().any(|one| one.vote() == Vote::Refuse) {
        return None;
    }
    Some(
        approvals
            .iter()
            .map(Verified::officer)
            .collect::<BTreeSet<_>>()
            .len(),
    )
}

impl From<Record> for form::Record {
    fn from(record: Record) -> Self {
        Self {
            node: record.node,
            operation: record.operation,
            digest: record.digest,
            vote: record.vote,
            nonce: record.nonce,
            not_after: record.not_after.as_micros(),
        }
    }
}

impl From<form::Record> for Record {
    fn from(record: form::Record) -> Self {
        Self {
            node: record.node,
            operation: record.operation,
            digest: record.digest,
            vote: record.vote,
            nonce: record.nonce,
            not_after: Timestamp::from_micros(record.not_after),
        }
    }
}

mod hex_bytes {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(input)?)
            .map_err(|_| D::Error::custom("a signature is hexadecimal digits"))
    }
}
