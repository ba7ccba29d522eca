//! The table that people read is the one that the kernel is told.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use chancery_sandbox::{Files, Network, PROFILES, Profile};

fn row(profile: &Profile) -> String {
    let network = match profile.network {
        Network::None => "none",
        Network::Serve => "accepts on ports opened before",
        Network::Connect => "accepts on ports opened before, connects to granted ports",
    };
    let files = match profile.files {
        Files::None => "none",
        Files::Read => "reads granted ones",
        Files::Write => "writes granted ones",
    };
    let code = if profile.maps_code { "yes" } else { "no" };
    format!("| {} | {network} | {files} | {code} |", profile.name)
}

#[test]
fn processes_md_shows_the_profiles() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../PROCESSES.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("## Sandbox profiles").unwrap();
    let rows: Vec<&str> = table
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let expected: Vec<String> = PROFILES.into_iter().map(row).collect();
    assert_eq!(rows, expected, "appliance/PROCESSES.md");
}
