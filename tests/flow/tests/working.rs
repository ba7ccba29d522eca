//! Content keys in core's memory while it works: core is stopped again and
//! again in the middle of its work and looked at. The only content keys that
//! ever stand in it are those of the message under way, and none stand in it
//! afterwards. (`memory.rs` looks at all processes at rest.)
//!
//! Root alone can look; for anybody else the memory is closed, which is tested.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chancery_world::memory::found_in_memory;
use chancery_world::{Node, good};
use serde_json::Value;

struct Watched {
    node: Node,
    witness: std::path::PathBuf,
}

impl Watched {
    /// Every content key that the token was given or gave, in order.
    fn keys(&self) -> Vec<Vec<u8>> {
        let text = std::fs::read_to_string(&self.witness).unwrap_or_default();
        // A last line without its end is being written.
        text.split_inclusive('\n')
            .filter_map(|line| hex::decode(line.strip_suffix('\n')?).ok())
            .collect()
    }

    /// Stops core, looks which content keys stand in it, lets it go on.
    fn look(&self) -> BTreeSet<Vec<u8>> {
        let pid = self.node.pid("core");
        self.node.freeze("core");
        let distinct: BTreeSet<Vec<u8>> = self.keys().into_iter().collect();
        let distinct: Vec<Vec<u8>> = distinct.into_iter().collect();
        let found = found_in_memory(pid, &distinct);
        self.node.thaw("core");
        let found = found.unwrap().into_iter();
        found.map(|place| distinct[place].clone()).collect()
    }

    /// Does something while core is looked at: how often a key of that message
    /// was seen, and its new keys. No other message's key may be. `known` are
    /// those that it has already.
    fn during(
        &self,
        what: &str,
        known: &[Vec<u8>],
        work: impl FnOnce() + Send,
    ) -> (usize, Vec<Vec<u8>>) {
        let before = self.keys().len();
        let mut looks = Vec::new();
        std::thread::scope(|scope| {
            let working = scope.spawn(work);
            while !working.is_finished() {
                looks.push(self.look());
                // Core must get on between two looks.
                std::thread::park_timeout(Duration::from_millis(15));
            }
            working.join().unwrap();
        });
        self.settle(what);
        let fresh = self.keys()[before..].to_vec();
        let own: BTreeSet<Vec<u8>> = fresh.iter().chain(known).cloned().collect();
        let mut seen = 0;
        for found in &looks {
            let foreign = found.difference(&own).count();
            assert_eq!(foreign, 0, "{what}: keys of other messages stand in core");
            seen += usize::from(!found.is_empty());
        }
        (seen, fresh)
    }

    /// Waits until no content key stands in core.
    fn settle(&self, what: &str) {
        let since = Instant::now();
        loop {
            let left = self.look().len();
            if left == 0 {
                return;
            }
            assert!(
                since.elapsed() < Duration::from_secs(20),
                "after {what}: core keeps {left} content keys"
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_content_key_stands_in_core_only_while_its_message_is_sealed_or_opened() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    let witness = node.token_store().join("witness");
    node.make_token_failing(&format!("witness = {}\n", witness.display()));
    node.start();
    if !rustix::process::geteuid().is_root() {
        found_in_memory(node.pid("core"), &[vec![1; 32]]).unwrap_err();
        return;
    }
    let (from, to) = (node.profile("csirt-alpha"), node.profile("cert-eu"));
    let large = node.path("large.bin");
    let content: Vec<u8> = (0..2usize << 20)
        .map(|at| u8::try_from((at ^ (at >> 11)) & 0xff).unwrap())
        .collect();
    std::fs::write(&large, &content).unwrap();
    let large = large.display().to_string();
    let node = Watched { node, witness };

    let mut seen = (0, 0);
    for number in 0..4 {
        let subject = format!("number {number}");
        let what = format!("sealing {subject}");
        let with_file = number % 2 == 0;
        let mut send = vec![
            "--json",
            "send",
            "-",
            "--profile",
            &from,
            "--to",
            "cert-eu",
            "--label",
            "UNCLASSIFIED",
            "--no-personal-data",
            "--subject",
            &subject,
        ];
        if with_file {
            send.extend(["--attach", &large]);
        }
        let (sealing, keys) = node.during(&what, &[], || drop(good(&send, "text")));
        assert!(keys.len() > usize::from(with_file), "{what}: each its own");
        seen.0 += sealing;

        let listed = good(&["--json", "inbox", "--profile", &to], "");
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let id = listed["deliveries"][0]["delivery"].as_str().unwrap();
        let out = node.node.path(&format!("out-{number}"));
        let out = out.display().to_string();
        let fetch = [
            "--json",
            "inbox",
            "--profile",
            &to,
            "--fetch",
            id,
            "--save",
            &out,
        ];
        let what = format!("opening {subject}");
        let (opening, _) = node.during(&what, &keys, || drop(good(&fetch, "")));
        seen.1 += opening;
        let _done = good(&["--json", "inbox", "--profile", &to, "--ack", id], "");
        node.settle("an acknowledgement");
    }
    // The looks came while core had keys in hand: else they would prove nothing.
    assert!(seen.0 > 0 && seen.1 > 0, "looks that met a key: {seen:?}");
    eprintln!(
        "looks that met a key of the message under way: sealing {}, opening {}",
        seen.0, seen.1
    );
}
