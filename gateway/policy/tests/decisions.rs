//! The worked examples, every one, verdict and gates.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

use chancery_policy::decision::Verdict;
use chancery_policy::engine::Engine;
use chancery_policy::facts::Facts;

mod common;

#[test]
fn every_worked_example_is_decided_as_it_says() {
    let engine = Engine::shipped().unwrap();
    let rows = common::csv(include_str!("data/decision-examples.csv"));
    let header = &rows[0];
    let column = |name: &str| header.iter().position(|field| field == name).unwrap();
    let (id, verdict, gates, facts) = (
        column("id"),
        column("verdict"),
        column("gates"),
        column("facts"),
    );
    assert!(rows.len() > 30, "the examples were read");
    for row in &rows[1..] {
        let decision = engine.decide(&Facts::from_json(&row[facts]).unwrap());
        let fired: Vec<String> = decision.gates().iter().map(ToString::to_string).collect();
        assert_eq!(
            (decision.verdict().to_string(), fired.join(" ")),
            (row[verdict].clone(), row[gates].clone()),
            "{}",
            row[id]
        );
        assert!(decision.alarms().is_empty(), "{}", row[id]);
        assert_eq!(
            decision.verdict() == Verdict::Permit,
            decision.gates().is_empty()
        );
    }
}
