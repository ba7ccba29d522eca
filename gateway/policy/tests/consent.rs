//! Consent: granted, refused, forged, mismatched, late, replayed, on paper, by silence.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

mod world;

use std::time::Duration;

use chancery_label::Level;
use chancery_message::{MessageId, Timestamp};
use chancery_policy::approval::{self, Expected, Verified, Vote};
use chancery_policy::consent::{self, Answer, ConsentError, Entry, Request, Source};
use chancery_policy::directory::Role;
use chancery_policy::facts::Consent;
use world::{World, id, officer, world};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn request(world: &World, level: Level) -> Request {
    Request {
        message: MessageId::from_bytes([9; 16]),
        recipient: id("cert-eu"),
        originator: id("europol-ec3"),
        level,
        nonce: [5; 16],
        asked_at: world.now,
        answer_by: world.now.after(HOUR * 48),
    }
}

fn answer(request: &Request, vote: Vote) -> Answer {
    Answer {
        message: request.message,
        recipient: request.recipient.clone(),
        nonce: request.nonce,
        vote,
    }
}

fn fact(register: &[Entry], at: Timestamp) -> Consent {
    consent::fact(register, MessageId::from_bytes([9; 16]), &id("cert-eu"), at)
}

#[test]
fn an_answer_counts_for_its_message_recipient_and_time() {
    let world = world();
    let request = request(&world, Level::Restricted);
    let later = world.now.after(HOUR);
    let take = |vote| {
        request
            .take(&answer(&request, vote), &id("europol-ec3"), &[], later)
            .unwrap()
    };
    let granted = take(Vote::Approve);
    assert_eq!(fact(&[], later), Consent::NotApplicable);
    assert_eq!(
        fact(std::slice::from_ref(&granted), later),
        Consent::Granted
    );
    assert_eq!(fact(&[take(Vote::Refuse)], later), Consent::Refused);
    // Not before it was given, not for another recipient, not for another message.
    assert_eq!(
        fact(std::slice::from_ref(&granted), world.now),
        Consent::NotApplicable
    );
    let register = [granted.clone()];
    let other = consent::fact(&register, granted.message, &id("eeas-intcen"), later);
    assert_eq!(other, Consent::NotApplicable);
    let other = consent::fact(
        &register,
        MessageId::from_bytes([1; 16]),
        &id("cert-eu"),
        later,
    );
    assert_eq!(other, Consent::NotApplicable);
    // A later refusal takes it back; of one moment the refusal wins.
    let refused = Entry {
        vote: Vote::Refuse,
        ..granted.clone()
    };
    assert_eq!(
        fact(&[refused.clone(), granted.clone()], later),
        Consent::Refused
    );
    let ended = Entry {
        until: Some(later),
        ..granted
    };
    assert_eq!(fact(std::slice::from_ref(&ended), later), Consent::Granted);
    assert_eq!(
        fact(&[ended], later.after(Duration::from_micros(1))),
        Consent::NotApplicable
    );
}

#[test]
fn forged_mismatched_late_and_replayed_answers_are_refused() {
    let world = world();
    let request = request(&world, Level::Restricted);
    let good = answer(&request, Vote::Approve);
    let later = world.now.after(HOUR);
    let originator = id("europol-ec3");
    let refused = |answer: &Answer, by: &str, register: &[Entry], at| {
        request.take(answer, &id(by), register, at).unwrap_err()
    };
    assert_eq!(
        refused(&good, "cert-eu", &[], later),
        ConsentError::NotTheOriginator
    );
    for wrong in [
        Answer {
            nonce: [6; 16],
            ..good.clone()
        },
        Answer {
            recipient: id("eeas-intcen"),
            ..good.clone()
        },
        Answer {
            message: MessageId::from_bytes([1; 16]),
            ..good.clone()
        },
    ] {
        assert_eq!(
            refused(&wrong, "europol-ec3", &[], later),
            ConsentError::Mismatch
        );
    }
    let last = request.answer_by;
    assert!(request.take(&good, &originator, &[], last).is_ok());
    let after = last.after(Duration::from_micros(1));
    assert_eq!(
        refused(&good, "europol-ec3", &[], after),
        ConsentError::Late
    );
    let taken = request.take(&good, &originator, &[], later).unwrap();
    assert_eq!(
        refused(&good, "europol-ec3", &[taken], later),
        ConsentError::Replayed
    );
}

#[test]
fn what_is_asked_has_a_digest_of_its_own() {
    let world = world();
    let request = request(&world, Level::Restricted);
    let mut other = request.clone();
    other.answer_by = other.answer_by.after(HOUR);
    assert_ne!(request.digest(), other.digest());
    other = request.clone();
    other.recipient = id("eeas-intcen");
    assert_ne!(request.digest(), other.digest());
}

#[test]
fn silence_counts_where_an_mou_says_so_for_unclassified_alone() {
    let world = world();
    let mut mou = world
        .register
        .mous()
        .iter()
        .find(|mou| mou.id.as_str() == "mou-civ-le")
        .unwrap()
        .clone();
    let open = request(&world, Level::Nc);
    let at = |hours| world.now.after(HOUR * hours);
    assert_eq!(
        open.silence(&mou, &[], at(100)).unwrap_err(),
        ConsentError::SilenceDoesNotCount
    );
    mou.silence_hours = Some(24);
    assert_eq!(
        open.silence(&mou, &[], at(23)).unwrap_err(),
        ConsentError::TooEarly
    );
    let entry = open.silence(&mou, &[], at(24)).unwrap();
    assert_eq!(
        entry.source,
        Source::Silence {
            mou: mou.id.clone()
        }
    );
    assert_eq!(fact(&[entry], at(24)), Consent::Granted);
    let classified = request(&world, Level::Restricted);
    assert_eq!(
        classified.silence(&mou, &[], at(100)).unwrap_err(),
        ConsentError::SilenceDoesNotCount
    );
    let objection = open
        .take(&answer(&open, Vote::Refuse), &id("europol-ec3"), &[], at(1))
        .unwrap();
    assert_eq!(
        open.silence(&mou, &[objection], at(100)).unwrap_err(),
        ConsentError::SilenceDoesNotCount
    );
}

fn recorded(world: &World, name: &str, vote: Vote, reference: &str) -> Verified {
    let digest = consent::paper_digest(
        MessageId::from_bytes([9; 16]),
        &id("cert-eu"),
        vote,
        reference,
    );
    let expected = Expected {
        node: world::NODE,
        operation: consent::RECORD,
        digest,
        roles: &[Role::Release, Role::Registry],
        given_at: world.now,
    };
    let signed = world.sign(name, consent::RECORD, digest, Vote::Approve);
    approval::verify(&signed, &expected, &world.directory.at(world.now)).unwrap()
}

#[test]
fn two_officers_record_a_paper_with_its_reference() {
    let world = world();
    let record = |names: &[&str], signed: Vote, vote: Vote, reference: &str| {
        let approvals: Vec<_> = names
            .iter()
            .map(|name| recorded(&world, name, signed, "ST 1/26"))
            .collect();
        let message = MessageId::from_bytes([9; 16]);
        consent::record(
            message,
            &id("cert-eu"),
            vote,
            reference,
            &approvals,
            world.now,
        )
    };
    use Vote::{Approve, Refuse};
    let entry = record(&["greta", "anna"], Approve, Approve, "ST 1/26").unwrap();
    assert_eq!(
        fact(std::slice::from_ref(&entry), world.now),
        Consent::Granted
    );
    let Source::Paper { officers, .. } = entry.source else {
        panic!("recorded from paper");
    };
    assert_eq!(officers, [officer("anna"), officer("greta")]);
    assert_eq!(
        record(&["anna"], Approve, Approve, "ST 1/26"),
        Err(ConsentError::TooFew)
    );
    assert_eq!(
        record(&["anna", "anna"], Approve, Approve, "ST 1/26"),
        Err(ConsentError::TooFew)
    );
    // What narrows needs one.
    assert!(record(&["anna"], Refuse, Refuse, "ST 1/26").is_ok());
    // Signed for a refusal, or for another paper.
    assert_eq!(
        record(&["greta", "anna"], Refuse, Approve, "ST 1/26"),
        Err(ConsentError::TooFew)
    );
    assert_eq!(
        record(&["greta", "anna"], Approve, Approve, "ST 2/26"),
        Err(ConsentError::TooFew)
    );
    assert_eq!(
        record(&["greta", "anna"], Approve, Approve, " "),
        Err(ConsentError::NoReference)
    );
}
