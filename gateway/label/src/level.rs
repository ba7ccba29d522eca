//! The EU levels (Council Decision 2013/488/EU, Article 2; Commission Decision
//! (EU, Euratom) 2015/444, Article 3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::UnknownCode;

/// A level of protection, lowest first, so that `<` compares protection.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Level {
    /// Not classified (rank 0).
    #[default]
    #[serde(rename = "NC")]
    Nc,
    /// RESTREINT UE/EU RESTRICTED (rank 1).
    #[serde(rename = "R-UE")]
    Restricted,
    /// CONFIDENTIEL UE/EU CONFIDENTIAL (rank 2).
    #[serde(rename = "C-UE")]
    Confidential,
    /// SECRET UE/EU SECRET (rank 3).
    #[serde(rename = "S-UE")]
    Secret,
    /// TRES SECRET UE/EU TOP SECRET (rank 4).
    #[serde(rename = "TS-UE")]
    TopSecret,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Self; 5] = [
        Self::Nc,
        Self::Restricted,
        Self::Confidential,
        Self::Secret,
        Self::TopSecret,
    ];

    /// 0 for `NC` to 4 for `TS-UE`.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Nc => 0,
            Self::Restricted => 1,
            Self::Confidential => 2,
            Self::Secret => 3,
            Self::TopSecret => 4,
        }
    }

    /// The code of the decision tables: `NC`, `R-UE`, `C-UE`, `S-UE`, `TS-UE`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nc => "NC",
            Self::Restricted => "R-UE",
            Self::Confidential => "C-UE",
            Self::Secret => "S-UE",
            Self::TopSecret => "TS-UE",
        }
    }

    /// The full bilingual marking that every page bears (2015/444 Article
    /// 25(1)(a)), in the Commission's spelling; none for unclassified.
    #[must_use]
    pub const fn marking(self) -> Option<&'static str> {
        match self {
            Self::Nc => None,
            Self::Restricted => Some("RESTREINT UE/EU RESTRICTED"),
            Self::Confidential => Some("CONFIDENTIEL UE/EU CONFIDENTIAL"),
            Self::Secret => Some("SECRET UE/EU SECRET"),
            Self::TopSecret => Some("TRES SECRET UE/EU TOP SECRET"),
        }
    }

    /// The abbreviation for portions; it never replaces the page marking.
    #[must_use]
    pub const fn portion(self) -> Option<&'static str> {
        match self {
            Self::Nc => None,
            Self::Restricted => Some("R-UE/EU-R"),
            Self::Confidential => Some("C-UE/EU-C"),
            Self::Secret => Some("S-UE/EU-S"),
            Self::TopSecret => Some("TS-UE/EU-TS"),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Level {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .into_iter()
            .find(|level| level.code() == text)
            .ok_or_else(|| UnknownCode::new("classification level", text))
    }
}
