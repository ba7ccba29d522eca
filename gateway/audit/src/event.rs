//! What happened, before it has its place in the log.

use std::collections::BTreeMap;

use chancery_message::{DeliveryId, MessageId, Timestamp};

use crate::{Actor, EventKind, Key, Value};

/// Largest canonical JSON of an event's details, bytes.
pub(crate) const MAX_DETAILS_BYTES: usize = 48 * 1024;

/// What happened. Values are escaped and capped as they are added; content
/// (subjects, texts, file names, references) is never among them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an event means nothing until the ledger commits it"]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// When, by the node's clock. The order of events is that of the log.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// To which message.
    pub message: Option<MessageId>,
    /// On which of its ways.
    pub delivery: Option<DeliveryId>,
    /// What else can be said.
    pub details: Details,
}

/// What an event says of itself, by catalogued words, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details(pub(crate) BTreeMap<Key, Value>);

// === impl Event ===

impl Event {
    /// An event without message, delivery and details.
    pub const fn new(kind: EventKind, at: Timestamp, actor: Actor) -> Self {
        Self {
            kind,
            at,
            actor,
            message: None,
            delivery: None,
            details: Details(BTreeMap::new()),
        }
    }

    /// The message that it is about.
    pub const fn message(mut self, message: MessageId) -> Self {
        self.message = Some(message);
        self
    }

    /// The delivery that it is about.
    pub const fn delivery(mut self, delivery: DeliveryId) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// Says something more; a word said twice keeps its last value. A word
    /// that the catalogue does not list for this kind is a mistake that debug
    /// builds stop at.
    pub fn detail(mut self, key: Key, value: impl Into<Value>) -> Self {
        debug_assert!(
            key.describes(self.kind),
            "`{key}` is not in the catalogue's row of `{}`",
            self.kind
        );
        self.details.insert(key, value.into());
        self
    }

    /// As [`Event::detail`], if there is a value.
    pub fn detail_if<V: Into<Value>>(self, key: Key, value: Option<V>) -> Self {
        match value {
            Some(value) => self.detail(key, value),
            None => self,
        }
    }
}

// === impl Details ===

impl Details {
    /// The value under a word.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Value> {
        self.0.get(&key)
    }

    /// All, in the order of their words.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn insert(&mut self, key: Key, value: Value) {
        self.0.insert(key, value);
        // Every value is small, but many lists together may not be: the one
        // that came last gives way, and leaves its hash.
        if self.json().len() > MAX_DETAILS_BYTES
            && let Some(value) = self.0.remove(&key)
        {
            self.0.insert(key, value.emptied());
        }
    }

    /// Canonical JSON.
    pub(crate) fn json(&self) -> String {
        let mut out = String::from("{");
        for (index, (key, value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            crate::value::write_string(&mut out, key.name());
            out.push(':');
            value.write_json(&mut out);
        }
        out.push('}');
        out
    }
}
