//! The people who act for a participant. A participant's own certificates are
//! those of its systems; a person has one of its own, so that the log names who
//! sent and who read, and a person sees no more than it is cleared for.

use chancery_label::Level;
use chancery_message::{Channel, PersonId, Timestamp};
use serde::{Deserialize, Serialize};

use super::participant::{Clearance, Fingerprint};
use crate::day::{Day, Validity};

/// One person who acts for the participant in whose entry it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The person's id: one person of the whole directory.
    pub id: PersonId,
    /// The person's name.
    pub name: String,
    /// SHA-256 of the person's client certificates for REST, hexadecimal.
    #[serde(default)]
    pub rest: Vec<Fingerprint>,
    /// The same for the SIENA-style exchange.
    #[serde(default)]
    pub siena: Vec<Fingerprint>,
    /// First day.
    #[serde(default)]
    pub valid_from: Option<Day>,
    /// Last day.
    #[serde(default)]
    pub valid_until: Option<Day>,
    /// Whether an officer has suspended the person.
    #[serde(default)]
    pub suspended: bool,
    /// Up to which level the person is cleared, and until when; `NC` where absent.
    #[serde(default)]
    pub clearance: Option<Clearance>,
}

impl Person {
    /// The days of this entry.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        Validity {
            from: self.valid_from,
            until: self.valid_until,
        }
    }

    /// True on the person's days, unless suspended.
    #[must_use]
    pub fn acts_at(&self, now: Timestamp) -> bool {
        self.validity().holds(now) && !self.suspended
    }

    /// The clearance in force, else `NC`.
    #[must_use]
    pub fn clearance_at(&self, now: Timestamp) -> Level {
        Clearance::at(self.clearance.as_ref(), now)
    }

    /// The person's certificates on a channel; mail has none: its key is the
    /// participant's.
    #[must_use]
    pub fn certificates(&self, channel: Channel) -> &[Fingerprint] {
        match channel {
            Channel::Rest => &self.rest,
            Channel::Siena => &self.siena,
            Channel::Mail => &[],
        }
    }
}
