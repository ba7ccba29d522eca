//! A session, lent for one operation.

use std::cell::Cell;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use chancery_hsm_api::{KeyError, KeyErrorKind};
use cryptoki::error::Error;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::login::{is_user, refused_before};
use super::{LOOK_AGAIN, Loss, Pool, State};
use crate::fault::{Class, Fault, class, told};

/// A session, lent for one operation.
pub(crate) struct Call<'a> {
    pool: &'a Pool,
    session: Option<Session>,
    /// The login that it belongs to.
    pub(crate) epoch: u64,
    number: u64,
    spoilt: Cell<bool>,
}

impl Pool {
    /// Waits for a session, within the patience.
    pub(super) fn lend(&self, what: &str) -> Result<Call<'_>, KeyError> {
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

    pub(super) fn open_session(&self, slot: Slot) -> Result<Session, Error> {
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
}

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
    pub(super) fn sharpened(&self, class: Class) -> Class {
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
