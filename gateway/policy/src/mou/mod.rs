//! Memoranda of understanding as data that rule.
//!
//! Without an MoU in force nothing crosses communities. One MoU must cover
//! pair, communities, purpose and compartments; ceilings of different MoUs are
//! never combined; articles only narrow.

mod load;
mod register;
mod signed;

use chancery_label::{Level, Tlp};
use chancery_message::{Community, MouId, ParticipantId, Purpose};
use serde::{Deserialize, Serialize};

use crate::day::{Day, Validity};

pub use load::{MouError, read};
pub use register::{Crossing, MouFact, Register};
pub use signed::{SignatureError, operation, verify};

/// One memorandum of understanding, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mou {
    /// Its id.
    pub id: MouId,
    /// Its title.
    pub title: String,
    /// Whether it is a draft, in force or suspended.
    pub state: Standing,
    /// First day in force.
    pub valid_from: Day,
    /// Last day in force.
    pub valid_until: Day,
    /// Between whom: each pair of these is covered. At most one is private.
    pub parties: Vec<ParticipantId>,
    /// The communities between which it lets information pass.
    pub communities: Vec<Community>,
    /// Up to which level.
    pub ceiling: Level,
    /// For which purposes.
    pub purposes: Vec<Purpose>,
    /// The compartments of both ends must be among these.
    pub compartments: Vec<String>,
    /// Silence procedure: hours after which the originator's silence counts as
    /// consent, for unclassified information alone; none where it never does.
    #[serde(default)]
    pub silence_hours: Option<u32>,
    /// What narrows it.
    #[serde(default, rename = "article")]
    pub articles: Vec<Article>,
}

/// Whether an MoU rules, as its file says; its days say the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Not yet agreed.
    Draft,
    /// Agreed: in force on its days.
    Agreed,
    /// Suspended by an officer.
    Suspended,
}

/// One article: to what it applies, and what it then demands. An empty
/// condition applies to everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Article {
    /// Its number in the MoU, as the record cites it.
    pub number: String,
    /// What it says, in words.
    pub says: String,
    /// Applies to these purposes; to all where empty.
    #[serde(default)]
    pub purposes: Vec<Purpose>,
    /// Applies to releases by these senders; to all where empty.
    #[serde(default)]
    pub senders: Vec<ParticipantId>,
    /// Applies to releases to these recipients; to all where empty.
    #[serde(default)]
    pub recipients: Vec<ParticipantId>,
    /// Demands at most this level.
    #[serde(default)]
    pub max_level: Option<Level>,
    /// Demands a TLP label, and at most this one.
    #[serde(default)]
    pub max_tlp: Option<Tlp>,
    /// Demands that there is no personal data.
    #[serde(default)]
    pub no_personal_data: bool,
    /// Forbids whatever it applies to.
    #[serde(default)]
    pub forbidden: bool,
}

// === impl Mou ===

impl Mou {
    /// Its days.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        Validity {
            from: Some(self.valid_from),
            until: Some(self.valid_until),
        }
    }
}

// === impl Article ===

impl Article {
    /// True unless it applies and demands something that the release does not keep.
    #[must_use]
    pub fn holds(&self, release: &Crossing<'_>) -> bool {
        !self.applies(release)
            || (!self.forbidden
                && self.max_level.is_none_or(|max| release.level <= max)
                && self
                    .max_tlp
                    .is_none_or(|max| release.tlp.is_some_and(|tlp| tlp <= max))
                && !(self.no_personal_data && release.personal_data))
    }

    /// True if it concerns the release.
    #[must_use]
    pub fn applies(&self, release: &Crossing<'_>) -> bool {
        let among = |ids: &[ParticipantId], id: &ParticipantId| ids.is_empty() || ids.contains(id);
        (self.purposes.is_empty() || self.purposes.contains(&release.purpose))
            && among(&self.senders, &release.sender.id)
            && among(&self.recipients, &release.recipient.id)
    }

    /// True where it demands nothing: a mistake.
    const fn is_idle(&self) -> bool {
        self.max_level.is_none()
            && self.max_tlp.is_none()
            && !self.no_personal_data
            && !self.forbidden
    }
}
