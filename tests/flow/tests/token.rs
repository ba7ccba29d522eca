//! The token fails while messages flow: pulled out and put back, a call that
//! hangs, a crash of the module, the custodian killed. Nothing that was
//! acknowledged is lost, nothing lies about in plain text, and the service comes
//! back by itself. `tests/long token-recovery` does it at full length.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_world::{Node, chancery, told};
use serde_json::Value;

/// Stands in every message; on disk it must not.
const CANARY: &str = "quarrelsome-heron-on-the-parapet";

/// A number from the environment, for the long form.
fn set(name: &str, short: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(short)
}

/// For the reader of a long run.
fn tell(text: &str) {
    eprintln!("token-recovery: {text}");
}

fn pause(span: Duration) {
    let end = Instant::now() + span;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}

/// Messages that flow from `csirt-alpha` to `cert-eu` until they are stopped.
struct Traffic {
    node: Arc<Node>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<BTreeMap<usize, String>>>,
    senders: Vec<std::thread::JoinHandle<()>>,
}

impl Traffic {
    fn start(node: &Arc<Node>) -> Self {
        let (stop, next) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let acknowledged: Arc<Mutex<BTreeMap<usize, String>>> = Arc::default();
        let senders = (0..2)
            .map(|_| {
                let (node, stop, next, acknowledged) = (
                    Arc::clone(node),
                    Arc::clone(&stop),
                    Arc::clone(&next),
                    Arc::clone(&acknowledged),
                );
                std::thread::spawn(move || {
                    let profile = node.profile("csirt-alpha");
                    while !stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let id = send(&profile, number);
                        acknowledged.lock().unwrap().insert(number, id);
                    }
                })
            })
            .collect();
        Self {
            node: Arc::clone(node),
            stop,
            acknowledged,
            senders,
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until another message was acknowledged; how long that took.
    fn flows(&self) -> Duration {
        let (since, before) = (Instant::now(), self.count());
        while self.count() <= before {
            assert!(
                since.elapsed() < Duration::from_secs(120),
                "messages no longer flow: {}",
                self.node.last_lines()
            );
            pause(Duration::from_millis(5));
        }
        since.elapsed()
    }

    /// Stops sending, and fetches all: what was acknowledged arrived, once.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.join().unwrap();
        }
        let acknowledged = self.acknowledged.lock().unwrap();
        let sent: BTreeSet<String> = acknowledged.values().cloned().collect();
        assert_eq!(sent.len(), acknowledged.len(), "one id each");
        let arrived = fetch_all(&self.node);
        let ids: BTreeSet<String> = arrived.keys().cloned().collect();
        assert_eq!(ids, sent, "all that was acknowledged, and nothing else");
        assert!(arrived.values().all(|count| *count == 1), "none twice");
        tell(&format!("{} messages, none lost, none twice", sent.len()));
    }
}

fn until_done(arguments: &[&str], input: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(180);
    loop {
        let output = chancery(arguments, input);
        if output.status.success() {
            return json(&output.stdout);
        }
        assert!(Instant::now() < until, "{arguments:?}: {}", told(&output));
        pause(Duration::from_millis(20));
    }
}

/// Sends a message until it is acknowledged; the same key is done once.
fn send(profile: &str, number: usize) -> String {
    let (subject, key) = (format!("{CANARY} {number}"), format!("key-{number}"));
    let answer = until_done(
        &[
            "--json",
            "send",
            "-",
            "--profile",
            profile,
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
        CANARY,
    );
    answer["id"].as_str().unwrap().to_owned()
}

fn fetch_all(node: &Node) -> BTreeMap<String, usize> {
    let profile = node.profile("cert-eu");
    let mut arrived = BTreeMap::new();
    loop {
        let listing = ["--json", "inbox", "--profile", &profile, "--limit", "200"];
        let listed = until_done(&listing, "");
        let deliveries = listed["deliveries"].as_array().unwrap().clone();
        if deliveries.is_empty() {
            return arrived;
        }
        for delivery in deliveries {
            let id = delivery["delivery"].as_str().unwrap();
            let fetched = until_done(
                &["--json", "inbox", "--profile", &profile, "--fetch", id],
                "",
            );
            assert!(fetched.to_string().contains(CANARY), "it is whole");
            let message = fetched["message"].as_str().unwrap().to_owned();
            *arrived.entry(message).or_default() += 1;
            until_done(&["--json", "inbox", "--profile", &profile, "--ack", id], "");
        }
    }
}

/// Files below a folder that contain the canary.
fn with_canary(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            with_canary(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes
                .windows(CANARY.len())
                .any(|part| part == CANARY.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn a_token_that_fails_while_messages_flow_costs_none_of_them() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.make_token_failing("");
    node.start();
    let node = Arc::new(node);
    let traffic = Traffic::start(&node);
    traffic.flows();

    // Pulled out, and put back.
    let absent = Duration::from_secs(set("CHANCERY_TOKEN_ABSENT_SECS", 4));
    node.faults("* absent\n");
    pause(absent);
    let before = traffic.count();
    node.faults("");
    let back = traffic.flows();
    tell(&format!(
        "token away for {absent:?}: {before} acknowledged before, service back after {back:?}"
    ));
    if set("CHANCERY_TOKEN_ABSENT_SECS", 0) > 0 {
        assert!(back < Duration::from_secs(5), "{back:?}");
    }

    // A call that never returns: the custodian ends itself.
    let pid = node.pid("custodian");
    node.faults("C_UnwrapKey hang times 1\nC_Sign hang times 1\n");
    let since = Instant::now();
    while node.pid("custodian") == pid {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "{}",
            node.last_lines()
        );
        // The next process must not hang too.
        if std::fs::read_to_string(node.path("node.log"))
            .unwrap()
            .contains("hangs: ending")
        {
            node.faults("");
        }
        pause(Duration::from_millis(20));
    }
    traffic.flows();
    tell(&format!(
        "a call that hangs: flowing again after {:?}",
        since.elapsed()
    ));

    // A module that crashes.
    let pid = node.pid("custodian");
    node.faults("C_WrapKey abort times 1\n");
    let since = Instant::now();
    while node.pid("custodian") == pid {
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "{}",
            node.last_lines()
        );
        pause(Duration::from_millis(1));
        if !Path::new(&format!("/proc/{pid}")).exists() {
            node.faults("");
        }
    }
    node.faults("");
    traffic.flows();
    tell(&format!(
        "a crash of the module: flowing again after {:?}",
        since.elapsed()
    ));

    // Killed, again and again.
    for kill in 0..set("CHANCERY_CUSTODIAN_KILLS", 2) {
        let pid = node.pid("custodian");
        node.strike("custodian");
        node.await_successor("custodian", pid);
        let back = traffic.flows();
        tell(&format!(
            "kill {kill}: flowing {back:?} after the next custodian"
        ));
    }

    // Errors now and then, of every kind.
    node.faults(
        "C_UnwrapKey error 0x30 every 5\nC_WrapKey lose-sessions every 9\n\
         C_Sign lose-login every 11\nC_GetAttributeValue error 0x05 every 13\n",
    );
    for _ in 0..5 {
        traffic.flows();
    }
    node.faults("");
    traffic.end();

    let mut found = Vec::new();
    with_canary(&node.path("node"), &mut found);
    assert_eq!(found, Vec::<String>::new(), "plain text on disk");
    assert!(
        !std::fs::read_to_string(node.path("node.log"))
            .unwrap()
            .contains(CANARY)
    );
    let export = node.export("log.export");
    let verified = node.verify(&export);
    assert!(verified.status.success(), "{}", told(&verified));
}
