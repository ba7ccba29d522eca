//! Why a key operation failed, in classes that tell the caller what to do.

use serde::{Deserialize, Serialize};

/// What kind of failure it was. A data error is never taken for a broken
/// device, nor the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyErrorKind {
    /// The caller's bytes are wrong: a changed blob, a point off the curve.
    Data,
    /// The caller's role may not ask this, or what it asks has no meaning here.
    Denied,
    /// No such key was provisioned.
    Unknown,
    /// Too much is asked at once; asking again later may work.
    Busy,
    /// The session or the login was lost and could not be renewed in time.
    SessionLost,
    /// The token is gone or broken.
    DeviceLost,
    /// The token lacks a mechanism that this needs.
    Unsupported,
    /// The configuration is wrong.
    Config,
    /// The custodian cannot be reached or did not answer in time.
    Unreachable,
}

impl KeyErrorKind {
    /// True if the same call may succeed later without anything's being changed.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::SessionLost | Self::DeviceLost | Self::Unreachable
        )
    }
}

/// A key operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{what}: {detail}")]
#[serde(deny_unknown_fields)]
pub struct KeyError {
    /// The class.
    pub kind: KeyErrorKind,
    /// The operation, for example `unwrap a content key`.
    pub what: String,
    /// What happened, without secrets.
    pub detail: String,
}

impl KeyError {
    /// An error of that class.
    pub fn new(kind: KeyErrorKind, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            detail: detail.into(),
        }
    }
}
