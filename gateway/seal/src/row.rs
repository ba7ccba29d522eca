//! Row authentication: a keyed digest over a row and its place, so that a row
//! that was changed, moved, or put back from an older time shows.

use std::fmt;

use chancery_hsm_api::{KeyError, MacUse, Macs};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The key that authenticates rows.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RowKey([u8; 32]);

/// A row is not what was written at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row is not what was written at its place")]
pub struct RowMismatch;

impl RowKey {
    /// Takes over key bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The node's row key, from the token's key for rows.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn derive(macs: &dyn Macs) -> Result<Self, KeyError> {
        macs.mac(MacUse::Row, b"chancery-row-key-v1").map(Self)
    }

    /// The digest of a row: which table, which key, which version, what it holds.
    #[must_use]
    pub fn mac(&self, table: &str, key: &[u8], version: u64, canonical: &[u8]) -> [u8; 32] {
        self.hmac(table, key, version, canonical)
            .finalize()
            .into_bytes()
            .into()
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
        self.hmac(table, key, version, canonical)
            .verify_slice(mac)
            .map_err(|_| RowMismatch)
    }

    fn hmac(&self, table: &str, key: &[u8], version: u64, canonical: &[u8]) -> Hmac<Sha256> {
        keyed(
            &self.0,
            &[
                b"chancery-row-v1",
                table.as_bytes(),
                key,
                &version.to_be_bytes(),
                canonical,
            ],
        )
    }
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
