//! What a check found.

use std::fmt;

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// The node does not start with it, or not safely.
    Wrong,
    /// It works, and is weaker than it could be.
    Weak,
}

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The option, for example `doors.rest.client_ca`.
    pub at: String,
    /// How much it matters.
    pub grade: Grade,
    /// What is wrong and what to do, in one sentence.
    pub sentence: String,
}

// === impl Finding ===

impl Finding {
    /// Something wrong at `at`.
    #[must_use]
    pub fn wrong(at: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            grade: Grade::Wrong,
            sentence: sentence.into(),
        }
    }

    /// Something weak at `at`.
    #[must_use]
    pub fn weak(at: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            grade: Grade::Weak,
            sentence: sentence.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Wrong => "wrong",
            Grade::Weak => "weak",
        };
        write!(f, "{grade}: {}: {}", self.at, self.sentence)
    }
}
