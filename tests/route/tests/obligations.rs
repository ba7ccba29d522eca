//! Obligations are enforced, not printed.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::time::Duration;

use chancery_audit::EventKind;
use chancery_label::{HandlingCode, Level};
use chancery_message::{AssertedLabel, Channel, Purpose};
use chancery_pipeline::desk;
use chancery_pipeline::outcome::{Outcome, Receipt, RefusalKind, Verdict};
use chancery_pipeline::rows::DeliveryRow;
use chancery_pipeline::stages::{due, receipt};
use chancery_route::{World, message, refusal};

fn confidential(world: &World) -> DeliveryRow {
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Confidential),
    );
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Permit,
        "{verdicts:?}"
    );
    world.deliveries(&verdicts)[0].clone()
}

/// How the receipts stand of what is in CSIRT Alpha's inbox.
fn owed(world: &World) -> Vec<Option<Receipt>> {
    let who = world.sender("csirt-alpha");
    let listed = desk::inbox(
        &world.gateway,
        &who,
        &chancery_route::peer("csirt-alpha", Channel::Rest),
        None,
        50,
    );
    let Outcome::Inbox(entries) = listed.expect("listed") else {
        panic!("no list")
    };
    let mut all: Vec<_> = entries.iter().map(|one| one.receipt).collect();
    all.sort_by_key(Option::is_some);
    all
}

#[test]
fn a_recipient_with_mail_is_reminded_by_mail_too() {
    let world = World::new();
    let confidential = message(&["cert-eu"], Level::Confidential);
    let verdicts = world.accepted("csirt-alpha", Channel::Rest, confidential);
    let row = world.deliveries(&verdicts)[0].clone();
    world.fetch(&row).expect("released");
    world.clock.advance(hours(24));
    let reminders = due::receipts(&world.gateway).expect("swept");
    assert_eq!(reminders.len(), 1);
    assert_eq!(reminders[0].delivery, row.id);
    assert_eq!(reminders[0].recipient.as_str(), "cert-eu");
    assert_eq!(world.count(EventKind::ReceiptReminded), 1);
    assert!(
        due::receipts(&world.gateway).expect("swept").is_empty(),
        "once"
    );
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[test]
fn a_receipt_that_does_not_come_is_reminded_of_then_overdue_then_holds() {
    let world = World::new();
    let first = confidential(&world);
    world.fetch(&first).expect("released");
    let second = confidential(&world);
    world.clock.advance(hours(23));
    assert!(due::receipts(&world.gateway).expect("swept").is_empty());
    assert_eq!(owed(&world), [None, Some(Receipt::Awaited)]);
    world.clock.advance(hours(1));
    // CSIRT Alpha has no mail: the log and its inbox remind it.
    assert!(due::receipts(&world.gateway).expect("swept").is_empty());
    due::receipts(&world.gateway).expect("swept");
    assert_eq!(owed(&world), [None, Some(Receipt::Reminded)]);
    assert_eq!(world.count(EventKind::ReceiptReminded), 1);
    // Reminded is not overdue: the next one goes.
    let third = confidential(&world);
    world.fetch(&second).expect("released");
    world.clock.advance(hours(24));
    due::receipts(&world.gateway).expect("swept");
    assert_eq!(world.count(EventKind::ReceiptOverdue), 1);
    assert!(owed(&world).contains(&Some(Receipt::Overdue)));
    let (kind, why) = refusal(world.fetch(&third).map(|_| ()));
    assert_eq!(kind, RefusalKind::NotNow);
    assert!(why.contains("overdue"), "{why}");
    // What it was given it may still fetch and acknowledge: then the rest goes.
    world.fetch(&first).expect("again");
    for row in [&first, &second] {
        receipt::acknowledge(&world.gateway, &row.id, &row.recipient).expect("acknowledged");
    }
    world.fetch(&third).expect("released");
}

#[test]
fn what_needs_no_receipt_is_never_overdue() {
    let world = World::new();
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Restricted),
    );
    world
        .fetch(&world.deliveries(&verdicts)[0])
        .expect("released");
    world.clock.advance(hours(71));
    assert!(due::receipts(&world.gateway).expect("swept").is_empty());
    assert_eq!(world.count(EventKind::ReceiptReminded), 0);
}

#[test]
fn from_confidential_up_it_is_registered_at_both_ends() {
    let world = World::new();
    let row = confidential(&world);
    world.fetch(&row).expect("released");
    assert_eq!(world.count(EventKind::MessageRegistered), 1);
    assert_eq!(world.count(EventKind::ReceiptRegistered), 0);
    receipt::acknowledge(&world.gateway, &row.id, &row.recipient).expect("acknowledged");
    assert_eq!(world.count(EventKind::ReceiptRegistered), 1);
    // Acknowledged again it is still one entry.
    receipt::acknowledge(&world.gateway, &row.id, &row.recipient).expect("the same");
    assert_eq!(world.count(EventKind::ReceiptRegistered), 1);
}

#[test]
fn h1_stands_on_what_is_delivered() {
    let world = World::new();
    let mut submission = message(&["spoc-fra"], Level::Nc);
    submission.purpose = Some(Purpose::LawEnforcement);
    submission.evaluation = "A1".parse().ok();
    if let AssertedLabel::Valid { label, .. } = &mut submission.label {
        label.handling.insert(HandlingCode::H1);
    }
    let verdicts = world.accepted("europol-ec3", Channel::Siena, submission);
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Permit,
        "{verdicts:?}"
    );
    let released = world
        .fetch(&world.deliveries(&verdicts)[0])
        .expect("released");
    let view = released.view(&world.gateway, false).expect("opened");
    assert!(
        view.obligations
            .iter()
            .any(|one| one == "not for use in judicial proceedings"),
        "{:?}",
        view.obligations
    );
}
