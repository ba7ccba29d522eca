//! Permissible Actions Protocol (MISP PAP v3): governs use, as TLP governs
//! sharing. Never mapped to a level.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::UnknownCode;

/// A PAP label, widest use first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Pap {
    /// No limit (older name: WHITE).
    #[serde(rename = "CLEAR")]
    Clear,
    /// Active measures too: block, ping, honeypot.
    #[serde(rename = "GREEN")]
    Green,
    /// Passive online checks through third parties, and monitoring.
    #[serde(rename = "AMBER")]
    Amber,
    /// Passive work on own logs only.
    #[serde(rename = "RED")]
    Red,
}

impl Pap {
    /// All labels, widest use first.
    pub const ALL: [Self; 4] = [Self::Clear, Self::Green, Self::Amber, Self::Red];

    /// The word after `PAP:`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::Red => "RED",
        }
    }
}

impl fmt::Display for Pap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PAP:{}", self.code())
    }
}

impl FromStr for Pap {
    type Err = UnknownCode;

    /// Reads the word after `PAP:`, in capitals.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .into_iter()
            .find(|pap| pap.code() == text)
            .ok_or_else(|| UnknownCode::new("PAP label", text))
    }
}
