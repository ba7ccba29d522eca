//! An MoU's file and the officers' signatures beside it (`<name>.toml.sig`:
//! a JSON list of signed approvals of the file's digest).

use chancery_message::Timestamp;
use sha2::{Digest, Sha256};

use crate::approval::{self, ApprovalError, Expected, Signed};
use crate::directory::{Role, View};

/// Officers who must have signed an MoU that widens.
const QUORUM: usize = 2;

/// The operation that officers approve for an MoU.
#[must_use]
pub const fn operation() -> &'static str {
    "mou.agree"
}

/// Why an MoU's signatures do not carry it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature file cannot be read.
    #[error("the signature file is not a list of signed approvals")]
    Unreadable,
    /// One of the signatures does not count.
    #[error("the signature of {officer} does not count: {cause}")]
    Bad {
        /// Whose.
        officer: String,
        /// Why.
        cause: ApprovalError,
    },
    /// An officer refused.
    #[error("an officer refused it")]
    Refused,
    /// Too few officers signed.
    #[error("{found} security officers signed it: it needs {QUORUM}")]
    TooFew {
        /// How many distinct ones did.
        found: usize,
    },
}

/// Verifies that two distinct security officers approved exactly this text, and
/// were in time when it was taken in (`given_at`).
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    text: &str,
    signatures: &str,
    node: &str,
    given_at: Timestamp,
    directory: &View<'_>,
) -> Result<(), SignatureError> {
    let all: Vec<Signed> =
        serde_json::from_str(signatures).map_err(|_| SignatureError::Unreadable)?;
    let expected = Expected {
        node,
        operation: operation(),
        digest: Sha256::digest(text.as_bytes()).into(),
        roles: &[Role::Security],
        given_at,
    };
    let verified = all
        .iter()
        .map(|signed| {
            approval::verify(signed, &expected, directory).map_err(|cause| SignatureError::Bad {
                officer: signed.officer().to_string(),
                cause,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    match approval::count(&verified) {
        None => Err(SignatureError::Refused),
        Some(found) if found < QUORUM => Err(SignatureError::TooFew { found }),
        Some(_) => Ok(()),
    }
}
