//! What a process takes from its machine: the time, randomness, its log. The
//! one place where the wall clock is read.
#![forbid(unsafe_code)]

use std::time::{SystemTime, UNIX_EPOCH};

use chancery_message::{Clock, Entropy, EntropyError, Timestamp};
use tracing_subscriber::EnvFilter;

/// The wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the clock that everybody else takes as an argument"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buffer).map_err(|error| EntropyError(error.to_string()))
    }
}

/// Log lines as JSON on standard error; `filter` is a `tracing` filter, for
/// example `info` or `chancery_core=debug`. Lines never carry content.
pub fn start_log(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .finish();
    // A second call keeps the first log: there is nothing to do about it.
    let _kept = tracing::subscriber::set_global_default(subscriber);
}
