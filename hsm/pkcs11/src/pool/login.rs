//! Finding the token and logging in, the first time and again.

use std::sync::PoisonError;

use chancery_hsm_api::{KeyError, KeyErrorKind};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};

use super::Pool;
use crate::fault::told;

impl Pool {
    /// A new login, unless someone made one since `epoch`.
    pub(super) fn renew(&self, epoch: u64) -> Result<(), KeyError> {
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
}

/// True for a session that sees private objects.
pub(crate) const fn is_user(state: SessionState) -> bool {
    matches!(state, SessionState::RoUser | SessionState::RwUser)
}

pub(super) fn refused_before() -> KeyError {
    let detail = "the token refused the PIN: it is not tried again by itself";
    KeyError::new(KeyErrorKind::Config, "log in to the token", detail)
}

/// What a token says of its PIN, where it says it at all.
pub(crate) fn check_flags(info: &TokenInfo) -> Result<(), KeyError> {
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
