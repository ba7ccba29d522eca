//! Keyed digests of values that must be found again though they are sealed.

use std::fmt;

use chancery_hsm_api::{KeyError, MacUse, Macs};
use hmac::Mac as _;

use crate::generations::Generations;
use crate::row::keyed;

/// The key under which references and peers' message ids are found again. What
/// was written before a rotation stands under an older one and is looked up
/// under each.
pub struct IndexKey(Generations);

const DERIVED: &[u8] = b"chancery-index-key-v1";

impl IndexKey {
    /// Takes over key bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Generations::new(bytes))
    }

    /// The node's index keys, from these generations of the token's key for
    /// indexes, the one that makes first.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn derive(macs: &dyn Macs, generations: &[u32]) -> Result<Self, KeyError> {
        Generations::derive(macs, MacUse::Index, DERIVED, generations).map(Self)
    }

    /// Follows a rotation of the token's key. True if anything changed.
    ///
    /// # Errors
    /// [`KeyError`]; then all stays as it was.
    pub fn renew(&self, macs: &dyn Macs, generations: &[u32]) -> Result<bool, KeyError> {
        self.0.renew(macs, MacUse::Index, DERIVED, generations)
    }

    /// The digest under which a value is written. `fields` say of what kind and
    /// whose the value is, and the value: two kinds never meet.
    #[must_use]
    pub fn digest(&self, fields: &[&[u8]]) -> [u8; 32] {
        self.0.newest(|key| digest(key, fields))
    }

    /// The digests under which a value may stand, the newest first.
    #[must_use]
    pub fn digests(&self, fields: &[&[u8]]) -> Vec<[u8; 32]> {
        self.0.each(|key| digest(key, fields))
    }
}

fn digest(key: &[u8; 32], fields: &[&[u8]]) -> [u8; 32] {
    let mut all: Vec<&[u8]> = vec![b"chancery-index-v1"];
    all.extend_from_slice(fields);
    keyed(key, &all).finalize().into_bytes().into()
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexKey(..)")
    }
}
