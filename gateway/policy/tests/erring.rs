//! Rules that fail, disagree or do not load.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

use chancery_policy::PolicyTexts;
use chancery_policy::decision::{Alarm, Verdict};
use chancery_policy::engine::Engine;
use chancery_policy::facts::Facts;

const PERMITTED: &str = r#"{"id":"E1","label_state":"valid","classification":"R-UE","personal_data":false,"purpose":"cyber-crisis","sender_community":"civilian","recipient_community":"civilian","sender_kind":"agency","recipient_kind":"agency","recipient_country":"EU","recipient_clearance":"S-UE","channel_accreditation":"S-UE","crypto_approval":"S-UE","mou_ceiling":"NC","holder_is_originator":true,"addressed":true,"relation":"community","mou":"none"}"#;

fn facts() -> Facts {
    Facts::from_json(PERMITTED).unwrap()
}

fn rule(gate: &str, effect: &str, condition: &str) -> String {
    format!(
        "@gate(\"{gate}\")\n@effect(\"{effect}\")\n@rule(\"a test\")\nforbid (principal, action, resource)\nwhen {{ {condition} }};\n"
    )
}

#[test]
fn a_rule_that_overflows_denies_and_raises_an_alarm() {
    let overflow = rule(
        "L01",
        "deny",
        "context.classification + 9223372036854775807 < 0",
    );
    let engine = Engine::load(&PolicyTexts::shipped().with("95-local.cedar", &overflow)).unwrap();
    let decision = engine.decide(&facts());
    assert_eq!(decision.verdict(), Verdict::Deny);
    assert_eq!(decision.gates()[0].to_string(), "G00");
    assert_eq!(
        decision.alarms(),
        [Alarm::RuleFailed {
            rule: "95-local.cedar#1".to_owned()
        }]
    );
    let line = engine.decide_line(PERMITTED);
    assert!(
        line.contains("G00") && line.contains("95-local.cedar#1"),
        "{line}"
    );
}

#[test]
fn a_rule_of_the_site_narrows() {
    let local = rule(
        "L07",
        "review",
        "context.purpose == Purpose::\"cyber-crisis\"",
    );
    let engine = Engine::load(&PolicyTexts::shipped().with("95-local.cedar", &local)).unwrap();
    let decision = engine.decide(&facts());
    assert_eq!(decision.verdict(), Verdict::Review);
    assert_eq!(decision.gates()[0].to_string(), "L07");
    assert_ne!(
        engine.policy_hash(),
        Engine::shipped().unwrap().policy_hash()
    );
}

#[test]
fn a_weakened_text_of_a_mandatory_gate_denies_and_raises_an_alarm() {
    let texts = PolicyTexts::shipped();
    let (name, text) = texts
        .files()
        .find(|(name, _)| name.starts_with("20"))
        .unwrap();
    let weakened = text.replacen(
        "context.classification > context.recipient_clearance",
        "context.classification > context.recipient_clearance + 1",
        1,
    );
    assert_ne!(weakened, text);
    let engine = Engine::load(&texts.with(name, &weakened)).unwrap();
    let mut uncleared = facts();
    uncleared.recipient_clearance = chancery_label::Level::Nc;
    let decision = engine.decide(&uncleared);
    assert_eq!(
        (decision.verdict(), decision.gates()[0].to_string()),
        (Verdict::Deny, "G00".to_owned())
    );
    assert!(matches!(
        decision.alarms(),
        [Alarm::Disagreement { lattice: true, .. }]
    ));
    assert_eq!(
        engine.decide(&facts()).verdict(),
        Verdict::Permit,
        "where both agree it decides"
    );
}

#[test]
fn a_mandatory_gate_made_stricter_in_text_alone_raises_an_alarm() {
    let more = rule("G11", "deny", "context.classification == 1");
    let engine = Engine::load(&PolicyTexts::shipped().with("95-local.cedar", &more)).unwrap();
    let decision = engine.decide(&facts());
    assert!(matches!(
        decision.alarms(),
        [Alarm::Disagreement { lattice: false, .. }]
    ));
}

#[test]
fn words_that_contradict_the_facts_deny_and_raise_an_alarm() {
    let texts = PolicyTexts::shipped();
    let (name, text) = texts
        .files()
        .find(|(name, _)| name.starts_with("00"))
        .unwrap();
    let other = text.replacen("\"EU\", \"AUT\"", "\"AUT\"", 1);
    assert_ne!(other, text);
    let decision = Engine::load(&texts.with(name, &other))
        .unwrap()
        .decide(&facts());
    assert_eq!(decision.alarms(), [Alarm::Inconsistent]);
    assert_eq!(decision.gates()[0].to_string(), "G00");
}

#[test]
fn sets_that_do_not_load_say_where_and_why() {
    let shipped = PolicyTexts::shipped();
    let local = |text: &str| shipped.with("95-local.cedar", text);
    let cases = [
        (
            local("forbid (principal, action, resource"),
            "95-local.cedar:1",
        ),
        (
            local("forbid (principal, action, resource);"),
            "95-local.cedar:1: a forbid needs @gate",
        ),
        (
            local(&rule("G03", "review", "true")),
            "G03 cannot have the effect review",
        ),
        (
            local(&rule("G29", "deny", "context.classification > 3")),
            "G29 is not a shipped gate",
        ),
        (
            local(&rule("X1", "deny", "context.classification > 3")),
            "a gate is named",
        ),
        (
            local(&rule("L01", "maybe", "context.classification > 3")),
            "@effect is",
        ),
        (
            local(&rule("L01", "deny", "context.clasification > 3")),
            "95-local.cedar:4",
        ),
        (
            local(&rule("L01", "deny", "context.tlp == Tlp::\"WHITE\"")),
            "WHITE",
        ),
        (
            local(&rule("L01", "deny", "context.tlp == \"RED\"")),
            "95-local.cedar:4",
        ),
        (
            local(&rule("L01", "deny", "context.classification > \"R-UE\"")),
            "95-local.cedar:4",
        ),
        (
            local(&rule("L01", "deny", "principal.level > 3")),
            "95-local.cedar:4",
        ),
        (
            local(
                "permit (principal, action, resource) when { context.consent == Consent::\"granted\" };",
            ),
            "found 2 permits",
        ),
        (
            local(
                "@gate(\"L01\")\n@effect(\"deny\")\n@rule(\"x\")\n@id(\"y\")\nforbid (principal, action, resource);",
            ),
            "@id is not an annotation",
        ),
        (
            local("forbid (principal == ?principal, action, resource);"),
            "templates are not read",
        ),
        (
            shipped.with("50-tlp.cedar", ""),
            "no rule states G14 with effect deny",
        ),
        (shipped.with("00-words.cedar", ""), "found 0 permits"),
        (PolicyTexts::default(), "found 0 permits"),
    ];
    for (texts, expected) in cases {
        let error = Engine::load(&texts).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let two = format!(
        "{}{}",
        rule("L01", "deny", "context.nothing > 3"),
        rule("L02", "deny", "context.tlp == Tlp::\"WHITE\"")
    );
    let error = Engine::load(&PolicyTexts::shipped().with("95-local.cedar", &two)).unwrap_err();
    assert!(error.problems().len() >= 2, "{error}");
}

#[test]
fn a_set_for_study_may_lack_gates_but_code_still_refuses() {
    let texts = PolicyTexts::shipped().with("20-protection.cedar", "");
    assert!(Engine::load(&texts).is_err());
    let engine = Engine::load_for_study(&texts).unwrap();
    let mut low = facts();
    low.channel_accreditation = chancery_label::Level::Nc;
    let decision = engine.decide(&low);
    assert_eq!(decision.verdict(), Verdict::Deny);
    assert_eq!(engine.decide(&facts()).verdict(), Verdict::Permit);
}

#[test]
fn the_hash_tells_sets_apart() {
    let shipped = PolicyTexts::shipped();
    assert_eq!(shipped.hash(), PolicyTexts::shipped().hash());
    assert_ne!(shipped.hash(), shipped.with("50-tlp.cedar", "").hash());
    let one = PolicyTexts::new([("a".to_owned(), "bc".to_owned())]);
    let two = PolicyTexts::new([("ab".to_owned(), "c".to_owned())]);
    assert_ne!(
        one.hash(),
        two.hash(),
        "what is name and what is content matters"
    );
}
