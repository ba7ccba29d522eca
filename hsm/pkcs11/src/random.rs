//! Random bytes: the token's and the system's, mixed, so that either may be
//! bad without harm. Both are watched: a generator that stands still stops the
//! service.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use chancery_hsm_api::{KeyError, KeyErrorKind, Randomness};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use crate::Token;
use crate::fault::Fault;
use crate::health::Health;

const WHAT: &str = "give random bytes";

/// Bytes drawn from the token at a time, and at least.
const BLOCK: usize = 32;

impl Randomness for Token {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), KeyError> {
        let count = buffer.len();
        let bytes = self.pool.run(WHAT, |call| {
            let mut bytes = Zeroizing::new(vec![0; count]);
            self.randomness.fill(call.session()?, &mut bytes)?;
            Ok(bytes)
        })?;
        buffer.copy_from_slice(&bytes);
        Ok(())
    }
}

/// Watches both generators: the health tests of NIST SP 800-90B section 4.4 on
/// each byte (repetition count, adaptive proportion), and that no block of 32
/// bytes comes twice in a row.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
    broken: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// Only hashes are kept: these blocks become keys.
    last: Option<([u8; BLOCK], [u8; BLOCK])>,
    token: Health,
    system: Health,
}

impl Watch {
    /// Fills `buffer` from the session's token and the system.
    pub(crate) fn fill(&self, session: &Session, buffer: &mut [u8]) -> Result<(), Fault> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(broken().into());
        }
        for part in buffer.chunks_mut(BLOCK) {
            let mut token = Zeroizing::new([0; BLOCK]);
            let mut system = Zeroizing::new([0; BLOCK]);
            session.generate_random_slice(&mut *token)?;
            getrandom::fill(&mut *system).map_err(|error| {
                let detail = format!("the system gives none: {error}");
                KeyError::new(KeyErrorKind::DeviceLost, WHAT, detail)
            })?;
            if !self.is_alive(&token, &system) {
                self.broken.store(true, Ordering::Relaxed);
                return Err(broken().into());
            }
            for ((out, a), b) in part.iter_mut().zip(token.iter()).zip(system.iter()) {
                *out = a ^ b;
            }
        }
        Ok(())
    }

    fn is_alive(&self, token: &[u8; BLOCK], system: &[u8; BLOCK]) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (digest(token), digest(system));
        let repeated = state
            .last
            .is_some_and(|(token, system)| token == now.0 || system == now.1);
        state.last = Some(now);
        // Both are always fed: each has its own history.
        let (one, other) = (state.token.takes(token), state.system.takes(system));
        one && other && !repeated
    }
}

fn digest(block: &[u8; BLOCK]) -> [u8; BLOCK] {
    use sha2::Digest as _;
    sha2::Sha256::digest(block).into()
}

fn broken() -> KeyError {
    let detail = "a random generator repeats itself: nothing is made with it any more";
    KeyError::new(KeyErrorKind::DeviceLost, WHAT, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_stands_still_is_seen() {
        let block = |seed: u8| -> [u8; BLOCK] {
            std::array::from_fn(|at| {
                seed.wrapping_mul(31)
                    .wrapping_add(u8::try_from(at).unwrap())
            })
        };
        let (a, b, c) = (block(1), block(2), block(3));
        let watch = Watch::default();
        assert!(watch.is_alive(&a, &b));
        assert!(watch.is_alive(&b, &c));
        assert!(!watch.is_alive(&b, &a), "the token repeats");
        assert!(!watch.is_alive(&c, &a), "the system repeats");
        assert!(watch.is_alive(&a, &b));
        assert!(!watch.is_alive(&[0; BLOCK], &c), "all zero");
        let watch = Watch::default();
        assert!(!watch.is_alive(&c, &[0xff; BLOCK]), "all one");
    }
}
