//! Countries as facts name them.

use std::fmt;
use std::str::FromStr;

use chancery_label::ReleaseCode;
use serde::{Deserialize, Serialize};

use super::UnknownWord;

/// An ISO 3166-1 alpha-3 code (in use, or user-assigned), `EU` or `NATO`: where a recipient is, or to
/// whom a marking allows release. Compared literally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country {
    letters: [u8; 4],
    len: u8,
}

impl Country {
    /// The European Union and its bodies.
    pub const EU: Self = Self {
        letters: *b"EU\0\0",
        len: 2,
    };
    /// NATO and its bodies.
    pub const NATO: Self = Self {
        letters: *b"NATO",
        len: 4,
    };

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.letters
            .get(..usize::from(self.len))
            .and_then(|letters| std::str::from_utf8(letters).ok())
            .unwrap_or_default()
    }

    /// True for `EU` and the 27 Member States.
    #[must_use]
    pub fn is_in_eu(&self) -> bool {
        *self == Self::EU || ReleaseCode::MEMBER_STATES.contains(&self.as_str())
    }

    /// Its letters as a number: different codes, different numbers.
    #[must_use]
    pub(crate) const fn number(self) -> u32 {
        u32::from_be_bytes(self.letters)
    }

    /// The code of a label's releasability: what the label stage let through
    /// is not judged again here.
    #[must_use]
    pub fn of(code: &ReleaseCode) -> Self {
        Self::spelled(code.as_str())
    }

    fn spelled(text: &str) -> Self {
        let mut letters = [0; 4];
        let mut len = 0;
        for (place, letter) in letters.iter_mut().zip(text.bytes()) {
            *place = letter;
            len += 1;
        }
        Self { letters, len }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Country {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let listed = text.parse::<chancery_label::Country>().is_ok();
        if listed || is_user_assigned(text) || text == "EU" || text == "NATO" {
            Ok(Self::spelled(text))
        } else {
            Err(UnknownWord("ISO 3166-1 alpha-3 code, EU or NATO"))
        }
    }
}

/// The codes that ISO 3166-1 leaves to its users: `AAA`, `QMA` to `QZZ`, `XAA`
/// to `XZZ`, `ZZA` to `ZZZ`.
fn is_user_assigned(text: &str) -> bool {
    let letters: Result<[u8; 3], _> = text.as_bytes().try_into();
    letters.is_ok_and(|letters| {
        letters.iter().all(u8::is_ascii_uppercase)
            && matches!(
                letters,
                [b'A', b'A', b'A'] | [b'Q', b'M'..=b'Z', _] | [b'X', _, _] | [b'Z', b'Z', _]
            )
    })
}

impl TryFrom<String> for Country {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, UnknownWord> {
        text.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.as_str().to_owned()
    }
}
