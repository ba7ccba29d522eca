//! Traffic Light Protocol 2.0 (FIRST, authoritative from August 2022). Not a
//! classification: it is never mapped to a level or back (TLP 2.0 section 1(c)).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::UnknownCode;

/// A TLP label, widest audience first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tlp {
    /// No limit.
    #[serde(rename = "CLEAR")]
    Clear,
    /// The community, not over publicly accessible channels.
    #[serde(rename = "GREEN")]
    Green,
    /// The organisation and its clients.
    #[serde(rename = "AMBER")]
    Amber,
    /// The organisation only.
    #[serde(rename = "AMBER+STRICT")]
    AmberStrict,
    /// The named recipients only.
    #[serde(rename = "RED")]
    Red,
}

impl Tlp {
    /// All labels, widest audience first.
    pub const ALL: [Self; 5] = [
        Self::Clear,
        Self::Green,
        Self::Amber,
        Self::AmberStrict,
        Self::Red,
    ];

    /// The word after `TLP:`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::AmberStrict => "AMBER+STRICT",
            Self::Red => "RED",
        }
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLP:{}", self.code())
    }
}

impl FromStr for Tlp {
    type Err = UnknownCode;

    /// Reads the word after `TLP:` (`CLEAR` … `RED`), in capitals.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .into_iter()
            .find(|tlp| tlp.code() == text)
            .ok_or_else(|| UnknownCode::new("TLP label", text))
    }
}
