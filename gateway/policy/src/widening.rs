//! What widens needs two people: the operations that security officers sign,
//! and whether their signatures carry a text.

use chancery_message::{OfficerId, Timestamp};

use crate::approval::{self, ApprovalError, Expected, Signed};
use crate::directory::{Role, View};

/// Officers who must have signed what widens.
pub const QUORUM: usize = 2;

/// The operation of a new version of the participants.
pub const DIRECTORY: &str = "directory.change";
/// The operation of a new version of the officers and their roles.
pub const OFFICERS: &str = "officers.change";
/// The operation of an MoU.
pub const MOU: &str = "mou.agree";
/// The operation of a policy set.
pub const POLICY: &str = "policy.activate";
/// The operation of lifting a suspension.
pub const RESUME: &str = "suspension.lift";

/// When signatures were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Taken in at this moment: each must be in time then.
    At(Timestamp),
    /// With the node's founding: there was nobody yet to take them in. What
    /// they are over, and by whom, is verified all the same.
    Founding,
}

/// Why signatures do not carry a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature file cannot be read.
    #[error("the signature file is not a list of signed approvals")]
    Unreadable,
    /// There is no signature at all.
    #[error(
        "nobody signed it: it needs {QUORUM} security officers (one proposes it, another approves it)"
    )]
    Unsigned,
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
    #[error("{found} security officer signed it: it needs {QUORUM}")]
    TooFew {
        /// How many distinct ones did.
        found: usize,
    },
}

/// Reads a signature file: a JSON list of signed approvals.
///
/// # Errors
/// [`SignatureError::Unreadable`].
pub fn read(signatures: &str) -> Result<Vec<Signed>, SignatureError> {
    serde_json::from_str(signatures).map_err(|_| SignatureError::Unreadable)
}

/// Verifies one signature over a text of this operation and digest.
///
/// # Errors
/// [`SignatureError::Bad`].
pub fn check(
    signed: &Signed,
    node: &str,
    operation: &str,
    digest: [u8; 32],
    given: Given,
    directory: &View<'_>,
) -> Result<approval::Verified, SignatureError> {
    let given_at = match given {
        Given::At(at) => at,
        Given::Founding => signed.record.not_after,
    };
    let expected = Expected {
        node,
        operation,
        digest,
        roles: &[Role::Security],
        given_at,
    };
    approval::verify(signed, &expected, directory).map_err(|cause| SignatureError::Bad {
        officer: signed.officer().to_string(),
        cause,
    })
}

/// Verifies that two distinct security officers approved exactly this digest.
/// Every signature must count. Who approved.
///
/// # Errors
/// [`SignatureError`].
pub fn carried(
    signatures: &[Signed],
    node: &str,
    operation: &str,
    digest: [u8; 32],
    given: Given,
    directory: &View<'_>,
) -> Result<Vec<OfficerId>, SignatureError> {
    if signatures.is_empty() {
        return Err(SignatureError::Unsigned);
    }
    let verified = signatures
        .iter()
        .map(|signed| check(signed, node, operation, digest, given, directory))
        .collect::<Result<Vec<_>, _>>()?;
    match approval::count(&verified) {
        None => Err(SignatureError::Refused),
        Some(found) if found < QUORUM => Err(SignatureError::TooFew { found }),
        Some(_) => {
            let mut officers: Vec<_> = verified.iter().map(|one| one.officer().clone()).collect();
            officers.sort();
            officers.dedup();
            Ok(officers)
        }
    }
}
