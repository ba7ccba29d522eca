//! Random facts come out as the second reading of the gates says
//! (`common/second.rs`), verdict and gates. The same through the real command:
//! `appliance/cli/tests/facts.rs`.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

mod common;

use std::collections::BTreeSet;

use chancery_policy::engine::Engine;
use chancery_policy::facts::Facts;
use common::random::{Random, line};
use common::second::second;
use serde_json::Value;

fn compare(engine: &Engine, line: &str, seen: &mut BTreeSet<String>) {
    let answer: Value = serde_json::from_str(&engine.decide_line(line)).unwrap();
    // Rule by rule or the whole set at once: Cedar says the same.
    if let Ok(facts) = Facts::from_json(line) {
        let whole = engine.allows_as_a_whole(&facts).unwrap();
        assert_eq!(whole, answer["verdict"] == "permit", "{line}");
    }
    let gates: Vec<String> = answer["gates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g.as_str().unwrap().to_owned())
        .collect();
    let verdict = answer["verdict"].as_str().unwrap().to_owned();
    assert!(answer.get("alarms").is_none(), "{answer}\n{line}");
    assert_eq!((verdict.clone(), gates.clone()), second(line), "{line}");
    seen.insert(verdict.clone());
    seen.extend(gates.into_iter().map(|gate| format!("{verdict} {gate}")));
}

/// How many random facts: `CHANCERY_RANDOM_FACTS`, or 4,000.
fn count() -> usize {
    std::env::var("CHANCERY_RANDOM_FACTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(4_000)
}

#[test]
fn random_facts_are_decided_as_the_second_reading_says() {
    let engine = Engine::shipped().unwrap();
    let mut seen = BTreeSet::new();
    // Half drawn evenly, half near a permit, where single gates decide.
    let mut random = Random(0x5DEE_CE66_D123_4567);
    for number in 0..count() {
        compare(
            &engine,
            &line(&format!("R{number}"), &mut random, number % 2 == 0),
            &mut seen,
        );
    }
    for (gate, effects) in [
        ("permit", vec![""]),
        ("G00", vec!["deny"]),
        ("G01", vec!["deny"]),
        ("G02", vec!["review"]),
        ("G05", vec!["review"]),
        ("G18", vec!["deny", "review"]),
        ("G19", vec!["deny", "review"]),
        ("G20", vec!["deny", "review"]),
        ("G21", vec!["deny", "review"]),
        ("G22", vec!["review"]),
        ("G23", vec!["review"]),
        ("G25", vec!["review"]),
        ("G27", vec!["review"]),
        ("G28", vec!["review"]),
    ] {
        for effect in effects {
            let what = if effect.is_empty() {
                gate.to_owned()
            } else {
                format!("{effect} {gate}")
            };
            assert!(
                seen.contains(&what),
                "{what} was never seen: the random facts are too narrow"
            );
        }
    }
    for number in [3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 24, 26] {
        assert!(
            seen.contains(&format!("deny G{number:02}")),
            "G{number:02} was never seen"
        );
    }
}

#[test]
fn the_second_reading_agrees_with_the_worked_examples() {
    let rows = common::csv(include_str!("data/decision-examples.csv"));
    let column = |name: &str| rows[0].iter().position(|field| field == name).unwrap();
    for row in &rows[1..] {
        let (verdict, gates) = second(&row[column("facts")]);
        assert_eq!(
            (&verdict, &gates.join(" ")),
            (&row[column("verdict")], &row[column("gates")]),
            "{}",
            row[column("id")]
        );
    }
}
