//! The originator's consent, as a protocol: parked, asked, answered, bound.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests: what fails fails the test"
)]

use std::time::Duration;

use chancery_audit::EventKind;
use chancery_label::Level;
use chancery_message::{AssertedLabel, CaseId, Channel, Intent, Purpose, Submission};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{ConsentCard, Outcome, RefusalKind, Verdict};
use chancery_pipeline::rows::{DeliveryRow, DeliveryState};
use chancery_pipeline::stages::{consent, review};
use chancery_policy::approval::Vote;
use chancery_policy::consent as register;
use chancery_route::{World, message, refusal};

/// CERT-EU's information, passed on by CSIRT Alpha to Europol, whom CERT-EU
/// did not name: the delivery that waits.
fn passed_on(world: &World, level: Level) -> DeliveryRow {
    let mut original = message(&["csirt-alpha"], level);
    original.purpose = Some(Purpose::CyberCrisis);
    let first = world.accepted("cert-eu", Channel::Rest, original);
    let row = world.deliveries(&first)[0].clone();
    world.fetch(&row).expect("released");
    let mut forward = message(&["europol-ec3"], level);
    forward.intent = Intent::Forward {
        of: row.id.to_string(),
    };
    let verdicts = world.accepted("csirt-alpha", Channel::Rest, forward);
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Review,
        "{verdicts:?}"
    );
    world.deliveries(&verdicts)[0].clone()
}

fn asked(world: &World) -> ConsentCard {
    let mut all =
        consent::pending(&world.gateway, &"cert-eu".parse().expect("id")).expect("requests");
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn state(world: &World, row: &DeliveryRow) -> DeliveryRow {
    world
        .gateway
        .ledger
        .delivery(&row.id)
        .expect("ledger")
        .expect("there")
}

#[test]
fn consent_that_is_granted_lets_this_release_go_and_no_other() {
    let world = World::new();
    let row = passed_on(&world, Level::Restricted);
    assert_eq!(row.state, DeliveryState::Held);
    assert_eq!(world.count(EventKind::ConsentRequested), 1);
    let card = asked(&world);
    assert_eq!(
        (card.message, &card.recipient),
        (row.message, &row.recipient)
    );
    // Nobody else is shown it.
    for other in ["csirt-alpha", "europol-ec3", "vendor-sentinel"] {
        let shown = consent::pending(&world.gateway, &other.parse().expect("id"));
        assert!(shown.expect("list").is_empty(), "{other}");
    }
    let originator = world.sender("cert-eu");
    consent::answer(
        &world.gateway,
        &originator,
        &card.request,
        Vote::Approve,
        None,
    )
    .expect("recorded");
    assert_eq!(world.count(EventKind::ConsentGranted), 1);
    let now = state(&world, &row);
    assert_eq!(now.state, DeliveryState::Queued);
    world.fetch(&now).expect("released with consent");
    // The same information to the same recipient, passed on again, asks again.
    let again = passed_on(&world, Level::Restricted);
    assert_eq!(again.state, DeliveryState::Held);
    assert!(world.fetch(&again).is_err());
}

#[test]
fn consent_that_is_refused_ends_the_release() {
    let world = World::new();
    let row = passed_on(&world, Level::Restricted);
    let card = asked(&world);
    let originator = world.sender("cert-eu");
    consent::answer(
        &world.gateway,
        &originator,
        &card.request,
        Vote::Refuse,
        None,
    )
    .expect("recorded");
    let now = state(&world, &row);
    assert_eq!(now.state, DeliveryState::Refused);
    assert!(world.fetch(&now).is_err());
    assert_eq!(world.count(EventKind::ConsentRefused), 1);
    // The passer-on hears that, and no more.
    let holder = world.sender("csirt-alpha");
    let status = chancery_pipeline::desk::status(&world.gateway, &holder, &row.message.to_string())
        .expect("its own");
    assert_eq!(
        status.recipients[0].reason,
        "the originator does not consent"
    );
}

#[test]
fn a_forged_answer_is_refused_and_recorded() {
    let world = World::new();
    let row = passed_on(&world, Level::Restricted);
    let card = asked(&world);
    // Those who would like it, and a stranger to it.
    for (round, other) in ["csirt-alpha", "europol-ec3", "vendor-sentinel"]
        .iter()
        .enumerate()
    {
        let by = world.sender(other);
        let done = consent::answer(&world.gateway, &by, &card.request, Vote::Approve, None);
        let known = refusal(done);
        assert_eq!(known.0, RefusalKind::NotFound);
        // The same words as for a request that does not exist.
        let none = "ab".repeat(32);
        let unknown = refusal(consent::answer(
            &world.gateway,
            &by,
            &none,
            Vote::Approve,
            None,
        ));
        assert_eq!(known, unknown);
        assert_eq!(world.count(EventKind::ConsentRejected), 2 * (round + 1));
    }
    assert_eq!(state(&world, &row).state, DeliveryState::Held);
    assert!(world.fetch(&row).is_err());
}

#[test]
fn an_answer_fits_its_own_request_alone() {
    let world = World::new();
    let row = passed_on(&world, Level::Restricted);
    let card = asked(&world);
    let by = world.sender("cert-eu");
    let mut other = card.request.clone();
    let last = if other.ends_with('0') { "1" } else { "0" };
    other.replace_range(63.., last);
    let done = consent::answer(&world.gateway, &by, &other, Vote::Approve, None);
    assert_eq!(refusal(done).0, RefusalKind::NotFound);
    assert_eq!(world.count(EventKind::ConsentRejected), 1);
    assert_eq!(state(&world, &row).state, DeliveryState::Held);
}

#[test]
fn an_answer_counts_once() {
    let world = World::new();
    let row = passed_on(&world, Level::Restricted);
    let card = asked(&world);
    let by = world.sender("cert-eu");
    consent::answer(&world.gateway, &by, &card.request, Vote::Refuse, None).expect("recorded");
    let again = consent::answer(&world.gateway, &by, &card.request, Vote::Approve, None);
    assert_eq!(refusal(again).0, RefusalKind::Replayed);
    assert_eq!(world.count(EventKind::ConsentRejected), 1);
    assert_eq!(state(&world, &row).state, DeliveryState::Refused);
}

#[test]
fn an_answer_that_comes_late_counts_no_more() {
    let world = World::new();
    let row = passed_on(&world, Level::Restricted);
    let card = asked(&world);
    world.clock.advance(Duration::from_secs(72 * 3600 + 1));
    let by = world.sender("cert-eu");
    let done = consent::answer(&world.gateway, &by, &card.request, Vote::Approve, None);
    assert_eq!(refusal(done).0, RefusalKind::NotNow);
    assert_eq!(world.count(EventKind::ConsentRejected), 1);
    assert_eq!(state(&world, &row).state, DeliveryState::Held);
    assert!(world.fetch(&row).is_err());
}

#[test]
fn votes_do_not_take_the_originators_place() {
    let world = World::new();
    let row = passed_on(&world, Level::Restricted);
    let case = review::list(&world.gateway, 10).expect("cases").remove(0);
    assert_eq!(case.closes_by, "the originator's consent");
    let id: CaseId = case.case.parse().expect("id");
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&case.digest[2 * place..2 * place + 2], 16).expect("hex");
    }
    let vote = world.sign("bruno", "review.vote", digest, Vote::Approve);
    assert_eq!(
        refusal(review::vote(&world.gateway, &id, &vote)).0,
        RefusalKind::NotNow
    );
    assert_eq!(state(&world, &row).state, DeliveryState::Held);
}

#[test]
fn two_officers_record_what_came_on_paper() {
    let world = World::new();
    let row = passed_on(&world, Level::Restricted);
    let case = review::list(&world.gateway, 10).expect("cases").remove(0);
    let id: CaseId = case.case.parse().expect("id");
    let reference = "CERT-EU letter 2026/117";
    let digest = register::paper_digest(row.message, &row.recipient, Vote::Approve, reference);
    let paper = |officer: &str| {
        let signed = world.sign(officer, register::RECORD, digest, Vote::Approve);
        consent::paper(&world.gateway, &id, true, reference, &signed)
    };
    assert!(!paper("bruno").expect("kept").recorded);
    assert!(!paper("bruno").expect("kept").recorded, "the same officer");
    assert_eq!(state(&world, &row).state, DeliveryState::Held);
    // An auditor is not of the registry.
    assert_eq!(refusal(paper("farid")).0, RefusalKind::Denied);
    assert!(paper("clara").expect("recorded").recorded);
    let now = state(&world, &row);
    assert_eq!(now.state, DeliveryState::Queued);
    world.fetch(&now).expect("released with consent on paper");
}

fn by_silence(level: Level) -> (World, DeliveryRow) {
    let world = World::new();
    let epoch = world.gateway.rules().epoch();
    let mut officers = world.officers.clone();
    let rules = chancery_route::rules_with(epoch, &mut officers, |mous| {
        for mou in mous {
            mou.silence_hours = Some(24);
        }
    });
    world.gateway.replace_rules(rules);
    let row = if level == Level::Nc {
        // A handling code: for law enforcement alone, else with consent.
        let mut submission = message(&["europol-ec3"], level);
        with_code(&mut submission);
        let verdicts = world.accepted("cert-eu", Channel::Rest, submission);
        assert_eq!(
            verdicts.recipients[0].verdict,
            Verdict::Review,
            "{verdicts:?}"
        );
        world.deliveries(&verdicts)[0].clone()
    } else {
        passed_on(&world, level)
    };
    (world, row)
}

fn with_code(submission: &mut Submission) {
    if let AssertedLabel::Valid { label, .. } = &mut submission.label {
        label.handling.insert(chancery_label::HandlingCode::H0);
    }
}

#[test]
fn silence_counts_for_unclassified_information_alone() {
    let (world, row) = by_silence(Level::Nc);
    world.clock.advance(Duration::from_secs(23 * 3600));
    assert_eq!(consent::silence(&world.gateway).expect("swept"), 0);
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(consent::silence(&world.gateway).expect("swept"), 1);
    assert_eq!(state(&world, &row).state, DeliveryState::Queued);

    let (world, row) = by_silence(Level::Restricted);
    world.clock.advance(Duration::from_secs(48 * 3600));
    assert_eq!(consent::silence(&world.gateway).expect("swept"), 0);
    assert_eq!(state(&world, &row).state, DeliveryState::Held);
}

/// A signed mail of a participant to the gateway's own mailbox.
fn mailed(world: &World, from: &str, line: &str) -> Result<Outcome, StageError> {
    let rules = world.gateway.rules();
    let sender = world.sender(from);
    let mut submission = message(&["consent@gateway.example"], Level::Nc);
    submission.label = AssertedLabel::Absent;
    submission.claimed_sender = sender.address.clone();
    submission.body = chancery_message::Text::new(format!("{line}\n"));
    submission.signature = chancery_message::SignatureEvidence::Good {
        fingerprint: "A".repeat(40),
        signed_at: world.gateway.now(),
    };
    drop(rules);
    world.submit(from, Channel::Mail, submission)
}

/// INTCEN's information, passed on by Europol to CSIRT Alpha.
fn of_intcen(world: &World) -> (DeliveryRow, ConsentCard) {
    let mut original = message(&["cert-eu"], Level::Restricted);
    original.claimed_sender = world.sender("eeas-intcen").address.clone();
    original.purpose = Some(Purpose::CyberCrisis);
    original.signature = chancery_message::SignatureEvidence::Good {
        fingerprint: "A".repeat(40),
        signed_at: world.gateway.now(),
    };
    let first = world.accepted("eeas-intcen", Channel::Mail, original);
    let row = world.deliveries(&first)[0].clone();
    world.fetch(&row).expect("released");
    let mut forward = message(&["europol-ec3"], Level::Restricted);
    forward.intent = Intent::Forward {
        of: row.id.to_string(),
    };
    let verdicts = world.accepted("cert-eu", Channel::Rest, forward);
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Review,
        "{verdicts:?}"
    );
    let mut due = consent::to_send(&world.gateway).expect("requests");
    assert_eq!(due.len(), 1, "it is asked by mail");
    let (case, card, originator) = due.remove(0);
    assert_eq!(originator.as_str(), "eeas-intcen");
    consent::sent(&world.gateway, &case).expect("noted");
    assert!(
        consent::to_send(&world.gateway)
            .expect("requests")
            .is_empty(),
        "asked once"
    );
    (world.deliveries(&verdicts)[0].clone(), card)
}

#[test]
fn a_signed_mail_answers_the_request_that_was_mailed() {
    let world = World::new();
    let (row, card) = of_intcen(&world);
    // Signed by another participant: not the originator's.
    let line = format!("CONSENT GRANTED {}", card.request);
    let forged = mailed(&world, "eeas-intcen", "CONSENT GRANTED 00");
    assert!(matches!(forged, Ok(Outcome::Refused(_))), "{forged:?}");
    let vague = mailed(&world, "eeas-intcen", "yes, of course");
    assert!(matches!(vague, Ok(Outcome::Refused(_))), "{vague:?}");
    assert_eq!(state(&world, &row).state, DeliveryState::Held);
    let done = mailed(&world, "eeas-intcen", &line).expect("taken");
    assert!(
        matches!(done, Outcome::Consented { granted: true, .. }),
        "{done:?}"
    );
    assert_eq!(state(&world, &row).state, DeliveryState::Queued);
    // The same mail again.
    let again = mailed(&world, "eeas-intcen", &line);
    match again {
        Ok(Outcome::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::Replayed),
        other => panic!("{other:?}"),
    }
}
