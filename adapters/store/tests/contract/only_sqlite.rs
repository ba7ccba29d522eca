//! What is peculiar to SQLite.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use chancery_pipeline::ports::{Ledger as _, LedgerError, Write};
use chancery_store::{OpenError, Store, StoreConfig};

use crate::support::rows::*;
use crate::support::world::{World, config, log};

#[test]
fn files_are_their_owners_alone() {
    let world = World::sqlite();
    let store = world.open();
    store.commit(submission(1)).unwrap();
    let folder = world.file().parent().unwrap().to_owned();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            entry.file_name()
        );
        seen += 1;
    }
    assert_eq!(seen, 4, "database, -wal, -shm, .lock");
    drop(store);
    std::fs::set_permissions(world.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(
        matches!(world.open_with(&config()), Err(OpenError::Place(text)) if text.contains("chmod 600"))
    );
}

#[test]
fn links_empty_and_foreign_files_are_refused() {
    let world = World::sqlite();
    drop(world.open());
    let folder = world.file().parent().unwrap().to_owned();
    let existing = StoreConfig {
        create: false,
        ..config()
    };
    let open = |path: &Path| Store::open_sqlite(path, &log(), &existing).map(drop);

    let link = folder.join("link.db");
    symlink(world.file(), &link).unwrap();
    assert!(matches!(open(&link), Err(OpenError::Place(_))));

    // A truncated database is not the beginning of a new one.
    let empty = folder.join("empty.db");
    std::fs::write(&empty, b"").unwrap();
    std::fs::set_permissions(&empty, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(open(&empty), Err(OpenError::Missing));

    let foreign = folder.join("foreign.db");
    std::fs::write(&foreign, vec![b'x'; 8192]).unwrap();
    std::fs::set_permissions(&foreign, std::fs::Permissions::from_mode(0o600)).unwrap();
    let refused = open(&foreign).unwrap_err().to_string();
    assert!(refused.contains("not a database"), "{refused}");

    let half = folder.join("half.db");
    let whole = std::fs::read(world.file()).unwrap();
    std::fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    std::fs::set_permissions(&half, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(open(&half).is_err());
}

#[test]
fn only_what_says_what_it_is_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db").display().to_string();
    for url in [
        path.as_str(),
        "sqlite:",
        "postgresql:///x?host=/tmp",
        "postgres://host/x",
        "file:x.db",
        "",
    ] {
        assert!(
            matches!(
                Store::open(url, &log(), &config()),
                Err(OpenError::Place(_))
            ),
            "{url}"
        );
    }
    // A name that looks like another kind's URL is a file's name here.
    let odd = folder.path().join("file:odd?mode=memory");
    drop(Store::open_sqlite(&odd, &log(), &config()).unwrap());
    assert!(odd.is_file());
}

/// As on a full disk: nothing is half done, what needs no room goes on, and it
/// recovers without a restart.
#[test]
fn a_full_database_refuses_and_recovers() {
    let world = World::sqlite();
    let store = world
        .open_with(&StoreConfig {
            max_bytes: Some(4 << 20),
            ..config()
        })
        .unwrap();
    store
        .commit(writes(vec![Write::InsertBody(Box::new(body(1)))]))
        .unwrap();
    let mut index = 0;
    let full = loop {
        match store.commit(writes(vec![Write::InsertSegment(segment(1, index))])) {
            Ok(_) => index += 1,
            Err(error) => break error,
        }
        assert!(index < 1000);
    };
    let LedgerError::Unavailable(text) = full else {
        panic!("{full}")
    };
    assert!(text.contains("full"), "{text}");
    assert!(index > 20);
    assert_eq!(store.segment(&body_id(1), index).unwrap(), None);
    let head = store.head().unwrap();

    // Of many at once, those that find room are done.
    std::thread::scope(|scope| {
        for n in 0..16_u64 {
            let store = &store;
            scope.spawn(move || {
                let step = if n % 2 == 0 {
                    writes(vec![Write::InsertSegment(segment(
                        1,
                        5000 + u32::try_from(n).unwrap(),
                    ))])
                } else {
                    writes(vec![Write::InsertNonce([u8::try_from(n).unwrap(); 16])])
                };
                assert_eq!(store.commit(step).is_ok(), n % 2 == 1, "{n}");
            });
        }
    });
    assert_eq!(store.head().unwrap(), head);

    store
        .commit(writes(vec![Write::DeleteBody(body_id(1))]))
        .unwrap();
    store.commit(submission(1)).unwrap();
    store
        .commit(writes(vec![
            Write::InsertBody(Box::new(body(1))),
            Write::InsertSegment(segment(1, 0)),
        ]))
        .unwrap();
    crate::log::check_whole_log(&store);
}
