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

/// Watches the generators (NIST SP 800-90B section 4.4, repetition count, on
/// whole blocks: two equal blocks of 32 bytes in a row do not happen).
#[derive(Debug, Default)]
pub(crate) struct Watch {
    last: Mutex<Option<([u8; BLOCK], [u8; BLOCK])>>,
    broken: AtomicBool,
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
        let constant = |block: &[u8; BLOCK]| block.iter().all(|byte| Some(byte) == block.first());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Only hashes are kept: these blocks become keys.
        let now = (digest(token), digest(system));
        let repeated = last.is_some_and(|(token, system)| token == now.0 || system == now.1);
        *last = Some(now);
        !(repeated || constant(token) || constant(system))
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
        let (a, b, c) = ([1; 31], [2; 31], [3; 31]);
        let block = |bytes: [u8; 31]| {
            let mut block = [9; BLOCK];
            block[..31].copy_from_slice(&bytes);
            block
        };
        let watch = Watch::default();
        assert!(watch.is_alive(&block(a), &block(b)));
        assert!(watch.is_alive(&block(b), &block(c)));
        assert!(!watch.is_alive(&block(b), &block(a)), "the token repeats");
        assert!(!watch.is_alive(&block(c), &block(a)), "the system repeats");
        assert!(watch.is_alive(&block(a), &block(b)));
        assert!(!watch.is_alive(&[0; BLOCK], &block(c)), "all zero");
        assert!(!watch.is_alive(&block(c), &[0xff; BLOCK]), "all one");
    }
}
