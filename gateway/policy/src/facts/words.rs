//! The words that only the decision's facts use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Not one of the values that a fact may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct UnknownWord(pub &'static str);

macro_rules! fact_words {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word of the decision tables.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownWord($what)),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownWord;

            fn try_from(text: String) -> Result<Self, UnknownWord> {
                text.parse()
            }
        }

        impl From<$name> for &'static str {
            fn from(value: $name) -> Self {
                value.word()
            }
        }
    };
}

fact_words!(
    /// What the label stage made of the markings.
    LabelState, "label state", {
        /// One meaning, clearly marked.
        Valid = "valid",
        /// No marking at all.
        Missing = "missing",
        /// A marking that could not be read.
        Invalid = "invalid",
        /// The label and a marking in the content say different things.
        Conflict = "conflict",
    }
);

fact_words!(
    /// The originator's consent to this release.
    #[derive(Default)]
    Consent, "consent", {
        /// Nobody asked, or nobody answered.
        #[default]
        NotApplicable = "n/a",
        /// Given, for this message, recipient and time.
        Granted = "granted",
        /// Refused.
        Refused = "refused",
    }
);

fact_words!(
    /// The recipient as seen from the sender, nearest first.
    Relation, "relation", {
        /// The same organisation.
        SameOrg = "same-org",
        /// A client of the sender's organisation.
        Client = "client",
        /// Another organisation of the same community.
        Community = "community",
        /// Anybody else.
        Outside = "outside",
    }
);

fact_words!(
    /// The memorandum of understanding that covers the pair on that day.
    MouState, "MoU state", {
        /// None covers it.
        None = "none",
        /// Not yet signed.
        Draft = "draft",
        /// In force.
        Active = "active",
        /// Suspended by an officer.
        Suspended = "suspended",
        /// Past its last day.
        Expired = "expired",
    }
);

fact_words!(
    /// What lets EU classified information leave the institutions and Member
    /// States (Council Decision 2013/488/EU, Articles 11 and 13).
    #[derive(Default)]
    ExternalAgreement, "external agreement", {
        /// The recipient needs none.
        #[default]
        NotApplicable = "n/a",
        /// It would need one and has none.
        None = "none",
        /// A security of information agreement.
        SecurityOfInformation = "SIA",
        /// An administrative arrangement, up to R-UE.
        Administrative = "AA",
        /// A classified contract with a company.
        ClassifiedContract = "classified-contract",
    }
);

fact_words!(
    /// Basis for transfers of personal data (Regulation (EU) 2016/794, Article 25).
    #[derive(Default)]
    Article25Basis, "Article 25 basis", {
        /// The recipient needs none.
        #[default]
        NotApplicable = "n/a",
        /// It would need one and has none.
        None = "none",
        /// An adequacy decision.
        Adequacy = "adequacy",
        /// An agreement under Article 218 TFEU.
        Agreement = "agreement",
        /// A cooperation agreement from before 1 May 2017.
        Pre2017 = "pre-2017",
    }
);

fact_words!(
    /// What makes a person look at a release.
    ReviewFlag, "review flag", {
        /// Put together from several messages or many portions.
        Aggregate = "aggregate",
        /// Labelled below what it is derived from.
        LevelDrop = "level-drop",
        /// The named originator is not in the directory.
        UnknownOriginator = "unknown-originator",
        /// A law-enforcement sender without evaluation codes.
        EvaluationMissing = "evaluation-missing",
        /// Both ends are custodians of cryptographic material.
        CryptoCustodian = "crypto-custodian",
    }
);
