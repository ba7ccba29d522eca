//! An agreement comes into force, lets messages flow, and is suspended while
//! one waits and the bytes of another are on their way. What
//! `docs/adding-an-mou.md` says is done by the letter.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chancery_world::{Node, chancery, good, told};
use serde_json::Value;

const SENDER: &str = "eu-military-staff";
const RECIPIENT: &str = "europol-ec3";
/// Larger than all buffers between core and a slow reader.
const LARGE: usize = 24 * 1024 * 1024;

fn values(text: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(text)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The MoU as the guide shows it.
fn from_the_guide() -> String {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/adding-an-mou.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, rest) = guide.split_once("```toml\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    block
        .lines()
        .map(|line| format!("{}\n", line.trim_start_matches("   ")))
        .collect()
}

fn officer(node: &Node, who: &str, arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["--json"];
    all.extend(arguments);
    let output = node.as_officer(who, &all);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    values(&output.stdout)
}

fn send(node: &Node, more: &[&str]) -> std::process::Output {
    let profile = node.profile(SENDER);
    let mut all = vec![
        "--json",
        "send",
        "-",
        "--profile",
        &profile,
        "--to",
        RECIPIENT,
        "--label",
        "UNCLASSIFIED",
        "--no-personal-data",
        "--purpose",
        "cyber-defence",
        "--subject",
        "Fictitious",
    ];
    all.extend(more);
    chancery(&all, "text")
}

fn inbox(node: &Node) -> Vec<Value> {
    let profile = node.profile(RECIPIENT);
    let listed = good(&["--json", "inbox", "--profile", &profile], "");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    listed["deliveries"].as_array().unwrap().clone()
}

/// A stranger's client that reads slowly.
fn slow_reader(node: &Node, delivery: &str) -> (Child, PathBuf) {
    let profile = std::fs::read_to_string(node.profile(RECIPIENT)).unwrap();
    let url = profile
        .lines()
        .find_map(|line| line.strip_prefix("url = \""))
        .unwrap()
        .trim_end_matches('"');
    let folder = node.path(RECIPIENT);
    let file = node.path("slow.bin");
    let end = |kind: &str| folder.join(format!("{RECIPIENT}-rest.{kind}"));
    let child = Command::new("curl")
        .args(["--silent", "--limit-rate", "200k", "--max-time", "240"])
        .arg("--cert")
        .arg(end("pem"))
        .arg("--key")
        .arg(end("key"))
        .arg("--cacert")
        .arg(folder.join("ca.pem"))
        .arg("--output")
        .arg(&file)
        .arg(format!("{url}/inbox/{delivery}/attachments/0"))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    (child, file)
}

#[test]
fn an_mou_rules_by_two_signatures_and_is_suspended_at_once() {
    let mut node = Node::make(&[SENDER, RECIPIENT]);
    node.start();
    // Without an agreement the one does not even know of the other.
    assert!(!send(&node, &[]).status.success());

    let file = node.path("defence-law-enforcement.toml");
    std::fs::write(&file, from_the_guide()).unwrap();
    let proposed = officer(
        &node,
        "dimitri",
        &["mou", "propose", &file.display().to_string()],
    );
    let id = proposed[0]["id"].as_str().unwrap();
    let own = node.as_officer("dimitri", &["mou", "approve", id]);
    assert!(!own.status.success(), "{}", told(&own));
    assert!(!send(&node, &[]).status.success());
    officer(&node, "elena", &["mou", "approve", id]);
    let listed = officer(&node, "elena", &["mou", "list"]);
    let one = listed
        .iter()
        .find(|one| one["id"] == "mou-def-le")
        .expect("it is in the list");
    assert_eq!(one["standing"], "in force");
    assert_eq!(one["approvals"], serde_json::json!(["dimitri", "elena"]));

    // One message waits; the bytes of another are on their way.
    let waits = send(&node, &[]);
    assert!(waits.status.success(), "{}", told(&waits));
    let large = node.path("large.bin");
    std::fs::write(&large, vec![7; LARGE]).unwrap();
    let large = large.display().to_string();
    let sent = send(&node, &["--attach", &large]);
    assert!(sent.status.success(), "{}", told(&sent));
    let deliveries = inbox(&node);
    assert_eq!(deliveries.len(), 2);
    let by_size = |is_large: bool| {
        deliveries
            .iter()
            .find(|one| (one["attachment_bytes"].as_u64().unwrap() > 0) == is_large)
            .map(|one| one["delivery"].as_str().unwrap().to_owned())
            .unwrap()
    };
    let (small, big) = (by_size(false), by_size(true));
    let (mut reader, partly) = slow_reader(&node, &big);
    let until = Instant::now() + Duration::from_secs(60);
    while std::fs::metadata(&partly).map_or(0, |about| about.len()) == 0 {
        assert!(Instant::now() < until, "no bytes came");
        std::thread::yield_now();
    }

    let done = officer(
        &node,
        "elena",
        &["mou", "suspend", "mou-def-le", "--why", "for the test"],
    );
    let report = &done[0];
    assert_eq!(report["closed"], true, "{report}");
    assert_eq!(report["waiting"], 1, "{report}");
    let under_way = report["under_way"].as_array().unwrap();
    assert_eq!(under_way.len(), 1, "{report}");
    assert_eq!(under_way[0]["delivery"], big);
    assert_eq!(under_way[0]["outcome"], "cut off");
    let gone = under_way[0]["gone"].as_u64().unwrap();
    assert!(gone > 0 && gone < LARGE as u64, "{report}");
    // The slow reader is told that it has not the whole.
    let ended = reader.wait().unwrap();
    assert!(!ended.success(), "curl took it for whole");
    let got = std::fs::metadata(&partly).unwrap().len();
    assert!(
        got <= gone,
        "{got} of {gone} bytes that were said to be gone"
    );

    // What waited does not go, and neither does what was cut off.
    assert!(inbox(&node).is_empty());
    let profile = node.profile(RECIPIENT);
    for delivery in [&small, &big] {
        let fetched = chancery(&["inbox", "--profile", &profile, "--fetch", delivery], "");
        assert!(!fetched.status.success(), "{}", told(&fetched));
    }
    let flows = officer(&node, "elena", &["mou", "report", "mou-def-le"]);
    let flow = &flows[0]["flows"][0];
    assert_eq!(
        (&flow["from"], &flow["to"]),
        (&SENDER.into(), &RECIPIENT.into())
    );
    assert_eq!(flow["permitted"], 2);

    // The owner of the rules' folder alone widens nothing, by a restart neither.
    let rules = node.path("node/rules/participants.toml");
    let text = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, text.replace("C-UE", "TS-UE")).unwrap();
    let mou = node.path("node/rules/mous/more.toml");
    std::fs::write(
        &mou,
        from_the_guide()
            .replace("mou-def-le", "mou-more")
            .replace("R-UE", "S-UE"),
    )
    .unwrap();
    node.stop();
    node.start();
    assert!(!send(&node, &[]).status.success());
    let listed = officer(&node, "elena", &["mou", "list"]);
    assert!(listed.iter().all(|one| one["id"] != "mou-more"));
    let one = listed.iter().find(|one| one["id"] == "mou-def-le").unwrap();
    assert_eq!(
        one["standing"], "suspended",
        "suspensions outlive a restart"
    );
    let export = node.export("log.export");
    let log = std::fs::read_to_string(&export).unwrap();
    assert_eq!(log.matches("rules that are not signed").count(), 2);
    let verified = node.verify(&export);
    assert!(verified.status.success(), "{}", told(&verified));

    // Lifting it needs two.
    let lift = officer(
        &node,
        "dimitri",
        &["mou", "resume", "mou-def-le", "--why", "settled"],
    );
    assert!(!send(&node, &[]).status.success());
    officer(
        &node,
        "elena",
        &["mou", "approve", lift[0]["id"].as_str().unwrap()],
    );
    let again = send(&node, &[]);
    assert!(again.status.success(), "{}", told(&again));
}
