//! Officers judge what is held, by the commands that they type: two distinct
//! ones from C-UE up, never the sender's own, and one refusal wins.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

use chancery_message::Timestamp;
use chancery_world::{Node, told};
use serde_json::Value;

/// What a person must read, at a level where two judge.
const C_UE_H3: &str = "CONFIDENTIEL UE/EU CONFIDENTIAL H3";

/// CSIRT Alpha writes to CERT-EU: message and case.
fn held(node: &Node, precedence: &str, text: &str) -> (String, Value) {
    let send = [
        "send",
        "-",
        "--to",
        "cert-eu",
        "--label",
        C_UE_H3,
        "--subject",
        "a case",
        "--purpose",
        "law-enforcement",
        "--no-personal-data",
        "--precedence",
        precedence,
    ];
    let sent = node.user("csirt-alpha", &send, text);
    assert_eq!(sent["recipients"][0]["verdict"], "review", "{sent}");
    let id = sent["id"].as_str().unwrap().to_owned();
    let cases = node.officer("anna", &["review", "list"]);
    let case = cases
        .into_iter()
        .find(|case| case["message"] == id.as_str())
        .unwrap();
    (id, case)
}

fn id_of(case: &Value) -> &str {
    case["case"].as_str().unwrap()
}

fn given(node: &Node) -> Vec<String> {
    let listed = node.user("cert-eu", &["inbox"], "");
    let all = listed["deliveries"].as_array().unwrap();
    all.iter()
        .map(|one| one["delivery"].as_str().unwrap().to_owned())
        .collect()
}

fn state(node: &Node, message: &str) -> String {
    let status = node.user("csirt-alpha", &["status", message], "");
    status["recipients"][0]["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// An officer's command that is refused: its one line.
fn refused(node: &Node, officer: &str, arguments: &[&str]) -> String {
    let output = node.as_officer(officer, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    String::from_utf8(output.stderr).unwrap()
}

fn seconds(time: &Value) -> i64 {
    Timestamp::parse(time.as_str().unwrap())
        .unwrap()
        .as_micros()
        / 1_000_000
}

#[test]
fn two_officers_judge_and_a_refusal_wins() {
    let mut node = Node::make(&["csirt-alpha", "cert-eu"]);
    node.start();

    // The more urgent, the sooner it is due.
    let (message, case) = held(&node, "flash", "fictitious, to be released");
    let took = seconds(&case["due_at"]) - seconds(&case["opened_at"]);
    assert_eq!(took, 600, "{case}");
    assert_eq!(case["closes_by"], "2 votes of different officers");
    let id = id_of(&case);

    // One takes it up; the other is told, gets it when it is given back.
    let _card = node.officer("anna", &["review", "claim", id]);
    let taken = refused(&node, "bruno", &["review", "claim", id]);
    assert!(taken.contains("anna"), "{taken}");
    let _card = node.officer("anna", &["review", "unclaim", id]);
    let card = &node.officer("bruno", &["review", "claim", id])[0];
    assert!(
        card["claimed"]
            .as_str()
            .unwrap()
            .starts_with("bruno until ")
    );

    // The sender's own officer neither reads nor votes; an auditor does not vote.
    let own = refused(
        &node,
        "clara",
        &["review", "show", id, "--why", "to judge it"],
    );
    assert!(own.contains("own"), "{own}");
    let own = refused(&node, "clara", &["review", "approve", id]);
    assert!(own.contains("own"), "{own}");
    let _said = refused(&node, "farid", &["review", "approve", id]);
    // A reading has its reason, and is an event.
    let shown = node.officer("anna", &["review", "show", id, "--why", "to judge it"]);
    let body = shown[0]["body"].as_str().unwrap();
    assert!(body.contains("to be released"), "{body}");
    let _card = node.officer("anna", &["review", "approve", id]);
    assert_eq!(state(&node, &message), "held");
    // The same officer twice is still one.
    let again = refused(&node, "anna", &["review", "approve", id]);
    assert!(again.contains("you have voted"), "{again}");
    assert_eq!(state(&node, &message), "held");
    assert!(given(&node).is_empty());
    let card = &node.officer("bruno", &["review", "approve", id])[0];
    assert_eq!(card["state"], "approved", "{card}");
    let deliveries = given(&node);
    let fetched = node.user("cert-eu", &["inbox", "--fetch", &deliveries[0]], "");
    assert!(fetched["body"].as_str().unwrap().contains("to be released"));
    let _done = node.user("cert-eu", &["inbox", "--ack", &deliveries[0]], "");
    assert_eq!(state(&node, &message), "completed");

    // One refusal wins over an approval, and no later vote undoes it.
    let (message, case) = held(&node, "routine", "fictitious, to be refused");
    let took = seconds(&case["due_at"]) - seconds(&case["opened_at"]);
    assert_eq!(took, 24 * 3600, "{case}");
    let id = id_of(&case);
    let _card = node.officer("anna", &["review", "approve", id]);
    let card = &node.officer("bruno", &["review", "refuse", id])[0];
    assert_eq!(card["state"], "refused", "{card}");
    let _late = refused(&node, "anna", &["review", "approve", id]);
    assert_eq!(state(&node, &message), "refused");
    assert!(given(&node).is_empty());

    let log = node.sound_log();
    let count = |kind: &str| log.matches(&format!("\"{kind}\"")).count();
    assert_eq!(count("review.opened"), 2);
    assert_eq!(count("review.voted"), 4);
    assert_eq!(count("review.closed"), 2);
    assert_eq!(count("content.read"), 1);
    assert!(
        count("officer.denied") >= 3,
        "own officer, auditor, second vote"
    );
}
