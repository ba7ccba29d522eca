//! The tree against known RFC 6962 roots, a naive one of a few lines, and itself.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper that fails is a failed test"
)]

use std::ops::Range;

use chancery_audit::{
    Hash, LeafHashes, Tree, TreeError, leaf_hash, verify_consistency, verify_inclusion,
};
use sha2::{Digest as _, Sha256};

/// Leaves and roots of the test vectors that certificate-transparency
/// implementations share.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// RFC 6962 section 2.1, as it is written there.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            Sha256::new()
                .chain_update([1])
                .chain_update(naive_root(left))
                .chain_update(naive_root(right))
                .finalize()
                .into()
        }
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn append(tree: &mut Tree, leaves: &[Hash]) {
    let staged = tree.stage(leaves);
    assert_eq!(staged.first_seq(), tree.size());
    let (size, root) = (staged.size(), staged.root());
    tree.confirm(staged).expect("fresh");
    assert_eq!((tree.size(), tree.root()), (size, root));
}

#[test]
fn known_roots() {
    assert_eq!(
        hex::encode(Tree::new().root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let mut tree = Tree::new();
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        append(&mut tree, &[leaf_hash(&hex::decode(leaf).expect("hex"))]);
        assert_eq!(hex::encode(tree.root()), root);
    }
}

#[test]
fn roots_are_those_of_the_definition_however_the_leaves_come() {
    let all = leaves(1300);
    let mut tree = Tree::new();
    let mut from = 0;
    for step in [1, 2, 3, 250, 1, 255, 256, 257, 275] {
        append(&mut tree, &all[from..from + step]);
        from += step;
        assert_eq!(tree.root(), naive_root(&all[..from]));
    }
    assert_eq!(from, all.len());
    let rebuilt = Tree::rebuild(all.iter().copied());
    assert_eq!((rebuilt.size(), rebuilt.root()), (tree.size(), tree.root()));
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 1024, 1299, 1300] {
        let root = rebuilt.root_at(size as u64, &all[..]).expect("in range");
        assert_eq!(root, naive_root(&all[..size]), "{size}");
    }
}

#[test]
fn inclusion_proofs_hold_for_their_leaf_alone() {
    let all = leaves(1030);
    let tree = Tree::rebuild(all.iter().copied());
    for size in [1_u64, 2, 3, 7, 8, 255, 256, 257, 600, 1024, 1030] {
        let root = tree.root_at(size, &all[..]).expect("in range");
        for seq in (0..size).filter(|seq| seq % 13 == 0 || seq + 3 > size) {
            let leaf = all[usize::try_from(seq).expect("small")];
            let proof = tree.prove_inclusion(seq, size, &all[..]).expect("in range");
            verify_inclusion(&proof, seq, leaf, size, root).expect("proves");
            let wrong = [
                verify_inclusion(&proof, seq ^ 1, leaf, size, root),
                verify_inclusion(&proof, seq, leaf_hash(b"other"), size, root),
                verify_inclusion(&proof, seq, leaf, size, leaf_hash(b"other")),
                verify_inclusion(&proof, size, leaf, size, root),
                verify_inclusion(
                    &[proof.clone(), vec![[0; 32]]].concat(),
                    seq,
                    leaf,
                    size,
                    root,
                ),
                verify_inclusion(&vec![[0; 32]; 100_000], seq, leaf, u64::MAX, root),
            ];
            for (index, result) in wrong.into_iter().enumerate() {
                assert_eq!(
                    result,
                    Err(TreeError::Proof),
                    "size {size} seq {seq} case {index}"
                );
            }
        }
    }
}

#[test]
fn consistency_proofs_hold_and_a_fork_has_none() {
    let all = leaves(1030);
    let tree = Tree::rebuild(all.iter().copied());
    let mut forked = all.clone();
    forked[500] = leaf_hash(b"another past");
    for (old, new) in [
        (0, 5),
        (1, 1),
        (1, 2),
        (3, 8),
        (255, 256),
        (256, 257),
        (500, 1030),
        (512, 1024),
        (1030, 1030),
    ] {
        let proof = tree
            .prove_consistency(old, new, &all[..])
            .expect("in range");
        let root = |leaves: &[Hash], size: u64| {
            naive_root(&leaves[..usize::try_from(size).expect("small")])
        };
        verify_consistency(&proof, old, root(&all, old), new, root(&all, new)).expect("proves");
        if old > 0 {
            let other = leaf_hash(b"other root");
            assert_eq!(
                verify_consistency(&proof, old, other, new, root(&all, new)),
                Err(TreeError::Proof)
            );
            assert_eq!(
                verify_consistency(&proof, old, root(&all, old), new, other),
                Err(TreeError::Proof)
            );
        }
        if new > 500 && old > 0 && old < new {
            assert_eq!(
                verify_consistency(&proof, old, root(&all, old), new, root(&forked, new)),
                Err(TreeError::Proof)
            );
        }
    }
}

#[test]
fn nothing_is_proven_beyond_the_tree() {
    let all = leaves(20);
    let tree = Tree::rebuild(all.iter().copied());
    let range = |result: Result<_, TreeError>| matches!(result, Err(TreeError::Range { .. }));
    assert!(range(tree.prove_inclusion(20, 20, &all[..])));
    assert!(range(tree.prove_inclusion(3, 21, &all[..])));
    assert!(range(tree.prove_consistency(5, 21, &all[..])));
    assert!(range(tree.prove_consistency(6, 5, &all[..])));
    assert!(range(tree.prove_inclusion(0, u64::MAX, &all[..])));
    assert!(tree.root_at(21, &all[..]).is_err());
}

#[test]
fn changed_leaves_in_the_database_yield_no_proof() {
    let mut stored = leaves(700);
    let tree = Tree::rebuild(stored.iter().copied());
    stored[300] = leaf_hash(b"rewritten");
    assert_eq!(
        tree.prove_inclusion(300, 700, &stored[..]),
        Err(TreeError::Changed)
    );
    assert_eq!(
        tree.prove_inclusion(301, 700, &stored[..]),
        Err(TreeError::Changed)
    );
    tree.prove_inclusion(10, 700, &stored[..])
        .expect("another block");

    struct Broken;
    impl LeafHashes for Broken {
        fn leaf_hashes(&self, _: Range<u64>) -> Result<Vec<Hash>, TreeError> {
            Err(TreeError::Read("disk".into()))
        }
    }
    assert_eq!(
        tree.prove_inclusion(10, 700, &Broken),
        Err(TreeError::Read("disk".into()))
    );
}

#[test]
fn a_staged_append_changes_nothing_until_confirmed_and_only_once() {
    let all = leaves(600);
    let mut tree = Tree::rebuild(all[..300].iter().copied());
    let before = (tree.size(), tree.root());
    let one = tree.stage(&all[300..]);
    let other = tree.stage(&[leaf_hash(b"other")]);
    assert_eq!((tree.size(), tree.root()), before);
    drop(other.clone());
    tree.confirm(one.clone()).expect("fresh");
    assert_eq!(tree.root(), naive_root(&all));
    assert_eq!(tree.confirm(other), Err(TreeError::Stale));
    assert_eq!(tree.confirm(one), Err(TreeError::Stale));
    assert_eq!(tree.root(), naive_root(&all));
    tree.prove_inclusion(555, 600, &all[..])
        .expect("nodes are kept");
}
