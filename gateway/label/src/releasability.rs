//! Releasability: to whom a marking allows release.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Country, UnknownCode};

/// An entry of `RELEASABLE TO`: an ISO 3166-1 alpha-3 code, `EU` or `NATO`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseCode(String);

impl ReleaseCode {
    /// The 27 Member States, ISO 3166-1 alpha-3.
    pub const MEMBER_STATES: [&'static str; 27] = [
        "AUT", "BEL", "BGR", "CYP", "CZE", "DEU", "DNK", "ESP", "EST", "FIN", "FRA", "GRC", "HRV",
        "HUN", "IRL", "ITA", "LTU", "LUX", "LVA", "MLT", "NLD", "POL", "PRT", "ROU", "SVK", "SVN",
        "SWE",
    ];

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code of an existing country, `EU` or `NATO`; `None` for any other.
    #[must_use]
    pub fn existing(text: &str) -> Option<Self> {
        let known = matches!(text, "EU" | "NATO") || text.parse::<Country>().is_ok();
        known.then(|| Self(text.to_owned()))
    }

    /// True for `EU`.
    #[must_use]
    pub fn is_eu(&self) -> bool {
        self.0 == "EU"
    }

    /// True for one of the 27 Member States.
    #[must_use]
    pub fn is_member_state(&self) -> bool {
        Self::MEMBER_STATES.binary_search(&self.0.as_str()).is_ok()
    }

    /// `EU` and the 27 Member States: what `EU` in a releasability stands for.
    pub fn eu() -> impl Iterator<Item = Self> {
        std::iter::once("EU")
            .chain(Self::MEMBER_STATES)
            .map(|code| Self(code.to_owned()))
    }
}

impl fmt::Display for ReleaseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ReleaseCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let alpha3 = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
        if alpha3 || text == "EU" || text == "NATO" {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnknownCode::new("releasability code", text))
        }
    }
}

impl TryFrom<String> for ReleaseCode {
    type Error = UnknownCode;

    fn try_from(text: String) -> Result<Self, UnknownCode> {
        text.parse()
    }
}

impl From<ReleaseCode> for String {
    fn from(code: ReleaseCode) -> Self {
        code.0
    }
}
