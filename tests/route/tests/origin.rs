//! Whose information it is stays so, however it is passed on; its originator
//! gets it back without being asked; and an answer says what it answers in
//! words that its recipient knows.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use chancery_label::Level;
use chancery_message::{Channel, Intent, Submission, Text};
use chancery_pipeline::outcome::{Verdict, Verdicts};
use chancery_pipeline::rows::DeliveryRow;
use chancery_pipeline::view::DeliveryView;
use chancery_route::{World, message};

fn given(world: &World, verdicts: &Verdicts) -> DeliveryRow {
    let row = world.deliveries(verdicts)[0].clone();
    world.fetch(&row).expect("released");
    row
}

/// CERT-EU's report, which CSIRT Alpha has.
fn report(world: &World) -> DeliveryRow {
    let first = message(&["csirt-alpha"], Level::Restricted);
    given(world, &world.accepted("cert-eu", Channel::Rest, first))
}

fn forward(of: &DeliveryRow, to: &str, level: Level) -> Submission {
    let mut forward = message(&[to], level);
    forward.intent = Intent::Forward {
        of: of.id.to_string(),
    };
    forward
}

fn derived(from: &[String], to: &str, level: Level) -> Submission {
    let mut message = message(&[to], level);
    message.derived_from = from.iter().map(Text::new).collect();
    message
}

fn verdict(world: &World, from: &str, submission: Submission) -> Verdict {
    let channel = if from == "europol-ec3" {
        Channel::Siena
    } else {
        Channel::Rest
    };
    world.accepted(from, channel, submission).recipients[0].verdict
}

#[test]
fn an_originator_gets_its_own_back_unasked() {
    let world = World::new();
    let row = report(&world);
    let back = forward(&row, "cert-eu", Level::Restricted);
    assert_eq!(verdict(&world, "csirt-alpha", back), Verdict::Permit);
    // Under a lower label it is refused, even there.
    let lower = forward(&row, "cert-eu", Level::Nc);
    assert_eq!(verdict(&world, "csirt-alpha", lower), Verdict::Deny);
    // To anybody else it still waits for the originator.
    let on = forward(&row, "europol-ec3", Level::Restricted);
    assert_eq!(verdict(&world, "csirt-alpha", on), Verdict::Review);
}

#[test]
fn together_with_anothers_it_is_not_its_own() {
    let world = World::new();
    let row = report(&world);
    let mut police = message(&["csirt-alpha"], Level::Restricted);
    police.evaluation = "A1".parse().ok();
    let other = given(
        &world,
        &world.accepted("europol-ec3", Channel::Siena, police),
    );
    let both = [row.id.to_string(), other.id.to_string()];
    let mixed = derived(&both, "cert-eu", Level::Restricted);
    assert_ne!(verdict(&world, "csirt-alpha", mixed), Verdict::Permit);
}

#[test]
fn naming_somebody_as_originator_is_no_consent() {
    let world = World::new();
    for to in ["cert-eu", "europol-ec3"] {
        let mut named = message(&[to], Level::Restricted);
        named.originator = Some("cert-eu".to_owned());
        assert_eq!(
            verdict(&world, "csirt-alpha", named),
            Verdict::Review,
            "{to}"
        );
    }
}

#[test]
fn what_is_derived_from_anothers_goes_to_those_whom_that_one_named() {
    let world = World::new();
    let mut first = message(&["csirt-alpha", "europol-ec3"], Level::Restricted);
    first.evaluation = "A1".parse().ok();
    let verdicts = world.accepted("cert-eu", Channel::Rest, first);
    let row = given(&world, &verdicts);
    let id = [row.id.to_string()];
    let named = derived(&id, "europol-ec3", Level::Restricted);
    assert_eq!(verdict(&world, "csirt-alpha", named), Verdict::Permit);
    // Nobody named this one: putting it into a list of one's own does not help.
    let other = derived(&id, "spoc-fra", Level::Restricted);
    assert_eq!(verdict(&world, "csirt-alpha", other), Verdict::Review);
}

#[test]
fn a_forward_of_anothers_is_nobodys_own() {
    let world = World::new();
    let row = report(&world);
    let on = forward(&row, "cert-eu", Level::Restricted);
    let passed = world.accepted("csirt-alpha", Channel::Rest, on);
    let id = [passed.message.expect("id").to_string()];
    // Derived from one's own forward it is still the originator's: no lower label,
    // and nobody else without consent.
    let lower = derived(&id, "europol-ec3", Level::Nc);
    assert_eq!(verdict(&world, "csirt-alpha", lower), Verdict::Deny);
    let on = derived(&id, "europol-ec3", Level::Restricted);
    assert_eq!(verdict(&world, "csirt-alpha", on), Verdict::Review);
}

fn view(world: &World, verdicts: &Verdicts, at: usize) -> DeliveryView {
    let row = &world.deliveries(verdicts)[at];
    let released = world.fetch(row).expect("released");
    released.view(&world.gateway, false).expect("opened")
}

fn answered(view: &DeliveryView) -> Option<String> {
    let one = view.in_reply_to.as_ref()?;
    Some(one.id.expose().to_owned())
}

#[test]
fn an_answer_says_what_it_answers_as_each_recipient_knows_it() {
    let world = World::new();
    let mut first = message(&["csirt-alpha", "europol-ec3"], Level::Restricted);
    first.subject = Text::new("a question");
    let question = world.accepted("cert-eu", Channel::Rest, first);
    let rows = world.deliveries(&question);
    for row in &rows {
        world.fetch(row).expect("released");
    }
    let mut reply = message(&["cert-eu", "europol-ec3", "spoc-fra"], Level::Restricted);
    reply.intent = Intent::Reply {
        to: rows[0].id.to_string(),
    };
    let answer = world.accepted("csirt-alpha", Channel::Rest, reply);
    // Whoever asked knows it by its own message and number.
    let asker = view(&world, &answer, 0);
    let id = question.message.expect("id").to_string();
    assert_eq!(answered(&asker), Some(id));
    let registration = asker.in_reply_to.and_then(|one| one.registration);
    assert_eq!(registration, question.registration);
    // Another who was asked knows it by the delivery that it was given.
    let other = view(&world, &answer, 1);
    assert_eq!(answered(&other), Some(rows[1].id.to_string()));
    // Whoever never had it is told nothing of it.
    assert_eq!(answered(&view(&world, &answer, 2)), None);
}

#[test]
fn ids_of_the_gateway_are_not_handed_on_in_words() {
    let world = World::new();
    let row = report(&world);
    for (words, shown) in [
        ("EC3-2026-0042", Some("EC3-2026-0042")),
        ("<their@own.example>", Some("<their@own.example>")),
        // Nobody's that this sender had.
        ("0193e5a0-0000-7000-8000-000000000000", None),
        (
            "<0193e5a0-0000-7000-8000-000000000000@gateway.example>",
            None,
        ),
    ] {
        let mut reply = message(&["cert-eu"], Level::Restricted);
        reply.in_reply_to = Some(Text::new(words));
        let sent = world.accepted("csirt-alpha", Channel::Rest, reply);
        assert_eq!(
            answered(&view(&world, &sent, 0)).as_deref(),
            shown,
            "{words}"
        );
    }
    // As a mail program writes it: the id that the gateway's own mail had.
    let mut reply = message(&["cert-eu"], Level::Restricted);
    reply.in_reply_to = Some(Text::new(format!("<{}@gateway.example>", row.id)));
    let sent = world.accepted("csirt-alpha", Channel::Rest, reply);
    let own = answered(&view(&world, &sent, 0)).expect("its own message");
    assert_eq!(own, row.message.to_string());
}

#[test]
fn a_company_hears_of_its_own_messages_without_numbers() {
    let world = World::new();
    let mut asked = message(&["cert-eu"], Level::Nc);
    asked.purpose = Some(chancery_message::Purpose::Commercial);
    if let chancery_message::AssertedLabel::Valid { label, .. } = &mut asked.label {
        label.tlp = Some(chancery_label::Tlp::Clear);
    }
    let question = world.accepted("vendor-sentinel", Channel::Rest, asked.clone());
    let row = given(&world, &question);
    let mut reply = asked;
    reply.recipients[0].name = "vendor-sentinel".to_owned();
    reply.intent = Intent::Reply {
        to: row.id.to_string(),
    };
    let answer = world.accepted("cert-eu", Channel::Rest, reply);
    let view = view(&world, &answer, 0);
    let one = view.in_reply_to.expect("told");
    assert_eq!(one.id.expose(), row.message.to_string());
    let registration = one.registration.expect("a reference");
    assert!(registration.parse::<u64>().is_err(), "{registration}");
}
