//! Key-encryption keys and what they wrap.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The compartment whose keys protect a message: that of its originator.
/// One to 32 of `a`-`z`, `0`-`9` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Compartment(String);

/// Not a compartment's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a compartment is 1 to 32 of a-z, 0-9 and -")]
pub struct InvalidCompartment;

impl Compartment {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Compartment {
    type Err = InvalidCompartment;

    fn from_str(text: &str) -> Result<Self, InvalidCompartment> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidCompartment)
        }
    }
}

impl TryFrom<String> for Compartment {
    type Error = InvalidCompartment;

    fn try_from(text: String) -> Result<Self, InvalidCompartment> {
        text.parse()
    }
}

impl From<Compartment> for String {
    fn from(compartment: Compartment) -> Self {
        compartment.0
    }
}

impl fmt::Display for Compartment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which KEK: that of a level and a compartment, or the intake's, for what
/// streams in before its label is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KekId {
    /// Before the label is known.
    Intake,
    /// By level and compartment.
    Label {
        /// Rank of the level, 0 (`NC`) to 4 (`TS-UE`).
        rank: u8,
        /// The originator's compartment.
        compartment: Compartment,
    },
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intake => f.write_str("kek/intake"),
            Self::Label { rank, compartment } => write!(f, "kek/{rank}/{compartment}"),
        }
    }
}

impl FromStr for KekId {
    type Err = InvalidKek;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, InvalidKek> {
        let name = text.strip_prefix("kek/").ok_or(InvalidKek)?;
        if name == "intake" {
            return Ok(Self::Intake);
        }
        let (rank, compartment) = name.split_once('/').ok_or(InvalidKek)?;
        let rank = match rank {
            "0" => 0,
            "1" => 1,
            "2" => 2,
            "3" => 3,
            "4" => 4,
            _ => return Err(InvalidKek),
        };
        let compartment = compartment
            .parse()
            .map_err(|InvalidCompartment| InvalidKek)?;
        Ok(Self::Label { rank, compartment })
    }
}

/// Not a KEK's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key-encryption key is kek/intake or kek/RANK/COMPARTMENT with a rank from 0 to 4")]
pub struct InvalidKek;

/// How a content key was wrapped; recorded in each blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WrapScheme {
    /// AES key wrap, RFC 3394 (`CKM_AES_KEY_WRAP`): 40 bytes for a 32-byte key.
    AesKw,
    /// AES key wrap with padding, RFC 5649.
    AesKwp,
    /// AES-256-GCM under a KEK that encrypts and decrypts only: 12-byte nonce, ciphertext, tag.
    AesGcm,
    /// RSA-OAEP with SHA-1 and MGF1-SHA-1 (what every token has).
    RsaOaepSha1,
}

impl WrapScheme {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::AesKw, Self::AesKwp, Self::AesGcm, Self::RsaOaepSha1];
}

impl fmt::Display for WrapScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AesKw => "aes-kw",
            Self::AesKwp => "aes-kwp",
            Self::AesGcm => "aes-gcm",
            Self::RsaOaepSha1 => "rsa-oaep-sha1",
        })
    }
}

/// A content key as it is stored: useless without its KEK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// Under which KEK.
    pub kek: KekId,
    /// Which generation of that KEK, counted from 1.
    pub generation: u32,
    /// How.
    pub scheme: WrapScheme,
    /// The wrapped bytes.
    pub blob: Vec<u8>,
}
