//! Companies live each in a compartment of its own: none can find out that
//! another exists.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use chancery_audit::EventKind;
use chancery_label::Level;
use chancery_message::{Channel, DeliveryId, Intent, Purpose, RecipientRole, Submission};
use chancery_pipeline::desk;
use chancery_pipeline::outcome::{Outcome, RefusalKind};
use chancery_pipeline::stages::protection::Over;
use chancery_pipeline::stages::{consent, release};
use chancery_policy::approval::Vote;
use chancery_route::{World, hybrid, message, refusal};

const PROBER: &str = "vendor-sentinel";
const OTHER: &str = "vendor-bastion";

/// What an answer says to the one who asked, whole.
fn heard(world: &World, submission: Submission) -> String {
    match world.submit(PROBER, Channel::Rest, submission) {
        Ok(Outcome::Refused(refusal)) => format!("{:?} {}", refusal.kind, refusal.detail),
        other => format!("{other:?}"),
    }
}

fn to(names: &[&str]) -> Submission {
    let mut submission = message(names, Level::Nc);
    submission.purpose = Some(Purpose::Commercial);
    submission
}

#[test]
fn a_name_of_another_company_is_answered_like_no_name_at_all() {
    let world = World::new();
    // Every way of naming it, beside the same way of naming nobody.
    let nobody = "vendor-nobody";
    let pairs = [
        (OTHER.to_owned(), nobody.to_owned()),
        (
            format!("{OTHER}@gateway.example"),
            format!("{nobody}@gateway.example"),
        ),
    ];
    for (real, none) in &pairs {
        for intent in [Intent::Send, Intent::Check] {
            let ask = |name: &str| {
                let mut submission = to(&[name]);
                submission.intent = intent.clone();
                let before = world.gateway.ledger.head().expect("head").size;
                let answer = heard(&world, submission);
                let after = world.gateway.ledger.head().expect("head").size;
                (answer, after - before)
            };
            assert_eq!(ask(real), ask(none), "answer and work done");
        }
        // Beside one whom it may know, in copy.
        let beside = |name: &str| {
            let mut submission = to(&["cert-eu", name]);
            submission.recipients[1].role = RecipientRole::Copy;
            heard(&world, submission)
        };
        assert_eq!(beside(real), beside(none));
        // As the originator of what it passes on.
        let as_originator = |name: &str| {
            let mut submission = to(&["cert-eu"]);
            if let chancery_message::AssertedLabel::Valid { label, .. } = &mut submission.label {
                label.tlp = Some(chancery_label::Tlp::Clear);
            }
            submission.originator = Some(name.to_owned());
            submission.intent = Intent::Check;
            heard(&world, submission)
        };
        let (with, without) = (as_originator(OTHER), as_originator(nobody));
        assert_eq!(with, without, "whose information it is said to be");
    }
    // Nothing was sent to anybody.
    assert_eq!(world.count(EventKind::MessageSealed), 0);
}

#[test]
fn lists_hold_its_partner_alone_and_no_clearances() {
    let world = World::new();
    let prober = world.sender(PROBER);
    let Outcome::Recipients(cards) = desk::recipients(&world.gateway, &prober) else {
        panic!("no list");
    };
    let names: Vec<&str> = cards.iter().map(|card| card.id.as_str()).collect();
    assert_eq!(names, ["cert-eu"]);
    assert!(cards.iter().all(|card| card.ceiling == Level::Nc));
}

#[test]
fn references_have_no_order_and_tell_no_counts() {
    let world = World::new();
    let mut seen = Vec::new();
    for round in 0..6 {
        // Traffic of others between two messages of its own.
        for _ in 0..round {
            world.accepted("csirt-alpha", Channel::Rest, to(&[OTHER]));
        }
        let verdicts = world.accepted(PROBER, Channel::Rest, to(&["cert-eu"]));
        let shown = verdicts.registration.expect("a reference");
        assert!(
            shown.parse::<u64>().is_err(),
            "no number of the register: {shown}"
        );
        seen.push(shown);
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), seen.len(), "each its own");
    assert_ne!(sorted, seen, "in no order");
}

#[test]
fn ids_of_others_are_answered_like_ids_that_are_not_there() {
    let world = World::new();
    let sent = world.accepted("csirt-alpha", Channel::Rest, to(&[OTHER]));
    let row = world.deliveries(&sent)[0].clone();
    let none: DeliveryId = "0193e5a0-0000-7000-8000-000000000000".parse().expect("id");
    let prober = world.sender(PROBER);
    let by = chancery_audit::Actor::Participant(prober.id.clone());
    let fetch = |id: &DeliveryId| {
        refusal(
            release::release(
                &world.gateway,
                id,
                &prober.id,
                &by,
                Over::Session(&hybrid()),
            )
            .map(|_| ()),
        )
    };
    assert_eq!(fetch(&row.id), fetch(&none));
    let status = |id: &str| refusal(desk::status(&world.gateway, &prober, id).map(|_| ()));
    assert_eq!(
        status(&row.message.to_string()),
        status("0193e5a0-0000-7000-8000-000000000001")
    );
    let withdraw = |id: &str| refusal(desk::withdraw(&world.gateway, &prober, id).map(|_| ()));
    assert_eq!(
        withdraw(&row.message.to_string()),
        withdraw("0193e5a0-0000-7000-8000-000000000001")
    );
    let forward = |id: String| {
        let mut submission = to(&["cert-eu"]);
        submission.intent = Intent::Forward { of: id };
        heard(&world, submission)
    };
    assert_eq!(forward(row.id.to_string()), forward(none.to_string()));
    let derived = |id: String| {
        let mut submission = to(&["cert-eu"]);
        submission.intent = Intent::Check;
        submission.derived_from = vec![chancery_message::Text::new(id)];
        heard(&world, submission)
    };
    assert_eq!(
        derived(row.message.to_string()),
        derived("0193e5a0-0000-7000-8000-000000000001".to_owned())
    );
    let consents = |id: &str| {
        refusal(consent::answer(&world.gateway, &prober, id, Vote::Approve, None).map(|_| ())).0
    };
    assert_eq!(consents(&"0".repeat(64)), RefusalKind::NotFound);
}

#[test]
fn a_message_to_both_shows_neither_the_other() {
    let world = World::new();
    // Nobody may write to both here; what an MoU with each would let through:
    let mut submission = to(&[PROBER]);
    submission.recipients.push(submission.recipients[0].clone());
    submission.recipients[1].name = OTHER.to_owned();
    if let chancery_message::AssertedLabel::Valid { label, .. } = &mut submission.label {
        label.tlp = Some(chancery_label::Tlp::Clear);
    }
    let epoch = world.gateway.rules().epoch();
    let mut officers = world.officers.clone();
    world
        .gateway
        .replace_rules(chancery_route::rules_with(epoch, &mut officers, |mous| {
            let id = |text: &str| text.parse().expect("id");
            for mou in mous
                .iter_mut()
                .filter(|mou| mou.id.as_str() == "mou-bastion")
            {
                mou.parties = vec![id("cert-eu"), id(OTHER)];
                mou.compartments = vec!["cert-eu".to_owned(), "bastion".to_owned()];
            }
        }));
    let verdicts = world.accepted("cert-eu", Channel::Rest, submission);
    let rows = world.deliveries(&verdicts);
    assert_eq!(rows.len(), 2);
    for row in rows {
        let released = world.fetch(&row).expect("released");
        let view = released.view(&world.gateway, false).expect("opened");
        let shown: Vec<&str> = view
            .recipients
            .iter()
            .map(|(party, _)| party.id.as_str())
            .collect();
        assert_eq!(shown, [row.recipient.as_str()]);
        assert!(view.registration.parse::<u64>().is_err());
    }
}
