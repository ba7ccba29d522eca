//! Who takes part, and by which channels they are reached.

use chancery_label::Level;
use chancery_message::{Channel, Community, ParticipantId, ParticipantKind, Timestamp};
use serde::{Deserialize, Serialize};

use super::person::Person;
use crate::day::{Day, Validity};
use crate::facts::{Article25Basis, Country, ExternalAgreement};

/// One version of a participant's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// Its id.
    pub id: ParticipantId,
    /// Its name in words.
    pub name: String,
    /// The organisation that it belongs to; the same for all of its desks.
    pub organisation: String,
    /// Organisations whose client it is (TLP:AMBER).
    #[serde(default)]
    pub client_of: Vec<String>,
    /// Its community.
    pub community: Community,
    /// What kind of body it is.
    pub kind: ParticipantKind,
    /// Where it is.
    pub country: Country,
    /// Whether it acts on what it receives or supports those who do.
    #[serde(default)]
    pub standing: Standing,
    /// The compartment whose keys protect what it originates: 1 to 32 of
    /// `a`-`z`, `0`-`9` and `-`. A private participant's is its own alone.
    pub compartment: String,
    /// What lets classified information reach it, where it is outside the EU or a company.
    #[serde(default)]
    pub external_agreement: ExternalAgreement,
    /// Basis for transfers of personal data to it.
    #[serde(default)]
    pub article_25_basis: Article25Basis,
    /// Whether it is a custodian of cryptographic material.
    #[serde(default)]
    pub crypto_custodian: bool,
    /// Whether it is the central registry, by way of which third States and
    /// international organisations are reached. One is, at most.
    #[serde(default)]
    pub central_registry: bool,
    /// Whether an officer has suspended it.
    #[serde(default)]
    pub suspended: bool,
    /// The channel by which it is reached; the first usable one where absent.
    #[serde(default)]
    pub preferred_channel: Option<Channel>,
    /// Participants that it may know of beside those of [`super::View::may_see`].
    #[serde(default)]
    pub may_see: Vec<ParticipantId>,
    /// First day of this version.
    #[serde(default)]
    pub valid_from: Option<Day>,
    /// Last day of this version.
    #[serde(default)]
    pub valid_until: Option<Day>,
    /// Up to which level it is cleared, and until when; `NC` where absent.
    #[serde(default)]
    pub clearance: Option<Clearance>,
    /// Whom to reach when it is urgent.
    #[serde(default)]
    pub duty: Option<Duty>,
    /// The people who act for it.
    #[serde(default, rename = "person")]
    pub people: Vec<Person>,
    /// Email with OpenPGP.
    #[serde(default)]
    pub mail: Option<MailEntry>,
    /// SIENA-style XML over mutual TLS.
    #[serde(default)]
    pub siena: Option<TlsEntry>,
    /// REST over mutual TLS.
    #[serde(default)]
    pub rest: Option<TlsEntry>,
}

/// Whether a participant acts on what it receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It acts.
    #[default]
    Operational,
    /// It supports those who act.
    Supporting,
}

/// A clearance in force through a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clearance {
    /// Up to which level.
    pub level: Level,
    /// Its last day.
    pub until: Day,
}

/// Whom to reach when it is urgent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// Name and telephone number or the like.
    pub contact: String,
    /// Whether somebody answers at every hour.
    #[serde(default)]
    pub round_the_clock: bool,
}

/// How far a channel is approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Up to which level the channel is accredited.
    #[serde(default)]
    pub accreditation: Level,
    /// Last day of the accreditation.
    #[serde(default)]
    pub accredited_until: Option<Day>,
    /// Up to which level its cryptography is approved, by the authority for
    /// that level, for the profile that this gateway uses on the channel.
    #[serde(default)]
    pub crypto_approval: Level,
    /// Last day of the approval of its cryptography.
    #[serde(default)]
    pub crypto_approved_until: Option<Day>,
    /// Whether the channel is publicly accessible.
    #[serde(default)]
    pub public: bool,
}

/// Email with OpenPGP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailEntry {
    /// The address, compared without regard to case.
    pub address: String,
    /// The fingerprint of its certificate, hexadecimal.
    #[serde(default)]
    pub openpgp_fingerprint: Option<String>,
    /// Its certificate, ASCII-armored.
    #[serde(default)]
    pub openpgp_certificate: Option<String>,
    /// How far the channel is approved.
    #[serde(default)]
    pub approval: Approval,
}

/// A channel over mutual TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsEntry {
    /// SHA-256 of its client certificates (DER), hexadecimal.
    #[serde(default)]
    pub certificates: Vec<Fingerprint>,
    /// How far the channel is approved.
    #[serde(default)]
    pub approval: Approval,
}

/// SHA-256 of a certificate; 64 hexadecimal digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(
            |_| "a certificate is named by its SHA-256 fingerprint: 64 hexadecimal digits",
        )?;
        Ok(Self(bytes))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        hex::encode(fingerprint.0)
    }
}

/// A participant's channel as it is on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelEntry {
    /// Which channel.
    pub channel: Channel,
    /// The accreditation in force on that day, else `NC`.
    pub accreditation: Level,
    /// The approval of its cryptography in force on that day, else `NC`.
    pub crypto_approval: Level,
    /// Whether it is publicly accessible.
    pub public: bool,
    /// Whether the keys are there without which nothing can be delivered.
    pub usable: bool,
}

// === impl Participant ===

impl Participant {
    /// A participant without clearance, channels or anything that widens.
    #[must_use]
    pub fn new(
        id: ParticipantId,
        community: Community,
        kind: ParticipantKind,
        country: Country,
    ) -> Self {
        Self {
            name: id.to_string(),
            organisation: id.to_string(),
            compartment: id.as_str().chars().filter(|c| *c != '.').take(32).collect(),
            id,
            client_of: Vec::new(),
            community,
            kind,
            country,
            standing: Standing::default(),
            external_agreement: ExternalAgreement::default(),
            article_25_basis: Article25Basis::default(),
            crypto_custodian: false,
            central_registry: false,
            suspended: false,
            preferred_channel: None,
            may_see: Vec::new(),
            valid_from: None,
            valid_until: None,
            clearance: None,
            duty: None,
            people: Vec::new(),
            mail: None,
            siena: None,
            rest: None,
        }
    }

    /// The days of this version.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        Validity {
            from: self.valid_from,
            until: self.valid_until,
        }
    }

    /// True for companies: each in a compartment of its own, blind to the others.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        matches!(self.kind, ParticipantKind::Private)
            || matches!(self.community, Community::Private)
    }

    /// True for those outside the institutions and Member States.
    #[must_use]
    pub fn is_external(&self) -> bool {
        matches!(
            self.kind,
            ParticipantKind::ThirdState | ParticipantKind::InternationalOrganisation
        ) || !self.country.is_in_eu()
    }

    /// The clearance in force, else `NC`.
    #[must_use]
    pub fn clearance_at(&self, now: Timestamp) -> Level {
        Clearance::at(self.clearance.as_ref(), now)
    }

    /// The entry of a channel as it is now, if it has one.
    #[must_use]
    pub fn channel(&self, channel: Channel, now: Timestamp) -> Option<ChannelEntry> {
        let has_people = || {
            let acts = |one: &&Person| one.acts_at(now);
            let mut people = self.people.iter().filter(acts);
            people.any(|one| !one.certificates(channel).is_empty())
        };
        let (approval, usable) = match channel {
            Channel::Mail => self
                .mail
                .as_ref()
                .map(|mail| (mail.approval, mail.is_usable())),
            Channel::Siena => self
                .siena
                .as_ref()
                .map(|tls| (tls.approval, tls.is_usable() || has_people())),
            Channel::Rest => self
                .rest
                .as_ref()
                .map(|tls| (tls.approval, tls.is_usable() || has_people())),
        }?;
        Some(approval.at(channel, usable, now))
    }

    /// The channel by which it is reached now: the preferred one if that is
    /// usable, else the first usable one.
    #[must_use]
    pub fn reached_by(&self, now: Timestamp) -> Option<ChannelEntry> {
        self.preferred_channel
            .into_iter()
            .chain(Channel::ALL)
            .filter_map(|channel| self.channel(channel, now))
            .find(|entry| entry.usable)
    }
}

impl Clearance {
    /// The level of a clearance in force, else `NC`.
    #[must_use]
    pub fn at(clearance: Option<&Self>, now: Timestamp) -> Level {
        clearance
            .filter(|one| now < one.until.end())
            .map_or(Level::Nc, |one| one.level)
    }
}

impl Approval {
    fn at(self, channel: Channel, usable: bool, now: Timestamp) -> ChannelEntry {
        let in_force = |level: Level, until: Option<Day>| match until {
            Some(day) if day.end() <= now => Level::Nc,
            _ => level,
        };
        ChannelEntry {
            channel,
            accreditation: in_force(self.accreditation, self.accredited_until),
            crypto_approval: in_force(self.crypto_approval, self.crypto_approved_until),
            public: self.public,
            usable,
        }
    }
}

impl MailEntry {
    /// True where there is a certificate to encrypt to.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.openpgp_certificate
            .as_ref()
            .is_some_and(|text| !text.trim().is_empty())
    }
}

impl TlsEntry {
    /// True where there is a certificate to recognise it by.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        !self.certificates.is_empty()
    }
}
