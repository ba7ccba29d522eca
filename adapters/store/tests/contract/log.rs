//! The audit log.

use chancery_audit::{Record, Tree, leaf_hash, verify_consistency, verify_inclusion};
use chancery_pipeline::ports::{AuditLeaf, Ledger, LedgerError, Step, StoredCheckpoint};
use chancery_store::{OpenError, Store};

use crate::support::rows::*;
use crate::support::world::{LOG, World, config};

/// All leaves, page by page.
pub(crate) fn all_leaves(store: &Store) -> Vec<AuditLeaf> {
    let mut leaves: Vec<AuditLeaf> = Vec::new();
    loop {
        let page = store.leaves(leaves.len() as u64, 100).unwrap();
        if page.is_empty() {
            return leaves;
        }
        leaves.extend(page);
    }
}

/// The records are in order, in canonical form, of this log; the head is theirs.
pub(crate) fn check_whole_log(store: &Store) {
    let leaves = all_leaves(store);
    let head = store.head().unwrap();
    assert_eq!(leaves.len() as u64, head.size);
    for (seq, leaf) in (0..).zip(&leaves) {
        let record = Record::parse(&leaf.record).unwrap();
        assert_eq!((leaf.seq, record.seq, record.log.as_str()), (seq, seq, LOG));
    }
    assert_eq!(
        Tree::rebuild(leaves.iter().map(|leaf| leaf_hash(&leaf.record))).root(),
        head.root
    );
}

fn filled(world: &World, events: u64) -> Store {
    let store = world.open();
    for n in (0..events).step_by(50) {
        let step = Step {
            events: (n..events.min(n + 50)).map(event).collect(),
            ..Step::default()
        };
        assert_eq!(store.commit(step).unwrap().first_seq, n);
    }
    store
}

pub(crate) fn the_tree_is_that_of_all_records_in_order(world: &World) {
    let store = world.open();
    assert_eq!(store.head().unwrap().size, 0);
    assert_eq!(store.head().unwrap().root, Tree::new().root());
    for n in 0..20 {
        store.commit(submission(n)).unwrap();
        store
            .commit(Step {
                events: vec![event(n), event(n)],
                ..Step::default()
            })
            .unwrap();
    }
    check_whole_log(&store);
    let own = store.leaves_of(&message_id(3)).unwrap();
    assert_eq!(own.len(), 8);
    assert!(own.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let parsed = Record::parse(&own[0].record).unwrap();
    assert_eq!(parsed.event, submission(3).events[0]);
    let last = store.last_leaf_of(&delivery_id(6)).unwrap().unwrap();
    assert_eq!(
        Record::parse(&last.record).unwrap().event,
        submission(3).events[5]
    );
    assert_eq!(store.last_leaf_of(&delivery_id(7)).unwrap(), None);
    assert_eq!(store.leaves(159, 9).unwrap().len(), 1);
    assert_eq!(store.leaves(160, 9).unwrap(), []);
}

pub(crate) fn proofs_hold(world: &World) {
    const SIZE: u64 = 777;
    let store = filled(world, SIZE);
    let leaves = all_leaves(&store);
    let root = |size: u64| {
        Tree::rebuild(
            leaves
                .iter()
                .take(usize::try_from(size).unwrap())
                .map(|leaf| leaf_hash(&leaf.record)),
        )
        .root()
    };
    for (seq, size) in [
        (0, 1),
        (0, SIZE),
        (255, 256),
        (256, 257),
        (300, 512),
        (776, SIZE),
        (17, 700),
    ] {
        let proof = store.inclusion(seq, size).unwrap();
        let leaf = leaf_hash(&leaves[usize::try_from(seq).unwrap()].record);
        assert_eq!(store.root(size).unwrap(), root(size));
        verify_inclusion(&proof, seq, leaf, size, root(size)).unwrap();
        assert!(verify_inclusion(&proof, seq, leaf_hash(b"forged"), size, root(size)).is_err());
    }
    for (old, new) in [
        (0, 5),
        (1, SIZE),
        (256, 512),
        (255, 257),
        (700, SIZE),
        (SIZE, SIZE),
    ] {
        let proof = store.consistency(old, new).unwrap();
        verify_consistency(&proof, old, root(old), new, root(new)).unwrap();
        if old > 0 {
            assert!(verify_consistency(&proof, old, [1; 32], new, root(new)).is_err());
        }
    }
    // What the log never had shows that records are missing.
    assert!(matches!(store.root(SIZE + 1), Err(LedgerError::Corrupt(_))));
    assert!(matches!(
        store.inclusion(SIZE, SIZE),
        Err(LedgerError::Corrupt(_))
    ));
    assert!(matches!(
        store.consistency(5, SIZE + 1),
        Err(LedgerError::Corrupt(_))
    ));
}

pub(crate) fn checkpoints_of_this_log_are_kept(world: &World) {
    let store = filled(world, 60);
    let checkpoint = |size| StoredCheckpoint {
        size,
        root: store.root(size).unwrap(),
        note: format!("{LOG}\n{size}\n"),
        at: at(5),
    };
    for size in [60, 10, 30] {
        store.store_checkpoint(&checkpoint(size)).unwrap();
    }
    // The first of each size stays.
    store
        .store_checkpoint(&StoredCheckpoint {
            note: "again".into(),
            ..checkpoint(30)
        })
        .unwrap();
    let forged = StoredCheckpoint {
        root: [1; 32],
        ..checkpoint(40)
    };
    assert!(matches!(
        store.store_checkpoint(&forged),
        Err(LedgerError::Corrupt(_))
    ));
    assert_eq!(
        store.checkpoints(0, u64::MAX).unwrap(),
        [checkpoint(10), checkpoint(30), checkpoint(60)]
    );
    assert_eq!(store.checkpoints(11, 59).unwrap(), [checkpoint(30)]);
    assert_eq!(
        store.head().unwrap().size,
        60,
        "checkpoints are no part of the log"
    );
}

pub(crate) fn leaves_can_be_neither_changed_nor_removed_nor_left_out(world: &World) {
    let store = filled(world, 10);
    let leaf = |seq: u64| {
        let (x, zero) = if world.is_sqlite() {
            ("x'", "'")
        } else {
            ("'\\x", "'")
        };
        let hash = "00".repeat(32);
        format!(
            "INSERT INTO audit_leaf (log_id, seq, leaf_hash, record) VALUES ('{LOG}', {seq}, {x}{hash}{zero}, {x}00{zero})"
        )
    };
    for sql in [
        "UPDATE audit_leaf SET record = record WHERE seq = 3".to_owned(),
        "UPDATE audit_leaf SET seq = seq + 100".to_owned(),
        "DELETE FROM audit_leaf WHERE seq = 9".to_owned(),
        leaf(11),
        leaf(9),
        leaf(0),
        if world.is_sqlite() {
            leaf(3).replace("INSERT", "INSERT OR REPLACE")
        } else {
            "TRUNCATE audit_leaf".to_owned()
        },
    ] {
        assert!(world.sql(&sql).is_err(), "{sql}");
    }
    store
        .store_checkpoint(&StoredCheckpoint {
            size: 5,
            root: store.root(5).unwrap(),
            note: "n".into(),
            at: at(1),
        })
        .unwrap();
    assert!(world.sql("UPDATE audit_checkpoint SET note = 'x'").is_err());
    assert!(world.sql("DELETE FROM audit_checkpoint").is_err());
    check_whole_log(&store);
    // A leaf put in its right place by somebody else stops the writer: its own tree has it not.
    world.sql(&leaf(10)).unwrap();
    assert!(
        store
            .commit(Step {
                events: vec![event(1)],
                ..Step::default()
            })
            .is_err()
    );
    assert_eq!(store.head().unwrap().size, 10);
}

/// Who owns the database can put the triggers out of the way; what they then
/// change is not given out as genuine.
pub(crate) fn a_forged_record_shows(world: &World) {
    let store = filled(world, 20);
    let proof = store.inclusion(7, 20).unwrap();
    let forge = |set: &str| {
        if world.is_sqlite() {
            world.sql(&format!("DROP TRIGGER IF EXISTS audit_leaf_update; UPDATE audit_leaf SET {set} WHERE seq = 7"))
        } else {
            world.sql(&format!(
                "SET session_replication_role = replica; UPDATE audit_leaf SET {set} WHERE seq = 7"
            ))
        }
    };
    let (a, b) = if world.is_sqlite() {
        ("x'", "'")
    } else {
        ("'\\x", "'")
    };
    forge(&format!("record = {a}7b7d{b}")).unwrap();
    let Err(LedgerError::Corrupt(text)) = store.leaves(0, 20) else {
        panic!("a forged record was given out")
    };
    assert!(text.contains("leaf 7"), "{text}");
    assert_eq!(store.leaves(0, 7).unwrap().len(), 7);
    drop(store);
    assert!(
        matches!(world.open_with(&config()), Err(OpenError::Damaged(text)) if text.contains("leaf 7"))
    );

    // With a hash that fits, the tree is another: no proof leads to the old root.
    forge(&format!("leaf_hash = {a}{}{b}", hex(&leaf_hash(b"{}")))).unwrap();
    let store = world.open();
    let root = store.root(20).unwrap();
    assert!(
        verify_inclusion(&proof, 7, leaf_hash(b"{}"), 20, root).is_ok(),
        "the same path"
    );
    let honest =
        Tree::rebuild((0..20).map(|n| Record::new(&LOG.parse().unwrap(), n, event(n)).leaf_hash()));
    assert_ne!(root, honest.root(), "but not to the root that was signed");
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
