//! Requests and answers, and their bytes: one byte with the version, then
//! postcard. Trailing bytes and unknown variants are refused.

use std::fmt;

use chancery_hsm_api::{
    Capability, CheckpointRequest, ContentKey, DoorZone, KekId, KeyError, KeyErrorKind, KeyInfo,
    KeyRole, MacUse, SharedSecret, SignedCheckpoint, TokenHealth, WrappedKey,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Client, Head, KeyCard};

const VERSION: u8 = 1;

/// Longest request in bytes; it fits one frame.
pub const MAX_REQUEST: usize = 48 * 1024;
/// Most bytes under one keyed digest.
pub const MAX_MAC_DATA: usize = 32 * 1024;
/// Most random bytes in one answer.
pub const MAX_RANDOM: usize = 4096;

/// What may be asked of the custodian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A fresh content key, and the same wrapped.
    NewContentKey(KekId),
    /// The content key inside.
    UnwrapKey(WrappedKey),
    /// The same content key under another KEK.
    RewrapKey {
        /// The key as it is.
        wrapped: WrappedKey,
        /// The KEK it shall be under.
        to: KekId,
    },
    /// A keyed digest.
    Mac {
        /// Which key.
        usage: MacUse,
        /// Which generation of it; the one that makes things now where none is named.
        generation: Option<u32>,
        /// At most [`MAX_MAC_DATA`] bytes.
        data: Vec<u8>,
    },
    /// So many random bytes, at most [`MAX_RANDOM`].
    Random(u16),
    /// Size and root of the last checkpoint of that origin.
    LastCheckpoint(String),
    /// The next checkpoint.
    SignCheckpoint(CheckpointRequest),
    /// An OpenPGP signature over a digest.
    PgpSign(Vec<u8>),
    /// An OpenPGP key agreement with that ephemeral point.
    PgpAgree(Vec<u8>),
    /// The signature of a TLS handshake.
    TlsSign {
        /// Whose certificate.
        zone: DoorZone,
        /// The CertificateVerify content.
        message: Vec<u8>,
    },
    /// A public key.
    PublicKey(KeyRole),
    /// All keys that have a role here.
    Keys,
    /// How custodian and token fare.
    Status,
    /// The head of the custodian's own log.
    LogHead,
    /// The register of keys: where each stands.
    Cards,
    /// The roster of custodians.
    Roster,
    /// A dossier in JSON: a proposal that custodians approved, to be carried out.
    Perform(Vec<u8>),
    /// So many blobs are still under a KEK that is no longer active.
    Blobs {
        /// Which KEK.
        kek: KekId,
        /// Which generation.
        generation: u32,
        /// How many.
        blobs: u64,
        /// True when there are none and the database takes no more.
        closed: bool,
    },
    /// What the token can do.
    Capabilities,
}

/// What the custodian answers when it does not refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::NewContentKey`].
    NewContentKey(ContentKey, WrappedKey),
    /// To [`Request::UnwrapKey`].
    ContentKey(ContentKey),
    /// To [`Request::RewrapKey`].
    Wrapped(WrappedKey),
    /// To [`Request::Mac`].
    Mac([u8; 32]),
    /// To [`Request::Random`].
    Random(Vec<u8>),
    /// To [`Request::LastCheckpoint`].
    LastCheckpoint {
        /// Number of leaves; 0 before the first checkpoint.
        size: u64,
        /// RFC 6962 root hash over them.
        root: [u8; 32],
    },
    /// To [`Request::SignCheckpoint`].
    Checkpoint(SignedCheckpoint),
    /// To [`Request::PgpSign`] and [`Request::TlsSign`]: r and s.
    Signature([u8; 32], [u8; 32]),
    /// To [`Request::PgpAgree`].
    Agreed(SharedSecret),
    /// To [`Request::PublicKey`].
    PublicKey(Vec<u8>),
    /// To [`Request::Keys`].
    Keys(Vec<KeyInfo>),
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::LogHead`].
    LogHead(Head),
    /// To [`Request::Cards`].
    Cards(Vec<KeyCard>),
    /// To [`Request::Roster`]: in JSON, `null` where there is none.
    Roster(Vec<u8>),
    /// To [`Request::Perform`]: in JSON.
    Performed(Vec<u8>),
    /// To [`Request::Blobs`].
    Noted,
    /// To [`Request::Capabilities`].
    Capabilities(Vec<Capability>),
}

/// How custodian and token fare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The token.
    pub token: TokenHealth,
    /// The head of the custodian's own log.
    pub log: Head,
    /// False when the last entry could not be written to that log.
    pub log_writable: bool,
    /// What was asked, by client and operation.
    pub tallies: Vec<(Client, Operation, Tally)>,
}

/// How often something was asked since the custodian started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Answered.
    pub done: u64,
    /// Refused: not this client's to ask, or without meaning.
    pub refused: u64,
    /// Turned away for now: too much at once.
    pub busy: u64,
    /// Failed otherwise.
    pub failed: u64,
}

/// The kind of a request, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// [`Request::NewContentKey`].
    NewContentKey,
    /// [`Request::UnwrapKey`].
    UnwrapKey,
    /// [`Request::RewrapKey`].
    RewrapKey,
    /// [`Request::Mac`].
    Mac,
    /// [`Request::Random`].
    Random,
    /// [`Request::LastCheckpoint`].
    LastCheckpoint,
    /// [`Request::SignCheckpoint`].
    SignCheckpoint,
    /// [`Request::PgpSign`].
    PgpSign,
    /// [`Request::PgpAgree`].
    PgpAgree,
    /// [`Request::TlsSign`].
    TlsSign,
    /// [`Request::PublicKey`].
    PublicKey,
    /// [`Request::Keys`].
    Keys,
    /// [`Request::Status`].
    Status,
    /// [`Request::LogHead`].
    LogHead,
    /// [`Request::Cards`].
    Cards,
    /// [`Request::Roster`].
    Roster,
    /// [`Request::Perform`].
    Perform,
    /// [`Request::Blobs`].
    Blobs,
    /// [`Request::Capabilities`].
    Capabilities,
    /// Bytes that are no request.
    Malformed,
}

impl Request {
    /// Its kind.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::NewContentKey(_) => Operation::NewContentKey,
            Self::UnwrapKey(_) => Operation::UnwrapKey,
            Self::RewrapKey { .. } => Operation::RewrapKey,
            Self::Mac { .. } => Operation::Mac,
            Self::Random(_) => Operation::Random,
            Self::LastCheckpoint(_) => Operation::LastCheckpoint,
            Self::SignCheckpoint(_) => Operation::SignCheckpoint,
            Self::PgpSign(_) => Operation::PgpSign,
            Self::PgpAgree(_) => Operation::PgpAgree,
            Self::TlsSign { .. } => Operation::TlsSign,
            Self::PublicKey(_) => Operation::PublicKey,
            Self::Keys => Operation::Keys,
            Self::Status => Operation::Status,
            Self::LogHead => Operation::LogHead,
            Self::Cards => Operation::Cards,
            Self::Roster => Operation::Roster,
            Self::Perform(_) => Operation::Perform,
            Self::Blobs { .. } => Operation::Blobs,
            Self::Capabilities => Operation::Capabilities,
        }
    }

    /// The role of the key that it would use, for the log.
    pub(crate) fn subject(&self) -> Option<KeyRole> {
        match self {
            Self::NewContentKey(kek) => Some(KeyRole::Kek(kek.clone())),
            Self::UnwrapKey(wrapped) | Self::RewrapKey { wrapped, .. } => {
                Some(KeyRole::Kek(wrapped.kek.clone()))
            }
            Self::Mac { usage, .. } => Some(KeyRole::Mac(*usage)),
            Self::SignCheckpoint(_) | Self::LastCheckpoint(_) => Some(KeyRole::AuditCheckpoint),
            Self::PgpSign(_) => Some(KeyRole::PgpSign),
            Self::PgpAgree(_) => Some(KeyRole::PgpDecrypt),
            Self::TlsSign { zone, .. } => Some(KeyRole::Tls(*zone)),
            Self::PublicKey(role) => Some(role.clone()),
            Self::Blobs { kek, .. } => Some(KeyRole::Kek(kek.clone())),
            Self::Random(_)
            | Self::Keys
            | Self::Status
            | Self::LogHead
            | Self::Cards
            | Self::Roster
            | Self::Perform(_)
            | Self::Capabilities => None,
        }
    }
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::NewContentKey,
        Self::UnwrapKey,
        Self::RewrapKey,
        Self::Mac,
        Self::Random,
        Self::LastCheckpoint,
        Self::SignCheckpoint,
        Self::PgpSign,
        Self::PgpAgree,
        Self::TlsSign,
        Self::PublicKey,
        Self::Keys,
        Self::Status,
        Self::LogHead,
        Self::Cards,
        Self::Roster,
        Self::Perform,
        Self::Blobs,
        Self::Malformed,
    ];

    /// In words, for errors: `unwrap a content key`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NewContentKey => "make a content key",
            Self::UnwrapKey => "unwrap a content key",
            Self::RewrapKey => "rewrap a content key",
            Self::Mac => "compute a keyed digest",
            Self::Random => "give random bytes",
            Self::LastCheckpoint => "tell the last checkpoint",
            Self::SignCheckpoint => "sign a checkpoint",
            Self::PgpSign => "sign for OpenPGP",
            Self::PgpAgree => "agree on a key for OpenPGP",
            Self::TlsSign => "sign a TLS handshake",
            Self::PublicKey => "give a public key",
            Self::Keys => "list the keys",
            Self::Status => "tell the status",
            Self::LogHead => "tell the head of the log",
            Self::Cards => "tell the register of keys",
            Self::Roster => "tell the roster of custodians",
            Self::Perform => "carry out what custodians ordered",
            Self::Blobs => "note what is under a key",
            Self::Capabilities => "tell what the token can do",
            Self::Malformed => "read a request",
        }
    }
}

impl fmt::Display for Operation {
    /// The name in logs and metrics: `unwrap-key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NewContentKey => "new-content-key",
            Self::UnwrapKey => "unwrap-key",
            Self::RewrapKey => "rewrap-key",
            Self::Mac => "mac",
            Self::Random => "random",
            Self::LastCheckpoint => "last-checkpoint",
            Self::SignCheckpoint => "sign-checkpoint",
            Self::PgpSign => "pgp-sign",
            Self::PgpAgree => "pgp-agree",
            Self::TlsSign => "tls-sign",
            Self::PublicKey => "public-key",
            Self::Keys => "keys",
            Self::Status => "status",
            Self::LogHead => "log-head",
            Self::Cards => "cards",
            Self::Roster => "roster",
            Self::Perform => "perform",
            Self::Blobs => "blobs",
            Self::Capabilities => "capabilities",
            Self::Malformed => "malformed",
        })
    }
}

/// What comes back: an answer or a classed error.
pub(crate) type Reply = Result<Answer, KeyError>;

pub(crate) fn encode<T: Serialize>(
    value: &T,
    what: Operation,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // Room for the longest answers with secrets, so that the vector does not
    // grow and leave copies behind.
    let bytes = postcard::to_extend(value, start()).map_err(|_| {
        KeyError::new(
            KeyErrorKind::Data,
            what.words(),
            "cannot be written as a message",
        )
    })?;
    Ok(Zeroizing::new(bytes))
}

fn start() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(VERSION);
    bytes
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, &'static str> {
    match bytes.split_first() {
        Some((&VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err("the message has trailing bytes"),
            Err(_) => Err("the message cannot be read"),
        },
        Some(_) => Err("the message has another version"),
        None => Err("the message is empty"),
    }
}

/// Reads a reply and wipes its bytes.
pub(crate) fn decode_reply(mut bytes: Vec<u8>, what: Operation) -> Reply {
    let reply = decode::<Reply>(&bytes);
    bytes.zeroize();
    reply.unwrap_or_else(|why| Err(KeyError::new(KeyErrorKind::Unreachable, what.words(), why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_trailing_bytes_and_unknown_variants_are_refused() {
        let good = encode(&Request::Random(16), Operation::Random).unwrap();
        assert_eq!(decode::<Request>(&good), Ok(Request::Random(16)));
        let mut longer = good.to_vec();
        longer.push(0);
        assert!(decode::<Request>(&longer).is_err());
        let mut other = good.to_vec();
        other[0] = 2;
        assert!(decode::<Request>(&other).is_err());
        assert!(decode::<Request>(&[VERSION, 99]).is_err());
        assert!(decode::<Request>(&[VERSION]).is_err());
        assert!(decode::<Request>(&[]).is_err());
    }

    #[test]
    fn a_compartment_that_is_none_cannot_be_read() {
        let mut bytes = encode(
            &Request::NewContentKey(KekId::Label {
                rank: 1,
                compartment: "acme".parse().unwrap(),
            }),
            Operation::NewContentKey,
        )
        .unwrap()
        .to_vec();
        let end = bytes.len() - 1;
        bytes[end] = b'/';
        assert!(decode::<Request>(&bytes).is_err());
    }
}
