//! An event in its place: the canonical record, whose bytes are a leaf.

use std::collections::BTreeMap;

use chancery_message::{DeliveryId, MessageId, Timestamp};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::value::{Kind, write_string};
use crate::{Actor, Details, Event, EventKind, Hash, LogId, MAX_RECORD_BYTES, Value};

/// An event with its place in a log. Canonical bytes are one line of JSON
/// (without line end), fields in the order here, no spaces, absent ids `null`,
/// `at` in microseconds, details sorted:
///
/// ```text
/// {"v":1,"log":"chancery/node-1","seq":7,"at":1764000000000000,"kind":"message.sealed",
///  "actor":"process:core","message":"0190…","delivery":null,"details":{"kek":"kek/1/cert-eu"}}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// In which log.
    pub log: LogId,
    /// At which place, counted from 0: the index of its leaf.
    pub seq: u64,
    /// What happened.
    pub event: Event,
}

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Too long.
    #[error("longer than a record can be")]
    TooLong,
    /// Not the JSON of a record: a fault of syntax, an unknown, missing or doubled field.
    #[error("not a record")]
    Malformed,
    /// A version that this program does not know.
    #[error("record of version {0}: use a newer `chancery`")]
    Version(u64),
    /// A field's value is none that it can have.
    #[error("field `{0}` holds no value it can have (or one of a newer version)")]
    Field(&'static str),
    /// It says what a record says, but not in the one form that a record has.
    #[error("not in canonical form")]
    NotCanonical,
}

/// RFC 6962 section 2.1: the hash of a leaf, SHA-256 over 0x00 and its bytes.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(bytes)
        .finalize()
        .into()
}

impl Record {
    /// Gives an event its place.
    #[must_use]
    pub fn new(log: &LogId, seq: u64, event: Event) -> Self {
        Self {
            log: log.clone(),
            seq,
            event,
        }
    }

    /// Its canonical bytes, at most [`MAX_RECORD_BYTES`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let event = &self.event;
        let mut out = String::with_capacity(512);
        out.push_str("{\"v\":1,\"log\":");
        write_string(&mut out, self.log.as_str());
        out.push_str(",\"seq\":");
        out.push_str(&self.seq.to_string());
        out.push_str(",\"at\":");
        out.push_str(&event.at.as_micros().to_string());
        out.push_str(",\"kind\":");
        write_string(&mut out, event.kind.name());
        out.push_str(",\"actor\":");
        write_string(&mut out, &event.actor.to_string());
        out.push_str(",\"message\":");
        write_id(&mut out, event.message.map(|id| id.to_string()));
        out.push_str(",\"delivery\":");
        write_id(&mut out, event.delivery.map(|id| id.to_string()));
        out.push_str(",\"details\":");
        out.push_str(&event.details.json());
        out.push('}');
        out.into_bytes()
    }

    /// The hash of its leaf.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.encode())
    }

    /// Reads canonical bytes, and nothing else.
    ///
    /// # Errors
    /// [`RecordError`], for any bytes that [`Record::encode`] would not have
    /// written.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong);
        }
        let raw: Raw<'_> = serde_json::from_slice(bytes).map_err(|_| RecordError::Malformed)?;
        if raw.v != 1 {
            return Err(RecordError::Version(raw.v));
        }
        let field = |name| move || RecordError::Field(name);
        let mut details = BTreeMap::new();
        for (key, value) in raw.details {
            let key = key.parse().map_err(|_| RecordError::Field("details"))?;
            details.insert(key, value.sound().ok_or_else(field("details"))?);
        }
        let message: Option<MessageId> = read_id(raw.message).ok_or_else(field("message"))?;
        let delivery: Option<DeliveryId> = read_id(raw.delivery).ok_or_else(field("delivery"))?;
        let record = Self {
            log: raw.log.parse().map_err(|_| RecordError::Field("log"))?,
            seq: raw.seq,
            event: Event {
                kind: raw
                    .kind
                    .parse::<EventKind>()
                    .map_err(|_| RecordError::Field("kind"))?,
                at: Timestamp::from_micros(raw.at),
                actor: raw
                    .actor
                    .parse::<Actor>()
                    .map_err(|_| RecordError::Field("actor"))?,
                message,
                delivery,
                details: Details(details),
            },
        };
        if record.encode() == bytes {
            Ok(record)
        } else {
            Err(RecordError::NotCanonical)
        }
    }
}

fn write_id(out: &mut String, id: Option<String>) {
    match id {
        Some(id) => write_string(out, &id),
        None => out.push_str("null"),
    }
}

fn read_id<T: std::str::FromStr>(text: Option<&str>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => text.parse().ok().map(Some),
    }
}

// What serde reads before it is checked. Names, ids and actors hold no escape
// in canonical form, so that borrowed strings are enough; in details they do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    v: u64,
    log: &'a str,
    seq: u64,
    at: i64,
    kind: &'a str,
    actor: &'a str,
    #[serde(borrow)]
    message: Option<&'a str>,
    #[serde(borrow)]
    delivery: Option<&'a str>,
    details: BTreeMap<&'a str, RawValue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawValue {
    Flag(bool),
    Integer(i64),
    Text(String),
    List(Vec<String>),
    CutText(Cut<String>),
    CutList(Cut<Vec<String>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cut<T> {
    cut: T,
    of: u64,
    sha256: String,
}

impl RawValue {
    fn sound(self) -> Option<Value> {
        let hash = |text: &str| {
            let mut hash = [0; 32];
            hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
        };
        let value = Value(match self {
            Self::Flag(flag) => Kind::Flag(flag),
            Self::Integer(number) => Kind::Integer(number),
            Self::Text(text) => Kind::Text(text),
            Self::List(items) => Kind::List(items),
            Self::CutText(cut) => Kind::CutText {
                sha256: hash(&cut.sha256)?,
                text: cut.cut,
                of: cut.of,
            },
            Self::CutList(cut) => Kind::CutList {
                sha256: hash(&cut.sha256)?,
                items: cut.cut,
                of: cut.of,
            },
        });
        value.is_sound().then_some(value)
    }
}
