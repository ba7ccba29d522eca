//! What officers and administrators write: facts, agreements, participants,
//! settings.

use std::sync::LazyLock;

use chancery_policy::directory::Directory;
use chancery_policy::engine::Engine;
use chancery_policy::facts::Facts;
use chancery_policy::mou::Register;
use chancery_policy::shipped;
use chancery_settings::Settings;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::shipped().unwrap());
static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| shipped::directory(1).unwrap());

/// Every line is answered with one verdict; facts that can be read are written
/// to what reads as the same, and decided alike.
pub fn policy_facts_are_decided(bytes: &[u8]) {
    let Ok(line) = std::str::from_utf8(bytes) else {
        return;
    };
    let answer = ENGINE.decide_line(line);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("one JSON object");
    let verdict = answer["verdict"].as_str().expect("a verdict");
    assert!(matches!(verdict, "permit" | "review" | "deny"), "{answer}");
    match Facts::from_json(line) {
        Ok(facts) => {
            let again = Facts::from_json(&facts.to_json()).expect("what was written can be read");
            assert_eq!(again, facts);
        }
        // What cannot be read is never released.
        Err(_) => assert_ne!(verdict, "permit", "{answer}"),
    }
}

/// An agreement loads, or everything that is wrong is said.
pub fn mou_file_loads_or_says_why(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(error) = Register::from_toml([("a.toml", text)], &DIRECTORY) {
        assert!(!error.problems().is_empty());
    }
}

/// Participants load, or everything that is wrong is said.
pub fn participants_file_loads_or_says_why(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Directory::from_toml(1, text, "") {
        Ok(directory) => {
            let (people, officers) = directory.to_toml().expect("what was read can be written");
            let again = Directory::from_toml(1, &people, &officers);
            assert!(again.is_ok(), "{again:?}");
        }
        Err(error) => assert!(!error.problems().is_empty()),
    }
    // Officers are written in a file of their own.
    let _either = Directory::from_toml(1, "", text);
}

/// Settings load, or the place is said; what loads can be checked.
pub fn settings_file_loads_or_says_why(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Settings::parse(text) {
        Ok(settings) => drop(format!("{settings:?}")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
