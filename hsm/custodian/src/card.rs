//! What is known of one key, and where it stands.

use chancery_hsm_api::KeyRole;
use serde::{Deserialize, Serialize};

/// What is known of one key. Times are microseconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCard {
    /// What it is for.
    pub role: KeyRole,
    /// Counted from 1.
    pub generation: u32,
    /// When it was made, or found in the token for the first time.
    pub made_at: i64,
    /// Since when it is used.
    pub active_from: Option<i64>,
    /// From then on nothing is made with it.
    pub make_until: Option<i64>,
    /// From then on what it made is not opened.
    pub open_until: Option<i64>,
    /// When it was retired.
    pub retired_at: Option<i64>,
    /// When the generation after it was activated.
    pub superseded_at: Option<i64>,
    /// Of a KEK: nothing is wrapped under it any more, and never will be again.
    pub closed: bool,
    /// Of a KEK that is no longer active: so many blobs are still under it, as
    /// core told last.
    pub blobs: Option<u64>,
    /// When it was destroyed.
    pub destroyed_at: Option<i64>,
}

/// Where a key stands (the states of SP 800-57 part 1, section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Made, not used yet.
    PreActive,
    /// Makes and opens.
    Active,
    /// Only opens what it made.
    Deactivated,
    /// Opens no more: its period has ended.
    Ended,
    /// Gone.
    Destroyed,
}

impl KeyState {
    /// The word for lists.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PreActive => "pre-active",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Ended => "ended",
            Self::Destroyed => "destroyed",
        }
    }
}

impl KeyCard {
    /// Where it stands at `now`.
    #[must_use]
    pub fn state(&self, now: i64) -> KeyState {
        let past = |end: Option<i64>| end.is_some_and(|end| end <= now);
        if self.destroyed_at.is_some() {
            KeyState::Destroyed
        } else if self.active_from.is_none() {
            KeyState::PreActive
        } else if past(self.open_until) {
            KeyState::Ended
        } else if past(self.make_until) || self.retired_at.is_some() || self.superseded_at.is_some()
        {
            KeyState::Deactivated
        } else {
            KeyState::Active
        }
    }
}
