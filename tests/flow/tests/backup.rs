//! A running node is backed up, lost, and brought back; a backup that was
//! touched, or that too few custodians want restored, is not.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::BTreeSet;
use std::path::Path;

use chancery_world::{Node, chancery, good, told};
use serde_json::Value;

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn send(node: &Node, number: usize) -> String {
    let profile = node.profile("csirt-alpha");
    let answer = good(
        &[
            "--json",
            "send",
            "-",
            "--profile",
            &profile,
            "--to",
            "cert-eu",
            "--label",
            "UNCLASSIFIED",
            "--no-personal-data",
            "--subject",
            "kept",
        ],
        &format!("text {number}"),
    );
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["id"].as_str().unwrap().to_owned()
}

/// Ids of all that waits for cert-eu, each opened.
fn opened(node: &Node) -> BTreeSet<String> {
    let profile = node.profile("cert-eu");
    let listed = good(
        &["--json", "inbox", "--profile", &profile, "--limit", "200"],
        "",
    );
    let listed: Value = serde_json::from_str(&listed).unwrap();
    listed["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let id = one["delivery"].as_str().unwrap();
            let fetched = good(
                &["--json", "inbox", "--profile", &profile, "--fetch", id],
                "",
            );
            let fetched: Value = serde_json::from_str(&fetched).unwrap();
            assert!(fetched.to_string().contains("text "), "{fetched}");
            fetched["message"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_running_node_is_backed_up_and_restored_and_a_touched_backup_is_not() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.start();
    let mut sent: BTreeSet<String> = (0..5).map(|number| send(&node, number)).collect();

    // The backup key is made elsewhere; the node has its public half.
    let (keys, secret) = (node.path("keys"), node.path("secret"));
    std::fs::write(&secret, "a passphrase of some length\n").unwrap();
    let _made = good(
        &[
            "backup",
            "--new-key",
            &text(&keys),
            "--passphrase-file",
            &text(&secret),
        ],
        "",
    );
    let backup = node.path("node.backup");
    let public = text(&keys.join("backup.pub"));
    let done = node.as_officer(
        "anna",
        &["backup", "--for", &public, "--out", &text(&backup)],
    );
    assert!(done.status.success(), "{}", told(&done));
    // It is sealed: neither settings nor the authority's key stand there in the clear.
    let bytes = std::fs::read(&backup).unwrap();
    for word in [&b"[custodian]"[..], b"PRIVATE KEY", b"SQLite format"] {
        assert!(!bytes.windows(word.len()).any(|part| part == word));
    }

    // What comes later is not in it.
    let later = send(&node, 99);

    // The custodians agree to this backup, and the disk is lost.
    let dossier = text(&node.path("restore.json"));
    let propose = [
        "key",
        "propose",
        "restore",
        &text(&backup),
        "--out",
        &dossier,
    ];
    assert!(node.as_officer("hugo", &propose).status.success());
    node.stop();
    let (home, lost) = (node.path("node"), node.path("lost"));
    std::fs::rename(&home, &lost).unwrap();
    let settings = text(&lost.join("chancery.toml"));
    let signer = node.path("anna.pem");
    let officers = std::fs::read_to_string(lost.join("rules/officers.toml")).unwrap();
    let entry = officers.split("id = \"anna\"").nth(1).unwrap();
    let pem = entry
        .split("-----BEGIN PUBLIC KEY-----")
        .nth(1)
        .and_then(|rest| rest.split("-----END PUBLIC KEY-----").next())
        .unwrap()
        .replace("\\n", "\n");
    let pem = format!("-----BEGIN PUBLIC KEY-----{pem}-----END PUBLIC KEY-----\n");
    std::fs::write(&signer, pem).unwrap();

    let restore = |file: &Path| {
        chancery(
            &[
                "restore",
                &text(file),
                "--to",
                &text(&home),
                "--key",
                &text(&keys.join("backup.key")),
                "--passphrase-file",
                &text(&secret),
                "--signer",
                &text(&signer),
                "--dossier",
                &dossier,
            ],
            "",
        )
    };
    // One custodian is not enough.
    let alone = restore(&backup);
    assert!(
        !alone.status.success() && told(&alone).contains("1 of 2"),
        "{}",
        told(&alone)
    );
    assert!(!home.exists(), "nothing stays");
    let second = chancery(
        &[
            "key",
            "--config",
            &settings,
            "--officer",
            "ines",
            "--key",
            &text(&lost.join("officers/ines.key")),
            "--passphrase-file",
            &text(&lost.join("officers/passphrase")),
            "approve",
            &dossier,
        ],
        "",
    );
    assert!(second.status.success(), "{}", told(&second));

    // Touched anywhere, even with the digest agreed to: refused.
    for place in [0, 30, bytes.len() / 2, bytes.len() - 1] {
        let touched = node.path("touched.backup");
        let mut bad = bytes.clone();
        *bad.get_mut(place).unwrap() ^= 1;
        std::fs::write(&touched, &bad).unwrap();
        std::fs::copy(
            node.path("node.backup.sig"),
            node.path("touched.backup.sig"),
        )
        .unwrap();
        let refused = restore(&touched);
        assert!(!refused.status.success());
        assert!(!home.exists());
    }

    let restored = restore(&backup);
    assert!(restored.status.success(), "{}", told(&restored));
    assert!(
        !home.join("data/token.pin").exists(),
        "no PIN is in a backup"
    );
    assert!(!home.join("officers").exists(), "nor an officer's key");
    std::fs::rename(lost.join("data/token.pin"), home.join("data/token.pin")).unwrap();
    std::fs::rename(lost.join("officers"), home.join("officers")).unwrap();
    node.start();
    assert_eq!(opened(&node), sent);
    assert!(!sent.contains(&later));
    // It works on: new messages, and a log that still verifies from its first leaf.
    sent.insert(send(&node, 100));
    assert_eq!(opened(&node), sent);
    let verified = node.verify(&node.export("log.export"));
    assert!(verified.status.success(), "{}", told(&verified));
    let log = std::fs::read_to_string(home.join("data/custodian/custodian.log")).unwrap();
    assert!(log.contains("\"node.restored\""));
}
