//! A key-encryption key is turned over while messages flow, and custodian and
//! core are killed at every step of it: every message opens.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_world::{Node, chancery, good, told};
use serde_json::Value;

/// The key of what csirt-alpha sends without classification.
const KEK: &str = "kek/0/csirt-alpha";

/// The custodian is killed as soon as its log tells of these steps, in turn.
const ROTATING: [&str; 5] = [
    "ceremony.agreed",
    "ceremony.begun",
    "key.making",
    "key.made",
    "key.activated",
];
const DESTROYING: [&str; 3] = ["ceremony.begun", "key.destroying", "key.destroyed"];

/// Messages that were there before the first rotation.
const FIRST: usize = 60;

fn until_done(arguments: &[&str], input: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let output = chancery(arguments, input);
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).unwrap_or_default();
        }
        assert!(Instant::now() < until, "{arguments:?}: {}", told(&output));
    }
}

/// Sends numbered messages until told to stop; what was acknowledged.
fn send(node: &Node, number: usize) -> String {
    let (text, key) = (format!("text {number}"), format!("key-{number}"));
    let answer = until_done(
        &[
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
            "rotation",
            "--idempotency-key",
            &key,
        ],
        &text,
    );
    answer["id"].as_str().unwrap().to_owned()
}

/// The register's cards of the key, by the command.
fn cards(node: &Node) -> Vec<Value> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let output = chancery(
            &["--json", "key", "--config", &node.config(), "show", KEK],
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
    }
}

fn active(node: &Node) -> u64 {
    let cards = cards(node);
    let card = cards.iter().find(|card| card["state"] == "active").unwrap();
    card["generation"].as_u64().unwrap()
}

/// Has two custodians order something, and the custodian killed when its log
/// tells of `step` (never, where there is none). Whether it was done.
fn order(node: &Node, arguments: &[&str], step: Option<&str>) -> bool {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = node.path(&format!("{number}.json")).display().to_string();
    let mut proposal = vec!["key"];
    proposal.extend(arguments);
    proposal.extend(["--out", &file]);
    let proposed = node.as_officer("hugo", &proposal);
    assert!(proposed.status.success(), "{}", told(&proposed));
    let approved = node.as_officer("ines", &["key", "approve", &file]);
    assert!(approved.status.success(), "{}", told(&approved));

    let log = node.path("node/data/custodian/custodian.log");
    let begun = std::fs::metadata(&log).unwrap().len();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        if let Some(step) = step {
            let (over, log) = (&over, &log);
            scope.spawn(move || {
                let word = format!("\"operation\":\"{step}\"");
                loop {
                    let last = over.load(Ordering::SeqCst);
                    let bytes = std::fs::read(log).unwrap();
                    let fresh = bytes.get(usize::try_from(begun).unwrap()..);
                    let text = String::from_utf8_lossy(fresh.unwrap_or_default());
                    if text.contains(&word) {
                        node.kill("custodian");
                        return;
                    }
                    assert!(!last, "the step {step} never came");
                    std::thread::yield_now();
                }
            });
        }
        let done = chancery(&["key", "--config", &node.config(), "perform", &file], "");
        over.store(true, Ordering::SeqCst);
        done.status.success()
    })
}

/// Rotates once; killed at `step`, it is ordered again until it is done.
fn rotate(node: &Node, step: Option<&str>) {
    let before = active(node);
    let _done = order(node, &["rotate", KEK], step);
    let until = Instant::now() + Duration::from_secs(60);
    while active(node) == before {
        assert!(Instant::now() < until);
        let _done = order(node, &["rotate", KEK], None);
    }
}

/// Waits until nothing is under older generations.
fn rewrapped(node: &Node) {
    let arguments = [
        "--json",
        "key",
        "--config",
        &node.config(),
        "rotate",
        KEK,
        "--progress",
    ];
    let _shown = until_done(&arguments, "");
    let open = cards(node)
        .into_iter()
        .filter(|card| card["state"] == "deactivated" && card["closed"] == false);
    assert_eq!(open.count(), 0);
}

#[test]
fn every_message_opens_though_all_is_killed_at_every_step_of_a_rotation() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.start();
    let node = Arc::new(node);
    let sent: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let (stop, next) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let senders: Vec<_> = (0..2)
        .map(|_| {
            let (node, sent, stop, next) = (
                Arc::clone(&node),
                Arc::clone(&sent),
                Arc::clone(&stop),
                Arc::clone(&next),
            );
            std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let id = send(&node, next.fetch_add(1, Ordering::SeqCst));
                    let count = {
                        let mut sent = sent.lock().unwrap();
                        sent.insert(id);
                        sent.len()
                    };
                    if count > FIRST {
                        // A steady trickle from here on: what is opened at the end is not too much.
                        std::thread::park_timeout(Duration::from_millis(500));
                    }
                }
            })
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(120);
    while sent.lock().unwrap().len() < FIRST {
        assert!(Instant::now() < until, "{}", node.last_lines());
        std::thread::yield_now();
    }

    // Making and activating, step by step; core dies in the rewrapping that follows.
    for (round, step) in ROTATING.iter().enumerate() {
        rotate(&node, Some(step));
        if round % 2 == 0 {
            node.kill("core");
        }
    }
    rewrapped(&node);
    rotate(&node, None);
    node.kill("core");
    rewrapped(&node);

    // Nothing in use, and nothing that wraps anything, is destroyed.
    let newest = active(&node);
    let (newest, oldest) = (newest.to_string(), "1");
    assert!(!order(&node, &["destroy", KEK, &newest], None));
    assert!(order(&node, &["destroy", KEK, oldest], None));
    let mut gone = 1;
    for step in DESTROYING {
        gone += 1;
        let generation = gone.to_string();
        let _done = order(&node, &["destroy", KEK, &generation], Some(step));
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let card = cards(&node).swap_remove(usize::try_from(gone - 1).unwrap());
            if card["state"] == "destroyed" {
                break;
            }
            assert!(Instant::now() < until);
            let _done = order(&node, &["destroy", KEK, &generation], None);
        }
    }

    stop.store(true, Ordering::SeqCst);
    for sender in senders {
        sender.join().unwrap();
    }
    let sent = sent.lock().unwrap().clone();
    let mut opened = BTreeSet::new();
    let profile = node.profile("cert-eu");
    loop {
        let listed = until_done(
            &["--json", "inbox", "--profile", &profile, "--limit", "200"],
            "",
        );
        let deliveries = listed["deliveries"].as_array().unwrap().clone();
        if deliveries.is_empty() {
            break;
        }
        let ids: Vec<&str> = deliveries
            .iter()
            .map(|one| one["delivery"].as_str().unwrap())
            .collect();
        let found = Mutex::new(&mut opened);
        std::thread::scope(|scope| {
            for part in ids.chunks(ids.len().div_ceil(4)) {
                let (profile, found) = (&profile, &found);
                scope.spawn(move || {
                    for id in part {
                        let one = |what: &str| {
                            until_done(&["--json", "inbox", "--profile", profile, what, id], "")
                        };
                        let fetched = one("--fetch");
                        assert!(fetched.to_string().contains("text "), "{fetched}");
                        let message = fetched["message"].as_str().unwrap().to_owned();
                        found.lock().unwrap().insert(message);
                        one("--ack");
                    }
                });
            }
        });
    }
    assert_eq!(opened, sent, "every message that was acknowledged opens");
    let verified = node.verify(&node.export("log.export"));
    assert!(verified.status.success(), "{}", told(&verified));
    // And the register says so too, for machines.
    let inventory = good(&["key", "--config", &node.config(), "inventory"], "");
    let inventory: Value = serde_json::from_str(&inventory).unwrap();
    let destroyed = inventory["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| {
            one["cryptoProperties"]["relatedCryptoMaterialProperties"]["state"] == "destroyed"
        });
    assert_eq!(destroyed.count(), 4);
}
