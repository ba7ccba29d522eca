//! The story of one message, as its records tell it: data for people to read.

use std::collections::BTreeMap;

use chancery_message::{DeliveryId, MessageId, Timestamp};

use crate::{Actor, EventKind, Key, Record, Severity};

/// One step of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log: the order of the story.
    pub seq: u64,
    /// When, by the node's clock.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// How much attention it wants.
    pub severity: Severity,
    /// Who.
    pub actor: Actor,
    /// On which of the message's ways.
    pub delivery: Option<DeliveryId>,
    /// A sentence: the event's meaning and what people ask for first.
    pub words: String,
}

/// Somebody who had the content, or may have had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The recipient, or the officer who read it.
    pub who: String,
    /// By which delivery; none for an officer's reading.
    pub delivery: Option<DeliveryId>,
    /// Since when.
    pub since: Timestamp,
    /// The record that says so.
    pub seq: u64,
    /// How sure it is.
    pub how: Had,
}

/// How sure it is that somebody had the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Had {
    /// The seal was opened for them; no outcome is recorded (yet).
    Opened,
    /// Bytes may have reached them; nothing says so.
    Uncertain,
    /// They have it.
    Completed,
    /// An officer read it.
    Read,
}

impl Had {
    /// `opened`, `uncertain`, `completed`, `read`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Uncertain => "uncertain",
            Self::Completed => "completed",
            Self::Read => "read",
        }
    }
}

/// Words that fill a line without helping who reads it.
const NOISE: [Key; 9] = [
    Key::Rows,
    Key::Root,
    Key::Digest,
    Key::Policy,
    Key::Epoch,
    Key::Kek,
    Key::Generation,
    Key::Ticket,
    Key::External,
];

/// The story of a message, in the order of the log.
pub fn of_message<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    message: &MessageId,
) -> Vec<Entry> {
    let mut entries: Vec<_> = records
        .into_iter()
        .filter(|record| record.event.message == Some(*message))
        .map(entry)
        .collect();
    entries.sort_by_key(|entry| entry.seq);
    entries
}

/// One record as a step of a story.
#[must_use]
pub fn entry(record: &Record) -> Entry {
    let event = &record.event;
    Entry {
        seq: record.seq,
        at: event.at,
        kind: event.kind,
        severity: event.kind.severity(),
        actor: event.actor.clone(),
        delivery: event.delivery,
        words: words(record),
    }
}

fn words(record: &Record) -> String {
    let said: Vec<_> = record
        .event
        .details
        .iter()
        .filter(|(key, _)| !NOISE.contains(key))
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    let meaning = record.event.kind.meaning();
    if said.is_empty() {
        meaning.to_owned()
    } else {
        format!("{meaning} ({})", said.join("; "))
    }
}

/// Who had the content of a message: one line for each delivery that was
/// opened (its surest state) and for each officer's reading. A delivery that
/// was deferred after its opening stays `opened`: bytes may have left.
pub fn who_had<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    message: &MessageId,
) -> Vec<Holder> {
    let mut records: Vec<_> = records
        .into_iter()
        .filter(|record| record.event.message == Some(*message))
        .collect();
    records.sort_by_key(|record| record.seq);
    let mut deliveries: BTreeMap<DeliveryId, Holder> = BTreeMap::new();
    let mut holders = Vec::new();
    for record in records {
        let event = &record.event;
        let how = match event.kind {
            EventKind::ReleaseOpened => Had::Opened,
            EventKind::ReleaseUncertain => Had::Uncertain,
            EventKind::ReleaseCompleted => Had::Completed,
            EventKind::ContentRead => Had::Read,
            _ => continue,
        };
        let text = |key| event.details.get(key).map(ToString::to_string);
        let who = match how {
            Had::Read => text(Key::Officer).unwrap_or_else(|| event.actor.to_string()),
            Had::Opened | Had::Uncertain | Had::Completed => {
                text(Key::Recipient).unwrap_or_default()
            }
        };
        let holder = Holder {
            who,
            delivery: event.delivery,
            since: event.at,
            seq: record.seq,
            how,
        };
        match event.delivery {
            Some(delivery) if how != Had::Read => {
                let known = deliveries.entry(delivery).or_insert_with(|| holder.clone());
                if how > known.how {
                    known.how = how;
                    known.seq = record.seq;
                }
                if known.who.is_empty() {
                    known.who = holder.who;
                }
            }
            _ => holders.push(holder),
        }
    }
    holders.extend(deliveries.into_values());
    holders.sort_by_key(|holder| (holder.since, holder.seq));
    holders
}
