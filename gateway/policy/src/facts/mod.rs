//! The facts that one decision depends on: one flat object, every field typed.
//!
//! Field names, values and defaults are those of the decision's fact table.
//! Nothing is guessed: a missing required field, an unknown field, an unknown
//! value, a duplicate field or a value of the wrong type is an error.

mod country;
mod read;
mod words;

use std::collections::BTreeSet;

use chancery_label::{Caveat, HandlingCode, Level, Tlp};
use chancery_message::{Community, ParticipantKind, Purpose};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use country::Country;
pub use words::{
    Article25Basis, Consent, ExternalAgreement, LabelState, MouState, Relation, ReviewFlag,
    UnknownWord,
};

/// Everything that one decision about one message and one recipient depends on.
///
/// The serialized form (JSON, field order as here, lists sorted) is canonical:
/// [`Facts::digest`] is over it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Any text; echoed in the answer.
    pub id: String,
    /// What the label stage made of the markings.
    #[serde(deserialize_with = "read::word")]
    pub label_state: LabelState,
    /// The EU level; with [`LabelState::Conflict`] the higher of the two readings.
    #[serde(deserialize_with = "read::word")]
    pub classification: Level,
    /// Caveats on top of the level.
    #[serde(default, deserialize_with = "read::words")]
    pub caveats: BTreeSet<Caveat>,
    /// `RELEASABLE TO`; empty where the marking sets no such limit.
    #[serde(default, deserialize_with = "read::words")]
    pub releasable_to: BTreeSet<Country>,
    /// The TLP label, if there is one.
    #[serde(default, deserialize_with = "read::word_or_null")]
    pub tlp: Option<Tlp>,
    /// Europol handling codes.
    #[serde(default, deserialize_with = "read::words")]
    pub handling_codes: BTreeSet<HandlingCode>,
    /// Whether personal data is in the message.
    pub personal_data: bool,
    /// For what it is passed on.
    #[serde(deserialize_with = "read::word")]
    pub purpose: Purpose,
    /// The sender's community.
    #[serde(deserialize_with = "read::word")]
    pub sender_community: Community,
    /// The recipient's community.
    #[serde(deserialize_with = "read::word")]
    pub recipient_community: Community,
    /// What kind of body the sender is.
    #[serde(deserialize_with = "read::word")]
    pub sender_kind: ParticipantKind,
    /// What kind of body the recipient is.
    #[serde(deserialize_with = "read::word")]
    pub recipient_kind: ParticipantKind,
    /// Where the recipient is.
    #[serde(deserialize_with = "read::word")]
    pub recipient_country: Country,
    /// Up to which level the recipient is cleared.
    #[serde(deserialize_with = "read::word")]
    pub recipient_clearance: Level,
    /// Up to which level the recipient's channel is accredited.
    #[serde(deserialize_with = "read::word")]
    pub channel_accreditation: Level,
    /// Up to which level the channel's cryptography is approved.
    #[serde(deserialize_with = "read::word")]
    pub crypto_approval: Level,
    /// The ceiling of the one MoU that covers the release.
    #[serde(deserialize_with = "read::word")]
    pub mou_ceiling: Level,
    /// Whether the channel is publicly accessible.
    #[serde(default)]
    pub channel_public: bool,
    /// Whether the sender is the originator of the information.
    pub holder_is_originator: bool,
    /// The originator's consent to this release.
    #[serde(default, deserialize_with = "read::word")]
    pub consent: Consent,
    /// Whether the originator named this recipient.
    pub addressed: bool,
    /// The recipient as seen from the sender.
    #[serde(deserialize_with = "read::word")]
    pub relation: Relation,
    /// The MoU that covers the release.
    #[serde(deserialize_with = "read::word")]
    pub mou: MouState,
    /// What lets classified information leave the EU, or reach a company.
    #[serde(default, deserialize_with = "read::word")]
    pub external_agreement: ExternalAgreement,
    /// Basis for transfers of personal data.
    #[serde(default, deserialize_with = "read::word")]
    pub article_25_basis: Article25Basis,
    /// What makes a person look.
    #[serde(default, deserialize_with = "read::words")]
    pub review_flags: BTreeSet<ReviewFlag>,
}

/// Text that is not a set of facts.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// Not a JSON object.
    #[error("facts are one JSON object a line")]
    NotAnObject,
    /// A field is missing, unknown, given twice, or has a value that it cannot have.
    #[error("not well-formed facts: {0}")]
    Malformed(#[from] serde_json::Error),
}

// === impl Facts ===

impl Facts {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// [`FactsError`] unless every field is as the table says.
    pub fn from_json(text: &str) -> Result<Self, FactsError> {
        // A derived struct would also be read from an array, in field order.
        if !text
            .trim_start_matches([' ', '\t', '\r', '\n'])
            .starts_with('{')
        {
            return Err(FactsError::NotAnObject);
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The canonical JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // INVARIANT: string keys, finite values: serialization cannot fail. Were
        // it to, the empty text reads back as G00.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// SHA-256 of the canonical JSON text.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.to_json().as_bytes()).into()
    }

    /// The recipient is outside the EU institutions and Member States.
    #[must_use]
    pub fn is_external(&self) -> bool {
        matches!(
            self.recipient_kind,
            ParticipantKind::ThirdState | ParticipantKind::InternationalOrganisation
        ) || !self.recipient_country.is_in_eu()
    }

    /// The release leaves its community, or the world of authorities.
    #[must_use]
    pub fn is_cross(&self) -> bool {
        self.sender_community != self.recipient_community
            || self.is_to_private_or_media()
            || self.is_external()
    }

    /// Public information: it passes every gate from G06 on.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.classification == Level::Nc
            && self.tlp == Some(Tlp::Clear)
            && self.releasable_to.is_empty()
            && self.caveats.is_empty()
            && self.handling_codes.is_empty()
            && self.review_flags.is_empty()
            && !self.personal_data
    }

    /// The originator has not granted consent to this release.
    #[must_use]
    pub fn is_ungranted(&self) -> bool {
        self.consent != Consent::Granted
    }

    /// The recipient is a company or the press.
    #[must_use]
    pub const fn is_to_private_or_media(&self) -> bool {
        matches!(
            self.recipient_kind,
            ParticipantKind::Private | ParticipantKind::Media
        )
    }
}
