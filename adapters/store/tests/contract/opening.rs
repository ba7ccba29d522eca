//! Opening, and not opening.

use std::time::Duration;

use chancery_pipeline::ports::{Head, Ledger as _, LedgerError};
use chancery_store::{OpenError, Store, StoreConfig};

use crate::support::rows::*;
use crate::support::world::{LOG, World, config};

fn hasty() -> StoreConfig {
    StoreConfig {
        patience: Duration::from_millis(200),
        ..config()
    }
}

pub(crate) fn a_restart_goes_on_where_it_was(world: &World) {
    let store = world.open();
    for n in 0..30 {
        store.commit(submission(n)).unwrap();
    }
    let head = store.head().unwrap();
    drop(store);
    let store = world
        .open_with(&StoreConfig {
            create: false,
            ..config()
        })
        .unwrap();
    assert_eq!(store.head().unwrap(), head);
    assert_eq!(store.commit(submission(30)).unwrap().first_seq, head.size);
    let proof = store.consistency(head.size, head.size + 6).unwrap();
    chancery_audit::verify_consistency(
        &proof,
        head.size,
        head.root,
        head.size + 6,
        store.head().unwrap().root,
    )
    .unwrap();
    crate::log::check_whole_log(&store);
}

pub(crate) fn what_is_not_there_is_not_made_in_passing(world: &World) {
    let existing = StoreConfig {
        create: false,
        ..hasty()
    };
    assert_eq!(world.open_with(&existing).unwrap_err(), OpenError::Missing);
    drop(world.open());
    drop(world.open_with(&existing).unwrap());
    // Another node's log is not there either.
    let other = "chancery/other".parse().unwrap();
    assert_eq!(
        Store::open(&world.url, &other, &existing).unwrap_err(),
        OpenError::Missing
    );
}

pub(crate) fn a_newer_schema_is_refused(world: &World) {
    drop(world.open());
    world
        .sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')")
        .unwrap();
    let refused = world.open_with(&hasty()).unwrap_err();
    assert_eq!(refused, OpenError::Newer("20991231235959".into()));
    assert_eq!(
        refused.to_string(),
        "the database has schema `20991231235959`, which this program does not know: use the newer `chancery` that made it"
    );
    world
        .sql("DELETE FROM __diesel_schema_migrations WHERE version = '20991231235959'")
        .unwrap();
    world.open();
}

pub(crate) fn one_writer_for_each_log(world: &World) {
    let store = world.open();
    assert_eq!(world.open_with(&hasty()).unwrap_err(), OpenError::Busy);
    store.commit(submission(1)).unwrap();
    drop(store);
    assert_eq!(world.open().head().unwrap().size, 6);
}

/// As after a pause so long that its lock was given to another.
pub(crate) fn a_writer_that_was_superseded_writes_no_more(world: &World) {
    let store = world.open();
    store.commit(submission(1)).unwrap();
    world
        .sql(&format!(
            "UPDATE node SET fence = fence + 1 WHERE log_id = '{LOG}'"
        ))
        .unwrap();
    for _ in 0..2 {
        let Err(LedgerError::Unavailable(text)) = store.commit(submission(2)) else {
            panic!("it wrote")
        };
        assert!(text.contains("another process"), "{text}");
    }
    assert_eq!(store.message(&message_id(2)).unwrap(), None);
    drop(store);
    assert_eq!(world.open().commit(submission(2)).unwrap().first_seq, 6);
}

pub(crate) fn an_older_copy_does_not_pass_its_anchor(world: &World) {
    let store = world.open();
    for n in 0..10 {
        store.commit(submission(n)).unwrap();
    }
    let (early, late) = (
        Head {
            size: 24,
            root: store.root(24).unwrap(),
        },
        store.head().unwrap(),
    );
    drop(store);
    let with = |anchor| StoreConfig {
        anchor: Some(anchor),
        ..config()
    };
    drop(world.open_with(&with(early)).unwrap());
    drop(world.open_with(&with(late)).unwrap());
    let more = Head {
        size: late.size + 1,
        ..late
    };
    assert!(matches!(
        world.open_with(&with(more)),
        Err(OpenError::RolledBack(_))
    ));
    let other = Head {
        root: [9; 32],
        ..early
    };
    assert!(matches!(
        world.open_with(&with(other)),
        Err(OpenError::RolledBack(_))
    ));
}
