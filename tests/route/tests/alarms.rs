//! A rule that fails, and code and text that disagree: the release is refused and
//! an alarm stands in the log, wherever the decision was made.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::HashMap;
use std::sync::Arc;

use chancery_audit::{Event, EventKind, Key};
use chancery_label::Level;
use chancery_message::{Channel, Intent};
use chancery_pipeline::outcome::{Outcome, RefusalKind, Verdict};
use chancery_pipeline::rules::Rules;
use chancery_policy::PolicyTexts;
use chancery_policy::derive::Thresholds;
use chancery_policy::directory::Directory;
use chancery_policy::engine::Engine;
use chancery_policy::mou::Register;
use chancery_route::{World, message, refusal, rules};

/// A rule of the site that overflows on classified messages.
fn overflowing() -> PolicyTexts {
    PolicyTexts::shipped().with(
        "95-local.cedar",
        "@gate(\"L01\")\n@effect(\"deny\")\n@rule(\"a test\")\nforbid (principal, action, resource)\nwhen { context.classification + 9223372036854775807 < 0 };\n",
    )
}

/// The text asks for a clearance one level lower than the code does.
fn weakened() -> PolicyTexts {
    let texts = PolicyTexts::shipped();
    let (name, text) = texts
        .files()
        .find(|(name, _)| name.starts_with("20"))
        .expect("the file");
    let weak = text.replacen(
        "context.classification > context.recipient_clearance",
        "context.classification > context.recipient_clearance + 1",
        1,
    );
    assert_ne!(weak, text);
    texts.with(name, &weak)
}

/// Puts a set in force that officers would have had to sign.
fn decide_by(world: &World, texts: &PolicyTexts, uncleared: bool) {
    let epoch = world.gateway.rules().epoch();
    let plain = rules(epoch, &mut HashMap::new(), |all| {
        for one in all.iter_mut().filter(|_| uncleared) {
            if one.id.as_str() == "csirt-alpha" {
                one.clearance = None;
            }
        }
    });
    let directory = Directory::new(
        epoch,
        plain.directory().participants().to_vec(),
        world.gateway.rules().directory().officers().to_vec(),
    )
    .expect("whole");
    let register = Register::new(plain.register().mous().to_vec(), &directory).expect("whole");
    let engine = Arc::new(Engine::load(texts).expect("loads"));
    world.gateway.replace_rules(Rules::new(
        directory,
        register,
        engine,
        Thresholds::default(),
    ));
}

fn alarms(world: &World) -> Vec<Event> {
    world
        .records()
        .into_iter()
        .filter(|event| event.kind == EventKind::AlarmRaised)
        .collect()
}

fn told(event: &Event, key: Key) -> &str {
    event
        .details
        .get(key)
        .and_then(|value| value.as_text())
        .unwrap_or_default()
}

fn sent(world: &World) -> Verdict {
    world
        .accepted(
            "cert-eu",
            Channel::Rest,
            message(&["csirt-alpha"], Level::Restricted),
        )
        .recipients[0]
        .verdict
}

#[test]
fn a_rule_that_overflows_denies_and_raises_an_alarm() {
    let world = World::new();
    assert_eq!(sent(&world), Verdict::Permit);
    decide_by(&world, &overflowing(), false);
    assert_eq!(sent(&world), Verdict::Deny);
    let alarms = alarms(&world);
    assert_eq!(alarms.len(), 1);
    assert_eq!(alarms[0].kind.severity(), chancery_audit::Severity::Alarm);
    assert_eq!(
        told(&alarms[0], Key::Alarm),
        "rule 95-local.cedar#1 could not be evaluated"
    );
    assert!(alarms[0].message.is_some() && alarms[0].delivery.is_some());
    let gates: Vec<String> = world
        .records()
        .iter()
        .rfind(|event| event.kind == EventKind::ReleaseRefused)
        .and_then(|event| {
            event
                .details
                .get(Key::Gates)?
                .as_list()
                .map(<[String]>::to_vec)
        })
        .expect("recorded");
    assert_eq!(gates, ["G00"]);
}

#[test]
fn code_and_text_that_disagree_deny_and_raise_an_alarm() {
    let world = World::new();
    decide_by(&world, &weakened(), true);
    assert_eq!(sent(&world), Verdict::Deny);
    let alarms = alarms(&world);
    assert_eq!(alarms.len(), 1);
    assert!(
        told(&alarms[0], Key::Alarm).ends_with("fires in code but not in the rule text"),
        "{alarms:?}"
    );
    assert_eq!(told(&alarms[0], Key::Stage), "decide");
}

#[test]
fn an_alarm_is_raised_when_a_waiting_message_is_decided_again() {
    let world = World::new();
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Restricted),
    );
    let row = world.deliveries(&verdicts)[0].clone();
    decide_by(&world, &overflowing(), false);
    assert_eq!(refusal(world.fetch(&row)).0, RefusalKind::Denied);
    assert_eq!(world.count(EventKind::ReleaseOpened), 0);
    let alarms = alarms(&world);
    assert_eq!(alarms.len(), 1);
    assert_eq!(told(&alarms[0], Key::Stage), "release");
}

#[test]
fn a_check_raises_it_too() {
    let world = World::new();
    decide_by(&world, &overflowing(), false);
    let mut asked = message(&["csirt-alpha"], Level::Restricted);
    asked.intent = Intent::Check;
    match world.submit("cert-eu", Channel::Rest, asked) {
        Ok(Outcome::Checked(verdicts)) => assert_eq!(verdicts.recipients[0].verdict, Verdict::Deny),
        other => panic!("{other:?}"),
    }
    assert_eq!(told(&alarms(&world)[0], Key::Stage), "check");
    let checked = world
        .records()
        .into_iter()
        .find(|event| event.kind == EventKind::ReleaseChecked)
        .expect("recorded");
    assert_eq!(
        told(&checked, Key::Policy),
        hex::encode(overflowing().hash())
    );
}
