//! One change to a release: what it does to the facts, who can make it, and
//! which gates it helps against.

use std::fmt;

use chancery_label::{Caveat, HandlingCode, Level};
use chancery_message::Purpose;

use super::Part;
use crate::facts::{
    Article25Basis, Consent, Country, ExternalAgreement, Facts, LabelState, MouState, ReviewFlag,
};
use crate::gate::Gate;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The label is corrected, or given.
    CorrectLabel,
    /// Parts above this level are left out.
    LeaveOut {
        /// Which.
        parts: Vec<String>,
        /// The level of what is left.
        level: Level,
    },
    /// Personal data is left out.
    LeaveOutPersonalData,
    /// The evaluation codes are added.
    Evaluate,
    /// An originator is named whom the directory has.
    NameOriginator,
    /// The parts are sent apart, not put together.
    SendApart,
    /// The label of what it is derived from is kept.
    KeepLabel,
    /// It is passed on for law enforcement.
    ForLawEnforcement,
    /// The originator consents to this release.
    Consent,
    /// The originator names the recipient.
    Address,
    /// The originator adds the country to `RELEASABLE TO`.
    Releasable(Country),
    /// The provider lifts its free-text restrictions (H3).
    LiftRestrictions,
    /// An MoU with at least this ceiling is in force and covers it.
    Agreement(Level),
    /// A channel that is not public and is approved up to this level.
    Channel(Level),
    /// The recipient is cleared up to this level.
    Clearance(Level),
    /// A security of information agreement.
    SecurityAgreement,
    /// A classified contract.
    Contract,
    /// A legal basis for personal data to leave the EU.
    LegalBasis,
    /// Both ends are custodians of cryptographic material.
    Custodians,
}

/// Who can make a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The sender.
    Sender,
    /// The originator of the information.
    Originator,
    /// Those who answer for directory, agreements and channels.
    Officers,
}

/// The changes that would change anything about these facts.
pub(super) fn candidates(facts: &Facts, parts: &[Part]) -> Vec<Change> {
    use Change as C;
    let level = facts.classification;
    let mut all = vec![
        C::CorrectLabel,
        C::LeaveOutPersonalData,
        C::Evaluate,
        C::NameOriginator,
        C::SendApart,
        C::KeepLabel,
        C::ForLawEnforcement,
        C::Consent,
        C::Address,
        C::Releasable(facts.recipient_country),
        C::LiftRestrictions,
        C::Agreement(level),
        C::Channel(level),
        C::Clearance(level),
        C::SecurityAgreement,
        C::Contract,
        C::LegalBasis,
        C::Custodians,
    ];
    all.extend(
        Level::ALL
            .into_iter()
            .filter(|lower| *lower < level)
            .filter_map(|lower| leave_out(parts, lower, level)),
    );
    all.retain(|change| {
        let mut after = facts.clone();
        change.apply(&mut after);
        after != *facts
    });
    all
}

/// Leaving out what is above `lower`, if that is what makes it `level`.
fn leave_out(parts: &[Part], lower: Level, level: Level) -> Option<Change> {
    let (out, left): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.level > lower);
    let highest = left.iter().map(|part| part.level).max()?;
    let explains = parts.iter().map(|part| part.level).max() == Some(level);
    (explains && highest == lower && !out.is_empty()).then(|| Change::LeaveOut {
        parts: out.iter().map(|part| part.name.clone()).collect(),
        level: lower,
    })
}

// === impl Change ===

impl Change {
    /// Makes it.
    pub fn apply(&self, facts: &mut Facts) {
        match self {
            Self::CorrectLabel => facts.label_state = LabelState::Valid,
            Self::LeaveOut { level, .. } => facts.classification = *level,
            Self::LeaveOutPersonalData => facts.personal_data = false,
            Self::Evaluate => lower(facts, ReviewFlag::EvaluationMissing),
            Self::NameOriginator => lower(facts, ReviewFlag::UnknownOriginator),
            Self::SendApart => lower(facts, ReviewFlag::Aggregate),
            Self::KeepLabel => lower(facts, ReviewFlag::LevelDrop),
            Self::ForLawEnforcement => facts.purpose = Purpose::LawEnforcement,
            Self::Consent => facts.consent = Consent::Granted,
            Self::Address => facts.addressed = true,
            Self::Releasable(country) => {
                facts.releasable_to.insert(*country);
            }
            Self::LiftRestrictions => {
                facts.handling_codes.remove(&HandlingCode::H3);
            }
            Self::Agreement(level) => {
                facts.mou = MouState::Active;
                facts.mou_ceiling = facts.mou_ceiling.max(*level);
            }
            Self::Channel(level) => {
                facts.channel_public = false;
                facts.channel_accreditation = facts.channel_accreditation.max(*level);
                facts.crypto_approval = facts.crypto_approval.max(*level);
            }
            Self::Clearance(level) => {
                facts.recipient_clearance = facts.recipient_clearance.max(*level)
            }
            Self::SecurityAgreement => {
                facts.external_agreement = ExternalAgreement::SecurityOfInformation
            }
            Self::Contract => facts.external_agreement = ExternalAgreement::ClassifiedContract,
            Self::LegalBasis => {
                if matches!(
                    facts.article_25_basis,
                    Article25Basis::None | Article25Basis::NotApplicable
                ) {
                    facts.article_25_basis = Article25Basis::Agreement;
                }
            }
            Self::Custodians => {
                if facts.caveats.contains(&Caveat::Crypto) {
                    facts.review_flags.insert(ReviewFlag::CryptoCustodian);
                }
            }
        }
    }

    /// Who can make it.
    #[must_use]
    pub const fn by(&self) -> By {
        match self {
            Self::CorrectLabel
            | Self::LeaveOut { .. }
            | Self::LeaveOutPersonalData
            | Self::Evaluate
            | Self::NameOriginator
            | Self::SendApart
            | Self::KeepLabel
            | Self::ForLawEnforcement => By::Sender,
            Self::Consent | Self::Address | Self::Releasable(_) | Self::LiftRestrictions => {
                By::Originator
            }
            Self::Agreement(_)
            | Self::Channel(_)
            | Self::Clearance(_)
            | Self::SecurityAgreement
            | Self::Contract
            | Self::LegalBasis
            | Self::Custodians => By::Officers,
        }
    }

    /// True if it is meant against this gate.
    pub(super) const fn helps(&self, gate: Gate) -> bool {
        if gate.is_local() {
            return false;
        }
        let number = gate.number();
        match self {
            Self::CorrectLabel => matches!(number, 1 | 2 | 5),
            Self::LeaveOut { .. } => matches!(number, 3 | 4 | 7 | 8 | 10 | 11),
            Self::LeaveOutPersonalData => matches!(number, 23 | 24),
            Self::Evaluate => number == 28,
            Self::NameOriginator => number == 27,
            Self::SendApart => number == 25,
            Self::KeepLabel => number == 26,
            Self::ForLawEnforcement => number == 19,
            Self::Consent => matches!(number, 12 | 14..=21 | 26),
            Self::Address => matches!(number, 14 | 18 | 20),
            Self::Releasable(_) => number == 9,
            Self::LiftRestrictions => number == 22,
            Self::Agreement(_) => matches!(number, 6 | 7),
            Self::Channel(_) => matches!(number, 3 | 4 | 17),
            Self::Clearance(_) => number == 11,
            Self::SecurityAgreement => number == 8,
            Self::Contract => number == 10,
            Self::LegalBasis => number == 24,
            Self::Custodians => number == 13,
        }
    }
}

fn lower(facts: &mut Facts, flag: ReviewFlag) {
    facts.review_flags.remove(&flag);
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CorrectLabel => f.write_str("correct the label"),
            Self::LeaveOut { parts, level } => write!(
                f,
                "release without {}: what is left is {level}",
                parts.join(", ")
            ),
            Self::LeaveOutPersonalData => f.write_str("release without personal data"),
            Self::Evaluate => f.write_str("add the source and information codes"),
            Self::NameOriginator => f.write_str("name an originator whom the directory has"),
            Self::SendApart => f.write_str("send the parts apart"),
            Self::KeepLabel => f.write_str("keep the label of what it is derived from"),
            Self::ForLawEnforcement => f.write_str("pass it on for law enforcement"),
            Self::Consent => f.write_str("ask the originator for consent"),
            Self::Address => f.write_str("let the originator name the recipient"),
            Self::Releasable(country) => write!(
                f,
                "add {country} to RELEASABLE TO, with the originator's consent"
            ),
            Self::LiftRestrictions => f.write_str("let the provider lift its restrictions (H3)"),
            Self::Agreement(level) => write!(
                f,
                "an MoU with a ceiling of {level} or more must be in force"
            ),
            Self::Channel(level) => write!(
                f,
                "use a channel that is not public and approved up to {level}"
            ),
            Self::Clearance(level) => write!(f, "the recipient needs a clearance of {level}"),
            Self::SecurityAgreement => {
                f.write_str("a security of information agreement must be in force")
            }
            Self::Contract => f.write_str("a classified contract must be in force"),
            Self::LegalBasis => {
                f.write_str("a legal basis under Article 25 of Regulation (EU) 2016/794 is needed")
            }
            Self::Custodians => {
                f.write_str("both ends must be custodians of cryptographic material")
            }
        }
    }
}
