//! SQLite on a disk that fails: full at every place, and refusing to write.
//!
//! Each test runs itself again as a child: one with a small file system of its
//! own, one that may not write files beyond a size.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chancery_pipeline::ports::{Ledger as _, LedgerError, Write};
use chancery_store::{Store, StoreConfig};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::rows::*;
use crate::support::world::{config, log};

const FOLDER: &str = "CHANCERY_STORE_TEST_FOLDER";

/// Runs one of the tests below by way of a shell script that execs it.
fn run_by(shell: &mut Command, script: &str, test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = shell
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args([
            test,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FOLDER, folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn open(folder: &str) -> Store {
    Store::open_sqlite(&Path::new(folder).join("chancery.db"), &log(), &config()).unwrap()
}

/// Submissions are done or refused, never anything between.
fn attempt(store: &Store, n: u64, done: &mut Vec<u64>) -> Option<LedgerError> {
    match store.commit(submission(n)) {
        Ok(_) => {
            done.push(n);
            None
        }
        Err(error) => Some(error),
    }
}

fn check(store: &Store, done: &[u64], until: u64) {
    for n in 0..until {
        let there = store.message(&message_id(n)).unwrap().is_some();
        assert_eq!(there, done.contains(&n), "message {n}");
    }
    assert_eq!(store.head().unwrap().size, 6 * done.len() as u64);
    crate::log::check_whole_log(store);
}

#[test]
fn a_disk_that_is_full_at_any_place_refuses_and_recovers() {
    let mut shell = Command::new("unshare");
    // In a mount namespace of its own, that of a user namespace where we are not root.
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    shell.args([if root { "-m" } else { "-Urm" }, "--", "sh"]);
    let script =
        r#"mount -t tmpfs -o size=32m none "$CHANCERY_STORE_TEST_FOLDER" && exec "$0" "$@""#;
    run_by(&mut shell, script, "disk::on_a_small_disk");
}

#[test]
#[ignore = "run by the test above, on a disk of 32 MiB"]
fn on_a_small_disk() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let ballast = Path::new(&folder).join("ballast");
    let store = open(&folder);
    let (mut done, mut n, mut refused) = (Vec::new(), 0, 0);
    // Less and less room, a page at a time, so that every write meets the end once.
    for room in (0..48_usize).rev() {
        fill(&ballast, room * 4096);
        for _ in 0..3 {
            if let Some(error) = attempt(&store, n, &mut done) {
                let LedgerError::Unavailable(text) = error else {
                    panic!("{error}")
                };
                assert!(text.contains("full"), "{text}");
                refused += 1;
            }
            n += 1;
        }
        // Room again: it goes on without a restart.
        std::fs::remove_file(&ballast).unwrap();
        assert_eq!(attempt(&store, n, &mut done), None);
        n += 1;
    }
    assert!(refused > 20, "{refused}");
    check(&store, &done, n);
    drop(store);
    check(&open(&folder), &done, n);
}

/// Fills the disk but for so many bytes.
fn fill(ballast: &Path, room: usize) {
    let chunk = vec![0_u8; 4096];
    let mut file = std::fs::File::create(ballast).unwrap();
    let mut written = 0_usize;
    while std::io::Write::write_all(&mut file, &chunk).is_ok() {
        written += chunk.len();
    }
    file.set_len(written.saturating_sub(room) as u64).unwrap();
}

#[test]
fn a_disk_that_refuses_to_write_does_not_make_us_lie() {
    // Ignored by the shell, the signal stays ignored: writes fail with EFBIG,
    // which SQLite calls an I/O error, at COMMIT as anywhere.
    run_by(
        &mut Command::new("sh"),
        r#"trap '' XFSZ; exec "$0" "$@""#,
        "disk::on_a_refusing_disk",
    );
}

#[test]
#[ignore = "run by the test above, with SIGXFSZ ignored"]
fn on_a_refusing_disk() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let hasty = StoreConfig {
        patience: std::time::Duration::from_millis(100),
        ..config()
    };
    let path = Path::new(&folder).join("chancery.db");
    let store = Store::open_sqlite(&path, &log(), &hasty).unwrap();
    let free = getrlimit(Resource::Fsize);
    let (mut done, mut doubtful, mut refused, mut n) = (Vec::new(), 0, 0, 0);
    for round in 0..24_u64 {
        let wal = std::fs::metadata(path.with_extension("db-wal"))
            .unwrap()
            .len();
        setrlimit(
            Resource::Fsize,
            Rlimit {
                current: Some(wal + round * 4096),
                maximum: free.maximum,
            },
        )
        .unwrap();
        for _ in 0..12 {
            match attempt(&store, n, &mut done) {
                None => {}
                Some(LedgerError::Unavailable(_)) => refused += 1,
                // Whether it was done shows later; it was not acknowledged.
                Some(LedgerError::UnknownOutcome(_)) => doubtful += 1,
                Some(other) => panic!("{other}"),
            }
            n += 1;
        }
        setrlimit(Resource::Fsize, free).unwrap();
        assert_eq!(attempt(&store, n, &mut done), None, "it recovers by itself");
        n += 1;
        // What was in doubt is decided by now, and stays so.
        let settled: Vec<u64> = (0..n)
            .filter(|n| store.message(&message_id(*n)).unwrap().is_some())
            .collect();
        assert!(
            done.iter().all(|n| settled.contains(n)),
            "an acknowledged message is gone"
        );
        done = settled;
    }
    assert!(refused > 20, "{refused}");
    assert!(doubtful > 0, "no COMMIT met the limit");
    store
        .commit(writes(vec![Write::InsertNonce([1; 16])]))
        .unwrap();
    check(&store, &done, n);
    drop(store);
    check(&open(&folder), &done, n);
}
