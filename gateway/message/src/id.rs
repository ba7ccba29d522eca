//! Ids with types of their own, so that one cannot stand where another belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Random bytes could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes: {0}")]
pub struct EntropyError(pub String);

/// Gives random bytes. Real ones mix the token's and the system's.
pub trait Entropy: Send + Sync {
    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`EntropyError`]; then the content of `buffer` must not be used.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// Not an id of that kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct InvalidId(pub &'static str);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: time-ordered (UUID version 7, RFC 9562), 74 random bits.
            ///
            /// # Errors
            /// When no random bytes can be had.
            pub fn mint(now: Timestamp, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                let mut random = [0u8; 10];
                entropy.fill(&mut random)?;
                let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
                Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
            }

            /// From its 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Its 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // Only the hyphenated form: one id, one spelling.
                if text.len() != 36 {
                    return Err(InvalidId($what));
                }
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId($what))
            }
        }
    };
}

uuid_id!(
    /// One message, from ingest to its last receipt.
    MessageId, "message id"
);
uuid_id!(
    /// One message on its way to one recipient; the same until it is acknowledged.
    DeliveryId, "delivery id"
);
uuid_id!(
    /// A sealed stream of bytes: an attachment or the original as received.
    BodyId, "attachment id"
);
uuid_id!(
    /// A case that officers judge.
    CaseId, "case id"
);

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new one, 128 random bits.
            ///
            /// # Errors
            /// When no random bytes can be had.
            pub fn mint(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                let mut random = [0u8; 16];
                entropy.fill(&mut random)?;
                Ok(Self(random))
            }

            /// From its 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let mut bytes = [0u8; 16];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidId($what))?;
                Ok(Self(bytes))
            }
        }
    };
}

random_id!(
    /// Core's receipt to a door for bytes that it holds, sealed: what a reader
    /// must show to submit what it made of them. Unguessable, used once.
    Ticket, "ticket"
);
random_id!(
    /// A reference without order or count, for private participants.
    OpaqueRef, "reference"
);

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
                let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
                let bytes = text.as_bytes();
                if (1..=64).contains(&bytes.len())
                    && bytes.iter().copied().all(good)
                    && edge(bytes.first())
                    && edge(bytes.last())
                {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId($what))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

name_id!(
    /// A participant of the directory: 1 to 64 of `a`-`z`, `0`-`9`, `-` and `.`,
    /// with a letter or digit at both ends.
    ParticipantId, "participant id"
);
name_id!(
    /// An officer of the directory; spelled as a participant id.
    OfficerId, "officer id"
);
name_id!(
    /// A person who acts for a participant; spelled as a participant id.
    PersonId, "person id"
);
name_id!(
    /// A memorandum of understanding; spelled as a participant id.
    MouId, "MoU id"
);
