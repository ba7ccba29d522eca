//! Measures decisions per second on one core: `cargo run --release -p
//! chancery-policy --example decisions_per_second [COUNT [POLICIES]]`.
//!
//! Random facts (fixed seed) are written as JSON lines and decided by
//! `decide_line`, as `chancery policy decide` does.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an example that measures; its random facts are the tests'"
)]

use std::time::Instant;

use chancery_policy::PolicyTexts;
use chancery_policy::engine::Engine;

#[path = "../tests/common/random.rs"]
mod random;

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
    let count: u32 = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 100_000,
    };
    let engine = match std::env::args().nth(2) {
        Some(folder) => Engine::load(&read(&folder)?)?,
        None => Engine::shipped()?,
    };
    let mut random = random::Random(0x9E37_79B9_7F4A_7C15);
    let lines: Vec<String> = (0..count)
        .map(|number| random::facts(&format!("N{number}"), &mut random, number.is_multiple_of(2)))
        .collect();
    let start = Instant::now();
    let mut bytes = 0;
    for line in &lines {
        bytes += engine.decide_line(line).len();
    }
    let spent = start.elapsed().as_secs_f64();
    let rate = f64::from(count) / spent;
    println!("{count} decisions in {spent:.2} s: {rate:.0}/s on one core ({bytes} bytes answered)");
    Ok(())
}
