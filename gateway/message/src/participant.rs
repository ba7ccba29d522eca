//! Words about participants that messages and rules share.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidId;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
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
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::ALL.iter().copied().find(|value| value.word() == text).ok_or(InvalidId($what))
            }
        }
    };
}

words!(
    /// A community of the exchange.
    Community, "community", {
        /// Civilian authorities (CSIRTs, agencies).
        Civilian = "civilian",
        /// Police and other law-enforcement authorities.
        LawEnforcement = "law-enforcement",
        /// Ministries of foreign affairs, EEAS.
        Diplomacy = "diplomacy",
        /// Armed forces and their staffs.
        Defence = "defence",
        /// Private partners.
        Private = "private",
        /// Courts and prosecutors.
        Judicial = "judicial",
    }
);

words!(
    /// What kind of body a participant is.
    ParticipantKind, "participant kind", {
        /// A public authority of the EU or of a Member State.
        Agency = "agency",
        /// A company.
        Private = "private",
        /// An authority of a third State.
        ThirdState = "third-state",
        /// An international organisation.
        InternationalOrganisation = "io",
        /// The press.
        Media = "media",
    }
);

words!(
    /// For what the information is passed on.
    Purpose, "purpose", {
        /// Answering a cyber crisis.
        CyberCrisis = "cyber-crisis",
        /// Preventing and combating crime.
        LawEnforcement = "law-enforcement",
        /// Use in judicial proceedings.
        Evidence = "evidence",
        /// Cyber defence.
        CyberDefence = "cyber-defence",
        /// Diplomacy.
        Diplomacy = "diplomacy",
        /// Commercial use.
        Commercial = "commercial",
    }
);

/// Source and information codes (Regulation (EU) 2016/794, Article 29).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Evaluation {
    source: char,
    information: char,
}

impl FromStr for Evaluation {
    type Err = InvalidId;

    /// Reads `A1` … `X4`.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut chars = text.chars();
        match (chars.next(), chars.next(), chars.next()) {
            (Some(source @ ('A' | 'B' | 'C' | 'X')), Some(information @ '1'..='4'), None) => {
                Ok(Self {
                    source,
                    information,
                })
            }
            _ => Err(InvalidId("evaluation code (A, B, C or X, then 1 to 4)")),
        }
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.source, self.information)
    }
}

impl TryFrom<String> for Evaluation {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Evaluation> for String {
    fn from(evaluation: Evaluation) -> Self {
        evaluation.to_string()
    }
}
