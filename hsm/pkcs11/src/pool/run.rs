//! One operation, done again when a session, a login or a handle was lost.

use chancery_hsm_api::{KeyError, KeyErrorKind};
use cryptoki::error::Error;

use super::{Call, Pool};
use crate::fault::{Class, Fault, class, name, told};

/// How often one operation is tried before its error is told.
const ATTEMPTS: u32 = 4;

/// Something whose outcome is known.
type Known<'a> = &'a dyn Fn(&Call<'_>) -> Result<(), Fault>;

impl Pool {
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
    /// wrong bytes a broken device, and a broken device may call good bytes
    /// wrong: `known` does it with bytes that are right under the same key. The
    /// caller's bytes are wrong if that works where they fail, three times in
    /// turn where the token's answer is unclear, else once.
    pub(crate) fn run_settled<T>(
        &self,
        what: &str,
        f: impl Fn(&Call<'_>) -> Result<T, Fault>,
        known: Option<Known<'_>>,
    ) -> Result<T, KeyError> {
        let mut was_well = 0;
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
                        Some(true) if was_well >= 2 => {
                            return Err(KeyError::new(KeyErrorKind::Data, what, name(&error)));
                        }
                        Some(false) => return Err(self.lose(epoch, what, &error)),
                        // With nothing to compare, a second failure is the token's.
                        None if was_well >= 1 => return Err(self.doubted(epoch, what, &error)),
                        Some(true) | None => was_well += 1,
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
                Class::Data if known.is_some_and(|known| known(&call).is_err()) => {
                    call.spoil();
                    drop(call);
                    return Err(self.lose(epoch, what, &error));
                }
                Class::Data | Class::Denied | Class::Unsupported | Class::Busy | Class::Config => {
                    return Err(told(what, &error));
                }
            }
        }
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
}
