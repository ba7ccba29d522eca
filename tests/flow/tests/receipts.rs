//! A receipt that does not come: its recipient is reminded, in its inbox and by
//! mail; then it is overdue, and nothing more goes until it has come.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

use chancery_world::command::until_some;
use chancery_world::mail::armored;
use chancery_world::{Gpg, Node, Setup, Sink, chancery, told};
use serde_json::Value;

const ADDRESS: &str = "exchange@cert-eu.example";

fn send(node: &Node, subject: &str) {
    let send = [
        "send",
        "-",
        "--to",
        "cert-eu",
        "--label",
        "CONFIDENTIEL UE/EU CONFIDENTIAL",
        "--subject",
        subject,
        "--purpose",
        "cyber-crisis",
        "--no-personal-data",
        "--precedence",
        "flash",
    ];
    let sent = node.user("csirt-alpha", &send, "fictitious");
    assert_eq!(sent["recipients"][0]["verdict"], "permit", "{sent}");
}

/// The delivery of that subject, as it is listed.
fn listed(node: &Node, subject: &str) -> Value {
    let all = node.user("cert-eu", &["inbox"], "");
    let all = all["deliveries"].as_array().unwrap().clone();
    all.into_iter()
        .find(|one| one["subject"] == subject)
        .unwrap()
}

fn id(delivery: &Value) -> String {
    delivery["delivery"].as_str().unwrap().to_owned()
}

#[test]
fn a_receipt_that_does_not_come_is_reminded_of_and_then_holds() {
    let sink = Sink::start();
    let mut node = Node::new(&Setup::with(&["mail", "rest"]).relaying_to(&sink));
    let gpg = Gpg::new(ADDRESS);
    for id in ["csirt-alpha", "cert-eu"] {
        node.enroll(id, "rest");
    }
    node.enroll_mail("cert-eu", &gpg, ADDRESS);
    node.set("times", "flash_s", "4");
    node.set("times", "look_s", "1");
    node.set("limits", "hold_for_receipts", "true");
    node.start();

    send(&node, "first");
    let first = id(&listed(&node, "first"));
    let fetched = node.user("cert-eu", &["inbox", "--fetch", &first], "");
    assert!(fetched["due_at"].is_string(), "{fetched}");

    // The reminder comes by mail, signed by the gateway; no content is in it.
    let mails = sink.wait(1);
    assert_eq!(mails[0].to, ADDRESS);
    let key = gpg.import(&node.openpgp());
    let opened = gpg.open(&key, &armored(&mails[0].data));
    assert!(opened.signature_good);
    let said = String::from_utf8(opened.text).unwrap().replace("=\r\n", "");
    assert!(
        said.contains(&first) && said.contains("acknowledge"),
        "{said}"
    );
    assert!(!said.contains("fictitious"), "{said}");

    // Then it is overdue: what is new does not go, what was given still does.
    until_some("the receipt to be overdue", || {
        (listed(&node, "first")["receipt"] == "overdue").then_some(())
    });
    send(&node, "second");
    let second = id(&listed(&node, "second"));
    let profile = node.profile("cert-eu");
    let held = chancery(&["inbox", "--profile", &profile, "--fetch", &second], "");
    assert!(!held.status.success(), "{}", told(&held));
    assert!(told(&held).contains("overdue"), "{}", told(&held));
    let _again = node.user("cert-eu", &["inbox", "--fetch", &first], "");
    let _done = node.user("cert-eu", &["inbox", "--ack", &first], "");
    let _got = node.user("cert-eu", &["inbox", "--fetch", &second], "");
    let _done = node.user("cert-eu", &["inbox", "--ack", &second], "");

    let log = node.sound_log();
    let count = |kind: &str| log.matches(&format!("\"{kind}\"")).count();
    assert!(count("receipt.reminded") >= 1);
    assert!(count("receipt.overdue") >= 1);
    assert_eq!(count("receipt.registered"), 2);
}
