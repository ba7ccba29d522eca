//! The officers: people who judge, and what each may judge.

use std::collections::BTreeSet;

use chancery_label::Level;
use chancery_message::{OfficerId, ParticipantId, Timestamp};
use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey;
use serde::{Deserialize, Serialize};

use super::participant::Clearance;
use crate::day::{Day, Validity};

/// One version of an officer's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Officer {
    /// The officer's id.
    pub id: OfficerId,
    /// The officer's name.
    pub name: String,
    /// The officer's own organisation: a participant whose releases the officer never judges.
    pub participant: ParticipantId,
    /// What the officer may do.
    pub roles: BTreeSet<Role>,
    /// Up to which level the officer may read, and until when; `NC` where absent.
    #[serde(default)]
    pub clearance: Option<Clearance>,
    /// The key with which the officer signs votes: P-256, SubjectPublicKeyInfo
    /// in PEM. Without one the officer can sign nothing.
    #[serde(default)]
    pub key: Option<String>,
    /// First day of this version.
    #[serde(default)]
    pub valid_from: Option<Day>,
    /// Last day of this version.
    #[serde(default)]
    pub valid_until: Option<Day>,
    /// Whether the officer is suspended.
    #[serde(default)]
    pub suspended: bool,
}

/// What an officer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Routes, registers, labels what came without a label.
    Registry,
    /// Votes on held releases.
    Release,
    /// Directory, agreements, rules, suspensions.
    Security,
    /// Reads the log.
    Auditor,
    /// Keys.
    KeyCustodian,
}

impl Officer {
    /// The days of this version.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        Validity {
            from: self.valid_from,
            until: self.valid_until,
        }
    }

    /// The clearance in force, else `NC`.
    #[must_use]
    pub fn clearance_at(&self, now: Timestamp) -> Level {
        Clearance::at(self.clearance.as_ref(), now)
    }

    /// The key with which the officer's signatures are verified; none where it
    /// is absent or cannot be read.
    #[must_use]
    pub fn verifying_key(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_public_key_pem(self.key.as_deref()?).ok()
    }
}
