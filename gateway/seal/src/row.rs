//! Row authentication: a keyed digest over a row and its place, so that a row
//! that was changed, moved, or put back from an older time shows.

use std::fmt;

use chancery_hsm_api::{KeyError, MacUse, Macs};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroize as _;

use crate::generations::Generations;

/// The key that authenticates rows: the newest makes digests, those before it
/// still verify theirs.
pub struct RowKey(Generations);

/// A row is not what was written at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row is not what was written at its place")]
pub struct RowMismatch;

impl RowKey {
    /// Takes over key bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Generations::new(bytes))
    }

    /// The node's row keys, from these generations of the token's key for rows,
    /// the one that makes first.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn derive(macs: &dyn Macs, generations: &[u32]) -> Result<Self, KeyError> {
        Generations::derive(macs, MacUse::Row, DERIVED, generations).map(Self)
    }

    /// Follows a rotation of the token's key. True if anything changed.
    ///
    /// # Errors
    /// [`KeyError`]; then all stays as it was.
    pub fn renew(&self, macs: &dyn Macs, generations: &[u32]) -> Result<bool, KeyError> {
        self.0.renew(macs, MacUse::Row, DERIVED, generations)
    }

    /// The digest of a row: which table, which key, which version, what it holds.
    #[must_use]
    pub fn mac(&self, table: &str, key: &[u8], version: u64, canonical: &[u8]) -> [u8; 32] {
        self.0.newest(|row_key| {
            hmac(row_key, table, key, version, canonical)
                .finalize()
                .into_bytes()
                .into()
        })
    }

    /// Checks a row, in constant time.
    ///
    /// # Errors
    /// [`RowMismatch`].
    pub fn verify(
        &self,
        table: &str,
        key: &[u8],
        version: u64,
        canonical: &[u8],
        mac: &[u8; 32],
    ) -> Result<(), RowMismatch> {
        let fits = |row_key: &[u8; 32]| {
            hmac(row_key, table, key, version, canonical)
                .verify_slice(mac)
                .is_ok()
        };
        if self.0.any(fits) {
            Ok(())
        } else {
            Err(RowMismatch)
        }
    }
}

const DERIVED: &[u8] = b"chancery-row-key-v1";

fn hmac(
    row_key: &[u8; 32],
    table: &str,
    key: &[u8],
    version: u64,
    canonical: &[u8],
) -> Hmac<Sha256> {
    keyed(
        row_key,
        &[
            b"chancery-row-v1",
            table.as_bytes(),
            key,
            &version.to_be_bytes(),
            canonical,
        ],
    )
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowKey(..)")
    }
}

/// HMAC-SHA-256 over fields, each behind its length, so that no two lists of
/// fields are one text.
pub(crate) fn keyed(key: &[u8; 32], fields: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC takes keys of any length; a key of the block's size is taken as it is.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    let (front, _) = block.split_at_mut(32);
    front.copy_from_slice(key);
    let mut hmac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block);
    block.as_mut_slice().zeroize();
    for field in fields {
        hmac.update(&(field.len() as u64).to_be_bytes());
        hmac.update(field);
    }
    hmac
}
