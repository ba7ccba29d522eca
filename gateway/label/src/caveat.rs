//! Caveats on top of a level.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::UnknownCode;

/// A marking that limits distribution without being a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Caveat {
    /// Council distribution marking: administrations of the Member States and
    /// the Commission.
    #[serde(rename = "LIMITE")]
    Limite,
    /// Holders authorised for cryptographic material.
    #[serde(rename = "CRYPTO")]
    Crypto,
    /// Originator control stated explicitly.
    #[serde(rename = "ORCON")]
    Orcon,
}

impl Caveat {
    /// All caveats.
    pub const ALL: [Self; 3] = [Self::Limite, Self::Crypto, Self::Orcon];

    /// The word as marked.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Limite => "LIMITE",
            Self::Crypto => "CRYPTO",
            Self::Orcon => "ORCON",
        }
    }
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Caveat {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .into_iter()
            .find(|caveat| caveat.code() == text)
            .ok_or_else(|| UnknownCode::new("caveat", text))
    }
}
