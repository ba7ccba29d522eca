//! Who judges a held release: two officers from C-UE up, never the same twice,
//! never the sender's own, and one refusal wins.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests: what fails fails the test"
)]

use chancery_audit::EventKind;
use chancery_label::Level;
use chancery_message::{AssertedLabel, CaseId, Channel, SignatureEvidence, Text};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{Outcome, RefusalKind, Verdict};
use chancery_pipeline::rows::{DeliveryRow, DeliveryState};
use chancery_pipeline::stages::{claim, reading, review};
use chancery_policy::approval::Vote;
use chancery_route::{World, message, refusal};

/// A message marked C-UE in its text and R-UE in its label: held (G05).
fn held(world: &World) -> (DeliveryRow, CaseId, [u8; 32]) {
    let mut submission = message(&["csirt-alpha"], Level::Restricted);
    submission.body = Text::new("CONFIDENTIEL UE/EU CONFIDENTIAL\n\nFictitious.\n");
    let verdicts = world.accepted("cert-eu", Channel::Rest, submission);
    assert_eq!(verdicts.recipients[0].verdict, Verdict::Review);
    let case = review::list(&world.gateway, 10).expect("cases").remove(0);
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&case.digest[2 * place..2 * place + 2], 16).expect("hex");
    }
    let id = case.case.parse().expect("id");
    (world.deliveries(&verdicts)[0].clone(), id, digest)
}

fn now(world: &World, row: &DeliveryRow) -> DeliveryRow {
    world
        .gateway
        .ledger
        .delivery(&row.id)
        .expect("ledger")
        .expect("there")
}

#[test]
fn two_distinct_officers_release_it() {
    let world = World::new();
    let (row, id, digest) = held(&world);
    let vote = |officer: &str| -> Result<review::CaseCard, StageError> {
        let signed = world.sign(officer, "review.vote", digest, Vote::Approve);
        review::vote(&world.gateway, &id, &signed)
    };
    assert_eq!(vote("bruno").expect("first").state, "open");
    assert!(world.fetch(&row).is_err());
    // The same officer again does not make two.
    assert_eq!(refusal(vote("bruno")).0, RefusalKind::NotNow);
    // Nor does the sender's own officer, or one without the role.
    assert_eq!(refusal(vote("anna")).0, RefusalKind::Denied);
    assert_eq!(refusal(vote("farid")).0, RefusalKind::Denied);
    assert_eq!(now(&world, &row).state, DeliveryState::Held);
    assert_eq!(vote("clara").expect("second").state, "approved");
    world.fetch(&now(&world, &row)).expect("released");
    assert_eq!(world.count(EventKind::ReviewVoted), 2);
    assert_eq!(world.count(EventKind::OfficerDenied), 3);
}

#[test]
fn one_refusal_wins_over_an_approval() {
    let world = World::new();
    let (row, id, digest) = held(&world);
    for (officer, vote) in [("bruno", Vote::Approve), ("clara", Vote::Refuse)] {
        let signed = world.sign(officer, "review.vote", digest, vote);
        review::vote(&world.gateway, &id, &signed).expect("vote");
    }
    assert_eq!(now(&world, &row).state, DeliveryState::Refused);
    assert!(world.fetch(&row).is_err());
}

#[test]
fn a_vote_over_another_case_counts_nowhere() {
    let world = World::new();
    let (row, id, mut digest) = held(&world);
    digest[0] ^= 1;
    let signed = world.sign("bruno", "review.vote", digest, Vote::Approve);
    assert_eq!(
        refusal(review::vote(&world.gateway, &id, &signed)).0,
        RefusalKind::Denied
    );
    assert_eq!(now(&world, &row).state, DeliveryState::Held);
}

#[test]
fn officers_read_why_it_is_held_and_what_would_help() {
    let world = World::new();
    let (_, id, _) = held(&world);
    let bruno = "bruno".parse().expect("id");
    let content = reading::show(&world.gateway, &bruno, &id, "to judge it").expect("may read");
    assert!(content.body.contains("Fictitious"));
    let why = content.explanation.expect("of a release");
    assert_eq!(why.verdict, "review");
    assert_eq!(why.gates.len(), 1, "{why:?}");
    assert_eq!(why.gates[0].gate, "G05");
    assert!(!why.gates[0].rules.is_empty(), "its rule, in words");
    assert!(
        why.gates[0]
            .facts
            .iter()
            .any(|fact| fact.starts_with("label_state = ")),
        "the facts that it looked at: {why:?}"
    );
    assert_eq!(why.gates[0].closes, chancery_policy::gate::Closing::Votes);
    assert!(!why.would_help.is_empty(), "{why:?}");
    assert_eq!(world.count(EventKind::ContentRead), 1);
    // The sender's own officer does not, and is recorded as refused by the caller.
    let anna = "anna".parse().expect("id");
    let refused = reading::show(&world.gateway, &anna, &id, "curious");
    assert_eq!(refusal(refused.map(|_| ())).0, RefusalKind::Denied);
    assert_eq!(world.count(EventKind::ContentRead), 1);
}

#[test]
fn a_case_is_taken_up_by_one_and_given_back() {
    let world = World::new();
    let (_, id, _) = held(&world);
    let (bruno, clara) = ("bruno".parse().expect("id"), "clara".parse().expect("id"));
    let card = claim::claim(&world.gateway, &bruno, &id).expect("taken up");
    assert!(card.claimed.expect("claimed").starts_with("bruno until "));
    let others = claim::claim(&world.gateway, &clara, &id).map(|_| ());
    assert_eq!(refusal(others).0, RefusalKind::NotNow);
    claim::unclaim(&world.gateway, &bruno, &id).expect("given back");
    claim::claim(&world.gateway, &clara, &id).expect("taken up");
    // A claim ends by itself.
    world
        .clock
        .advance(std::time::Duration::from_secs(3600 + 1));
    claim::claim(&world.gateway, &bruno, &id).expect("taken up");
    assert_eq!(world.count(EventKind::ReviewClaimed), 4);
}

#[test]
fn mail_of_an_unproven_sender_can_be_read_by_an_officer() {
    let world = World::new();
    let mut submission = message(&["csirt-alpha"], Level::Nc);
    submission.claimed_sender = Some("somebody@elsewhere.example".to_owned());
    submission.signature = SignatureEvidence::Absent;
    submission.label = AssertedLabel::Absent;
    let kept = world
        .submit("nobody", Channel::Mail, submission)
        .expect("kept");
    assert!(matches!(kept, Outcome::Quarantined { .. }), "{kept:?}");
    let case = review::list(&world.gateway, 10).expect("cases").remove(0);
    let greta = "greta".parse().expect("id");
    let id = case.case.parse().expect("id");
    let content = reading::show(&world.gateway, &greta, &id, "quarantine").expect("may read");
    assert_eq!(content.body, "Fictitious text.\n");
    assert!(content.explanation.is_none());
    assert_eq!(world.count(EventKind::ContentRead), 1);
}
