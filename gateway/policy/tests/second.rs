//! A second reading of the gates, written from the decision's description
//! alone: no code of the engine, no type of the crate but facts as JSON text.
//! Random facts must come out the same, verdict and gates.
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
use common::random::{Random, facts};
use serde_json::Value;

const EU: [&str; 28] = [
    "EU", "AUT", "BEL", "BGR", "HRV", "CYP", "CZE", "DNK", "EST", "FIN", "FRA", "DEU", "GRC",
    "HUN", "IRL", "ITA", "LVA", "LTU", "LUX", "MLT", "NLD", "POL", "PRT", "ROU", "SVK", "SVN",
    "ESP", "SWE",
];

struct F<'a>(&'a Value);

impl<'a> F<'a> {
    fn s(&self, field: &str) -> &'a str {
        self.0[field].as_str().unwrap_or("")
    }

    fn is(&self, field: &str, words: &[&str]) -> bool {
        words.contains(&self.s(field))
    }

    fn b(&self, field: &str) -> bool {
        self.0[field].as_bool().unwrap()
    }

    fn rank(&self, field: &str) -> usize {
        ["NC", "R-UE", "C-UE", "S-UE", "TS-UE"]
            .iter()
            .position(|level| *level == self.s(field))
            .unwrap()
    }

    fn list(&self, field: &str) -> Vec<&'a str> {
        self.0[field]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect()
    }

    fn has(&self, field: &str, word: &str) -> bool {
        self.list(field).contains(&word)
    }
}

/// Verdict and gates, as the table says them.
fn second(facts: &Value) -> (String, Vec<String>) {
    let f = F(facts);
    let rank = f.rank("classification");
    let external =
        f.is("recipient_kind", &["third-state", "io"]) || !EU.contains(&f.s("recipient_country"));
    let private_or_media = f.is("recipient_kind", &["private", "media"]);
    let cross =
        f.s("sender_community") != f.s("recipient_community") || private_or_media || external;
    let public = f.s("classification") == "NC"
        && f.s("tlp") == "CLEAR"
        && f.list("releasable_to").is_empty()
        && f.list("caveats").is_empty()
        && f.list("handling_codes").is_empty()
        && f.list("review_flags").is_empty()
        && !f.b("personal_data");
    let refused = f.s("consent") == "refused";
    let ungranted = f.s("consent") != "granted";
    let addressed = f.b("addressed");
    let originator = f.b("holder_is_originator");

    if f.s("label_state") == "missing" {
        return ("review".to_owned(), vec!["G02".to_owned()]);
    }
    let mut deny = BTreeSet::new();
    let mut review = BTreeSet::new();
    if f.s("label_state") == "invalid" {
        deny.insert("G01");
    }
    if rank > f.rank("channel_accreditation") {
        deny.insert("G03");
    }
    if rank >= 1 && rank > f.rank("crypto_approval") {
        deny.insert("G04");
    }
    if f.s("label_state") == "conflict" {
        review.insert("G05");
    }
    if !public {
        if cross && f.s("mou") != "active" {
            deny.insert("G06");
        }
        if cross && f.s("mou") == "active" && rank > f.rank("mou_ceiling") {
            deny.insert("G07");
        }
        let agreement = f.s("external_agreement");
        let neither = agreement != "SIA" && agreement != "AA";
        if external && rank >= 1 && (neither || (agreement == "AA" && rank > 1)) {
            deny.insert("G08");
        }
        let limited = !f.list("releasable_to").is_empty() || (external && rank >= 1);
        if limited && !f.has("releasable_to", f.s("recipient_country")) {
            deny.insert("G09");
        }
        if private_or_media && rank >= 1 && agreement != "classified-contract" {
            deny.insert("G10");
        }
        if rank > f.rank("recipient_clearance") {
            deny.insert("G11");
        }
        if f.has("caveats", "LIMITE") && (private_or_media || external) && ungranted {
            deny.insert("G12");
        }
        if f.has("caveats", "CRYPTO") && !f.has("review_flags", "crypto-custodian") {
            deny.insert("G13");
        }
        let tlp = f.s("tlp");
        if tlp == "RED" && ungranted && !addressed {
            deny.insert("G14");
        }
        if tlp == "AMBER+STRICT" && ungranted && !originator && f.s("relation") != "same-org" {
            deny.insert("G15");
        }
        if tlp == "AMBER" && ungranted && !originator && !f.is("relation", &["same-org", "client"])
        {
            deny.insert("G16");
        }
        if tlp == "GREEN" && ungranted && (f.b("channel_public") || f.s("relation") == "outside") {
            deny.insert("G17");
        }
        if !originator && (rank >= 1 || f.has("caveats", "ORCON")) {
            if refused {
                deny.insert("G18");
            }
            if f.s("consent") == "n/a" && !addressed {
                review.insert("G18");
            }
        }
        let mut consent_gate = |gate: &'static str, fires: bool| {
            if fires && refused {
                deny.insert(gate);
            }
            if fires && ungranted {
                review.insert(gate);
            }
        };
        let codes = f.list("handling_codes");
        consent_gate(
            "G19",
            !codes.is_empty() && f.s("purpose") != "law-enforcement",
        );
        consent_gate("G20", codes.contains(&"H2") && !addressed);
        let judicial = f.s("recipient_community") == "judicial" || f.s("purpose") == "evidence";
        consent_gate("G21", codes.contains(&"H1") && judicial);
        if codes.contains(&"H3") {
            review.insert("G22");
        }
        let police_data = f.b("personal_data") && f.s("sender_community") == "law-enforcement";
        if police_data && f.s("recipient_kind") == "private" {
            review.insert("G23");
        }
        if police_data && external && f.is("article_25_basis", &["none", "n/a"]) {
            deny.insert("G24");
        }
        if f.has("review_flags", "aggregate") {
            review.insert("G25");
        }
        if f.has("review_flags", "level-drop") && !originator && ungranted {
            deny.insert("G26");
        }
        if f.has("review_flags", "unknown-originator") {
            review.insert("G27");
        }
        if f.has("review_flags", "evaluation-missing") {
            review.insert("G28");
        }
    }
    let (verdict, gates) = if !deny.is_empty() {
        ("deny", deny)
    } else if !review.is_empty() {
        ("review", review)
    } else {
        ("permit", BTreeSet::new())
    };
    (
        verdict.to_owned(),
        gates.into_iter().map(str::to_owned).collect(),
    )
}

fn compare(engine: &Engine, line: &str, seen: &mut BTreeSet<String>) {
    let answer: Value = serde_json::from_str(&engine.decide_line(line)).unwrap();
    // Rule by rule or the whole set at once: Cedar says the same.
    let whole = engine
        .allows_as_a_whole(&Facts::from_json(line).unwrap())
        .unwrap();
    assert_eq!(whole, answer["verdict"] == "permit", "{line}");
    let gates: Vec<String> = answer["gates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g.as_str().unwrap().to_owned())
        .collect();
    let verdict = answer["verdict"].as_str().unwrap().to_owned();
    assert!(answer.get("alarms").is_none(), "{answer}\n{line}");
    assert_eq!(
        (verdict.clone(), gates.clone()),
        second(&serde_json::from_str(line).unwrap()),
        "{line}"
    );
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
            &facts(&format!("R{number}"), &mut random, number % 2 == 0),
            &mut seen,
        );
    }
    for (gate, effects) in [
        ("permit", vec![""]),
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
        let (verdict, gates) = second(&serde_json::from_str(&row[column("facts")]).unwrap());
        assert_eq!(
            (&verdict, &gates.join(" ")),
            (&row[column("verdict")], &row[column("gates")]),
            "{}",
            row[column("id")]
        );
    }
}
