//! What a word of an event can say.

use std::fmt;

use chancery_message::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::Hash;
use crate::escape::{Escaped, escape, is_escaped};

/// Longest text, characters after escaping.
pub(crate) const MAX_TEXT: usize = 256;
/// Longest list.
pub(crate) const MAX_ITEMS: usize = 128;
/// Longest item of a list, characters after escaping.
pub(crate) const MAX_ITEM: usize = 96;

/// A value: escaped and capped when it is made, whatever it is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(pub(crate) Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Flag(bool),
    Integer(i64),
    Text(String),
    List(Vec<String>),
    /// A text that was too long: its beginning, the length of the whole in
    /// characters, the SHA-256 of the value as given.
    CutText {
        text: String,
        of: u64,
        sha256: Hash,
    },
    /// A list that was too long (or an item of it): its beginning, the number
    /// of items of the whole, the SHA-256 of [`list_digest`].
    CutList {
        items: Vec<String>,
        of: u64,
        sha256: Hash,
    },
}

impl Value {
    /// A text from bytes that need not be UTF-8.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        let Escaped { text, cut } = escape(bytes, MAX_TEXT);
        Self(match cut {
            None => Kind::Text(text),
            Some((of, sha256)) => Kind::CutText { text, of, sha256 },
        })
    }

    /// A hash, as hexadecimal.
    #[must_use]
    pub fn hash(hash: &Hash) -> Self {
        Self(Kind::Text(hex::encode(hash)))
    }

    /// A list of short texts.
    pub fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> Self {
        let mut kept = Vec::new();
        let mut digest = Sha256::new();
        let (mut of, mut cut) = (0_u64, false);
        for item in items {
            let item = item.as_ref();
            // Each item with its length: no two lists have one digest.
            digest.update((item.len() as u64).to_be_bytes());
            digest.update(item.as_bytes());
            of = of.saturating_add(1);
            let escaped = escape(item.as_bytes(), MAX_ITEM);
            cut |= escaped.cut.is_some() || kept.len() == MAX_ITEMS;
            if kept.len() < MAX_ITEMS {
                kept.push(escaped.text);
            }
        }
        Self(if cut {
            Kind::CutList {
                items: kept,
                of,
                sha256: digest.finalize().into(),
            }
        } else {
            Kind::List(kept)
        })
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Kind::Text(text) | Kind::CutText { text, .. } => Some(text),
            Kind::Flag(_) | Kind::Integer(_) | Kind::List(_) | Kind::CutList { .. } => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_integer(&self) -> Option<i64> {
        match self.0 {
            Kind::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[String]> {
        match &self.0 {
            Kind::List(items) | Kind::CutList { items, .. } => Some(items),
            Kind::Flag(_) | Kind::Integer(_) | Kind::Text(_) | Kind::CutText { .. } => None,
        }
    }

    /// The same with nothing of its text left, but its hash: for an event
    /// that says too much.
    pub(crate) fn emptied(self) -> Self {
        let sha256 = Sha256::digest(self.to_string().as_bytes()).into();
        Self(match self.0 {
            Kind::Flag(_) | Kind::Integer(_) => return self,
            Kind::Text(text) => Kind::CutText {
                of: text.chars().count() as u64,
                text: String::new(),
                sha256,
            },
            Kind::List(items) => Kind::CutList {
                of: items.len() as u64,
                items: Vec::new(),
                sha256,
            },
            Kind::CutText { of, sha256, .. } => Kind::CutText {
                text: String::new(),
                of,
                sha256,
            },
            Kind::CutList { of, sha256, .. } => Kind::CutList {
                items: Vec::new(),
                of,
                sha256,
            },
        })
    }

    /// Appends its canonical JSON.
    pub(crate) fn write_json(&self, out: &mut String) {
        match &self.0 {
            Kind::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Kind::Integer(number) => out.push_str(&number.to_string()),
            Kind::Text(text) => write_string(out, text),
            Kind::List(items) => write_list(out, items),
            Kind::CutText { text, of, sha256 } => {
                out.push_str("{\"cut\":");
                write_string(out, text);
                write_cut(out, *of, sha256);
            }
            Kind::CutList { items, of, sha256 } => {
                out.push_str("{\"cut\":");
                write_list(out, items);
                write_cut(out, *of, sha256);
            }
        }
    }

    /// True if it is as the constructors make it: what is read must be.
    pub(crate) fn is_sound(&self) -> bool {
        let sound = |text: &String, max: usize| is_escaped(text) && text.chars().count() <= max;
        match &self.0 {
            Kind::Flag(_) | Kind::Integer(_) => true,
            Kind::Text(text) | Kind::CutText { text, .. } => sound(text, MAX_TEXT),
            Kind::List(items) | Kind::CutList { items, .. } => {
                items.len() <= MAX_ITEMS && items.iter().all(|item| sound(item, MAX_ITEM))
            }
        }
    }
}

fn write_list(out: &mut String, items: &[String]) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, item);
    }
    out.push(']');
}

fn write_cut(out: &mut String, of: u64, sha256: &Hash) {
    out.push_str(",\"of\":");
    out.push_str(&of.to_string());
    out.push_str(",\"sha256\":\"");
    out.push_str(&hex::encode(sha256));
    out.push_str("\"}");
}

/// A JSON string of text that holds no control characters.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

impl fmt::Display for Value {
    /// For people: escaped, lists joined by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Kind::Integer(number) => number.fmt(f),
            Kind::Text(text) => f.write_str(text),
            Kind::CutText { text, of, .. } => write!(f, "{text}... ({of} characters)"),
            Kind::List(items) => f.write_str(&items.join(", ")),
            Kind::CutList { items, of, .. } => write!(f, "{}... ({of} items)", items.join(", ")),
        }
    }
}

// === conversions ===

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::bytes(text.as_bytes())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::bytes(text.as_bytes())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::bytes(text.as_bytes())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self(Kind::Flag(flag))
    }
}

impl From<Timestamp> for Value {
    /// RFC 3339 in UTC.
    fn from(at: Timestamp) -> Self {
        at.to_string().into()
    }
}

impl<T: AsRef<str>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::list(items)
    }
}

impl<T: AsRef<str>> From<&[T]> for Value {
    fn from(items: &[T]) -> Self {
        Self::list(items)
    }
}

impl<T: AsRef<str>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        Self::list(items)
    }
}

macro_rules! from_integers {
    ($($signed:ty),+; $($wide:ty),+) => {
        $(impl From<$signed> for Value {
            fn from(number: $signed) -> Self {
                Self(Kind::Integer(number.into()))
            }
        })+
        $(impl From<$wide> for Value {
            /// A number beyond 2^63 - 1 becomes text.
            fn from(number: $wide) -> Self {
                Self(i64::try_from(number).map_or_else(|_| Kind::Text(number.to_string()), Kind::Integer))
            }
        })+
    };
}

from_integers!(i64, i32, u32, u16, u8; u64, usize);

macro_rules! from_display {
    ($($id:ty),+ $(,)?) => {
        $(impl From<&$id> for Value {
            fn from(id: &$id) -> Self {
                id.to_string().into()
            }
        }
        impl From<$id> for Value {
            fn from(id: $id) -> Self {
                id.to_string().into()
            }
        })+
    };
}

from_display!(
    chancery_message::BodyId,
    chancery_message::CaseId,
    chancery_message::Channel,
    chancery_message::DeliveryId,
    chancery_message::MessageId,
    chancery_message::MouId,
    chancery_message::OfficerId,
    chancery_message::OpaqueRef,
    chancery_message::ParticipantId,
    chancery_message::Precedence,
    chancery_message::Purpose,
    chancery_label::Level,
);
