//! One token, logged in.

use std::time::Duration;

use chancery_hsm_api::{Capability, Inventory, KeyError, KeyInfo, TokenHealth};

use crate::keys::Keys;
use crate::pool::Pool;
use crate::random::Watch;
use crate::{Module, Pin, Quirks, TokenConfig, Tries};

/// One token, logged in: every capability of `chancery-hsm-api`.
pub struct Token {
    pub(crate) pool: Pool,
    pub(crate) keys: Keys,
    pub(crate) randomness: Watch,
    /// What it can do, probed when it was opened.
    pub(crate) capabilities: Vec<Capability>,
}

impl Token {
    /// Finds the token, logs in, looks at all its keys and tries each of them.
    ///
    /// # Errors
    /// [`chancery_hsm_api::KeyErrorKind::Config`]: no such token, two with one
    /// label, a refused PIN, three wrong PINs before, two keys of one label, a
    /// key that may do more than its role. `DeviceLost` and `Busy` may pass.
    pub fn open(
        module: Module,
        config: TokenConfig,
        pin: Pin,
        tries: Tries,
    ) -> Result<Self, KeyError> {
        let keys = Keys::new(config.quirks);
        let pool = Pool::open(module, config, pin, tries)?;
        let mut token = Self {
            pool,
            keys,
            randomness: Watch::default(),
            capabilities: Vec::new(),
        };
        token.capabilities = token.probe(false)?;
        let found = token.look()?;
        token.test_keys(&found)?;
        Ok(token)
    }

    /// What the token can do, every plan tried; may make an RSA key.
    ///
    /// # Errors
    /// As in [`chancery_hsm_api::KeyErrorKind`].
    pub fn try_all_plans(&self) -> Result<Vec<Capability>, KeyError> {
        self.probe(true)
    }

    pub(crate) const fn quirks(&self) -> Quirks {
        self.pool.config().quirks
    }

    /// For how long the token has been lost; none while it works.
    #[must_use]
    pub fn lost_for(&self) -> Option<Duration> {
        self.pool.lost_for()
    }

    /// How long the oldest call into the module has lasted: longer than any
    /// operation takes means that it hangs, and only a new process helps.
    #[must_use]
    pub fn oldest_call(&self) -> Option<Duration> {
        self.pool.oldest_call()
    }

    pub(crate) fn look(&self) -> Result<Vec<KeyInfo>, KeyError> {
        self.pool
            .run("look at the token's keys", |call| self.keys.inventory(call))
    }
}

impl Inventory for Token {
    fn keys(&self) -> Result<Vec<KeyInfo>, KeyError> {
        self.look()
    }

    fn capabilities(&self) -> Vec<Capability> {
        self.capabilities.clone()
    }

    fn health(&self) -> TokenHealth {
        let pulse = self.pool.pulse();
        let identity = self.pool.identity();
        TokenHealth {
            label: identity.label.clone(),
            serial: identity.serial.clone(),
            model: identity.model.clone(),
            working: pulse.working,
            sessions: u32::try_from(pulse.sessions).unwrap_or(u32::MAX),
            renewals: pulse.renewals,
            last_failure: pulse.last_failure,
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("identity", self.pool.identity())
            .finish_non_exhaustive()
    }
}
