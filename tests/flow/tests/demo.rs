//! The demo runs through: every message ends as the rules say, the log
//! verifies, and no text of any message is found in the node's folder or log.
#![forbid(unsafe_code)]

use chancery_world::{chancery, told};

#[test]
fn every_message_of_the_demo_ends_as_the_rules_say() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("demo").display().to_string();
    let output = chancery(&["--json", "demo", "--once", "--dir", &dir], "");
    assert!(output.status.success(), "{}", told(&output));
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (end, messages) = lines.split_last().unwrap();
    assert!(messages.len() >= 8, "{} messages", messages.len());
    assert!(
        messages
            .iter()
            .all(|message| message["as_it_should"] == true)
    );
    assert_eq!(end["as_they_should"], true);
    assert_eq!(end["log_sound"], true);
    assert_eq!(end["plaintext_found"], serde_json::json!([]));
    // Every pair of channels was gone through.
    let mut pairs: Vec<String> = messages
        .iter()
        .filter(|message| message["arrived"] == true)
        .map(|message| format!("{} to {}", message["by"], message["arrives_by"]).replace('"', ""))
        .collect();
    pairs.sort();
    pairs.dedup();
    assert_eq!(
        pairs,
        [
            "mail to mail",
            "mail to rest",
            "mail to siena",
            "rest to mail",
            "rest to rest",
            "rest to siena",
            "siena to mail",
            "siena to rest",
            "siena to siena"
        ]
    );
}
