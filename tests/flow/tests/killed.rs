//! Daemons die while messages flow. What was acknowledged arrives, once.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_world::{Node, chancery, told};
use serde_json::Value;

/// How many messages flow.
const MESSAGES: usize = 200;
/// Which daemons die, one after the other.
const VICTIMS: [&str; 4] = ["reader-rest", "core", "door-rest", "custodian"];

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}

/// Repeats a command until it succeeds.
fn until_done(arguments: &[&str], input: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let output = chancery(arguments, input);
        if output.status.success() {
            return json(&output.stdout);
        }
        assert!(Instant::now() < until, "{arguments:?}: {}", told(&output));
    }
}

#[test]
fn what_was_acknowledged_arrives_once_though_every_daemon_is_killed() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.start();
    let node = Arc::new(node);
    let acknowledged: Arc<Mutex<BTreeMap<usize, String>>> = Arc::default();
    let next = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let (node, acknowledged, next) = (
                Arc::clone(&node),
                Arc::clone(&acknowledged),
                Arc::clone(&next),
            );
            std::thread::spawn(move || {
                let profile = node.profile("csirt-alpha");
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= MESSAGES {
                        return;
                    }
                    let (subject, key) = (format!("message {number}"), format!("key-{number}"));
                    // The same key again and again: done once.
                    let answer = until_done(
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
                            &subject,
                            "--idempotency-key",
                            &key,
                        ],
                        "text",
                    );
                    let id = answer["id"].as_str().unwrap().to_owned();
                    acknowledged.lock().unwrap().insert(number, id);
                }
            })
        })
        .collect();
    for (round, victim) in VICTIMS.iter().enumerate() {
        // Each dies in the middle of things: after another fifth of the messages.
        let until = Instant::now() + Duration::from_secs(120);
        while acknowledged.lock().unwrap().len() < (round + 1) * MESSAGES / 5 {
            assert!(
                Instant::now() < until,
                "messages no longer flow: {}",
                node.last_lines()
            );
            std::thread::yield_now();
        }
        node.kill(victim);
    }
    for sender in senders {
        sender.join().unwrap();
    }
    let sent: BTreeSet<String> = acknowledged.lock().unwrap().values().cloned().collect();
    assert_eq!(sent.len(), MESSAGES, "one id each");

    let profile = node.profile("cert-eu");
    let mut arrived: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    loop {
        let listed = until_done(
            &["--json", "inbox", "--profile", &profile, "--limit", "200"],
            "",
        );
        let deliveries = listed["deliveries"].as_array().unwrap().clone();
        if deliveries.is_empty() {
            break;
        }
        for delivery in deliveries {
            let id = delivery["delivery"].as_str().unwrap();
            let fetched = until_done(
                &["--json", "inbox", "--profile", &profile, "--fetch", id],
                "",
            );
            let message = fetched["message"].as_str().unwrap().to_owned();
            arrived.entry(message).or_default().insert(id.to_owned());
            let _acknowledged =
                until_done(&["--json", "inbox", "--profile", &profile, "--ack", id], "");
        }
    }
    assert_eq!(
        arrived.keys().cloned().collect::<BTreeSet<_>>(),
        sent,
        "all that was acknowledged, and nothing else"
    );
    assert!(
        arrived.values().all(|deliveries| deliveries.len() == 1),
        "none twice"
    );

    let export = node.export("log.export");
    let verified = node.verify(&export);
    assert!(verified.status.success(), "{}", told(&verified));
}
