//! Why something was not sealed, or not opened.

use chancery_hsm_api::KeyError;

/// Why something was not sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The custodian gave no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The KEK is not one for that label.
    #[error("the key-encryption key is not that of the label's level")]
    KekLevel,
    /// A part or a body stands twice, or there are too many, or one is too large.
    #[error("too many parts, a part too large, or a part twice")]
    Parts,
    /// The stream is longer than a body can be.
    #[error("the stream is longer than can be sealed")]
    TooLong,
    /// The cipher or the encoding failed: a mistake in this crate.
    #[error("sealing failed")]
    Cipher,
}

/// Why something was not opened; [`OpenError::is_corruption`] tells whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The custodian did not give the key. Of kind `Data` when the wrapped key
    /// was changed or belongs to another KEK.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The permit is for another message.
    #[error("the permit is for another message")]
    Permit,
    /// The permit's deadline is over: decide again.
    #[error("the permit has expired: decide again")]
    Expired,
    /// The stored bytes are no sealed message or body of this format.
    #[error("not a sealed {0} of this version")]
    Format(&'static str),
    /// They were changed, or sealed for another place.
    #[error("the sealed {0} is not what was sealed there")]
    Changed(&'static str),
    /// The label beside the message is not the one it was sealed with.
    #[error("the message was sealed with another label")]
    Label,
    /// There is no such part or body in the message.
    #[error("the message has no such {0}")]
    Absent(&'static str),
    /// Segments are missing at the end.
    #[error("the end of the sealed stream is missing")]
    Truncated,
    /// Segments go on after the end.
    #[error("there is more than was sealed")]
    AfterEnd,
}

impl OpenError {
    /// True if stored bytes are at fault: quarantine and raise the alarm;
    /// false if asking again may help or the caller is at fault.
    #[must_use]
    pub fn is_corruption(&self) -> bool {
        match self {
            Self::Key(error) => error.kind == chancery_hsm_api::KeyErrorKind::Data,
            Self::Permit | Self::Expired | Self::Absent(_) => false,
            Self::Format(_) | Self::Changed(_) | Self::Label | Self::Truncated | Self::AfterEnd => {
                true
            }
        }
    }
}
