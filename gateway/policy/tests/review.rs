//! Votes, quorums, permits.
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

use chancery_label::{HandlingCode, Label, Level};
use chancery_message::MessageId;
use chancery_policy::approval::{self, ApprovalError, Expected, Proof, Signed, Vote};
use chancery_policy::derive::{Derived, MessageMeta, Originator};
use chancery_policy::directory::{Directory, Role};
use chancery_policy::release::{self, Refusal};
use chancery_policy::review::{self, Case, Cast, Outcome, VoteRefused, Waits};
use world::{World, id, message, of, officer, world};

/// A held release: from Europol to the EEAS, H3, at this level.
fn held(level: Level) -> MessageMeta {
    let label = Label {
        handling: [HandlingCode::H3].into(),
        ..of(level)
    };
    message(label, &["eeas-intcen"])
}

fn case(world: &World, meta: &MessageMeta, from: &str, to: &str) -> (Derived, Case) {
    let (derived, decision) = world.decide(meta, from, to);
    let case = Case::of(
        &decision,
        &derived.facts,
        &meta.label,
        meta.id,
        &id(from),
        &id(to),
    )
    .unwrap();
    (derived, case)
}

fn cast(world: &World, name: &str, case: &Case, vote: Vote) -> Cast {
    Cast {
        signed: world.sign(name, review::OPERATION, case.digest, vote),
        at: world.now,
    }
}

fn close(world: &World, case: &Case, votes: &[Cast]) -> Outcome {
    review::close(case, votes, world::NODE, &world.directory.at(world.now))
}

#[test]
fn two_officers_from_c_ue_up_and_one_below() {
    let world = world();
    let (_, low) = case(
        &world,
        &held(Level::Restricted),
        "europol-ec3",
        "eeas-intcen",
    );
    assert_eq!(low.waits_for(), Waits::Votes(1));
    assert!(matches!(
        close(&world, &low, &[]),
        Outcome::Open { missing: 1 }
    ));
    assert!(matches!(
        close(&world, &low, &[cast(&world, "anna", &low, Vote::Approve)]),
        Outcome::Approved(_)
    ));
    let (_, high) = case(
        &world,
        &held(Level::Confidential),
        "europol-ec3",
        "eeas-intcen",
    );
    assert_eq!(high.waits_for(), Waits::Votes(2));
    let anna = || cast(&world, "anna", &high, Vote::Approve);
    assert!(matches!(
        close(&world, &high, &[anna()]),
        Outcome::Open { missing: 1 }
    ));
    assert!(matches!(
        close(&world, &high, &[anna(), anna()]),
        Outcome::Open { missing: 1 }
    ));
    let both = [anna(), cast(&world, "bruno", &high, Vote::Approve)];
    let Outcome::Approved(closed) = close(&world, &high, &both) else {
        panic!("two officers approved");
    };
    assert_eq!(closed.officers(), [officer("anna"), officer("bruno")]);
}

#[test]
fn one_refusal_wins() {
    let world = world();
    let (_, case) = case(
        &world,
        &held(Level::Confidential),
        "europol-ec3",
        "eeas-intcen",
    );
    let votes = [
        cast(&world, "anna", &case, Vote::Approve),
        cast(&world, "bruno", &case, Vote::Approve),
        cast(&world, "anna", &case, Vote::Refuse),
    ];
    assert!(
        matches!(close(&world, &case, &votes), Outcome::Refused { by } if by == officer("anna"))
    );
}

#[test]
fn votes_that_do_not_count() {
    let world = world();
    let view = world.directory.at(world.now);
    let (_, case_) = case(&world, &held(Level::Confidential), "cert-eu", "csirt-alpha");
    let check = |vote: &Cast| review::check(&case_, vote, world::NODE, &view).unwrap_err();
    // The sender's own officer.
    assert_eq!(
        check(&cast(&world, "anna", &case_, Vote::Approve)),
        VoteRefused::OwnOrganisation
    );
    // No release officer.
    assert_eq!(
        check(&cast(&world, "farid", &case_, Vote::Approve)),
        ApprovalError::WrongRole.into()
    );
    // Nobody.
    let mut nobody = cast(&world, "bruno", &case_, Vote::Approve);
    let Proof::Es256 { officer: name, .. } = &mut nobody.signed.proof;
    *name = officer("nobody");
    assert_eq!(check(&nobody), ApprovalError::UnknownOfficer.into());
    // Another's name under one's own signature.
    let mut borrowed = cast(&world, "anna", &case_, Vote::Approve);
    let Proof::Es256 { officer: name, .. } = &mut borrowed.signed.proof;
    *name = officer("bruno");
    assert_eq!(check(&borrowed), ApprovalError::BadSignature.into());
    // A vote turned round after signing.
    let mut turned = cast(&world, "bruno", &case_, Vote::Refuse);
    turned.signed.record.vote = Vote::Approve;
    assert_eq!(check(&turned), ApprovalError::BadSignature.into());
    // About another case.
    let (_, other) = case(&world, &held(Level::Restricted), "cert-eu", "csirt-alpha");
    assert_eq!(
        check(&cast(&world, "bruno", &other, Vote::Approve)),
        ApprovalError::OtherDigest.into()
    );
    // Another operation, another node.
    let wrong = Cast {
        signed: world.sign("bruno", "mou.agree", case_.digest, Vote::Approve),
        at: world.now,
    };
    assert_eq!(check(&wrong), ApprovalError::OtherOperation.into());
    let good = cast(&world, "bruno", &case_, Vote::Approve);
    assert_eq!(
        review::check(&case_, &good, "node-2", &view).unwrap_err(),
        ApprovalError::OtherNode.into()
    );
    // Taken in too late.
    let late = Cast {
        at: world.now.after(Duration::from_secs(601)),
        ..good.clone()
    };
    assert_eq!(check(&late), ApprovalError::Expired.into());
    assert!(review::check(&case_, &good, world::NODE, &view).is_ok());
}

#[test]
fn an_officer_judges_up_to_the_own_clearance() {
    let world = world();
    let (_, secret) = case(
        &world,
        &MessageMeta {
            label: Label {
                handling: [HandlingCode::H3].into(),
                ..of(Level::Nc)
            },
            ..held(Level::Nc)
        },
        "europol-ec3",
        "eeas-intcen",
    );
    let raised = Case {
        level: Level::Secret,
        ..secret
    };
    let vote = cast(&world, "clara", &raised, Vote::Approve);
    let view = world.directory.at(world.now);
    assert_eq!(
        review::check(&raised, &vote, world::NODE, &view).unwrap_err(),
        VoteRefused::NotCleared
    );
}

#[test]
fn a_suspended_officers_vote_counts_no_more() {
    let world = world();
    let (_, case) = case(
        &world,
        &held(Level::Restricted),
        "europol-ec3",
        "eeas-intcen",
    );
    let votes = [cast(&world, "anna", &case, Vote::Approve)];
    let mut officers = world.directory.officers().to_vec();
    officers
        .iter_mut()
        .find(|one| one.id == officer("anna"))
        .unwrap()
        .suspended = true;
    let later = Directory::new(8, world.directory.participants().to_vec(), officers).unwrap();
    assert!(matches!(
        review::close(&case, &votes, world::NODE, &later.at(world.now)),
        Outcome::Open { missing: 1 }
    ));
}

#[test]
fn consent_gates_and_missing_labels_never_close_by_votes() {
    let world = world();
    let forward = MessageMeta {
        forward: true,
        originator: Originator::Participant(id("europol-ec3")),
        ..message(
            Label {
                handling: [HandlingCode::H3].into(),
                ..of(Level::Restricted)
            },
            &[],
        )
    };
    let (_, waiting) = case(&world, &forward, "csirt-alpha", "cert-eu");
    assert_eq!(waiting.waits_for(), Waits::Consent);
    let votes = [
        cast(&world, "anna", &waiting, Vote::Approve),
        cast(&world, "bruno", &waiting, Vote::Approve),
    ];
    assert!(matches!(
        close(&world, &waiting, &votes),
        Outcome::NotByVotes(Waits::Consent)
    ));
    let unlabelled = MessageMeta {
        label_state: chancery_policy::facts::LabelState::Missing,
        ..message(Label::default(), &[])
    };
    let (_, quarantined) = case(&world, &unlabelled, "csirt-alpha", "cert-eu");
    assert!(matches!(
        close(&world, &quarantined, &votes),
        Outcome::NotByVotes(Waits::Label)
    ));
}

#[test]
fn a_denial_has_no_case_and_no_permit() {
    let world = world();
    let meta = held(Level::Secret);
    let (derived, decision) = world.decide(&meta, "europol-ec3", "eeas-intcen");
    assert!(decision.is_denied());
    let (from, to) = (id("europol-ec3"), id("eeas-intcen"));
    assert_eq!(
        Case::of(&decision, &derived.facts, &meta.label, meta.id, &from, &to),
        None
    );
    let (_, small) = case(
        &world,
        &held(Level::Restricted),
        "europol-ec3",
        "eeas-intcen",
    );
    let Outcome::Approved(closed) = close(
        &world,
        &small,
        &[cast(&world, "anna", &small, Vote::Approve)],
    ) else {
        panic!("approved");
    };
    assert!(matches!(
        release::permit(&decision, &derived, meta.id, &to, Some(&closed), world.now),
        Err(Refusal::Denied(_))
    ));
}

#[test]
fn a_permit_is_for_one_message_one_recipient_and_thirty_seconds() {
    let world = world();
    let meta = message(of(Level::Restricted), &["cert-eu"]);
    let (derived, decision) = world.decide(&meta, "csirt-alpha", "cert-eu");
    let to = id("cert-eu");
    let permit = release::permit(&decision, &derived, meta.id, &to, None, world.now).unwrap();
    let other = MessageId::from_bytes([8; 16]);
    let after = |seconds| world.now.after(Duration::from_secs(seconds));
    assert_eq!(permit.check(meta.id, &to, after(30)), Ok(()));
    assert_eq!(permit.check(meta.id, &to, after(31)), Err(Refusal::Expired));
    assert_eq!(
        permit.check(other, &to, world.now),
        Err(Refusal::OtherRelease)
    );
    assert_eq!(
        permit.check(meta.id, &id("europol-ec3"), world.now),
        Err(Refusal::OtherRelease)
    );
    assert_eq!(permit.check_epoch(7), Ok(()));
    assert_eq!(permit.check_epoch(8), Err(Refusal::OldEpoch));
    assert_eq!(permit.policy_hash(), world.engine.policy_hash());
    assert!(!permit.was_reviewed());
    // A decision about one release makes no permit for another.
    for (message, recipient) in [(other, to.clone()), (meta.id, id("europol-ec3"))] {
        assert_eq!(
            release::permit(&decision, &derived, message, &recipient, None, world.now).unwrap_err(),
            Refusal::OtherRelease
        );
    }
    let mut changed = derived.clone();
    changed.facts.personal_data = true;
    assert_eq!(
        release::permit(&decision, &changed, meta.id, &to, None, world.now).unwrap_err(),
        Refusal::OtherRelease
    );
}

#[test]
fn a_review_permits_exactly_what_was_reviewed() {
    let world = world();
    let meta = held(Level::Confidential);
    let to = id("eeas-intcen");
    let (derived, case) = case(&world, &meta, "europol-ec3", "eeas-intcen");
    let votes = [
        cast(&world, "anna", &case, Vote::Approve),
        cast(&world, "clara", &case, Vote::Approve),
    ];
    let Outcome::Approved(closed) = close(&world, &case, &votes) else {
        panic!("approved");
    };
    let decision = world.engine.decide(&derived.facts);
    let permit = |derived: &Derived, decision, closed| {
        release::permit(decision, derived, meta.id, &to, closed, world.now)
    };
    assert!(matches!(
        permit(&derived, &decision, None),
        Err(Refusal::Held(_))
    ));
    let given = permit(&derived, &decision, Some(&closed)).unwrap();
    assert!(given.was_reviewed());
    // Another fact, or another label: another digest, another case.
    let mut other = derived.clone();
    other.facts.personal_data = true;
    let again = world.engine.decide(&other.facts);
    assert_eq!(
        permit(&other, &again, Some(&closed)).unwrap_err(),
        Refusal::ReviewOutdated
    );
    let mut relabelled = derived.clone();
    relabelled.label.national = Some(chancery_label::NationalMarking {
        country: "AUT".to_owned(),
        marking: "VERTRAULICH".to_owned(),
    });
    assert_eq!(
        permit(&relabelled, &decision, Some(&closed)).unwrap_err(),
        Refusal::ReviewOutdated
    );
}

#[test]
fn officers_read_what_they_judge_and_say_why() {
    let world = world();
    let view = world.directory.at(world.now);
    let message = MessageId::from_bytes([9; 16]);
    let read = |name: &str, level, sender: &str, reason: &str| {
        release::read_permit(
            &officer(name),
            message,
            level,
            Some(&id(sender)),
            reason,
            &view,
        )
    };
    let permit = read("anna", Level::Secret, "europol-ec3", "case 4").unwrap();
    assert_eq!(permit.reason(), "case 4");
    assert_eq!(permit.check(message, world.now), Ok(()));
    assert_eq!(
        permit.check(MessageId::from_bytes([1; 16]), world.now),
        Err(Refusal::OtherRelease)
    );
    assert_eq!(
        permit.check(message, world.now.after(Duration::from_secs(31))),
        Err(Refusal::Expired)
    );
    for (name, level, sender, reason) in [
        ("nobody", Level::Nc, "europol-ec3", "why"),
        ("farid", Level::Nc, "europol-ec3", "why"),
        ("clara", Level::Secret, "europol-ec3", "why"),
        ("anna", Level::Nc, "cert-eu", "why"),
        ("anna", Level::Nc, "europol-ec3", "  "),
    ] {
        assert!(
            matches!(
                read(name, level, sender, reason),
                Err(Refusal::MayNotRead(_))
            ),
            "{name}"
        );
    }
}

#[test]
fn a_record_has_one_spelling() {
    let world = world();
    let signed = world.sign("anna", "review.vote", [0xab; 32], Vote::Approve);
    let text = String::from_utf8(signed.record.to_bytes().unwrap()).unwrap();
    assert_eq!(
        text,
        format!(
            r#"{{"format":"chancery-approval-v1","node":"node-1","operation":"review.vote","digest":"{}","vote":"approve","nonce":"{}","not_after":"2026-03-01T12:10:00Z"}}"#,
            "ab".repeat(32),
            "03".repeat(16)
        )
    );
    let kept = serde_json::to_string(&signed).unwrap();
    let again: Signed = serde_json::from_str(&kept).unwrap();
    assert_eq!(again, signed);
    let expected = Expected {
        node: "node-1",
        operation: "review.vote",
        digest: [0xab; 32],
        roles: &[Role::Release],
        given_at: world.now,
    };
    let view = world.directory.at(world.now);
    let verified = approval::verify(&again, &expected, &view).unwrap();
    assert_eq!(
        (verified.officer(), verified.vote()),
        (&officer("anna"), Vote::Approve)
    );
    for (from, to) in [
        ("chancery-approval-v1", "chancery-approval-v2"),
        ("\"vote\":\"approve\"", "\"vote\":\"approve\",\"extra\":1"),
        ("2026-03-01T12:10:00Z", "tomorrow"),
    ] {
        assert!(
            serde_json::from_str::<Signed>(&kept.replacen(from, to, 1)).is_err(),
            "{from}"
        );
    }
}
