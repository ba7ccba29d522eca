//! The frontier of a growing Merkle tree (RFC 6962 section 2.1).

use sha2::{Digest as _, Sha256};
use tlog_tiles::tlog;

use crate::Hash;
use crate::tree::{MAX_SIZE, TreeError};

/// The roots of the perfect trees that a log of this size consists of: what
/// is needed to append, and to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Largest tree first: one for each 1-bit of `size`.
    hashes: Vec<Hash>,
}

// === impl Frontier ===

impl Frontier {
    /// From its hashes, largest tree first.
    ///
    /// # Errors
    /// [`TreeError::Proof`] when there is not one for each 1-bit of `size`.
    pub fn new(size: u64, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        if u64::from(size.count_ones()) == hashes.len() as u64 && size <= MAX_SIZE {
            Ok(Self { size, hashes })
        } else {
            Err(TreeError::Proof)
        }
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, largest tree first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_telling(leaf, |_, _| {});
    }

    /// Appends a leaf and tells every node that is complete by it, with its level.
    pub(crate) fn push_telling(&mut self, leaf: Hash, mut tell: impl FnMut(u8, Hash)) {
        let mut node = leaf;
        // A carry, as in adding 1 to a binary number.
        for level in 0..self.size.trailing_ones() {
            let Some(left) = self.hashes.pop() else { break };
            node = node_hash(&left, &node);
            tell(u8::try_from(level + 1).unwrap_or(u8::MAX), node);
        }
        self.hashes.push(node);
        self.size += 1;
    }

    /// The root (RFC 6962 section 2.1); of no leaves the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut hashes = self.hashes.iter().rev();
        match hashes.next() {
            None => Sha256::digest([]).into(),
            Some(last) => hashes.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    tlog::node_hash(tlog::Hash(*left), tlog::Hash(*right)).0
}
