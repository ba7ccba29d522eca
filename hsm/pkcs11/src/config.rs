//! Which token, and how it is used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which token, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    /// The token's label.
    pub label: String,
    /// Its serial number, where labels alone do not tell tokens apart.
    pub serial: Option<String>,
    /// Most sessions used at once, the keeper apart. Two serve Kryoptic best;
    /// network HSMs want about one per concurrent caller.
    pub max_sessions: usize,
    /// How long a call waits for a session before it answers that the token is busy.
    pub patience: Duration,
    /// What this token does otherwise than the standard says.
    pub quirks: Quirks,
}

impl TokenConfig {
    /// The token of that label, with two sessions.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            serial: None,
            max_sessions: 2,
            patience: Duration::from_secs(2),
            quirks: Quirks::default(),
        }
    }
}

/// What a token does otherwise than the standard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// Keys carry the list of the mechanisms that may use them
    /// (`CKA_ALLOWED_MECHANISMS`). WARNING: without it only the usage flags
    /// keep a KEK from other modes.
    pub allowed_mechanisms: bool,
    /// Keys can be marked as not to be copied (`CKA_COPYABLE`). WARNING:
    /// without it whoever has the PIN may make a copy that may do more.
    pub copyable: bool,
    /// `C_UnwrapKey` wants `CKA_VALUE_LEN` in its template.
    pub unwrap_value_len: bool,
    /// The token knows read-write sessions alone.
    pub read_write_sessions: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            allowed_mechanisms: true,
            copyable: true,
            unwrap_value_len: false,
            read_write_sessions: false,
        }
    }
}
