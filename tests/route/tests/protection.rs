//! The cryptography that carries a message must be allowed for its label: when
//! it is sent, when it is listed, when it is fetched, and to the second.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::HashMap;
use std::sync::Arc;

use chancery_audit::{Actor, EventKind, Key};
use chancery_label::Level;
use chancery_message::{
    Attachment, AttachmentContent, Channel, ContentProtection, Inbound, Operation, Parsed,
    PeerEvidence, Submission, Text, Timestamp, TransportEvidence,
};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{Outcome, RefusalKind, Verdict, Verdicts};
use chancery_pipeline::ports::CertificateAlgorithms;
use chancery_pipeline::rows::DeliveryState;
use chancery_pipeline::rules::Rules;
use chancery_pipeline::stages::accept::accept;
use chancery_pipeline::stages::protection::Over;
use chancery_pipeline::stages::release::release;
use chancery_pipeline::stages::upload::Upload;
use chancery_pipeline::{desk, held};
use chancery_policy::PolicyTexts;
use chancery_policy::crypto::{FILE, SHIPPED};
use chancery_policy::derive::Thresholds;
use chancery_policy::engine::Engine;
use chancery_route::{World, message, peer, refusal};

/// The shipped policy, with RESTREINT UE over hybrids alone.
fn restricted_over_hybrids() -> String {
    // What a level may not, those above it may not either.
    ["R-UE", "C-UE"]
        .iter()
        .fold(SHIPPED.to_owned(), |text, level| {
            let head = format!("[level.{level}.tls.groups]");
            let (before, after) = text.split_once(&head).expect("the level");
            let (groups, rest) = after.split_once("\n[").expect("the next table");
            let kept: Vec<&str> = groups
                .lines()
                .filter(|line| !line.starts_with("X25519 ") && !line.starts_with("secp256r1 "))
                .filter(|line| !line.starts_with("secp384r1 "))
                .collect();
            format!("{before}{head}{}\n[{rest}", kept.join("\n"))
        })
}

fn rules(crypto: &str) -> Rules {
    let plain = chancery_route::rules(0, &mut HashMap::new(), |_| {});
    let texts = PolicyTexts::shipped().with(FILE, crypto);
    Rules::new(
        plain.directory().clone(),
        plain.register().clone(),
        Arc::new(Engine::load(&texts).expect("loads")),
        Thresholds::default(),
    )
}

fn world(crypto: &str) -> World {
    let world = World::new();
    world.gateway.replace_rules(rules(crypto));
    world
}

fn over(participant: &str, group: &str) -> PeerEvidence {
    let mut peer = peer(participant, Channel::Rest);
    if let TransportEvidence::MutualTls { group: agreed, .. } = &mut peer.transport {
        group.clone_into(agreed);
    }
    peer
}

fn submit(
    world: &World,
    peer: PeerEvidence,
    submission: Submission,
) -> Result<Outcome, StageError> {
    let held = held::hold(&world.gateway, b"the original bytes").expect("held");
    let inbound = Inbound {
        peer,
        operation: Operation::Send,
        idempotency_key: None,
        envelope_to: Vec::new(),
        envelope_from: None,
    };
    accept(
        &world.gateway,
        &inbound,
        held,
        Parsed::Whole(Box::new(submission)),
    )
}

fn accepted(done: Result<Outcome, StageError>) -> Verdicts {
    match done {
        Ok(Outcome::Accepted(verdicts)) => verdicts,
        other => panic!("not accepted: {other:?}"),
    }
}

fn weak(done: Result<Outcome, StageError>) -> String {
    match done {
        Ok(Outcome::Refused(refusal)) if refusal.kind == RefusalKind::WeakProtection => {
            refusal.detail
        }
        other => panic!("not refused for its protection: {other:?}"),
    }
}

#[test]
fn a_label_that_wants_a_hybrid_is_taken_in_over_a_hybrid_alone() {
    let world = world(&restricted_over_hybrids());
    let restricted = || message(&["cert-eu"], Level::Restricted);
    let said = weak(submit(&world, over("csirt-alpha", "X25519"), restricted()));
    assert!(
        said.contains("`X25519`") && said.contains("R-UE") && said.contains("X25519MLKEM768"),
        "{said}"
    );
    let records = world.records();
    let refused: Vec<_> = records
        .iter()
        .filter(|event| event.kind == EventKind::DoorRefused)
        .collect();
    assert_eq!(refused.len(), 1, "one record");
    let details = &refused[0].details;
    assert_eq!(
        details.get(Key::Group).expect("group").to_string(),
        "X25519"
    );
    assert_eq!(world.count(EventKind::MessageSealed), 0, "nothing else");
    accepted(submit(
        &world,
        over("csirt-alpha", "X25519MLKEM768"),
        restricted(),
    ));
    accepted(submit(
        &world,
        over("csirt-alpha", "X25519"),
        message(&["cert-eu"], Level::Nc),
    ));
}

#[test]
fn what_waits_is_neither_shown_nor_given_over_a_session_that_may_not_carry_it() {
    let world = world(&restricted_over_hybrids());
    let verdicts = accepted(submit(
        &world,
        over("csirt-alpha", "X25519MLKEM768"),
        message(&["cert-eu"], Level::Restricted),
    ));
    let row = &world.deliveries(&verdicts)[0];
    let reader = world.sender("cert-eu");
    let listed = |group: &str| {
        let peer = over("cert-eu", group);
        match desk::inbox(&world.gateway, &reader, &peer, None, 10) {
            Ok(Outcome::Inbox(entries)) => entries[0].subject.expose().to_owned(),
            other => panic!("no listing: {other:?}"),
        }
    };
    let hidden = listed("X25519");
    assert!(
        hidden.starts_with("(not shown: ") && hidden.contains("X25519MLKEM768"),
        "{hidden}"
    );
    assert_eq!(listed("X25519MLKEM768"), "Fictitious subject");

    let fetched = |group: &str| {
        let session = over("cert-eu", group).transport;
        let by = Actor::Participant(row.recipient.clone());
        release(
            &world.gateway,
            &row.id,
            &row.recipient,
            &by,
            Over::Session(&session),
        )
        .map(|_| ())
    };
    let (kind, said) = refusal(fetched("secp384r1"));
    assert_eq!(kind, RefusalKind::WeakProtection);
    assert!(said.contains("use X25519MLKEM768"), "{said}");
    assert_eq!(world.count(EventKind::ReleaseBarred), 1);
    assert_eq!(world.count(EventKind::ReleaseOpened), 0);
    let still = &world.deliveries(&verdicts)[0];
    assert_eq!(
        (still.state, still.version),
        (DeliveryState::Queued, row.version),
        "it waits, unchanged"
    );
    fetched("X25519MLKEM768").expect("given");
    assert_eq!(world.count(EventKind::ReleaseOpened), 1);
    // Nobody fetches what waits in an inbox by another way.
    let (kind, _) = refusal(
        release(
            &world.gateway,
            &row.id,
            &row.recipient,
            &Actor::System,
            Over::Relay,
        )
        .map(|_| ()),
    );
    assert_eq!(kind, RefusalKind::WeakProtection);
}

#[test]
fn the_last_day_of_an_algorithm_holds_to_its_last_second() {
    let world = world(SHIPPED);
    let set = |text: &str| {
        let until = Timestamp::parse(text).expect("a time");
        world.clock.advance(until.since(world.gateway.now()));
    };
    let send = || {
        submit(
            &world,
            over("csirt-alpha", "X25519"),
            message(&["cert-eu"], Level::Nc),
        )
    };
    set("2031-12-31T23:59:59Z");
    accepted(send());
    set("2032-01-01T00:00:00Z");
    let said = weak(send());
    assert!(
        said.contains("was allowed for NC until 2031-12-31"),
        "{said}"
    );
}

#[test]
fn an_upload_counts_by_the_session_that_it_came_over() {
    let world = world(&restricted_over_hybrids());
    let owner = world.sender("csirt-alpha");
    let upload = |group: &str| {
        let mut upload = Upload::begin(&world.gateway, &owner.id, None).expect("begun");
        upload.push(b"bytes").expect("pushed");
        match upload.finish(&over("csirt-alpha", group)).expect("whole") {
            Outcome::Uploaded { id, .. } => id,
            other => panic!("{other:?}"),
        }
    };
    let with = |id: String| {
        let mut submission = message(&["cert-eu"], Level::Restricted);
        submission.attachments.push(Attachment {
            name: Text::new("a.bin"),
            media_type: "application/octet-stream".to_owned(),
            content: AttachmentContent::Uploaded(id),
            label: chancery_message::AssertedLabel::Absent,
        });
        submit(&world, over("csirt-alpha", "X25519MLKEM768"), submission)
    };
    let said = weak(with(upload("X25519")));
    assert!(said.contains("upload it again"), "{said}");
    accepted(with(upload("X25519MLKEM768")));
}

/// Reads the certificate's text as the name of its key.
#[derive(Debug)]
struct Named;

impl CertificateAlgorithms for Named {
    fn algorithms(&self, certificate: &[u8], _: Timestamp) -> Option<ContentProtection> {
        Some(ContentProtection {
            encryption: vec![String::from_utf8(certificate.to_vec()).ok()?],
            signing: vec!["p256".to_owned()],
            symmetric: Some("aes256".to_owned()),
            hash: Some("sha256".to_owned()),
        })
    }
}

#[test]
fn mail_goes_only_to_certificates_that_are_allowed_for_its_label() {
    for (key, level, verdict) in [
        ("cv25519", Level::Restricted, Verdict::Permit),
        ("rsa3072", Level::Restricted, Verdict::Permit),
        ("rsa2048", Level::Restricted, Verdict::Deny),
        ("dsa2048", Level::Restricted, Verdict::Deny),
        ("mlkem768-x25519", Level::Restricted, Verdict::Permit),
    ] {
        let world = World::new();
        let plain = chancery_route::rules(0, &mut HashMap::new(), |people| {
            for one in people {
                if let Some(mail) = &mut one.mail {
                    mail.openpgp_certificate = Some(key.to_owned());
                }
            }
        });
        world
            .gateway
            .replace_rules(plain.with_certificates(Arc::new(Named)));
        let mut to_mail = message(&["eeas-intcen"], level);
        to_mail.purpose = Some(chancery_message::Purpose::CyberCrisis);
        let verdicts = accepted(submit(&world, over("cert-eu", "X25519MLKEM768"), to_mail));
        let one = &verdicts.recipients[0];
        assert_eq!(one.verdict, verdict, "{key}: {}", one.reason);
        if verdict == Verdict::Deny {
            let row = &world.deliveries(&verdicts)[0];
            let records = world.records();
            let refused = records
                .iter()
                .find(|event| event.delivery == Some(row.id))
                .expect("recorded");
            assert!(
                refused
                    .details
                    .get(Key::Gates)
                    .is_some_and(|gates| gates.to_string().contains("G04")),
                "{key}"
            );
        }
    }
}

#[test]
fn mail_that_came_by_weak_openpgp_is_refused_by_rule() {
    let world = world(SHIPPED);
    let came = |encryption: &[&str], signing: &str, hash: &str| {
        let mut submission = message(&["csirt-alpha"], Level::Restricted);
        submission.protection = Some(ContentProtection {
            encryption: encryption.iter().map(|one| (*one).to_owned()).collect(),
            signing: vec![signing.to_owned()],
            symmetric: Some("aes256".to_owned()),
            hash: Some(hash.to_owned()),
        });
        submit(&world, over("cert-eu", "X25519MLKEM768"), submission)
    };
    accepted(came(&["p256"], "rsa3072", "sha512"));
    accepted(came(&["p256"], "ed25519", "sha256"));
    let said = weak(came(&["p256"], "rsa2048", "sha512"));
    assert!(said.contains("signs it (`rsa2048`)"), "{said}");
    let said = weak(came(&["p256", "rsa2048"], "rsa4096", "sha512"));
    assert!(said.contains("encrypted to (`rsa2048`)"), "{said}");
    let said = weak(came(&["p256"], "rsa4096", "digest-11"));
    assert!(said.contains("digest-11"), "{said}");
}
