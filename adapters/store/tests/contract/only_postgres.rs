//! What is peculiar to PostgreSQL.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chancery_pipeline::ports::{Ledger as _, LedgerError};
use chancery_store::{OpenError, Store, StoreConfig};

use crate::support::postgres::Postgres;
use crate::support::rows::*;
use crate::support::world::{LOG, World, config, log, server};

const ROLES: &str = include_str!("../../roles.sql");

#[test]
fn only_a_socket_is_gone_to() {
    for url in [
        "postgres:///db",
        "postgres:///?host=/tmp",
        "postgres:///db?host=example.org",
        "postgres:///db?host=/tmp&hostaddr=10.0.0.1",
        "postgres:///db?host=/tmp&host=example.org",
        "postgres:///db?host=/tmp&sslmode=disable",
        "postgres:///db?host=/tmp&user=a:b",
        "postgres:///db?host=/tmp,10.0.0.1",
        "postgres:///db?host=%2Ftmp",
        "postgres://user@/db?host=/tmp",
    ] {
        assert!(
            matches!(
                Store::open_postgres(url, &log(), &config()),
                Err(OpenError::Place(_))
            ),
            "{url}"
        );
    }
}

/// Not a test by itself: opens a store in an environment that points elsewhere.
#[test]
#[ignore = "run by the test below"]
fn opener() {
    let Ok(url) = std::env::var("CHANCERY_STORE_TEST_URL") else {
        return;
    };
    let store = Store::open(&url, &log(), &config()).unwrap();
    store.commit(submission(1)).unwrap();
}

#[test]
fn the_environment_points_nowhere_else() {
    let world = World::postgres();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["only_postgres::opener", "--exact", "--ignored"])
        .env("CHANCERY_STORE_TEST_URL", &world.url)
        .env("PGHOSTADDR", "192.0.2.1")
        .env("PGOPTIONS", "-c default_tablespace=nowhere")
        .env("PGCONNECT_TIMEOUT", "2")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(world.open().head().unwrap().size, 6);
}

/// Settings that would make an acknowledgement a lie.
#[test]
fn a_server_that_does_not_sync_is_refused() {
    let world = World::postgres();
    drop(world.open());
    let server = Postgres::start();
    let database = server.create_database();
    server
        .psql(
            "postgres",
            "postgres",
            "ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf()",
        )
        .unwrap();
    server.crash();
    let refused = Store::open(&server.url(&database), &log(), &config()).unwrap_err();
    assert_eq!(
        refused,
        OpenError::Setting {
            name: "fsync",
            found: "off".into(),
            want: "on".into()
        }
    );
}

/// The server crashes again and again under load: what was acknowledged is
/// there, what was refused is not, and nothing has to be restarted.
#[test]
fn a_crash_of_the_server_loses_nothing_that_was_acknowledged() {
    let server = Postgres::start();
    let database = server.create_database();
    let store = Store::open(&server.url(&database), &log(), &config()).unwrap();
    let (acked, refused) = (Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for caller in 0..16_u64 {
            let (store, stop, acked, refused) = (&store, &stop, &acked, &refused);
            scope.spawn(move || {
                for count in 0.. {
                    let n = caller * 1_000_000 + count;
                    match store.commit(submission(n)) {
                        Ok(_) => acked.lock().unwrap().insert(n),
                        Err(LedgerError::Unavailable(_)) => refused.lock().unwrap().insert(n),
                        Err(other) => panic!("{other}"),
                    };
                    // Readers get new connections, too.
                    store.message(&message_id(n)).ok();
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                }
            });
        }
        for _ in 0..4 {
            let before = acked.lock().unwrap().len();
            while acked.lock().unwrap().len() < before + 40 {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            server.crash();
        }
        stop.store(true, Ordering::Release);
    });
    let (acked, refused) = (acked.into_inner().unwrap(), refused.into_inner().unwrap());
    for n in &acked {
        assert_eq!(
            store.leaves_of(&message_id(*n)).unwrap().len(),
            6,
            "{n} was acknowledged"
        );
    }
    for n in &refused {
        assert_eq!(
            store.message(&message_id(*n)).unwrap(),
            None,
            "{n} was refused"
        );
    }
    assert_eq!(store.head().unwrap().size, 6 * acked.len() as u64);
    crate::log::check_whole_log(&store);
}

#[test]
fn a_server_that_is_gone_is_said_to_be_and_comes_back() {
    let server = Postgres::start();
    let database = server.create_database();
    let quick = StoreConfig {
        patience: Duration::from_millis(300),
        ..config()
    };
    let store = Store::open(&server.url(&database), &log(), &quick).unwrap();
    store.commit(submission(1)).unwrap();
    server.stop();
    assert!(matches!(
        store.commit(submission(2)),
        Err(LedgerError::Unavailable(_))
    ));
    assert!(matches!(
        store.message(&message_id(1)),
        Err(LedgerError::Unavailable(_))
    ));
    assert_eq!(
        store.head().unwrap().size,
        6,
        "what is committed is still known"
    );
    server.start_again();
    assert_eq!(store.commit(submission(2)).unwrap().first_seq, 6);
    assert_eq!(store.message(&message_id(1)).unwrap(), Some(message(1)));
}

/// The writer's session is ended by hand while it waits.
#[test]
fn a_session_that_is_ended_is_replaced() {
    let world = World::postgres();
    let store = world.open();
    for n in 0..5 {
        store.commit(submission(n)).unwrap();
        store.message(&message_id(n)).unwrap();
        world
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
            .unwrap();
    }
    assert_eq!(store.head().unwrap().size, 30);
    assert_eq!(store.message(&message_id(4)).unwrap(), Some(message(4)));
}

/// With the roles of `roles.sql` the gateway does all its work, and nothing to
/// its own log but append.
#[test]
fn the_gateways_role_can_only_append_to_the_log() {
    let server = Postgres::start();
    let database = server.create_database();
    let init = Store::open(&server.url(&database), &log(), &config()).unwrap();
    drop(init);
    server.psql(&database, "postgres", ROLES).unwrap();
    // Run once more it changes nothing.
    server.psql(&database, "postgres", ROLES).unwrap();

    let existing = StoreConfig {
        create: false,
        ..config()
    };
    let url = server.url_as(&database, "chancery_core");
    let store = Store::open(&url, &log(), &existing).unwrap();
    store.commit(submission(1)).unwrap();
    crate::log::check_whole_log(&store);
    for sql in [
        "UPDATE audit_leaf SET record = ''",
        "DELETE FROM audit_leaf",
        "TRUNCATE audit_leaf",
        "ALTER TABLE audit_leaf DISABLE TRIGGER ALL",
        "DROP TABLE audit_leaf",
        "DROP TRIGGER audit_leaf_never ON audit_leaf",
        "SET session_replication_role = replica",
        "INSERT INTO audit_leaf (log_id, seq, leaf_hash, record) SELECT log_id, seq, leaf_hash, '' FROM audit_leaf ON CONFLICT (log_id, seq) DO UPDATE SET record = ''",
        "DELETE FROM audit_checkpoint",
        "UPDATE document SET content = ''",
        "DELETE FROM message",
        "CREATE TABLE mine (id int)",
        "SET ROLE chancery_owner",
    ] {
        let refused = server.psql(&database, "chancery_core", sql).unwrap_err();
        assert!(
            refused.contains("permission denied") || refused.contains("must be owner"),
            "{sql}: {refused}"
        );
    }
    let count = server
        .psql(
            &database,
            "chancery_auditor",
            "SELECT count(*) FROM audit_leaf",
        )
        .unwrap();
    assert_eq!(count, "6");
    assert!(
        server
            .psql(
                &database,
                "chancery_auditor",
                "SELECT count(*) FROM message"
            )
            .is_err()
    );
    drop(store);
}

/// Two nodes in one database: each its own log and numbers, one epoch.
#[test]
fn nodes_that_share_a_database_have_a_log_each() {
    let world = World::postgres();
    let first = world.open();
    let other = "chancery/other-node".parse().unwrap();
    let second = Store::open(&world.url, &other, &config()).unwrap();
    first.commit(submission(1)).unwrap();
    second.commit(submission(2)).unwrap();
    assert_eq!(
        (first.head().unwrap().size, second.head().unwrap().size),
        (6, 6)
    );
    assert_ne!(first.head().unwrap().root, second.head().unwrap().root);
    assert_eq!(
        (
            first.next_registration().unwrap(),
            second.next_registration().unwrap()
        ),
        (1, 1)
    );
    assert_eq!(second.message(&message_id(1)).unwrap(), Some(message(1)));

    // What one changes in the directory, the other's guards see, and then it knows.
    let epoch = second.epoch().unwrap();
    let change = chancery_pipeline::ports::Write::InsertDocument(Box::new(document(
        chancery_pipeline::rows::DocumentKind::Mou,
        "m",
        1,
    )));
    first.commit(writes(vec![change])).unwrap();
    let guarded = chancery_pipeline::ports::Step {
        guards: vec![chancery_pipeline::ports::Guard::Epoch(epoch)],
        ..submission(3)
    };
    assert_eq!(second.commit(guarded), Err(LedgerError::Conflict));
    assert_eq!(second.epoch().unwrap(), epoch + 1);
    assert_eq!(
        server().psql(
            world.database(),
            "postgres",
            &format!("SELECT commits > 0 FROM node WHERE log_id = '{LOG}'")
        ),
        Ok("t".into())
    );
}
