//! The sessions: a bounded number, renewed when they are lost.
//!
//! Login belongs to the application, not to a session, and is lost with the
//! last session: one keeper stays open for life, nobody ever logs out. An
//! epoch counts the logins; sessions and handles of an older epoch are dropped.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chancery_hsm_api::{KeyError, KeyErrorKind};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Limit, Slot, TokenInfo};

use crate::fault::{Class, Fault, class, name, told};
use crate::module::{TokenIdentity, identity};
use crate::{Module, Pin, TokenConfig, Tries};

/// How often one operation is tried before its error is told.
const ATTEMPTS: u32 = 4;

/// How long a lost token is left alone before it is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

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

/// A session, lent for one operation.
pub(crate) struct Call<'a> {
    pool: &'a Pool,
    session: Option<Session>,
    /// The login that it belongs to.
    pub(crate) epoch: u64,
    number: u64,
    spoilt: Cell<bool>,
}

/// What the pool knows of its token's health.
pub(crate) struct Pulse {
    pub(crate) working: bool,
    pub(crate) sessions: usize,
    pub(crate) renewals: u64,
    pub(crate) last_failure: Option<String>,
}

// === impl Pool ===

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

    pub(crate) const fn config(&self) -> &TokenConfig {
        &self.config
    }

    /// Does `f` with a session. What a lost session, a lost login or a stale
    /// handle spoilt is done again; `f` must therefore be harmless to repeat.
    pub(crate) fn run<T>(
        &self,
        what: &str,
        f: impl Fn(&Call<'_>) -> Result<T, Fault>,
    ) -> Result<T, KeyError> {
        self.run_settled(what, f, None)
    }

    /// The same for operations on the caller's bytes, where some tokens call
    /// wrong bytes a broken device: `known` does it with bytes that are right
    /// under the same key. If that works, fails and works again in turn, the
    /// caller's bytes are wrong.
    pub(crate) fn run_settled<T>(
        &self,
        what: &str,
        f: impl Fn(&Call<'_>) -> Result<T, Fault>,
        known: Option<&dyn Fn(&Call<'_>) -> Result<(), Fault>>,
    ) -> Result<T, KeyError> {
        let mut was_well = false;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let call = self.lend(what)?;
            let error = match f(&call) {
                Ok(done) => return Ok(done),
                Err(Fault::Key(error)) => return Err(error),
                Err(Fault::Module(error)) => error,
            };
            let last = attempt >= ATTEMPTS;
            let epoch = call.epoch;
            match call.sharpened(class(&error)) {
                Class::Session | Class::Muddled => {
                    call.spoil();
                    drop(call);
                    self.drop_idle();
                    if last {
                        return Err(told(what, &error));
                    }
                }
                Class::Login | Class::Handle => {
                    drop(call);
                    if last {
                        return Err(told(what, &error));
                    }
                    self.renew(epoch)?;
                }
                Class::Unclear => {
                    let well = known.map(|known| known(&call).is_ok());
                    call.spoil();
                    drop(call);
                    match well {
                        Some(true) if was_well => {
                            return Err(KeyError::new(KeyErrorKind::Data, what, name(&error)));
                        }
                        Some(false) => return Err(self.lose(epoch, what, &error)),
                        // With nothing to compare, a second failure is the token's.
                        None if was_well => return Err(self.doubted(epoch, what, &error)),
                        Some(true) | None => was_well = true,
                    }
                }
                Class::Device => {
                    call.spoil();
                    drop(call);
                    let failure = self.lose(epoch, what, &error);
                    if last || self.renew(epoch).is_err() {
                        return Err(failure);
                    }
                }
                Class::Data | Class::Denied | Class::Unsupported | Class::Busy | Class::Config => {
                    return Err(told(what, &error));
                }
            }
        }
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

    /// Waits for a session, within the patience.
    fn lend(&self, what: &str) -> Result<Call<'_>, KeyError> {
        let until = Instant::now() + self.config.patience;
        let mut state = self.lock();
        loop {
            if state.pin_refused {
                return Err(refused_before());
            }
            if let Some(loss) = state.lost {
                if loss.looked.elapsed() < LOOK_AGAIN {
                    let detail = state.last_failure.clone().unwrap_or_default();
                    return Err(KeyError::new(KeyErrorKind::DeviceLost, what, detail));
                }
                state.lost = Some(Loss {
                    looked: Instant::now(),
                    ..loss
                });
                let epoch = state.epoch;
                drop(state);
                self.renew(epoch)?;
                state = self.lock();
                continue;
            }
            if let Some(session) = state.idle.pop() {
                return Ok(self.call(state, session));
            }
            if state.open < state.max {
                state.open += 1;
                let (slot, epoch) = (state.slot, state.epoch);
                drop(state);
                match self.open_session(slot) {
                    Ok(session) => {
                        state = self.lock();
                        if state.epoch == epoch {
                            return Ok(self.call(state, session));
                        }
                        state.open = state.open.saturating_sub(1);
                        drop(state);
                        drop(session);
                        state = self.lock();
                    }
                    Err(error) => {
                        let mut failed = self.lock();
                        failed.open = failed.open.saturating_sub(1);
                        drop(failed);
                        return Err(self.not_opened(epoch, what, &error));
                    }
                }
                continue;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let detail = "all sessions of the token are in use";
                return Err(KeyError::new(KeyErrorKind::Busy, what, detail));
            }
            state = self
                .freed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn call<'a>(&'a self, mut state: MutexGuard<'a, State>, session: Session) -> Call<'a> {
        let number = state.next_call;
        state.next_call += 1;
        state.calls.insert(number, Instant::now());
        Call {
            pool: self,
            session: Some(session),
            epoch: state.epoch,
            number,
            spoilt: Cell::new(false),
        }
    }

    fn open_session(&self, slot: Slot) -> Result<Session, Error> {
        if self.config.quirks.read_write_sessions {
            self.module.context().open_rw_session(slot)
        } else {
            self.module.context().open_ro_session(slot)
        }
    }

    fn not_opened(&self, epoch: u64, what: &str, error: &Error) -> KeyError {
        match class(error) {
            Class::Busy => told(what, error),
            _ => self.lose(epoch, what, error),
        }
    }

    /// A new login, unless someone made one since `epoch`.
    fn renew(&self, epoch: u64) -> Result<(), KeyError> {
        let _mine = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let (keeper, idle) = {
            let mut state = self.lock();
            if state.pin_refused {
                return Err(refused_before());
            }
            if state.epoch != epoch {
                return Ok(());
            }
            let idle = std::mem::take(&mut state.idle);
            state.open = state.open.saturating_sub(idle.len());
            (state.keeper.take(), idle)
        };
        drop(idle);
        let renewed = self.enter();
        // The old keeper outlives the login of the new one: with the last
        // session the login itself would go.
        drop(keeper);
        let mut state = self.lock();
        match renewed {
            Ok((slot, keeper)) => {
                state.slot = slot;
                state.keeper = Some(keeper);
                state.epoch += 1;
                if state.epoch > 1 {
                    state.renewals += 1;
                    tracing::warn!(renewals = state.renewals, "logged in to the token again");
                }
                state.lost = None;
                drop(state);
                self.freed.notify_all();
                Ok(())
            }
            Err(error) => {
                if error.kind == KeyErrorKind::Config {
                    state.last_failure = Some(error.to_string());
                }
                self.mark_lost(&mut state, error.to_string());
                Err(error)
            }
        }
    }

    /// Finds the token, opens a session and logs in.
    fn enter(&self) -> Result<(Slot, Session), KeyError> {
        let what = "log in to the token";
        let (slot, info) = self
            .module
            .find(&self.config.label, self.config.serial.as_deref())?;
        let session = self
            .open_session(slot)
            .map_err(|error| told(what, &error))?;
        let state = session
            .get_session_info()
            .map_err(|error| told(what, &error))?
            .session_state();
        if !is_user(state) {
            check_flags(&info)?;
            self.log_in(&session)?;
        }
        Ok((slot, session))
    }

    fn log_in(&self, session: &Session) -> Result<(), KeyError> {
        let what = "log in to the token";
        self.tries.begin()?;
        let error = match session.login(UserType::User, Some(self.pin.auth())) {
            Ok(()) => return self.tries.right(),
            Err(error) => error,
        };
        if let Error::Pkcs11(code, _) = &error {
            match code {
                RvError::UserAlreadyLoggedIn => return self.tries.not_asked(),
                RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid => {
                    self.lock().pin_refused = true;
                    let left = self.tries.wrong()?;
                    let detail = format!("the token refused the PIN; {left} more may be tried");
                    return Err(KeyError::new(KeyErrorKind::Config, what, detail));
                }
                _ => {}
            }
        }
        self.tries.not_asked()?;
        Err(told(what, &error))
    }

    /// The operation failed twice and nobody can say whose fault it is: the
    /// token is lost only if it does nothing else either.
    fn doubted(&self, epoch: u64, what: &str, error: &Error) -> KeyError {
        let slot = self.lock().slot;
        let probe = self
            .open_session(slot)
            .and_then(|session| session.generate_random_slice(&mut [0; 8]));
        match probe {
            Ok(()) => KeyError::new(KeyErrorKind::DeviceLost, what, name(error)),
            Err(_) => self.lose(epoch, what, error),
        }
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

// === impl Call ===

impl Call<'_> {
    pub(crate) fn session(&self) -> Result<&Session, KeyError> {
        // Only the drop takes it out.
        self.session.as_ref().ok_or_else(|| {
            KeyError::new(
                KeyErrorKind::SessionLost,
                "use a session",
                "it was given back",
            )
        })
    }

    /// The session is not used again after this.
    pub(crate) fn spoil(&self) {
        self.spoilt.set(true);
    }

    /// Does `f` with a session object and destroys it, whatever comes.
    pub(crate) fn with_object<T>(
        &self,
        object: cryptoki::object::ObjectHandle,
        f: impl FnOnce(&Session) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let session = self.session()?;
        let done = f(session);
        if session.destroy_object(object).is_err() {
            // It goes with its session.
            self.spoil();
        }
        done
    }

    /// Kryoptic says GeneralError where nobody is logged in: ask the session
    /// before believing in a broken device.
    fn sharpened(&self, class: Class) -> Class {
        if class != Class::Unclear {
            return class;
        }
        let Some(session) = &self.session else {
            return Class::Session;
        };
        match session.get_session_info() {
            Ok(info) if !is_user(info.session_state()) => Class::Login,
            Ok(_) => Class::Unclear,
            Err(error) => crate::fault::class(&error),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut gone = None;
        {
            let mut state = self.pool.lock();
            state.calls.remove(&self.number);
            if self.spoilt.get() || state.epoch != self.epoch {
                state.open = state.open.saturating_sub(1);
                gone = self.session.take();
            } else {
                state.idle.extend(self.session.take());
            }
        }
        // Closing asks the module: not under the lock.
        drop(gone);
        self.pool.freed.notify_one();
    }
}

const fn is_user(state: SessionState) -> bool {
    matches!(state, SessionState::RoUser | SessionState::RwUser)
}

fn refused_before() -> KeyError {
    let detail = "the token refused the PIN: it is not tried again by itself";
    KeyError::new(KeyErrorKind::Config, "log in to the token", detail)
}

/// What a token says of its PIN, where it says it at all.
fn check_flags(info: &TokenInfo) -> Result<(), KeyError> {
    let wrong = if !info.user_pin_initialized() {
        "the token has no user PIN yet: provision it first"
    } else if info.user_pin_locked() {
        "the user PIN is locked: the security officer must set it anew"
    } else if info.user_pin_final_try() {
        "one wrong PIN more locks the token: the security officer must look at it"
    } else {
        return Ok(());
    };
    Err(KeyError::new(
        KeyErrorKind::Config,
        "log in to the token",
        wrong,
    ))
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
