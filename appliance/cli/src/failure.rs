//! Why a command did not do what was asked, and the exit status that says so.

use std::fmt;
use std::io::Write as _;

/// Why a command ends with a status other than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused or failed: status 1, and this line on standard error.
    Refused(String),
    /// Typed wrongly: status 2.
    Usage(String),
    /// Standard output was closed by who reads it: nothing to say.
    Closed,
}

// === impl Failure ===

impl Failure {
    /// Refused, or failed.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self::Refused(what.into())
    }

    /// Typed wrongly.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::Usage(what.into())
    }

    /// The exit status.
    pub(crate) const fn status(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Closed => 1,
            Self::Usage(_) => 2,
        }
    }

    /// One line on standard error.
    pub(crate) fn tell(&self) {
        if !matches!(self, Self::Closed) {
            // Where standard error is closed too there is nobody to tell.
            let _told = writeln!(std::io::stderr().lock(), "chancery: {self}");
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(what) | Self::Usage(what) => f.write_str(what),
            Self::Closed => f.write_str("standard output is closed"),
        }
    }
}

/// Says what could not be done, and why.
pub(crate) fn failed<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Failure {
    move |error| Failure::new(format!("{what}: {error}"))
}
