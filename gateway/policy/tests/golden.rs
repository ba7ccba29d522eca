//! The cases beside the rules, and the golden matrix.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

use chancery_message::Timestamp;
use chancery_policy::PolicyTexts;
use chancery_policy::cases::{self, CasesError};
use chancery_policy::engine::Engine;
use chancery_policy::facts::Facts;
use chancery_policy::matrix;
use chancery_policy::mou::Register;
use chancery_policy::shipped;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/policies");
const MATRIX: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/refusals/matrix.txt"
);

#[test]
fn every_policy_file_has_cases_every_case_holds_and_every_rule_is_shown() {
    let engine = Engine::shipped().unwrap();
    let mut all = Vec::new();
    for (name, _) in PolicyTexts::shipped().rules() {
        let path = format!("{POLICIES}/{}", name.replace(".cedar", ".cases.toml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let outcomes = cases::run(&engine, &text).unwrap_or_else(|error| panic!("{path}: {error}"));
        for outcome in &outcomes {
            assert!(outcome.holds(), "{name}: {outcome}");
        }
        all.extend(outcomes);
    }
    let missing = cases::uncovered(&engine, &all);
    assert!(missing.is_empty(), "no case shows {missing:?}");
}

#[test]
fn the_shipped_texts_are_all_the_files_of_the_folder() {
    let mut files: Vec<_> = std::fs::read_dir(POLICIES)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".cedar"))
        .collect();
    files.sort();
    let texts = PolicyTexts::shipped();
    let shipped: Vec<_> = texts.rules().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(files, shipped);
}

#[test]
fn the_base_of_all_cases_is_permitted() {
    let facts = Facts::from_json(&cases::BASE.replace('\n', " ")).unwrap();
    assert!(Engine::shipped().unwrap().decide(&facts).gates().is_empty());
}

#[test]
fn cases_that_cannot_be_run_say_why() {
    let engine = Engine::shipped().unwrap();
    let run = |text: &str| cases::run(&engine, text).unwrap_err();
    assert_eq!(run(""), CasesError::Empty);
    assert!(matches!(
        run("[[case]]\nname = 1"),
        CasesError::Unreadable(_)
    ));
    for facts in [
        "level = \"NC\"",
        "classification = \"SECRET\"",
        "addressed = 1",
    ] {
        let text = format!("[[case]]\nname = \"x\"\nverdict = \"permit\"\nfacts = {{ {facts} }}");
        assert!(matches!(run(&text), CasesError::Facts { .. }), "{facts}");
    }
    let wrong = cases::run(
        &engine,
        "[[case]]\nname = \"x\"\nverdict = \"deny\"\ngates = [\"G03\"]",
    )
    .unwrap();
    assert!(!wrong[0].holds());
    assert_eq!(
        wrong[0].to_string(),
        "WRONG x: expected deny G03, found permit"
    );
}

/// Run with `CHANCERY_REGENERATE=1` to write the matrix anew, and review its diff.
#[test]
fn the_golden_matrix_is_as_it_was_reviewed() {
    let engine = Engine::shipped().unwrap();
    let cells = matrix::cells().unwrap();
    let found = matrix::render(&engine, &cells);
    if std::env::var_os("CHANCERY_REGENERATE").is_some() {
        std::fs::write(MATRIX, &found).unwrap();
    }
    let golden = std::fs::read_to_string(MATRIX).unwrap();
    for (at, (golden, found)) in golden.lines().zip(found.lines()).enumerate() {
        assert_eq!(
            golden,
            found,
            "line {}: review, then CHANCERY_REGENERATE=1",
            at + 1
        );
    }
    assert_eq!(golden.lines().count(), found.lines().count());
    // No vendor gets anything from another vendor but what is public.
    for line in found
        .lines()
        .filter(|line| line.starts_with("vendor-") && line.contains(" to vendor-"))
    {
        assert!(
            line.contains("TLP:CLEAR") || line.contains("deny"),
            "{line}"
        );
    }
}

#[test]
fn a_changed_rule_shows_in_the_matrix() {
    let old = Engine::shipped().unwrap();
    let cells = matrix::cells().unwrap();
    assert!(matrix::diff(&old, &old, &cells).is_empty());
    let local = "@gate(\"L01\")\n@effect(\"review\")\n@rule(\"a person looks at RED\")\nforbid (principal, action, resource)\nwhen { context.tlp == Tlp::\"RED\" };\n";
    let new = Engine::load(&PolicyTexts::shipped().with("95-local.cedar", local)).unwrap();
    let flips = matrix::diff(&old, &new, &cells);
    assert!(!flips.is_empty());
    assert!(flips.iter().all(|flip| flip.question.contains("TLP:RED")
        && flip.old == "permit"
        && flip.new == "review L01"));
}

/// The fenced blocks of a guide, with their language.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    guide
        .split(&fence)
        .skip(1)
        .map(|rest| {
            let block = rest.split("```").next().unwrap();
            block
                .lines()
                .map(str::trim_start)
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect()
}

#[test]
fn the_guide_to_adding_a_rule_works_by_the_letter() {
    let guide = include_str!("../../../docs/adding-a-rule.md");
    let rule = blocks(guide, "cedar").pop().unwrap();
    let engine = Engine::load(&PolicyTexts::shipped().with("95-red.cedar", &rule)).unwrap();
    let outcomes = cases::run(&engine, &blocks(guide, "toml").pop().unwrap()).unwrap();
    assert_eq!(outcomes.len(), 2);
    for outcome in &outcomes {
        assert!(outcome.holds(), "{outcome}");
    }
}

#[test]
fn the_guide_to_adding_an_mou_works_by_the_letter() {
    let guide = include_str!("../../../docs/adding-an-mou.md");
    let text = blocks(guide, "toml").pop().unwrap();
    let directory = shipped::directory(1).unwrap();
    let files = shipped::MOUS
        .into_iter()
        .chain([("defence-law-enforcement.toml", text.as_str())]);
    let register = Register::from_toml(files, &directory).unwrap();
    let (a, b) = (
        "eu-military-staff".parse().unwrap(),
        "europol-ec3".parse().unwrap(),
    );
    let at = |text: &str| Timestamp::parse(text).unwrap();
    assert!(register.is_live_between(&a, &b, at("2026-03-01T12:00:00Z")));
    assert!(!register.is_live_between(&a, &b, at("2028-01-01T00:00:00Z")));
}

#[test]
fn the_shipped_mous_are_all_the_files_of_the_folder() {
    let mut files: Vec<_> =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/mous"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
    files.sort();
    assert_eq!(files, shipped::MOUS.map(|(name, _)| name.to_owned()));
}

#[test]
fn the_example_facts_show_every_verdict() {
    let engine = Engine::shipped().unwrap();
    let answers: Vec<serde_json::Value> = include_str!("../../../config/examples/facts.jsonl")
        .lines()
        .map(|line| serde_json::from_str(&engine.decide_line(line)).unwrap())
        .collect();
    let spelled: Vec<String> = answers
        .iter()
        .map(|answer| {
            format!(
                "{}: {} {}",
                answer["id"], answer["verdict"], answer["gates"]
            )
            .replace('"', "")
        })
        .collect();
    assert_eq!(
        spelled,
        [
            "within the agreement: permit []",
            "above its ceiling: deny [G07]",
            "the agreement has expired: deny [G06]",
            "free-text restrictions: review [G22]",
            "no label: review [G02]",
            "public advisory to a company: permit []",
            "a misspelt value: deny [G00]",
        ]
    );
}
