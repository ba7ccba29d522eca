//! An MoU's file and the officers' signatures beside it (`<name>.toml.sig`:
//! a JSON list of signed approvals of the file's digest).

use chancery_message::Timestamp;
use sha2::{Digest, Sha256};

use crate::directory::View;
use crate::widening::{self, Given};

pub use crate::widening::SignatureError;

/// The operation that officers approve for an MoU.
#[must_use]
pub const fn operation() -> &'static str {
    widening::MOU
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
    let all = widening::read(signatures)?;
    let digest = Sha256::digest(text.as_bytes()).into();
    widening::carried(
        &all,
        node,
        operation(),
        digest,
        Given::At(given_at),
        directory,
    )
    .map(drop)
}
