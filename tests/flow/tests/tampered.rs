//! An export of the log shows what was done to it.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests: what fails fails the test"
)]

use chancery_world::{Node, good, told};

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The places of the records: lines that begin with a hash.
fn records(lines: &[String]) -> Vec<usize> {
    (0..lines.len())
        .filter(|at| !lines[*at].starts_with('{'))
        .collect()
}

#[test]
fn a_changed_a_removed_and_a_swapped_record_are_named() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.start();
    for number in 0..3 {
        let subject = format!("message {number}");
        let profile = node.profile("csirt-alpha");
        let _sent = good(
            &[
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
                &subject,
            ],
            "text",
        );
    }
    let export = node.export("log.export");
    let sound = node.verify(&export);
    assert!(sound.status.success(), "{}", told(&sound));
    let whole = lines(&std::fs::read_to_string(&export).unwrap());
    let places = records(&whole);
    let middle = places.len() / 2;

    let mut flipped = whole.clone();
    let text = &flipped[places[middle]];
    // One letter of the record itself, behind its hash.
    let at = text.rfind("kind").unwrap();
    flipped[places[middle]] = format!("{}K{}", &text[..at], &text[at + 1..]);
    let mut removed = whole.clone();
    removed.remove(places[middle]);
    let mut swapped = whole.clone();
    swapped.swap(places[middle], places[middle + 1]);
    let mut cut = whole.clone();
    cut.pop();

    for (what, changed) in [
        ("flipped", flipped),
        ("removed", removed),
        ("swapped", swapped),
    ] {
        let file = node.path(what);
        std::fs::write(&file, changed.join("\n") + "\n").unwrap();
        let found = node.verify(&file);
        assert_eq!(found.status.code(), Some(1), "{what}: {}", told(&found));
        let named = format!("record {middle}:");
        assert!(
            told(&found).contains(&named),
            "{what}, not `{named}`: {}",
            told(&found)
        );
    }
    let file = node.path("cut");
    std::fs::write(&file, cut.join("\n") + "\n").unwrap();
    assert_eq!(node.verify(&file).status.code(), Some(1));

    // The newest version of the rules cut off, then its epoch put back with it:
    // the node refuses to start, and says what is wrong.
    node.stop();
    database(
        &node,
        "DROP TRIGGER document_delete; DELETE FROM document WHERE id = (SELECT max(id) FROM document);",
    );
    node.start_in_vain("versions were removed or put back");
    database(&node, "UPDATE epoch SET value = value - 1;");
    node.start_in_vain("an old copy of the rules was put back");
}

/// Statements past the gateway, as whoever owns the file can.
fn database(node: &Node, statements: &str) {
    let program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    let done = std::process::Command::new("python3")
        .args(["-c", program])
        .arg(node.path("node/data/chancery.db"))
        .arg(statements)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", told(&done));
}
