//! The Merkle tree over the log's leaves (RFC 6962 section 2).
//!
//! In memory stand the frontier (one hash for each 1-bit of the size) and all
//! nodes over whole blocks of 256 leaves: 64 bytes for 256 leaves, so that ten
//! million leaves need 2.5 MB. Everything below a block is computed from its
//! leaf hashes, which are read when a proof asks for them.
//!
//! An append has two steps, around the database's commit: [`Tree::stage`]
//! tells root and size as they will be; [`Tree::confirm`] makes them so.

use std::cell::RefCell;
use std::ops::Range;

use tlog_tiles::tlog;

use crate::{Frontier, Hash};

/// Leaves of a block: 2 to the power of this.
const BLOCK_LEVEL: u8 = 8;
/// Longest inclusion or consistency proof that is looked at, hashes.
pub(crate) const MAX_PROOF: usize = 66;
/// Largest tree that proofs are computed for.
pub(crate) const MAX_SIZE: u64 = 1 << 48;

/// Why the tree cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Another append was confirmed since this one was staged.
    #[error("the tree has changed since the append was staged")]
    Stale,
    /// The tree has not that many leaves.
    #[error("the log has {size} records, asked was for {asked}")]
    Range {
        /// What was asked for.
        asked: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// Leaf hashes could not be read.
    #[error("leaf hashes could not be read: {0}")]
    Read(String),
    /// The leaf hashes that were read are not those that were appended.
    #[error("the stored leaf hashes are not those of the log's tree")]
    Changed,
    /// A proof does not prove what it should.
    #[error("the proof does not hold")]
    Proof,
}

/// Gives leaf hashes back, for proofs.
pub trait LeafHashes {
    /// The leaf hashes of a range, at most 256, in order.
    ///
    /// # Errors
    /// [`TreeError::Read`].
    fn leaf_hashes(&self, range: Range<u64>) -> Result<Vec<Hash>, TreeError>;
}

impl LeafHashes for [Hash] {
    fn leaf_hashes(&self, range: Range<u64>) -> Result<Vec<Hash>, TreeError> {
        let index = |at: u64| usize::try_from(at).map_err(|_| TreeError::Read("index".into()));
        self.get(index(range.start)?..index(range.end)?)
            .map(<[Hash]>::to_vec)
            .ok_or_else(|| TreeError::Read("not that many".into()))
    }
}

/// The tree of a log.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    frontier: Frontier,
    /// `blocks[i]` are the nodes of level `BLOCK_LEVEL + i`.
    blocks: Vec<Vec<Hash>>,
}

/// The tree as it will be, if the database commits.
#[derive(Clone, Debug)]
#[must_use = "a staged append must be confirmed after the commit"]
pub struct Staged {
    before: Frontier,
    after: Frontier,
    nodes: Vec<(usize, Hash)>,
}

// === impl Tree ===

impl Tree {
    /// The tree of an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree over stored leaf hashes, in order.
    pub fn rebuild(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::new();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }

    /// Appends one leaf at once: for rebuilding from what is committed.
    pub fn push(&mut self, leaf: Hash) {
        let Self { frontier, blocks } = self;
        frontier.push_telling(leaf, |level, node| {
            if let Some(at) = level.checked_sub(BLOCK_LEVEL) {
                keep(blocks, usize::from(at), node);
            }
        });
    }

    /// What the tree will be with these leaves; nothing changes yet.
    pub fn stage(&self, leaves: &[Hash]) -> Staged {
        let mut after = self.frontier.clone();
        let mut nodes = Vec::new();
        for leaf in leaves {
            after.push_telling(*leaf, |level, node| {
                if let Some(at) = level.checked_sub(BLOCK_LEVEL) {
                    nodes.push((usize::from(at), node));
                }
            });
        }
        Staged {
            before: self.frontier.clone(),
            after,
            nodes,
        }
    }

    /// Makes a staged append current, after its commit.
    ///
    /// # Errors
    /// [`TreeError::Stale`] when the tree is not what it was at the staging.
    pub fn confirm(&mut self, staged: Staged) -> Result<(), TreeError> {
        if self.frontier != staged.before {
            return Err(TreeError::Stale);
        }
        self.frontier = staged.after;
        for (at, node) in staged.nodes {
            keep(&mut self.blocks, at, node);
        }
        Ok(())
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The frontier over all leaves.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The frontier as it was at an earlier size.
    ///
    /// # Errors
    /// [`TreeError::Range`]; [`TreeError::Read`]; [`TreeError::Changed`].
    pub fn frontier_at<L: LeafHashes + ?Sized>(
        &self,
        size: u64,
        leaves: &L,
    ) -> Result<Frontier, TreeError> {
        self.within(size)?;
        let reader = Reader {
            tree: self,
            leaves,
            error: RefCell::new(None),
        };
        let mut hashes = Vec::new();
        for level in (0..64_u8).rev().filter(|level| size >> level & 1 == 1) {
            hashes.push(reader.node(level, (size >> level) - 1)?);
        }
        Frontier::new(size, hashes)
    }

    /// The root as it was at an earlier size.
    ///
    /// # Errors
    /// As [`Tree::frontier_at`].
    pub fn root_at<L: LeafHashes + ?Sized>(
        &self,
        size: u64,
        leaves: &L,
    ) -> Result<Hash, TreeError> {
        Ok(self.frontier_at(size, leaves)?.root())
    }

    /// The proof that the leaf at `seq` is in the tree of that size (RFC 6962
    /// section 2.1.1).
    ///
    /// # Errors
    /// [`TreeError::Range`]; [`TreeError::Read`]; [`TreeError::Changed`] when
    /// the leaf hashes read do not lead to the root.
    pub fn prove_inclusion<L: LeafHashes + ?Sized>(
        &self,
        seq: u64,
        size: u64,
        leaves: &L,
    ) -> Result<Vec<Hash>, TreeError> {
        self.within(size)?;
        if seq >= size {
            return Err(TreeError::Range { asked: seq, size });
        }
        let reader = Reader {
            tree: self,
            leaves,
            error: RefCell::new(None),
        };
        let proof = reader.told(tlog::prove_record(size, seq, &reader))?;
        let leaf = reader.node(0, seq)?;
        let root = self.root_at(size, leaves)?;
        verify_inclusion(&proof, seq, leaf, size, root).map_err(|_| TreeError::Changed)?;
        Ok(proof)
    }

    /// The proof that the tree of size `new` begins with that of size `old`
    /// (RFC 6962 section 2.1.2); empty where `old` is 0 or `new`.
    ///
    /// # Errors
    /// As [`Tree::prove_inclusion`].
    pub fn prove_consistency<L: LeafHashes + ?Sized>(
        &self,
        old: u64,
        new: u64,
        leaves: &L,
    ) -> Result<Vec<Hash>, TreeError> {
        self.within(new)?;
        if old > new {
            return Err(TreeError::Range {
                asked: old,
                size: new,
            });
        }
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        let reader = Reader {
            tree: self,
            leaves,
            error: RefCell::new(None),
        };
        let proof = reader.told(tlog::prove_tree(new, old, &reader))?;
        let (old_root, new_root) = (self.root_at(old, leaves)?, self.root_at(new, leaves)?);
        verify_consistency(&proof, old, old_root, new, new_root).map_err(|_| TreeError::Changed)?;
        Ok(proof)
    }

    const fn within(&self, size: u64) -> Result<(), TreeError> {
        if size > self.size() || size > MAX_SIZE {
            return Err(TreeError::Range {
                asked: size,
                size: self.size(),
            });
        }
        Ok(())
    }
}

// === impl Staged ===

impl Staged {
    /// The first sequence number of the append.
    #[must_use]
    pub const fn first_seq(&self) -> u64 {
        self.before.size()
    }

    /// Number of leaves after it.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.after.size()
    }

    /// Root after it.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.after.root()
    }
}

// === proofs ===

/// Checks that `leaf` is at `seq` in the tree of that size and root.
///
/// # Errors
/// [`TreeError::Proof`].
pub fn verify_inclusion(
    proof: &[Hash],
    seq: u64,
    leaf: Hash,
    size: u64,
    root: Hash,
) -> Result<(), TreeError> {
    let proof = wrapped(proof)?;
    tlog::check_record(&proof, size, tlog::Hash(root), seq, tlog::Hash(leaf))
        .map_err(|_| TreeError::Proof)
}

/// Checks that the tree of size `new` begins with that of size `old`.
///
/// # Errors
/// [`TreeError::Proof`].
pub fn verify_consistency(
    proof: &[Hash],
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
) -> Result<(), TreeError> {
    if old == 0 {
        let nothing = old_root == Frontier::default().root() && proof.is_empty();
        return if nothing {
            Ok(())
        } else {
            Err(TreeError::Proof)
        };
    }
    let proof = wrapped(proof)?;
    tlog::check_tree(&proof, new, tlog::Hash(new_root), old, tlog::Hash(old_root))
        .map_err(|_| TreeError::Proof)
}

fn wrapped(proof: &[Hash]) -> Result<Vec<tlog::Hash>, TreeError> {
    if proof.len() > MAX_PROOF {
        return Err(TreeError::Proof);
    }
    Ok(proof.iter().copied().map(tlog::Hash).collect())
}

// === reading nodes ===

fn keep(blocks: &mut Vec<Vec<Hash>>, at: usize, node: Hash) {
    if at >= blocks.len() {
        blocks.resize_with(at + 1, Vec::new);
    }
    if let Some(level) = blocks.get_mut(at) {
        level.push(node);
    }
}

/// Nodes of the tree, for `tlog_tiles`; keeps our own error, for which its
/// error type has no place.
struct Reader<'a, L: ?Sized> {
    tree: &'a Tree,
    leaves: &'a L,
    error: RefCell<Option<TreeError>>,
}

impl<L: LeafHashes + ?Sized> Reader<'_, L> {
    fn node(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        if let Some(at) = level.checked_sub(BLOCK_LEVEL) {
            return self
                .tree
                .blocks
                .get(usize::from(at))
                .and_then(|nodes| nodes.get(usize::try_from(index).ok()?))
                .copied()
                .ok_or(TreeError::Changed);
        }
        let count = 1_u64 << level;
        let first = index.checked_mul(count).ok_or(TreeError::Changed)?;
        let leaves = self
            .leaves
            .leaf_hashes(first..first.saturating_add(count))?;
        if leaves.len() as u64 != count {
            return Err(TreeError::Read("fewer than asked for".into()));
        }
        let mut frontier = Frontier::default();
        leaves.into_iter().for_each(|leaf| frontier.push(leaf));
        Ok(frontier.root())
    }

    fn told(&self, result: Result<Vec<tlog::Hash>, tlog::Error>) -> Result<Vec<Hash>, TreeError> {
        match result {
            Ok(hashes) => Ok(hashes.into_iter().map(|hash| hash.0).collect()),
            Err(_) => Err(self.error.take().unwrap_or(TreeError::Changed)),
        }
    }
}

impl<L: LeafHashes + ?Sized> tlog::HashReader for Reader<'_, L> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        let mut hashes = Vec::with_capacity(indexes.len());
        for index in indexes {
            let (level, number) = tlog::split_stored_hash_index(*index);
            match self.node(level, number) {
                Ok(hash) => hashes.push(tlog::Hash(hash)),
                Err(error) => {
                    self.error.replace(Some(error));
                    return Err(tlog::Error::IndexesNotInTree);
                }
            }
        }
        Ok(hashes)
    }
}
