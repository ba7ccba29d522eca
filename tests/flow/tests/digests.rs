//! The keys of rows and indexes are turned over in a running node, with
//! custodian and core killed on the way: rows that stand under the old key are
//! still believed, requests that came before are still known, and what is
//! written afterwards stands under the new one.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::time::{Duration, Instant};

use chancery_world::{Node, chancery, told};
use serde_json::Value;

fn until_done(arguments: &[&str], input: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let output = chancery(arguments, input);
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).unwrap_or_default();
        }
        assert!(Instant::now() < until, "{arguments:?}: {}", told(&output));
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Sends, or sends again: the same key is the same message.
fn send(node: &Node, key: &str) -> String {
    let arguments = [
        "--json",
        "send",
        "-",
        "--profile",
        &node.profile("csirt-alpha"),
        "--to",
        "cert-eu",
        "--label",
        "UNCLASSIFIED",
        "--no-personal-data",
        "--subject",
        key,
        "--idempotency-key",
        key,
    ];
    let answer = until_done(&arguments, key);
    answer["id"].as_str().unwrap().to_owned()
}

fn active(node: &Node, role: &str) -> u64 {
    let output = until_shown(node, role);
    let card = output.iter().find(|card| card["state"] == "active");
    card.unwrap()["generation"].as_u64().unwrap()
}

fn until_shown(node: &Node, role: &str) -> Vec<Value> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let output = chancery(
            &["--json", "key", "--config", &node.config(), "show", role],
            "",
        );
        if output.status.success() {
            let text = String::from_utf8(output.stdout).unwrap();
            return text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
        }
        assert!(Instant::now() < until, "{}", told(&output));
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Has two custodians order it; the custodian is killed as soon as it begins.
fn order(node: &Node, name: &str, arguments: &[&str], kill: bool) -> bool {
    let file = node.path(name).display().to_string();
    let mut proposal = vec!["key"];
    proposal.extend(arguments);
    proposal.extend(["--out", &file]);
    let proposed = node.as_officer("hugo", &proposal);
    assert!(proposed.status.success(), "{}", told(&proposed));
    let approved = node.as_officer("ines", &["key", "approve", &file]);
    assert!(approved.status.success(), "{}", told(&approved));
    std::thread::scope(|scope| {
        if kill {
            let log = node.path("node/data/custodian/custodian.log");
            let begun = std::fs::read(&log).unwrap().len();
            scope.spawn(move || {
                while std::fs::read(&log).unwrap().len() == begun {
                    std::thread::yield_now();
                }
                node.kill("custodian");
            });
        }
        let done = chancery(&["key", "--config", &node.config(), "perform", &file], "");
        done.status.success()
    })
}

#[test]
fn rows_and_requests_from_before_a_rotation_of_their_keys_are_still_known() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.start();
    let mut sent = vec![("first", send(&node, "first"))];
    for (round, role) in ["mac/row", "mac/index", "mac/row", "mac/index"]
        .into_iter()
        .enumerate()
    {
        let before = active(&node, role);
        let first = format!("{round}.json");
        let _killed = order(&node, &first, &["rotate", role], round % 2 == 0);
        let until = Instant::now() + Duration::from_secs(60);
        let mut again = 0;
        while active(&node, role) == before {
            assert!(Instant::now() < until);
            again += 1;
            let name = format!("{round}-{again}.json");
            let _done = order(&node, &name, &["rotate", role], false);
        }
        if round == 1 {
            node.kill("core");
        } else {
            // The running core follows by itself.
            let told_of = format!("generations\":\"[{}, ", active(&node, role));
            let until = Instant::now() + Duration::from_secs(30);
            let log = node.path("node.log");
            while !std::fs::read_to_string(&log).unwrap().contains(&told_of) {
                assert!(Instant::now() < until, "{}", node.last_lines());
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
        for (key, id) in &sent {
            assert_eq!(send(&node, key), *id, "{key} is known after {role}");
        }
        let key = ["second", "third", "fourth", "fifth"][round];
        sent.push((key, send(&node, key)));
    }
    // Rows stand under the old one for good: it cannot be destroyed.
    assert!(!order(&node, "d.json", &["destroy", "mac/row", "1"], false));
    node.kill("core");
    for (key, id) in &sent {
        assert_eq!(send(&node, key), *id, "{key}");
    }
    let profile = node.profile("cert-eu");
    let listed = until_done(&["--json", "inbox", "--profile", &profile], "");
    let deliveries = listed["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), sent.len(), "each once");
    for delivery in deliveries {
        let id = delivery["delivery"].as_str().unwrap();
        let _whole = until_done(
            &["--json", "inbox", "--profile", &profile, "--fetch", id],
            "",
        );
        let _done = until_done(&["--json", "inbox", "--profile", &profile, "--ack", id], "");
    }
    let verified = node.verify(&node.export("log.export"));
    assert!(verified.status.success(), "{}", told(&verified));
}
