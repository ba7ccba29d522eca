//! The sessions: a bounded number, renewed when they are lost.
//!
//! Login belongs to the application, not to a session, and is lost with the
//! last session: one keeper stays open for life, nobody ever logs out. An
//! epoch counts the logins; sessions and handles of an older epoch are dropped.

mod call;
mod login;
mod run;

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chancery_hsm_api::{KeyError, KeyErrorKind};
use cryptoki::error::Error;
use cryptoki::mechanism::MechanismType;
use cryptoki::session::Session;
use cryptoki::slot::{Limit, Slot, TokenInfo};

use crate::fault::{name, told};
use crate::module::{TokenIdentity, identity};
use crate::{Module, Pin, TokenConfig, Tries};

/// How long a lost token is left alone before it is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub(crate) use call::Call;
pub(crate) use login::{check_flags, is_user};

pub(crate) struct Pool {
    module: Module,
    config: TokenConfig,
    pin: Pin,
    tries: Tries,
    identity: TokenIdentity,
    state: Mutex<State>,
    freed: Condvar,
    /// Held by the one who renews; the others wait for it and find the work done.
    renewal: Mutex<()>,
}

struct State {
    slot: Slot,
    epoch: u64,
    keeper: Option<Session>,
    idle: Vec<Session>,
    /// Idle and lent, of this epoch and older ones.
    open: usize,
    max: usize,
    calls: BTreeMap<u64, Instant>,
    next_call: u64,
    lost: Option<Loss>,
    pin_refused: bool,
    renewals: u64,
    last_failure: Option<String>,
}

#[derive(Clone, Copy)]
struct Loss {
    since: Instant,
    looked: Instant,
}

/// What the pool knows of its token's health.
pub(crate) struct Pulse {
    pub(crate) working: bool,
    pub(crate) sessions: usize,
    pub(crate) renewals: u64,
    pub(crate) last_failure: Option<String>,
}

impl Pool {
    /// Finds the token, opens the keeper and logs in.
    pub(crate) fn open(
        module: Module,
        config: TokenConfig,
        pin: Pin,
        tries: Tries,
    ) -> Result<Self, KeyError> {
        let (slot, info) = module.find(&config.label, config.serial.as_deref())?;
        check_flags(&info)?;
        let max = bounded(config.max_sessions, &info);
        let identity = identity(&info);
        let pool = Self {
            module,
            config,
            pin,
            tries,
            identity,
            state: Mutex::new(State {
                slot,
                epoch: 0,
                keeper: None,
                idle: Vec::new(),
                open: 0,
                max,
                calls: BTreeMap::new(),
                next_call: 0,
                lost: None,
                pin_refused: false,
                renewals: 0,
                last_failure: None,
            }),
            freed: Condvar::new(),
            renewal: Mutex::new(()),
        };
        pool.renew(0)?;
        Ok(pool)
    }

    pub(crate) const fn identity(&self) -> &TokenIdentity {
        &self.identity
    }

    pub(crate) const fn pin(&self) -> &Pin {
        &self.pin
    }

    pub(crate) const fn config(&self) -> &TokenConfig {
        &self.config
    }

    /// The mechanisms that the token names, as far as they have a name here.
    pub(crate) fn mechanisms(&self) -> Result<Vec<MechanismType>, KeyError> {
        let slot = self.lock().slot;
        let fail = |error| told("list the token's mechanisms", &error);
        self.module.context().get_mechanism_list(slot).map_err(fail)
    }

    /// A session of its own that may write, outside the pool: for key ceremonies.
    pub(crate) fn writing_session(&self, what: &str) -> Result<Session, KeyError> {
        let slot = self.lock().slot;
        let fail = |error| told(what, &error);
        self.module.context().open_rw_session(slot).map_err(fail)
    }

    /// Asks the token something harmless.
    pub(crate) fn pulse(&self) -> Pulse {
        let asked = self.run("ask whether the token works", |call| {
            Ok(call.session()?.generate_random_slice(&mut [0; 8])?)
        });
        let busy = matches!(&asked, Err(error) if error.kind == KeyErrorKind::Busy);
        let state = self.lock();
        Pulse {
            working: state.lost.is_none() && (asked.is_ok() || busy),
            sessions: state.max,
            renewals: state.renewals,
            last_failure: state.last_failure.clone(),
        }
    }

    /// For how long the token has been lost.
    pub(crate) fn lost_for(&self) -> Option<Duration> {
        self.lock().lost.map(|loss| loss.since.elapsed())
    }

    /// How long the oldest call into the module has lasted.
    pub(crate) fn oldest_call(&self) -> Option<Duration> {
        self.lock().calls.values().map(Instant::elapsed).max()
    }

    fn lose(&self, epoch: u64, what: &str, error: &Error) -> KeyError {
        let detail = name(error);
        let mut state = self.lock();
        if state.epoch == epoch {
            self.mark_lost(&mut state, detail.clone());
        }
        KeyError::new(KeyErrorKind::DeviceLost, what, detail)
    }

    #[allow(clippy::unused_self, reason = "reads as what the pool does")]
    fn mark_lost(&self, state: &mut State, why: String) {
        let now = Instant::now();
        if state.lost.is_none() {
            tracing::error!(why, "the token is lost");
        }
        let since = state.lost.map_or(now, |loss| loss.since);
        state.lost = Some(Loss { since, looked: now });
        state.last_failure = Some(why);
    }

    fn drop_idle(&self) {
        let idle = {
            let mut state = self.lock();
            let idle = std::mem::take(&mut state.idle);
            state.open = state.open.saturating_sub(idle.len());
            idle
        };
        drop(idle);
        self.freed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keeper needs one session too.
fn bounded(wanted: usize, info: &TokenInfo) -> usize {
    let wanted = wanted.max(1);
    match info.max_session_count() {
        Limit::Max(count) => usize::try_from(count)
            .map_or(wanted, |count| wanted.min(count.saturating_sub(1).max(1))),
        Limit::Infinite | Limit::Unavailable => wanted,
    }
}
