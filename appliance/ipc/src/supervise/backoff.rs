//! How long to wait before a restart.

use std::time::Duration;

use crate::supervise::Timing;

/// The pauses of one process.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    deaths: u32,
}

// === impl Backoff ===

impl Backoff {
    /// The pause after a life of this length.
    pub(super) fn pause(&mut self, lived: Duration, timing: &Timing) -> Duration {
        if lived >= timing.settled {
            self.deaths = 0;
        }
        let factor = 1_u32.checked_shl(self.deaths.min(31)).unwrap_or(u32::MAX);
        self.deaths = self.deaths.saturating_add(1);
        timing
            .first_pause
            .saturating_mul(factor)
            .min(timing.longest_pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let timing = Timing::default();
        let mut backoff = Backoff::default();
        let mut short = || backoff.pause(Duration::from_secs(1), &timing).as_millis();
        assert_eq!(
            [
                short(),
                short(),
                short(),
                short(),
                short(),
                short(),
                short(),
                short(),
                short()
            ],
            [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
        );
        for _ in 0..100 {
            short();
        }
        assert_eq!(short(), 10_000);
        assert_eq!(
            backoff.pause(Duration::from_secs(60), &timing).as_millis(),
            100
        );
        assert_eq!(
            backoff.pause(Duration::from_secs(1), &timing).as_millis(),
            200
        );
    }
}
