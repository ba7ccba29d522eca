//! The continuous health tests of NIST SP 800-90B sections 4.4.1 and 4.4.2, for
//! bytes that claim to have eight bits of entropy each.
//!
//! The chance of a false alarm is set to 2^-60 for each byte: at a million bytes
//! a second one in 36,000 years. What fails hardly (a stuck line, a short cycle,
//! one value far too often) is seen within 512 bytes.

/// Repetition count: `1 + ceil(60 / 8)` equal bytes in a row.
const REPETITIONS: u32 = 9;

/// The window of the adaptive proportion test for samples that are not bits.
const WINDOW: u32 = 512;

/// Its cutoff: the smallest number that the first byte of a window reaches with a
/// chance of at most 2^-60; the test below computes it.
const CUTOFF: u32 = 26;

/// The state of both tests for one generator.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// The last byte and how often it came in a row.
    run: (u8, u32),
    /// The first byte of the window, how often it came, and how many were seen.
    window: (u8, u32, u32),
    /// For good: a generator that failed once is not trusted again.
    failed: bool,
}

impl Health {
    /// Feeds bytes; false from the first failure on.
    pub(crate) fn takes(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            self.run = match self.run {
                (last, count) if last == *byte && count > 0 => (last, count + 1),
                _ => (*byte, 1),
            };
            self.window = match self.window {
                (_, _, 0) => (*byte, 1, 1),
                (first, count, seen) => (first, count + u32::from(first == *byte), seen + 1),
            };
            self.failed |= self.run.1 >= REPETITIONS || self.window.1 >= CUTOFF;
            if self.window.2 == WINDOW {
                self.window = (0, 0, 0);
            }
        }
        !self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cutoff_is_that_of_the_standard() {
        // SP 800-90B section 4.4.2: the smallest C with P(X >= C) <= alpha, X
        // counting the other 511 samples that equal the first; one is the first.
        let p = 1.0_f64 / 256.0;
        let n = i32::try_from(WINDOW - 1).unwrap();
        let mut term = (1.0 - p).powi(n);
        let mut terms = vec![term];
        for k in 0..n {
            term *= f64::from(n - k) / f64::from(k + 1) * p / (1.0 - p);
            terms.push(term);
        }
        let alpha = 2.0_f64.powi(-60);
        let tail = |from: usize| terms[from..].iter().rev().sum::<f64>();
        let smallest = (0..terms.len()).find(|from| tail(*from) <= alpha).unwrap();
        assert_eq!(CUTOFF, u32::try_from(smallest + 1).unwrap());
    }

    #[test]
    fn good_bytes_pass() {
        let mut health = Health::default();
        let mut bytes = [0; 4096];
        for _ in 0..64 {
            getrandom::fill(&mut bytes).unwrap();
            assert!(health.takes(&bytes));
        }
    }

    #[test]
    fn a_stuck_byte_fails_at_the_ninth_and_for_good() {
        let mut health = Health::default();
        assert!(health.takes(&[7; 8]));
        assert!(health.takes(&[8]));
        assert!(health.takes(&[7; 8]));
        assert!(!health.takes(&[7]));
        assert!(!health.takes(&[1, 2, 3]));
    }

    #[test]
    fn one_value_far_too_often_fails_within_a_window() {
        let mut health = Health::default();
        let skewed: Vec<u8> = (0..WINDOW)
            .map(|at| {
                if at % 16 == 0 {
                    9
                } else {
                    u8::try_from(at % 251).unwrap()
                }
            })
            .collect();
        assert!(!health.takes(&skewed));
    }
}
