//! Keyed digests of values that must be found again though they are sealed.

use std::fmt;

use chancery_hsm_api::{KeyError, MacUse, Macs};
use hmac::Mac as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::row::keyed;

/// The key under which references and peers' message ids are found again.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct IndexKey([u8; 32]);

impl IndexKey {
    /// Takes over key bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The node's index key, from the token's key for indexes.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn derive(macs: &dyn Macs) -> Result<Self, KeyError> {
        macs.mac(MacUse::Index, b"chancery-index-key-v1").map(Self)
    }

    /// The digest under which a value is found. `fields` say of what kind and
    /// whose the value is, and the value: two kinds never meet.
    #[must_use]
    pub fn digest(&self, fields: &[&[u8]]) -> [u8; 32] {
        let mut all: Vec<&[u8]> = vec![b"chancery-index-v1"];
        all.extend_from_slice(fields);
        keyed(&self.0, &all).finalize().into_bytes().into()
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexKey(..)")
    }
}
