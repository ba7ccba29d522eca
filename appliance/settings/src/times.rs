//! By when people must have spoken.

use serde::{Deserialize, Serialize};

/// `[times]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Times {
    /// Seconds in which an originator answers a request for its consent; then
    /// the release is over.
    pub consent_s: u32,
    /// Seconds in which a flash message that is held is judged, and in which its
    /// receipt is due.
    pub flash_s: u32,
    /// The same of an immediate one.
    pub immediate_s: u32,
    /// The same of a priority one.
    pub priority_s: u32,
    /// The same of a routine one.
    pub routine_s: u32,
    /// The same of a deferred one.
    pub deferred_s: u32,
    /// Seconds between two looks at what is due.
    pub look_s: u32,
}

impl Default for Times {
    fn default() -> Self {
        const HOUR: u32 = 60 * 60;
        Self {
            consent_s: 72 * HOUR,
            flash_s: 10 * 60,
            immediate_s: 30 * 60,
            priority_s: 4 * HOUR,
            routine_s: 24 * HOUR,
            deferred_s: 72 * HOUR,
            look_s: 60,
        }
    }
}
