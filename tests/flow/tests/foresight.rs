//! Time moved under the real core and custodian (`faketime`): what will end is
//! recorded 30, 7 and 1 days before, each once, however often core starts.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: what fails fails the test"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_world::{Node, programs, told};

fn library() -> String {
    ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|machine| format!("/usr/lib/{machine}/faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or_else(|| panic!("faketime is not there: install it"))
}

/// Programs for which it is so much later than it is.
fn later(node: &Node, offset: &str) -> PathBuf {
    let folder = node.path(&format!("programs{offset}"));
    std::fs::create_dir_all(&folder).unwrap();
    // Doors and readers open no files any more, not even a clock's: they stay.
    for name in ["chancery-door", "chancery-reader"] {
        drop(std::fs::remove_file(folder.join(name)));
        std::os::unix::fs::symlink(programs().join(name), folder.join(name)).unwrap();
    }
    for name in ["chancery-custodian", "chancery-core"] {
        let (file, real) = (folder.join(name), programs().join(name));
        let text = format!(
            "#!/bin/sh\nexport LD_PRELOAD={} FAKETIME={offset} TZ=UTC DONT_FAKE_MONOTONIC=1 \
             FAKETIME_DISABLE_SHM=1\nexec {} \"$@\"\n",
            library(),
            real.display()
        );
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// What the log tells of the end of a key, by the days that were left.
fn told_of(node: &Node, offset: &str, key: &str) -> Vec<u64> {
    let file = node.path("log.export");
    drop(std::fs::remove_file(&file));
    let output = Command::new(programs().join("chancery"))
        .args(["audit", "export"])
        .arg(&file)
        .args(["--config", &node.config(), "--officer", "farid", "--key"])
        .arg(node.path("node/officers/farid.key"))
        .arg("--passphrase-file")
        .arg(node.path("node/officers/passphrase"))
        .env("LD_PRELOAD", library())
        .env("FAKETIME", offset)
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DISABLE_SHM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let text = std::fs::read_to_string(&file).unwrap();
    text.lines()
        .filter(|line| line.contains("\"kind\":\"key.ending\"") && line.contains(key))
        .map(|line| {
            let (_, rest) = line.split_once("\"count\":").unwrap();
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap()
        })
        .collect()
}

#[test]
fn what_ends_is_recorded_thirty_seven_and_one_days_before_each_once() {
    let mut node = Node::make(&["csirt-alpha"]);
    let key = "kek/intake#1";
    // A key-encryption key makes things for 730 days from `chancery init` on.
    for (offset, expected) in [
        ("+699d", vec![]),
        ("+700d", vec![30]),
        ("+700d", vec![30]),
        ("+715d", vec![30]),
        ("+723d", vec![30, 7]),
        ("+724d", vec![30, 7]),
        ("+729d", vec![30, 7, 1]),
        ("+729d", vec![30, 7, 1]),
    ] {
        let programs = later(&node, offset);
        node.start_from(&programs);
        // Core looks as soon as it serves.
        let since = Instant::now();
        loop {
            let found = told_of(&node, offset, key);
            let waited = since.elapsed();
            if found == expected && (waited > Duration::from_secs(1) || !found.is_empty()) {
                break;
            }
            assert!(
                found.len() <= expected.len() && waited < Duration::from_secs(30),
                "{offset}: {found:?}, not {expected:?}"
            );
            std::thread::park_timeout(Duration::from_millis(100));
        }
        node.stop();
    }
}
