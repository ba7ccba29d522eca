//! A label that wants a hybrid session goes over no other on a running node:
//! the real `curl` held to X25519, beside `chancery`, which agrees on
//! X25519MLKEM768.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::process::Command;

use chancery_world::command::piped;
use chancery_world::{Node, Setup, cbom, chancery, good, told};
use serde_json::{Value, json};

const FROM: &str = "csirt-alpha";
const TO: &str = "cert-eu";
const R_UE: &str = "RESTREINT UE/EU RESTRICTED";

/// The policy with hybrids alone from RESTREINT UE up.
fn over_hybrids(policy: &str) -> String {
    let mut level = "";
    let kept = policy.lines().filter(|line| {
        if let Some(head) = line.strip_prefix("[level.") {
            level = if head.starts_with("NC") {
                "NC"
            } else {
                "higher"
            };
        }
        let classical = ["X25519 =", "secp256r1 =", "secp384r1 ="];
        level != "higher" || !classical.iter().any(|name| line.starts_with(name))
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// Asks as `curl` does, over X25519 alone: the status and the answer.
fn classical(node: &Node, id: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let file = |name: &str| node.path(&format!("{id}/{name}")).display().to_string();
    let profile = std::fs::read_to_string(node.profile(id)).unwrap();
    let url = profile
        .lines()
        .find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"'))
        .unwrap();
    let url = url.trim_end_matches("/api/v1");
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--max-time", "60"])
        .args(["--curves", "X25519", "--write-out", "\n%{http_code}"])
        .args(["--cacert", &file("ca.pem")])
        .args(["--cert", &file(&format!("{id}-rest.pem"))])
        .args(["--key", &file(&format!("{id}-rest.key"))]);
    if body.is_some() {
        command.args(["--header", "Content-Type: application/json"]);
        command.args(["--data-binary", "@-"]);
    }
    command.arg(format!("{url}/api/v1{path}"));
    let sent = body.map(ToString::to_string).unwrap_or_default();
    let output = piped(command, sent.as_bytes());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap_or(("", ""));
    (
        status
            .parse()
            .unwrap_or_else(|_| panic!("curl: {}", told(&output))),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

fn message(label: &str) -> Value {
    json!({
        "to": [TO], "label": label, "subject": "Fictitious", "body": "text",
        "purpose": "cyber-crisis", "personal_data": false,
    })
}

/// What the node says of its keys: the inventory is a bill of materials of
/// CycloneDX 1.6, and the capabilities name a plan for every role.
fn custody(node: &Node) {
    let config = node.config();
    let bill = good(&["key", "--config", &config, "inventory"], "");
    let bill: Value = serde_json::from_str(&bill).unwrap();
    assert_eq!(cbom::problems(&bill), Vec::<String>::new());
    let named = |name: &str| {
        let components = bill["components"].as_array().unwrap();
        components.iter().any(|one| one["bom-ref"] == name)
    };
    for name in [
        "key/kek/2/cert-eu/1",
        "algorithm/x25519mlkem768",
        "protocol/tls-1.3",
    ] {
        assert!(named(name), "{name}");
    }
    let told = good(&["--json", "key", "--config", &config, "capabilities"], "");
    let rows: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        rows.iter()
            .any(|row| row["plan"] == "aes-kw" && row["chosen"] == true),
        "{told}"
    );
    let words = good(&["key", "--config", &config, "capabilities"], "");
    assert!(words.contains("CKM_AES_KEY_WRAP"), "{words}");
}

#[test]
fn what_wants_a_hybrid_goes_over_no_other_session() {
    let mut node = Node::new(&Setup::with(&["rest"]));
    let file = node.path("node/rules/policies/crypto.toml");
    let policy = std::fs::read_to_string(&file).unwrap();
    // What is wrong is told by line, before the node would start with it.
    std::fs::write(&file, policy.replacen("X25519 = ", "X25518 = ", 1)).unwrap();
    let checked = chancery(&["check", "--config", &node.config()], "");
    assert!(
        !checked.status.success()
            && told(&checked).contains("crypto.toml:")
            && told(&checked).contains("X25518"),
        "{}",
        told(&checked)
    );
    std::fs::write(&file, over_hybrids(&policy)).unwrap();
    for id in [FROM, TO] {
        node.enroll(id, "rest");
    }
    node.start();

    // Sent: the same message over one session and over the other.
    let (status, answer) = classical(&node, FROM, "/messages", Some(&message(R_UE)));
    assert_eq!(status, 403, "{answer}");
    assert_eq!(answer["type"], "urn:chancery:problem:weak-protection");
    let why = answer["detail"].as_str().unwrap();
    assert!(
        why.contains("`X25519`") && why.contains("use X25519MLKEM768"),
        "{why}"
    );
    let (status, answer) = classical(&node, FROM, "/messages", Some(&message("NC")));
    assert_eq!(status, 202, "{answer}");
    let sent = node.user(
        FROM,
        &[
            "send",
            "-",
            "--to",
            TO,
            "--label",
            R_UE,
            "--no-personal-data",
            "--purpose",
            "cyber-crisis",
            "--subject",
            "For hybrids",
        ],
        "text",
    );
    assert_eq!(sent["recipients"][0]["verdict"], "permit", "{sent}");

    // Listed and fetched.
    let (_, listed) = classical(&node, TO, "/inbox", None);
    let entries = listed["deliveries"].as_array().unwrap();
    let secret = entries
        .iter()
        .find(|one| one["marking"] == R_UE)
        .unwrap_or_else(|| panic!("{listed}"));
    let shown = secret["subject"].as_str().unwrap();
    assert!(shown.starts_with("(not shown: "), "{shown}");
    let open = entries.iter().find(|one| one["marking"] != R_UE).unwrap();
    assert_eq!(open["subject"], "Fictitious");
    let id = secret["delivery"].as_str().unwrap();
    let (status, answer) = classical(&node, TO, &format!("/inbox/{id}"), None);
    assert_eq!(status, 403, "{answer}");
    assert_eq!(answer["type"], "urn:chancery:problem:weak-protection");
    let listed = node.user(TO, &["inbox"], "");
    let subjects: Vec<&str> = listed["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["subject"].as_str().unwrap())
        .collect();
    assert!(subjects.contains(&"For hybrids"), "{listed}");
    let fetched = node.user(TO, &["inbox", "--fetch", id], "");
    assert!(fetched.to_string().contains("For hybrids"), "{fetched}");

    custody(&node);
    let log = node.sound_log();
    for word in ["release.barred", "weak-protection", "X25519MLKEM768"] {
        assert!(log.contains(word), "{word} is not in the log");
    }
}
