//! What a token holds and how it fares.

use serde::{Deserialize, Serialize};

use crate::{KeyError, KeyRole};

/// One key of the token: its name and its public half, nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInfo {
    /// What it is for.
    pub role: KeyRole,
    /// Counted from 1; a rotation makes the next.
    pub generation: u32,
    /// Of a key pair: the uncompressed SEC 1 point of P-256, 65 bytes.
    pub public: Option<Vec<u8>>,
}

/// Which token this is and how it fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenHealth {
    /// The token's label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// The maker and model that it names.
    pub model: String,
    /// False after a device error, until a probe succeeds again.
    pub working: bool,
    /// Most sessions that are used at once.
    pub sessions: u32,
    /// Times that a session or login was lost and renewed.
    pub renewals: u64,
    /// The last failure of the device, if one is remembered.
    pub last_failure: Option<String>,
}

/// What the token holds and how it fares.
pub trait Inventory: Send + Sync {
    /// All keys that have a role here.
    ///
    /// # Errors
    /// As in [`crate::KeyErrorKind`].
    fn keys(&self) -> Result<Vec<KeyInfo>, KeyError>;

    /// Asks the token; a broken token is an answer too, not an error.
    fn health(&self) -> TokenHealth;
}
