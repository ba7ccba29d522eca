//! How often a wrong PIN may reach the token: three times, over restarts too.
//!
//! Tokens lock at counts of their own, or never; their flags are not to be
//! trusted. The count therefore lives in a file and is written before the
//! token is asked. A try whose end nobody saw (the process died in it) is
//! counted apart: it was probably right, since a wrong one stops the custodian,
//! but there is an end to those too.

use std::io;
use std::path::PathBuf;

use chancery_hsm_api::{KeyError, KeyErrorKind, durable};

/// Wrong PINs that may ever reach the token, until someone resets the count.
pub const MAX_WRONG: u32 = 3;

/// Tries in a row whose end nobody saw. Together with [`MAX_WRONG`] fewer than
/// the ten at which Kryoptic locks.
pub const MAX_UNFINISHED: u32 = 6;

const WHAT: &str = "log in to the token";

/// The count of wrong PINs, in a file.
#[derive(Clone, Debug)]
pub struct Tries {
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    wrong: u32,
    unfinished: u32,
}

impl Tries {
    /// The count kept in that file; a file that is not there yet counts nothing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Forgets all tries: after an officer has put the right PIN in place.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] when the file cannot be written.
    pub fn reset(&self) -> Result<(), KeyError> {
        self.write(Count::default())
    }

    /// How many wrong PINs the token was asked about since the last right one.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] when the file cannot be read.
    pub fn wrong_so_far(&self) -> Result<u32, KeyError> {
        self.read().map(|count| count.wrong)
    }

    /// Counts a try that is about to be made.
    pub(crate) fn begin(&self) -> Result<(), KeyError> {
        let count = self.read()?;
        if count.wrong >= MAX_WRONG {
            return Err(self.exhausted(&format!("{} wrong PINs were tried", count.wrong)));
        }
        if count.unfinished >= MAX_UNFINISHED {
            return Err(self.exhausted(&format!("{} tries never ended", count.unfinished)));
        }
        self.write(Count {
            unfinished: count.unfinished + 1,
            ..count
        })
    }

    /// The token took the PIN.
    pub(crate) fn right(&self) -> Result<(), KeyError> {
        self.write(Count::default())
    }

    /// The token refused the PIN. Answers how many more may be tried.
    pub(crate) fn wrong(&self) -> Result<u32, KeyError> {
        let count = self.read()?;
        let next = Count {
            wrong: count.wrong + 1,
            unfinished: 0,
        };
        self.write(next)?;
        Ok(MAX_WRONG.saturating_sub(next.wrong))
    }

    /// The token never looked at the PIN.
    pub(crate) fn not_asked(&self) -> Result<(), KeyError> {
        let count = self.read()?;
        self.write(Count {
            unfinished: count.unfinished.saturating_sub(1),
            ..count
        })
    }

    fn read(&self) -> Result<Count, KeyError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Count::default()),
            Err(error) => return Err(self.unusable(&error.to_string())),
        };
        parse(&text).ok_or_else(|| self.unusable("it is not what was written there"))
    }

    fn write(&self, count: Count) -> Result<(), KeyError> {
        let text = format!("wrong {}\nunfinished {}\n", count.wrong, count.unfinished);
        durable::replace(&self.path, text.as_bytes())
            .map_err(|error| self.unusable(&error.to_string()))
    }

    fn exhausted(&self, why: &str) -> KeyError {
        let detail = format!(
            "{why}: the token is not asked again; correct the PIN file, then run \
             chancery-custodian reset-tries"
        );
        KeyError::new(KeyErrorKind::Config, WHAT, detail)
    }

    fn unusable(&self, why: &str) -> KeyError {
        let path = self.path.display();
        let detail = format!("the count of wrong PINs in {path} cannot be kept: {why}");
        KeyError::new(KeyErrorKind::Config, WHAT, detail)
    }
}

fn parse(text: &str) -> Option<Count> {
    let (wrong, unfinished) = text
        .strip_prefix("wrong ")?
        .strip_suffix('\n')?
        .split_once("\nunfinished ")?;
    Some(Count {
        wrong: wrong.parse().ok()?,
        unfinished: unfinished.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries() -> (tempfile::TempDir, Tries) {
        let folder = tempfile::tempdir().unwrap();
        let tries = Tries::new(folder.path().join("pin-tries"));
        (folder, tries)
    }

    #[test]
    fn three_wrong_and_no_fourth_even_after_a_restart() {
        let (folder, tries) = tries();
        for left in [2, 1, 0] {
            tries.begin().unwrap();
            assert_eq!(tries.wrong().unwrap(), left);
        }
        assert!(tries.begin().is_err());
        let again = Tries::new(folder.path().join("pin-tries"));
        assert_eq!(again.begin().unwrap_err().kind, KeyErrorKind::Config);
        again.reset().unwrap();
        again.begin().unwrap();
    }

    #[test]
    fn the_right_one_forgets_the_wrong_ones() {
        let (_folder, tries) = tries();
        for _ in 0..10 {
            for _ in 0..2 {
                tries.begin().unwrap();
                tries.wrong().unwrap();
            }
            tries.begin().unwrap();
            tries.right().unwrap();
        }
    }

    #[test]
    fn tries_that_nobody_saw_end_are_limited_too() {
        let (_folder, tries) = tries();
        for _ in 0..MAX_UNFINISHED {
            tries.begin().unwrap();
        }
        assert!(tries.begin().is_err());
    }

    #[test]
    fn a_token_that_was_not_there_costs_no_try() {
        let (_folder, tries) = tries();
        for _ in 0..30 {
            tries.begin().unwrap();
            tries.not_asked().unwrap();
        }
        tries.begin().unwrap();
    }

    #[test]
    fn a_changed_file_refuses() {
        let (folder, tries) = tries();
        for bad in [
            "",
            "wrong 0",
            "wrong -1\nunfinished 0\n",
            "wrong 0\nunfinished 0\nx",
        ] {
            std::fs::write(folder.path().join("pin-tries"), bad).unwrap();
            assert!(tries.begin().is_err(), "{bad:?}");
        }
    }
}
