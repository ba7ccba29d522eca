//! `docs/adding-a-label-scheme.md`, followed by the letter on a node: a new
//! national scheme is read, carried and shown without touching Rust.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use chancery_world::{Node, chancery, good, told};
use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const MARKING: &str = "RESTREINT UE/EU RESTRICTED [NOR BEGRENSET]";

/// Files that the guide tells to write: name and text.
fn files() -> Vec<(String, String)> {
    let guide = std::fs::read_to_string(format!("{ROOT}/docs/adding-a-label-scheme.md")).unwrap();
    guide
        .split("<!-- file: config/schemes/")
        .skip(1)
        .map(|part| {
            let (name, rest) = part.split_once(" -->\n```toml\n").unwrap();
            let (text, _) = rest.split_once("\n```\n").unwrap();
            (name.to_owned(), text.to_owned())
        })
        .collect()
}

fn checked(node: &Node, to: &str) -> std::process::Output {
    chancery(
        &[
            "--json",
            "send",
            "-",
            "--profile",
            &node.profile("csirt-alpha"),
            "--to",
            to,
            "--label",
            MARKING,
            "--subject",
            "a report",
            "--no-personal-data",
        ],
        "A text.",
    )
}

#[test]
fn a_node_reads_a_scheme_of_its_own() {
    let files = files();
    assert_eq!(files.len(), 2);
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.start();
    let before = checked(&node, "cert-eu");
    assert!(!before.status.success(), "{}", told(&before));
    node.stop();

    // A scheme that is wrong is told, and put right.
    let folder = node.path("node/rules/schemes");
    let check = || chancery(&["check", "--config", &node.config()], "");
    for (name, text) in &files {
        let wrong = text.replace("eu = \"S-UE\"", "eu = \"NC\"");
        std::fs::write(folder.join(name), wrong).unwrap();
    }
    let found = check();
    assert!(!found.status.success(), "{}", told(&found));
    assert!(told(&found).contains("norway.toml"), "{}", told(&found));
    for (name, text) in &files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let found = check();
    assert!(found.status.success(), "{}", told(&found));
    let schemes = folder.display().to_string();
    let read = good(
        &[
            "--json",
            "label",
            "parse",
            "HEMMELIG",
            "--country",
            "NOR",
            "--schemes",
            &schemes,
        ],
        "",
    );
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read["eu_level"], "S-UE", "{read}");

    node.start();
    let sent = checked(&node, "cert-eu");
    assert!(sent.status.success(), "{}", told(&sent));
    let sent: Value = serde_json::from_slice(&sent.stdout).unwrap();
    let id = sent["id"].as_str().unwrap();
    let status = good(
        &[
            "--json",
            "status",
            id,
            "--profile",
            &node.profile("csirt-alpha"),
        ],
        "",
    );
    assert!(status.contains(MARKING), "{status}");
}
