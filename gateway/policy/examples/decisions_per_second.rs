//! Measures decisions per second on one core: `cargo run --release -p
//! chancery-policy --example decisions_per_second [COUNT]`.
//!
//! Facts are drawn at random (xorshift, fixed seed), written as JSON lines and
//! decided by `decide_line`, as `chancery policy decide` does.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "prints its measurements")]

use std::time::Instant;

use chancery_policy::PolicyTexts;
use chancery_policy::engine::Engine;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.next() % words.len() as u64).unwrap_or(0);
        words.get(at).copied().unwrap_or_default()
    }

    fn some(&mut self, words: &[&str]) -> String {
        let chosen: Vec<_> = words
            .iter()
            .filter(|_| self.next() % 6 == 0)
            .map(|word| format!("\"{word}\""))
            .collect();
        format!("[{}]", chosen.join(","))
    }
}

const LEVELS: [&str; 5] = ["NC", "R-UE", "C-UE", "S-UE", "TS-UE"];
const COMMUNITIES: [&str; 6] = [
    "civilian",
    "law-enforcement",
    "diplomacy",
    "defence",
    "private",
    "judicial",
];
const KINDS: [&str; 5] = ["agency", "private", "third-state", "io", "media"];
const BOOLS: [&str; 2] = ["true", "false"];
const COUNTRIES: [&str; 6] = ["EU", "NATO", "FRA", "DEU", "NOR", "USA"];

fn line(number: usize, r: &mut Random) -> String {
    let tlp = match r.of(&["", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]) {
        "" => "null".to_owned(),
        word => format!("\"{word}\""),
    };
    format!(
        r#"{{"id":"N{number}","label_state":"{}","classification":"{}","caveats":{},"releasable_to":{},"tlp":{tlp},"handling_codes":{},"personal_data":{},"purpose":"{}","sender_community":"{}","recipient_community":"{}","sender_kind":"{}","recipient_kind":"{}","recipient_country":"{}","recipient_clearance":"{}","channel_accreditation":"{}","crypto_approval":"{}","mou_ceiling":"{}","channel_public":{},"holder_is_originator":{},"consent":"{}","addressed":{},"relation":"{}","mou":"{}","external_agreement":"{}","article_25_basis":"{}","review_flags":{}}}"#,
        r.of(&["valid", "valid", "valid", "missing", "invalid", "conflict"]),
        r.of(&LEVELS),
        r.some(&["LIMITE", "CRYPTO", "ORCON"]),
        r.some(&COUNTRIES),
        r.some(&["H0", "H1", "H2", "H3"]),
        r.of(&BOOLS),
        r.of(&[
            "cyber-crisis",
            "law-enforcement",
            "evidence",
            "cyber-defence",
            "diplomacy",
            "commercial"
        ]),
        r.of(&COMMUNITIES),
        r.of(&COMMUNITIES),
        r.of(&KINDS),
        r.of(&KINDS),
        r.of(&COUNTRIES),
        r.of(&LEVELS),
        r.of(&LEVELS),
        r.of(&LEVELS),
        r.of(&LEVELS),
        r.of(&BOOLS),
        r.of(&BOOLS),
        r.of(&["n/a", "granted", "refused"]),
        r.of(&BOOLS),
        r.of(&["same-org", "client", "community", "outside"]),
        r.of(&["none", "draft", "active", "suspended", "expired"]),
        r.of(&["n/a", "none", "SIA", "AA", "classified-contract"]),
        r.of(&["n/a", "none", "adequacy", "agreement", "pre-2017"]),
        r.some(&[
            "aggregate",
            "level-drop",
            "unknown-originator",
            "evaluation-missing",
            "crypto-custodian"
        ]),
    )
}

fn read(folder: &str) -> std::io::Result<PolicyTexts> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "cedar")
        {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            files.push((name, std::fs::read_to_string(&path)?));
        }
    }
    Ok(PolicyTexts::new(files))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 100_000,
    };
    let engine = match std::env::args().nth(2) {
        Some(folder) => Engine::load(&read(&folder)?)?,
        None => Engine::shipped()?,
    };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let lines: Vec<String> = (0..count).map(|number| line(number, &mut random)).collect();
    let start = Instant::now();
    let mut bytes = 0;
    for line in &lines {
        bytes += engine.decide_line(line).len();
    }
    let spent = start.elapsed();
    println!(
        "{count} decisions in {:.2} s: {:.0}/s on one core ({bytes} bytes answered)",
        spent.as_secs_f64(),
        count as f64 / spent.as_secs_f64()
    );
    Ok(())
}
