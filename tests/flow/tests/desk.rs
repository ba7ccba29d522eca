//! A liaison officer's day at the command: whom may I write to, who would get
//! it, send with a large file, read, save, answer, pass on, take back; and what
//! the release officers do about what is held.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

use std::path::Path;
use std::process::Command;

use chancery_world::command::{piped, until_some};
use chancery_world::siena::{attribute, message};
use chancery_world::{Node, Setup, chancery, programs, told};
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const R_UE: &str = "RESTREINT UE/EU RESTRICTED";
/// Bytes of the large file.
const LARGE: usize = 20 << 20;
/// What a command may need more for a large file than for none, in KiB: some
/// buffers, far from the file.
const MORE_KIB: u64 = 8 << 10;

/// A user's command as people see it.
fn shown(node: &Node, who: &str, arguments: &[&str], input: &str) -> String {
    let profile = node.profile(who);
    let mut all = arguments.to_vec();
    all.extend(["--profile", &profile]);
    chancery_world::good(&all, input)
}

/// A user's command that must be refused: its one line.
fn refused(node: &Node, who: &str, arguments: &[&str], input: &str) -> String {
    let profile = node.profile(who);
    let mut all = arguments.to_vec();
    all.extend(["--profile", &profile]);
    let output = chancery(&all, input);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}",
        told(&output)
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("chancery: ") && said.trim_end().lines().count() == 1,
        "{said}"
    );
    said
}

/// Runs a command; its answer for machines and the most memory it had, in KiB.
fn measured(node: &Node, who: &str, arguments: &[&str], input: &str) -> (Value, u64) {
    const MEASURE: &str = "import resource, subprocess, sys\n\
        done = subprocess.run(sys.argv[1:])\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n\
        sys.exit(done.returncode)";
    let mut command = Command::new("python3");
    command
        .args(["-c", MEASURE])
        .arg(programs().join("chancery"))
        .arg("--json")
        .args(arguments)
        .args(["--profile", &node.profile(who)]);
    let output = piped(command, input.as_bytes());
    assert!(output.status.success(), "{}", told(&output));
    let most = String::from_utf8(output.stderr).unwrap();
    (
        serde_json::from_slice(&output.stdout).unwrap(),
        most.trim().parse().unwrap(),
    )
}

fn send<'a>(to: &'a str, subject: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![
        "send",
        "-",
        "--to",
        to,
        "--label",
        R_UE,
        "--subject",
        subject,
        "--purpose",
        "cyber-crisis",
        "--no-personal-data",
    ];
    all.extend(more);
    all
}

fn waiting(node: &Node, who: &str) -> Vec<Value> {
    let listed = node.user(who, &["inbox"], "");
    listed["deliveries"].as_array().unwrap().clone()
}

fn state_of(node: &Node, who: &str, id: &str) -> String {
    let status = node.user(who, &["status", id], "");
    status["recipients"][0]["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn sha256(file: &Path) -> String {
    hex::encode(Sha256::digest(std::fs::read(file).unwrap()))
}

#[test]
fn a_liaison_officers_day() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu", "vendor-sentinel"]);
    node.start();

    // Whom may I write to?
    let known = shown(&node, "csirt-alpha", &["recipients"], "");
    assert!(
        known.contains("cert-eu") && known.contains("europol-ec3"),
        "{known}"
    );
    assert!(
        !known.contains("vendor-sentinel"),
        "not a partner of ours: {known}"
    );

    // Who would get it? Nothing is sent.
    let asked = shown(
        &node,
        "csirt-alpha",
        &send("cert-eu", "ask", &["--check"]),
        "text",
    );
    assert!(
        asked.contains("nothing was sent") && asked.contains("permit"),
        "{asked}"
    );
    let asked = shown(
        &node,
        "csirt-alpha",
        &[
            "send",
            "-",
            "--to",
            "europol-ec3",
            "--label",
            "CONFIDENTIEL UE/EU CONFIDENTIAL",
            "--subject",
            "ask",
            "--check",
        ],
        "text",
    );
    assert!(asked.contains("deny"), "{asked}");
    assert!(waiting(&node, "cert-eu").is_empty());

    let delivery = a_large_file(&node);
    answered_and_passed_on(&node, &delivery);
    taken_back(&node);
    mistakes(&node);
    let _log = node.sound_log();
}

/// A file of 20 MiB goes out and comes in piece by piece; the delivery's id.
fn a_large_file(node: &Node) -> String {
    let mut bytes = vec![0; LARGE];
    rand::rngs::StdRng::seed_from_u64(20).fill(&mut bytes[..]);
    let file = node.path("capture.bin");
    std::fs::write(&file, bytes).unwrap();
    let path = file.display().to_string();
    let (_, small) = measured(
        node,
        "csirt-alpha",
        &send("cert-eu", "no file", &[]),
        "text",
    );
    let more = ["--attach", path.as_str()];
    let (sent, large) = measured(
        node,
        "csirt-alpha",
        &send("cert-eu", "a capture", &more),
        "text",
    );
    assert!(
        large < small + MORE_KIB,
        "{large} KiB, without the file {small} KiB"
    );

    let listed = shown(node, "cert-eu", &["inbox", "--wait", "10"], "");
    assert!(
        listed.contains("a capture") && listed.contains("no file"),
        "{listed}"
    );
    let deliveries = waiting(node, "cert-eu");
    let of = |subject: &str| {
        let found = deliveries.iter().find(|one| one["subject"] == subject);
        found.unwrap()["delivery"].as_str().unwrap().to_owned()
    };
    let (plain, id) = (of("no file"), of("a capture"));
    let (_, small) = measured(node, "cert-eu", &["inbox", "--fetch", &plain], "");
    let folder = node.path("saved").display().to_string();
    let fetch = ["inbox", "--fetch", &id, "--save", &folder];
    let (fetched, large) = measured(node, "cert-eu", &fetch, "");
    assert!(
        large < small + MORE_KIB,
        "{large} KiB, without the file {small} KiB"
    );
    assert_eq!(fetched["message"], sent["id"]);
    let saved = node.path("saved/0-capture.bin");
    assert_eq!(sha256(&saved), sha256(&file));
    assert_eq!(
        std::fs::read_to_string(node.path("saved/message.txt")).unwrap(),
        "text"
    );
    // What was saved is not written over.
    let said = refused(node, "cert-eu", &fetch, "");
    assert!(said.contains("message.txt"), "{said}");

    let read = shown(node, "cert-eu", &["inbox", "--fetch", &id], "");
    for part in [
        "RESTREINT UE/EU RESTRICTED",
        "CSIRT Alpha",
        "a capture",
        "capture.bin (20971520 bytes)",
    ] {
        assert!(read.contains(part), "{part}: {read}");
    }
    let message = sent["id"].as_str().unwrap();
    assert_eq!(state_of(node, "csirt-alpha", message), "opened");
    for delivery in [&plain, &id] {
        let said = shown(node, "cert-eu", &["inbox", "--ack", delivery], "");
        assert!(said.contains("acknowledged"), "{said}");
        // A second time is no harm.
        let _again = shown(node, "cert-eu", &["inbox", "--ack", delivery], "");
    }
    assert_eq!(state_of(node, "csirt-alpha", message), "completed");
    let status = shown(node, "csirt-alpha", &["status", message], "");
    assert!(
        status.contains("cert-eu") && status.contains("completed"),
        "{status}"
    );
    assert!(waiting(node, "cert-eu").is_empty());
    id
}

fn answered_and_passed_on(node: &Node, delivery: &str) {
    let reply = [
        "reply",
        delivery,
        "--label",
        R_UE,
        "--subject",
        "Re: a capture",
        "--no-personal-data",
    ];
    let said = shown(node, "cert-eu", &reply, "Thank you.");
    assert!(
        said.contains("csirt-alpha") && said.contains("permit"),
        "{said}"
    );
    let waits = waiting(node, "csirt-alpha");
    let id = waits[0]["delivery"].as_str().unwrap();
    let fetched = node.user("csirt-alpha", &["inbox", "--fetch", id], "");
    assert_eq!(fetched["body"], "Thank you.");
    assert_eq!(fetched["subject"], "Re: a capture");
    let _done = node.user("csirt-alpha", &["inbox", "--ack", id], "");

    // Passed back to its originator the label stays what it was, and nobody is asked:
    // it is that one's own information.
    let forward = [
        "forward",
        delivery,
        "--to",
        "csirt-alpha",
        "--no-personal-data",
        "--purpose",
        "cyber-crisis",
    ];
    let said = shown(node, "cert-eu", &forward, "");
    assert!(said.contains(R_UE) && said.contains("permit"), "{said}");
    // To a company: no.
    let to_company = [
        "forward",
        delivery,
        "--to",
        "vendor-sentinel",
        "--no-personal-data",
    ];
    let said = shown(node, "cert-eu", &to_company, "");
    assert!(said.contains("deny"), "{said}");
}

fn taken_back(node: &Node) {
    let sent = node.user("csirt-alpha", &send("cert-eu", "too early", &[]), "text");
    let id = sent["id"].as_str().unwrap();
    assert_eq!(waiting(node, "cert-eu").len(), 1);
    let delivery = waiting(node, "cert-eu")[0]["delivery"]
        .as_str()
        .unwrap()
        .to_owned();
    let said = shown(node, "csirt-alpha", &["withdraw", id], "");
    assert!(said.contains("withdrawn"), "{said}");
    assert!(waiting(node, "cert-eu").is_empty());
    let _said = refused(node, "cert-eu", &["inbox", "--fetch", &delivery], "");
    assert_eq!(state_of(node, "csirt-alpha", id), "withdrawn");

    // Once it is fetched it is too late, and the answer says so.
    let sent = node.user("csirt-alpha", &send("cert-eu", "too late", &[]), "text");
    let id = sent["id"].as_str().unwrap();
    let delivery = waiting(node, "cert-eu")[0]["delivery"]
        .as_str()
        .unwrap()
        .to_owned();
    let _fetched = node.user("cert-eu", &["inbox", "--fetch", &delivery], "");
    let said = shown(node, "csirt-alpha", &["withdraw", id], "");
    assert!(
        said.contains("opened") && !said.contains("withdrawn"),
        "{said}"
    );
    let _done = node.user("cert-eu", &["inbox", "--ack", &delivery], "");
}

fn mistakes(node: &Node) {
    let nobody = "01900000-0000-7000-8000-000000000000";
    let said = refused(node, "cert-eu", &["status", nobody], "");
    assert!(said.contains("no such message"), "{said}");
    let said = refused(node, "cert-eu", &["inbox", "--fetch", nobody], "");
    assert!(said.contains("no such delivery"), "{said}");
    let _said = refused(node, "cert-eu", &["reply", nobody, "--label", R_UE], "text");
    // Another's message is not there for one who did not send it.
    let sent = node.user("csirt-alpha", &send("cert-eu", "mine", &[]), "text");
    let _said = refused(
        node,
        "vendor-sentinel",
        &["withdraw", sent["id"].as_str().unwrap()],
        "",
    );
    let said = refused(
        node,
        "csirt-alpha",
        &["send", "-", "--to", "cert-eu", "--subject", "x"],
        "text",
    );
    assert!(said.contains("no label"), "{said}");
    let missing = ["--attach", "/not/there.bin"];
    let said = refused(node, "csirt-alpha", &send("cert-eu", "x", &missing), "text");
    assert!(said.contains("/not/there.bin"), "{said}");
}

#[test]
fn what_is_held_is_shown_refused_and_rejected() {
    let mut node = Node::new(&Setup::with(&["siena", "rest"]));
    for id in ["csirt-alpha", "cert-eu"] {
        node.enroll(id, "rest");
    }
    node.enroll("europol-ec3", "siena");
    node.start();

    // Held by H3; one officer refuses, and that is the end of it.
    let label = format!("{R_UE} H3");
    let held = [
        "send",
        "-",
        "--to",
        "cert-eu",
        "--label",
        &label,
        "--subject",
        "held",
        "--purpose",
        "law-enforcement",
        "--no-personal-data",
    ];
    let sent = node.user("csirt-alpha", &held, "fictitious and held");
    let id = sent["id"].as_str().unwrap();
    let listed = node.as_officer("anna", &["review", "list"]);
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(
        text.contains(id) && text.contains("csirt-alpha to cert-eu"),
        "{text}"
    );
    let cases = node.officer("anna", &["review", "list"]);
    let case = cases[0]["case"].as_str().unwrap().to_owned();
    let without_reason = node.as_officer("anna", &["review", "show", &case]);
    assert_eq!(
        without_reason.status.code(),
        Some(2),
        "a reading has a reason"
    );
    let seen = node.as_officer("anna", &["review", "show", &case, "--why", "duty officer"]);
    let text = String::from_utf8(seen.stdout).unwrap();
    assert!(text.contains("fictitious and held"), "{text}");
    let done = node.as_officer("anna", &["review", "refuse", &case]);
    assert!(done.status.success(), "{}", told(&done));
    assert!(node.officer("anna", &["review", "list"]).is_empty());
    let late = node.as_officer("bruno", &["review", "approve", &case]);
    assert_eq!(late.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&late.stderr).contains("no open case"),
        "{}",
        told(&late)
    );
    let status = node.user("csirt-alpha", &["status", id], "");
    assert_eq!(status["recipients"][0]["state"], "refused", "{status}");
    assert!(waiting(&node, "cert-eu").is_empty());

    // In quarantine, since no handling code is assumed; rejected for good.
    let document = message(
        "csirt-alpha",
        R_UE,
        "codeless",
        "fictitious and codeless",
        None,
    )
    .replace("<handlingCodes><code>H0</code></handlingCodes>", "");
    let answer = node.siena("europol-ec3").send(&document, None);
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = attribute(&answer.body, "id").unwrap();
    let card = until_some("the message in quarantine", || {
        let cases = node.officer("greta", &["review", "list"]);
        cases
            .into_iter()
            .find(|case| case["message"] == id.as_str())
    });
    assert!(card["quarantine"].is_string(), "{card}");
    let done = node.as_officer("greta", &["review", "reject", &id]);
    assert!(done.status.success(), "{}", told(&done));
    assert!(node.officer("greta", &["review", "list"]).is_empty());
    assert!(waiting(&node, "csirt-alpha").is_empty());
    let log = node.sound_log();
    for kind in [
        "\"content.read\"",
        "\"review.closed\"",
        "\"message.quarantined\"",
    ] {
        assert!(log.contains(kind), "{kind}");
    }
}
