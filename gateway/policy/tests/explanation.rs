//! Hints, reasons for senders, explanations for officers.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

mod common;
mod world;

use chancery_label::{Label, Level, Tlp};
use chancery_policy::decision::Verdict;
use chancery_policy::engine::Engine;
use chancery_policy::explain::{self, Change, Part};
use chancery_policy::facts::Facts;
use chancery_policy::reason::{self, SafeReason};
use common::random::{Random, facts};
use world::{id, message, of, world};

/// How many random denials: `CHANCERY_RANDOM_DENIALS`, or 300.
fn count() -> usize {
    std::env::var("CHANCERY_RANDOM_DENIALS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(300)
}

#[test]
fn applying_any_hint_gives_a_permit_and_each_change_is_needed() {
    let engine = Engine::shipped().unwrap();
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let (mut denials, mut helped) = (0, 0);
    while denials < count() {
        let near = denials % 2 == 0;
        let facts = Facts::from_json(&facts("H", &mut random, near)).unwrap();
        if !engine.decide(&facts).is_denied() {
            continue;
        }
        denials += 1;
        let hints = explain::hints(&engine, &facts, &[]);
        helped += usize::from(!hints.is_empty());
        for hint in hints {
            let apply = |changes: &[Change]| {
                let mut after = facts.clone();
                changes.iter().for_each(|change| change.apply(&mut after));
                engine.decide(&after).verdict()
            };
            assert_eq!(apply(hint.changes()), Verdict::Permit, "{}", hint.text());
            for at in 0..hint.changes().len() {
                let mut fewer = hint.changes().to_vec();
                fewer.remove(at);
                assert_ne!(
                    apply(&fewer),
                    Verdict::Permit,
                    "{} has more than is needed",
                    hint.text()
                );
            }
        }
    }
    assert!(
        helped * 2 > denials,
        "only {helped} of {denials} denials had a hint"
    );
}

#[test]
fn hints_say_what_people_would_do() {
    let world = world();
    let texts = |meta, from: &str, to: &str, parts: &[Part]| -> Vec<String> {
        let derived = world.derive(meta, from, to);
        explain::hints(&world.engine, &derived.facts, parts)
            .iter()
            .map(explain::Hint::text)
            .collect()
    };
    let restricted = message(of(Level::Restricted), &["eu-military-staff"]);
    assert_eq!(
        texts(&restricted, "cert-eu", "eu-military-staff", &[]),
        ["an MoU with a ceiling of R-UE or more must be in force"]
    );
    // Officers hear which: the one that comes nearest, where it would do.
    let derived = world.derive(&restricted, "cert-eu", "eu-military-staff");
    let hints = explain::hints(&world.engine, &derived.facts, &[]);
    assert_eq!(
        hints[0].text_under(&world.engine, &derived.facts, &derived.mou),
        "MoU mou-civ-def must be renewed"
    );
    // Renewed it would not do: its ceiling is too low.
    let secret = message(of(Level::Confidential), &["eu-military-staff"]);
    let derived = world.derive(&secret, "cert-eu", "eu-military-staff");
    for hint in explain::hints(&world.engine, &derived.facts, &[]) {
        let text = hint.text_under(&world.engine, &derived.facts, &derived.mou);
        assert!(!text.contains("mou-civ-def"), "{text}");
    }
    let parts = [
        Part {
            name: "the text".to_owned(),
            level: Level::Restricted,
        },
        Part {
            name: "attachment 2".to_owned(),
            level: Level::Confidential,
        },
    ];
    let confidential = message(of(Level::Confidential), &["europol-ec3"]);
    let hints = texts(&confidential, "cert-eu", "europol-ec3", &parts);
    assert_eq!(
        hints[0],
        "release without attachment 2: what is left is R-UE"
    );
    assert_eq!(
        hints[1],
        "an MoU with a ceiling of C-UE or more must be in force"
    );
    let limited = Label {
        releasable_to: ["EU", "SWE"].map(|code| code.parse().unwrap()).into(),
        ..Label::default()
    };
    let meta = message(
        Label {
            releasable_to: ["SWE".parse().unwrap()].into(),
            ..limited
        },
        &["spoc-fra"],
    );
    assert_eq!(
        texts(&meta, "europol-ec3", "spoc-fra", &[]),
        ["add FRA to RELEASABLE TO, with the originator's consent"]
    );
    let permitted = message(of(Level::Nc), &["cert-eu"]);
    assert!(texts(&permitted, "csirt-alpha", "cert-eu", &[]).is_empty());
}

#[test]
fn a_sender_is_shown_what_it_or_the_originator_can_do() {
    let world = world();
    let meta = message(of(Level::Restricted), &["eu-military-staff"]);
    let derived = world.derive(&meta, "cert-eu", "eu-military-staff");
    assert!(explain::hints_for_sender(&world.engine, &derived.facts, &[]).is_empty());
    let mut unevaluated = message(of(Level::Nc), &["spoc-fra"]);
    unevaluated.evaluated = false;
    let derived = world.derive(&unevaluated, "europol-ec3", "spoc-fra");
    let hints = explain::hints_for_sender(&world.engine, &derived.facts, &[]);
    assert_eq!(hints[0].text(), "add the source and information codes");
    assert!(hints[0].is_senders_own());
}

fn safe(from: &str, to: &str, label: Label) -> SafeReason {
    let world = world();
    let (derived, decision) = world.decide(&message(label, &[to]), from, to);
    let view = world.directory.at(world.now);
    reason::safe(
        &decision,
        Some(&derived.facts),
        view.by_id(&id(from)).unwrap(),
    )
}

#[test]
fn a_sender_hears_nothing_about_clearances_channels_or_agreements() {
    // The recipient's clearance, its channel, the agreement: one and the same answer.
    assert_eq!(
        safe("cert-eu", "europol-ec3", of(Level::Confidential)),
        SafeReason::NotReleasable
    );
    assert_eq!(
        safe("cert-eu", "eu-military-staff", of(Level::Restricted)),
        SafeReason::NotReleasable
    );
    assert_eq!(
        safe("eeas-intcen", "europol-ec3", of(Level::Secret)),
        SafeReason::NotReleasable
    );
    assert_eq!(
        safe("csirt-alpha", "cert-eu", of(Level::Restricted)),
        SafeReason::Released
    );
    let green = Label {
        tlp: Some(Tlp::Green),
        ..Label::default()
    };
    // Several gates: the one that tells least speaks.
    assert_eq!(
        safe("cert-eu", "vendor-bastion", green),
        SafeReason::NotReleasable
    );
    let limited = Label {
        releasable_to: ["SWE".parse().unwrap()].into(),
        ..Label::default()
    };
    assert_eq!(
        safe("europol-ec3", "spoc-fra", limited.clone()),
        SafeReason::MarkingExcludes
    );
    // A vendor is not told even that much.
    assert_eq!(
        safe("vendor-sentinel", "cert-eu", limited),
        SafeReason::NotReleasable
    );
}

#[test]
fn an_officer_is_told_gate_rule_facts_and_article() {
    let world = world();
    let mut meta = message(of(Level::Restricted), &["spoc-fra"]);
    meta.personal_data = Some(true);
    let (derived, decision) = world.decide(&meta, "cert-eu", "spoc-fra");
    let told = reason::explain(&world.engine, &decision, &derived.facts, Some(&derived.mou));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].gate.to_string(), "G06");
    assert_eq!(told[0].file, "30-agreements.cedar");
    assert_eq!(told[0].article.as_deref(), Some("mou-civ-le, article 4(2)"));
    assert!(
        told[0].facts.contains(&"mou = \"none\"".to_owned()),
        "{:?}",
        told[0].facts
    );
    let (derived, decision) =
        world.decide(&message(of(Level::Nc), &[]), "cert-eu", "eu-military-staff");
    let told = reason::explain(&world.engine, &decision, &derived.facts, Some(&derived.mou));
    assert_eq!(
        told[0].article.as_deref(),
        Some("mou-civ-def, expired, ceiling R-UE")
    );
}

#[test]
fn every_shipped_gate_can_be_explained() {
    let engine = Engine::shipped().unwrap();
    for entry in &chancery_policy::gate::CATALOGUE {
        for effect in entry.effects {
            assert!(
                engine.rules_of(entry.gate, Some(*effect)).next().is_some(),
                "{}",
                entry.gate
            );
        }
    }
}
