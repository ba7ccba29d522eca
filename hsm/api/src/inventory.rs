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

/// One way in which some roles can be served, and whether this token can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// The roles, for example `kek` or `pgp/decrypt`.
    pub roles: String,
    /// The plan's name, for example `aes-kw`.
    pub plan: String,
    /// The mechanisms that it needs, by their PKCS#11 names.
    pub mechanisms: Vec<String>,
    /// Those of them that the token does not name.
    pub missing: Vec<String>,
    /// Whether it worked with a key made for the test; none if it was not tried.
    pub works: Option<bool>,
    /// Why it did not work.
    pub failure: Option<String>,
    /// True if new keys of these roles are made for this plan.
    pub chosen: bool,
}

impl Capability {
    /// Why the plan cannot be used, in a few words.
    #[must_use]
    pub fn why_not(&self) -> String {
        match (self.missing.as_slice(), &self.failure) {
            ([], Some(failure)) => format!("{} does not work ({failure})", self.plan),
            ([], None) => format!("{} was not tried", self.plan),
            (missing, _) => format!("{} lacks {}", self.plan, missing.join(" and ")),
        }
    }
}

/// What the token holds and how it fares.
pub trait Inventory: Send + Sync {
    /// All keys that have a role here.
    ///
    /// # Errors
    /// As in [`crate::KeyErrorKind`].
    fn keys(&self) -> Result<Vec<KeyInfo>, KeyError>;

    /// What the token can do, by plan, as it was found when it was opened.
    fn capabilities(&self) -> Vec<Capability>;

    /// Asks the token; a broken token is an answer too, not an error.
    fn health(&self) -> TokenHealth;
}
