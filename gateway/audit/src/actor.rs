//! Who did it, and in which log it stands.

use std::fmt;
use std::str::FromStr;

use chancery_message::{OfficerId, ParticipantId, PersonId};

use crate::Hash;

/// Not a name of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct InvalidName(pub &'static str);

/// Who did what an event tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The gateway itself: a rule, a timer.
    System,
    /// One of its processes.
    Process(ProcessName),
    /// A participant, proven.
    Participant(ParticipantId),
    /// A person who acts for a participant, proven.
    Person(ParticipantId, PersonId),
    /// An officer, proven.
    Officer(OfficerId),
    /// Somebody at a door of whom only the transport's evidence is known.
    Peer(PeerId),
}

/// What is known of a peer that is not (yet) a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerId {
    /// It holds the key of the certificate with this SHA-256.
    Certificate(Hash),
    /// Nothing.
    Unauthenticated,
}

/// The name of a process: 1 to 64 of `a`-`z`, `0`-`9`, `-` and `.`, for
/// example `reader-mail`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessName(String);

/// The name of a log, which is also the origin line of its checkpoints: 1 to
/// 128 of `a`-`z`, `0`-`9`, `-`, `.` and `/`, for example `chancery/node-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(String);

// === impl Actor ===

impl Actor {
    /// A process of the gateway by its name; `System` if that is no name.
    #[must_use]
    pub fn process(name: &str) -> Self {
        name.parse().map_or(Self::System, Self::Process)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Process(name) => write!(f, "process:{name}"),
            Self::Participant(id) => write!(f, "participant:{id}"),
            Self::Person(id, person) => write!(f, "person:{id}/{person}"),
            Self::Officer(id) => write!(f, "officer:{id}"),
            Self::Peer(PeerId::Certificate(fingerprint)) => {
                write!(f, "peer:{}", hex::encode(fingerprint))
            }
            Self::Peer(PeerId::Unauthenticated) => f.write_str("peer:unauthenticated"),
        }
    }
}

impl FromStr for Actor {
    type Err = InvalidName;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const INVALID: InvalidName = InvalidName("actor");
        if text == "system" {
            return Ok(Self::System);
        }
        let (class, name) = text.split_once(':').ok_or(INVALID)?;
        let actor = match class {
            "process" => Self::Process(name.parse().map_err(|_| INVALID)?),
            "participant" => Self::Participant(name.parse().map_err(|_| INVALID)?),
            "person" => {
                let (id, person) = name.split_once('/').ok_or(INVALID)?;
                Self::Person(
                    id.parse().map_err(|_| INVALID)?,
                    person.parse().map_err(|_| INVALID)?,
                )
            }
            "officer" => Self::Officer(name.parse().map_err(|_| INVALID)?),
            "peer" if name == "unauthenticated" => Self::Peer(PeerId::Unauthenticated),
            "peer" => {
                let mut fingerprint = [0; 32];
                hex::decode_to_slice(name, &mut fingerprint).map_err(|_| INVALID)?;
                Self::Peer(PeerId::Certificate(fingerprint))
            }
            _ => return Err(INVALID),
        };
        // One actor, one spelling (hexadecimal has two).
        if actor.to_string() == text {
            Ok(actor)
        } else {
            Err(INVALID)
        }
    }
}

// === impl ProcessName, LogId ===

macro_rules! name {
    ($name:ident, $what:literal, $max:literal, $extra:pat) => {
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
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let good =
                    |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, $extra);
                if (1..=$max).contains(&text.len()) && text.bytes().all(good) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName($what))
                }
            }
        }
    };
}

name!(ProcessName, "process name", 64, b'-' | b'.');
name!(
    LogId,
    "log id (1 to 128 of a-z, 0-9, `-`, `.` and `/`)",
    128,
    b'-' | b'.' | b'/'
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_actor_is_read_back() {
        for actor in [
            Actor::System,
            Actor::process("reader-mail"),
            Actor::Participant("cert-eu".parse().expect("id")),
            Actor::Person(
                "cert-eu".parse().expect("id"),
                "jana.b".parse().expect("id"),
            ),
            Actor::Officer("anna".parse().expect("id")),
            Actor::Peer(PeerId::Certificate([0xab; 32])),
            Actor::Peer(PeerId::Unauthenticated),
        ] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let upper = format!("peer:{}", "AB".repeat(32));
        for text in [
            "",
            "System",
            "system ",
            "process:",
            "process:a b",
            "officer:\n",
            "peer:ab",
            "who:x",
            &upper,
        ] {
            assert!(text.parse::<Actor>().is_err(), "{text:?}");
        }
        for text in ["", "a b", "a+b", "A", "a\n", &"a".repeat(129)] {
            assert!(text.parse::<LogId>().is_err(), "{text:?}");
        }
    }
}
