//! One message, all the way, and what may stop it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests: what fails fails the test"
)]

use std::time::Duration;

use chancery_audit::{Actor, EventKind, Record};
use chancery_label::{HandlingCode, Level};
use chancery_message::{
    AssertedLabel, Attachment, AttachmentContent, CaseId, Channel, Content, Intent, Text,
};
use chancery_pipeline::desk;
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{Outcome, RefusalKind, Verdict};
use chancery_pipeline::rows::DeliveryState;
use chancery_pipeline::stages::authenticate::by_certificate;
use chancery_pipeline::stages::protection::Over;
use chancery_pipeline::stages::upload::Upload;
use chancery_pipeline::stages::{receipt, release, review};
use chancery_policy::approval::{self, Signed, Vote};
use chancery_route::{World, hybrid, message, peer};

fn kinds(world: &World) -> Vec<EventKind> {
    world
        .gateway
        .ledger
        .leaves(0, 1000)
        .expect("leaves")
        .iter()
        .map(|leaf| Record::parse(&leaf.record).expect("a record").event.kind)
        .collect()
}

fn refusal(outcome: Result<Outcome, StageError>) -> RefusalKind {
    match outcome {
        Ok(Outcome::Refused(refusal)) => refusal.kind,
        Err(StageError::Refused(refusal)) => refusal.kind,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_restricted_report_goes_all_the_way() {
    let world = World::new();
    let mut submission = message(&["csirt-alpha"], Level::Restricted);
    submission.attachments.push(Attachment {
        name: Text::new("indicators.csv"),
        media_type: "text/csv".to_owned(),
        label: AssertedLabel::Absent,
        content: AttachmentContent::Inline(Content::new(vec![b'x'; 200_000])),
    });
    let verdicts = world.accepted("cert-eu", Channel::Rest, submission);
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Permit,
        "{verdicts:?}"
    );

    let csirt = by_certificate(
        &world.gateway.rules(),
        &peer("csirt-alpha", Channel::Rest),
        world.gateway.now(),
    )
    .expect("registered");
    let Outcome::Inbox(entries) = desk::inbox(
        &world.gateway,
        &csirt,
        &peer("csirt-alpha", Channel::Rest),
        None,
        10,
    )
    .expect("inbox") else {
        panic!("no inbox");
    };
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].subject.expose(), "Fictitious subject");
    assert_eq!(entries[0].marking, "RESTREINT UE/EU RESTRICTED");

    let by = Actor::Participant(csirt.id.clone());
    let released = release::release(
        &world.gateway,
        &entries[0].delivery,
        &csirt.id,
        &by,
        Over::Session(&hybrid()),
    )
    .expect("released");
    let view = released.view(&world.gateway, false).expect("opened");
    assert_eq!(view.body.expose(), "Fictitious text.\n");
    assert_eq!(view.from.id.as_str(), "cert-eu");
    let (body, _, size) = released.attachment(&world.gateway, 0).expect("attachment");
    let mut got = Vec::new();
    released
        .stream(&world.gateway, &body, &mut |chunk| {
            got.extend_from_slice(chunk.expose());
            true
        })
        .expect("stream");
    assert_eq!((got.len(), size), (200_000, 200_000));

    let at = receipt::acknowledge(&world.gateway, &entries[0].delivery, &csirt.id)
        .expect("acknowledged");
    assert_eq!(
        receipt::acknowledge(&world.gateway, &entries[0].delivery, &csirt.id).expect("again"),
        at
    );
    let cert = by_certificate(
        &world.gateway.rules(),
        &peer("cert-eu", Channel::Rest),
        world.gateway.now(),
    )
    .expect("registered");
    let status = desk::status(
        &world.gateway,
        &cert,
        &verdicts.message.expect("id").to_string(),
    )
    .expect("status");
    assert_eq!(status.recipients[0].state, DeliveryState::Completed);
    for kind in [
        EventKind::MessageReceived,
        EventKind::MessageParsed,
        EventKind::OriginatorAuthenticated,
        EventKind::LabelAssigned,
        EventKind::MessageSealed,
        EventKind::MessageRegistered,
        EventKind::ReleasePermitted,
        EventKind::InboxListed,
        EventKind::ReleaseOpened,
        EventKind::ReleaseCompleted,
    ] {
        assert!(kinds(&world).contains(&kind), "{kind}");
    }
}

#[test]
fn nothing_of_the_sender_stands_in_the_database() {
    let world = World::new();
    let mut submission = message(&["csirt-alpha"], Level::Restricted);
    submission.subject = Text::new("CANARY-SUBJECT-7261");
    submission.body = Text::new("CANARY-BODY-7262");
    submission.reference = Some(Text::new("CANARY-REFERENCE-7263"));
    submission.attachments.push(Attachment {
        name: Text::new("CANARY-NAME-7264"),
        media_type: "text/plain".to_owned(),
        label: AssertedLabel::Absent,
        content: AttachmentContent::Inline(Content::new(b"CANARY-ATTACHMENT-7265".to_vec())),
    });
    world.accepted("cert-eu", Channel::Rest, submission);
    let folder = world.database.parent().expect("a folder");
    for entry in std::fs::read_dir(folder).expect("folder") {
        let bytes = std::fs::read(entry.expect("entry").path()).expect("file");
        assert!(!bytes.windows(7).any(|window| window == b"CANARY-"));
    }
}

#[test]
fn somebody_else_gets_nothing_and_learns_nothing() {
    let world = World::new();
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Restricted),
    );
    let id = verdicts.message.expect("id");
    let delivery = world.gateway.ledger.deliveries_of(&id).expect("deliveries")[0].id;
    let vendor = by_certificate(
        &world.gateway.rules(),
        &peer("vendor-sentinel", Channel::Rest),
        world.gateway.now(),
    )
    .expect("registered");
    let by = Actor::Participant(vendor.id.clone());
    let other = "0193e5a0-0000-7000-8000-000000000000".parse().expect("id");
    for asked in [delivery, other] {
        match release::release(
            &world.gateway,
            &asked,
            &vendor.id,
            &by,
            Over::Session(&hybrid()),
        ) {
            Err(StageError::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::NotFound),
            other => panic!("{other:?}"),
        }
    }
    assert!(desk::status(&world.gateway, &vendor, &id.to_string()).is_err());
    // Another company does not exist for it.
    assert_eq!(
        refusal(world.submit(
            "vendor-sentinel",
            Channel::Rest,
            message(&["vendor-bastion"], Level::Nc)
        )),
        refusal(world.submit(
            "vendor-sentinel",
            Channel::Rest,
            message(&["nobody-at-all"], Level::Nc)
        )),
    );
}

#[test]
fn bad_submissions_are_refused_and_recorded_once() {
    let world = World::new();
    let before = kinds(&world).len();
    let unknown = world.submit(
        "stranger",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Nc),
    );
    assert_eq!(refusal(unknown), RefusalKind::UnknownSender);
    assert_eq!(kinds(&world).len(), before + 1);
    let mut unlabelled = message(&["csirt-alpha"], Level::Nc);
    unlabelled.label = AssertedLabel::Absent;
    assert_eq!(
        refusal(world.submit("cert-eu", Channel::Rest, unlabelled)),
        RefusalKind::NoLabel
    );
    assert_eq!(
        refusal(world.submit("cert-eu", Channel::Rest, message(&["nobody"], Level::Nc))),
        RefusalKind::UnknownRecipient
    );
    assert_eq!(
        refusal(world.submit(
            "cert-eu",
            Channel::Rest,
            message(&["csirt-alpha"], Level::TopSecret)
        )),
        RefusalKind::LabelAboveChannel
    );
    assert_eq!(kinds(&world).len(), before + 4);
}

#[test]
fn the_same_request_is_one_message() {
    let world = World::new();
    let send = |text: &str| {
        let mut submission = message(&["csirt-alpha"], Level::Nc);
        submission.body = Text::new(text);
        world.submit_keyed("cert-eu", Channel::Rest, submission, Some("key-1"))
    };
    let (first, second) = (send("one").expect("first"), send("one").expect("second"));
    match (first, second) {
        (Outcome::Accepted(first), Outcome::Accepted(second)) => {
            assert_eq!(first.message, second.message);
            assert!(second.repeated && !first.repeated);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refusal(send("two")), RefusalKind::KeyReused);
}

#[test]
fn a_higher_marking_in_the_text_waits_for_officers() {
    let world = World::new();
    let mut submission = message(&["csirt-alpha"], Level::Restricted);
    submission.body = Text::new("CONFIDENTIEL UE/EU CONFIDENTIAL\n\nFictitious.\n");
    let verdicts = world.accepted("cert-eu", Channel::Rest, submission);
    assert_eq!(verdicts.label.level, Level::Confidential);
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Review,
        "{verdicts:?}"
    );
}

fn sign(world: &World, officer: &str, case: &review::CaseCard, vote: Vote, nonce: u8) -> Signed {
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&case.digest[2 * place..2 * place + 2], 16).expect("hex");
    }
    approval::Record {
        node: "test".to_owned(),
        operation: chancery_policy::review::OPERATION.to_owned(),
        digest,
        vote,
        nonce: [nonce; 16],
        not_after: world.gateway.now().after(Duration::from_secs(600)),
    }
    .sign(officer.parse().expect("id"), &world.officers[officer])
    .expect("signed")
}

#[test]
fn an_officer_releases_what_a_human_must_read() {
    let world = World::new();
    let mut submission = message(&["csirt-alpha"], Level::Nc);
    if let AssertedLabel::Valid { label, .. } = &mut submission.label {
        label.handling.insert(HandlingCode::H3);
    }
    submission.purpose = Some(chancery_message::Purpose::LawEnforcement);
    let verdicts = world.accepted("cert-eu", Channel::Rest, submission);
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Review,
        "{verdicts:?}"
    );
    let cases = review::list(&world.gateway, 10).expect("cases");
    assert_eq!(cases.len(), 1);
    let id: CaseId = cases[0].case.parse().expect("id");

    // The sender's own officer does not judge.
    let own = sign(&world, "anna", &cases[0], Vote::Approve, 1);
    assert!(review::vote(&world.gateway, &id, &own).is_err());
    let card = review::vote(
        &world.gateway,
        &id,
        &sign(&world, "bruno", &cases[0], Vote::Approve, 2),
    )
    .expect("vote");
    assert_eq!(card.state, "approved");
    // Used once.
    assert!(
        review::vote(
            &world.gateway,
            &id,
            &sign(&world, "bruno", &cases[0], Vote::Approve, 2)
        )
        .is_err()
    );

    let csirt = by_certificate(
        &world.gateway.rules(),
        &peer("csirt-alpha", Channel::Rest),
        world.gateway.now(),
    )
    .expect("registered");
    let delivery = world
        .gateway
        .ledger
        .deliveries_of(&verdicts.message.expect("id"))
        .expect("deliveries")[0]
        .id;
    let by = Actor::Participant(csirt.id.clone());
    release::release(
        &world.gateway,
        &delivery,
        &csirt.id,
        &by,
        Over::Session(&hybrid()),
    )
    .expect("released after review");
}

#[test]
fn a_refusal_wins() {
    let world = World::new();
    let mut submission = message(&["csirt-alpha"], Level::Restricted);
    submission.body = Text::new("CONFIDENTIEL UE/EU CONFIDENTIAL\n\nFictitious.\n");
    let verdicts = world.accepted("cert-eu", Channel::Rest, submission);
    let cases = review::list(&world.gateway, 10).expect("cases");
    let id: CaseId = cases[0].case.parse().expect("id");
    let first = review::vote(
        &world.gateway,
        &id,
        &sign(&world, "bruno", &cases[0], Vote::Approve, 1),
    )
    .expect("vote");
    assert_eq!(first.state, "open", "two officers from C-UE up");
    let second = review::vote(
        &world.gateway,
        &id,
        &sign(&world, "clara", &cases[0], Vote::Refuse, 2),
    )
    .expect("vote");
    assert_eq!(second.state, "refused");
    let row = &world
        .gateway
        .ledger
        .deliveries_of(&verdicts.message.expect("id"))
        .expect("deliveries")[0];
    assert_eq!(row.state, DeliveryState::Refused);
}

#[test]
fn a_suspended_recipient_gets_nothing_that_waits() {
    let world = World::new();
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Restricted),
    );
    let id = verdicts.message.expect("id");
    let row = world.gateway.ledger.deliveries_of(&id).expect("deliveries")[0].clone();
    let mut officers = world.officers.clone();
    let epoch = world.gateway.ledger.epoch().expect("epoch");
    world.gateway.replace_rules(chancery_route::rules(
        epoch,
        &mut officers,
        |participants| {
            for participant in participants {
                if participant.id.as_str() == "csirt-alpha" {
                    participant.suspended = true;
                }
            }
        },
    ));
    let by = Actor::Participant(row.recipient.clone());
    match release::release(
        &world.gateway,
        &row.id,
        &row.recipient,
        &by,
        Over::Session(&hybrid()),
    ) {
        Err(StageError::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::Denied),
        other => panic!("{other:?}"),
    }
    let after = &world.gateway.ledger.deliveries_of(&id).expect("deliveries")[0];
    assert_eq!(after.state, DeliveryState::Refused);
}

#[test]
fn what_is_withdrawn_is_not_delivered() {
    let world = World::new();
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Restricted),
    );
    let id = verdicts.message.expect("id");
    let cert = by_certificate(
        &world.gateway.rules(),
        &peer("cert-eu", Channel::Rest),
        world.gateway.now(),
    )
    .expect("registered");
    let status = desk::withdraw(&world.gateway, &cert, &id.to_string()).expect("withdrawn");
    assert_eq!(status.recipients[0].state, DeliveryState::Withdrawn);
    let row = world.gateway.ledger.deliveries_of(&id).expect("deliveries")[0].clone();
    let by = Actor::Participant(row.recipient.clone());
    assert!(
        release::release(
            &world.gateway,
            &row.id,
            &row.recipient,
            &by,
            Over::Session(&hybrid())
        )
        .is_err()
    );
}

#[test]
fn passing_on_restricted_text_as_unclassified_is_refused() {
    let world = World::new();
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Restricted),
    );
    let row = world
        .gateway
        .ledger
        .deliveries_of(&verdicts.message.expect("id"))
        .expect("deliveries")[0]
        .clone();
    let by = Actor::Participant(row.recipient.clone());
    release::release(
        &world.gateway,
        &row.id,
        &row.recipient,
        &by,
        Over::Session(&hybrid()),
    )
    .expect("released");
    let mut forward = message(&["cert-eu"], Level::Nc);
    forward.intent = Intent::Forward {
        of: row.id.to_string(),
    };
    let verdicts = world.accepted("csirt-alpha", Channel::Rest, forward);
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Deny,
        "{verdicts:?}"
    );
    assert_eq!(
        verdicts.label.level,
        Level::Restricted,
        "a label never falls"
    );
}

#[test]
fn an_upload_is_its_owners_alone() {
    let world = World::new();
    let cert = by_certificate(
        &world.gateway.rules(),
        &peer("cert-eu", Channel::Rest),
        world.gateway.now(),
    )
    .expect("registered");
    let mut upload = Upload::begin(&world.gateway, &cert.id, None).expect("begun");
    for _ in 0..40 {
        upload.push(&[7; 65_536]).expect("pushed");
    }
    let Outcome::Uploaded { id, size, .. } = upload
        .finish(&peer("cert-eu", Channel::Rest))
        .expect("finished")
    else {
        panic!("not uploaded");
    };
    assert_eq!(size, 40 * 65_536);
    let with = |sender: &str| {
        let mut submission = message(&["cert-eu"], Level::Restricted);
        if sender == "cert-eu" {
            submission = message(&["csirt-alpha"], Level::Restricted);
        }
        submission.attachments.push(Attachment {
            name: Text::new("image.bin"),
            media_type: "application/octet-stream".to_owned(),
            label: AssertedLabel::Absent,
            content: AttachmentContent::Uploaded(id.clone()),
        });
        world.submit(sender, Channel::Rest, submission)
    };
    assert_eq!(refusal(with("csirt-alpha")), RefusalKind::Invalid);
    assert!(matches!(with("cert-eu"), Ok(Outcome::Accepted(_))));
    assert_eq!(refusal(with("cert-eu")), RefusalKind::Invalid, "used once");
}

#[test]
fn a_check_says_what_would_help_and_sends_nothing() {
    let world = World::new();
    let mut submission = message(&["eeas-intcen"], Level::Restricted);
    submission.personal_data = Some(true);
    submission.purpose = Some(chancery_message::Purpose::Diplomacy);
    submission.intent = Intent::Check;
    let Ok(Outcome::Checked(verdicts)) = world.submit("cert-eu", Channel::Rest, submission) else {
        panic!("not checked");
    };
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Deny,
        "{verdicts:?}"
    );
    assert_eq!(kinds(&world), [EventKind::ReleaseChecked]);
}
