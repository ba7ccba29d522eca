//! People act for participants by certificates of their own: the log names
//! them, and each sees and sends no more than that person is cleared for.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use std::sync::Arc;
use std::time::Duration;

use chancery_audit::{Actor, EventKind, Key};
use chancery_label::Level;
use chancery_message::Channel;
use chancery_pipeline::desk;
use chancery_pipeline::outcome::{Outcome, RefusalKind};
use chancery_pipeline::rulebook::{self, Change, RuleText, Subject};
use chancery_pipeline::rules::Sender;
use chancery_pipeline::stages::authenticate::by_certificate;
use chancery_pipeline::stages::protection::Over;
use chancery_pipeline::stages::release::release;
use chancery_pipeline::stages::{person, receipt};
use chancery_policy::approval::Vote;
use chancery_policy::directory::{Clearance, Directory, Fingerprint, Person};
use chancery_route::{World, fingerprint, message, peer, refusal};

const JANA: &str = "jana.b";
const TOM: &str = "tom.k";

fn person(id: &str, level: Option<Level>, until: &str) -> Person {
    Person {
        id: id.parse().expect("id"),
        name: id.to_owned(),
        rest: vec![Fingerprint(fingerprint(id))],
        siena: Vec::new(),
        valid_from: None,
        valid_until: None,
        suspended: false,
        clearance: level.map(|level| Clearance {
            level,
            until: until.parse().expect("day"),
        }),
    }
}

/// CSIRT Alpha has Jana, cleared up to C-UE for a day more, and Tom, up to R-UE.
fn people() -> Vec<Person> {
    vec![
        person(JANA, Some(Level::Confidential), "2026-11-22"),
        person(TOM, Some(Level::Restricted), "2030-12-31"),
    ]
}

fn world() -> World {
    let mut world = World::new();
    let epoch = world.gateway.rules().epoch();
    let rules = chancery_route::rules(epoch, &mut world.officers, |participants| {
        for one in participants {
            if one.id.as_str() == "csirt-alpha" {
                one.people = people();
            }
        }
    });
    world.gateway.replace_rules(rules);
    world
}

fn acting(world: &World, who: &str) -> Option<Arc<Sender>> {
    let rules = world.gateway.rules();
    by_certificate(&rules, &peer(who, Channel::Rest), world.gateway.now()).ok()
}

fn inbox(world: &World, who: &Sender) -> usize {
    match desk::inbox(
        &world.gateway,
        who,
        &peer(who.id.as_str(), Channel::Rest),
        None,
        50,
    )
    .expect("listed")
    {
        Outcome::Inbox(entries) => entries.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_log_names_who_sent_and_who_read() {
    let world = world();
    world.accepted(
        JANA,
        Channel::Rest,
        message(&["cert-eu"], Level::Restricted),
    );
    let jana = Actor::Person(
        "csirt-alpha".parse().expect("id"),
        JANA.parse().expect("id"),
    );
    let sent = world
        .records()
        .into_iter()
        .find(|event| event.kind == EventKind::OriginatorAuthenticated)
        .expect("recorded");
    assert_eq!(sent.actor, jana);
    let who = sent
        .details
        .get(Key::Participant)
        .and_then(|id| id.as_text());
    assert_eq!(who, Some("csirt-alpha"), "it is the participant's message");

    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Confidential),
    );
    let row = world.deliveries(&verdicts)[0].clone();
    let who = acting(&world, JANA).expect("acts");
    assert_eq!(inbox(&world, &who), 1);
    person::may_have(&world.gateway, &who, &row.id).expect("cleared");
    let session = peer(JANA, Channel::Rest).transport;
    let over = Over::Session(&session);
    release(&world.gateway, &row.id, &who.id, &who.actor(), over).expect("released");
    receipt::acknowledge_by(&world.gateway, &row.id, &who.id, &who.actor()).expect("taken");
    for kind in [
        EventKind::InboxListed,
        EventKind::ReleaseOpened,
        EventKind::ReleaseCompleted,
    ] {
        let event = world.records().into_iter().find(|event| event.kind == kind);
        assert_eq!(event.expect("recorded").actor, jana, "{kind}");
    }
}

#[test]
fn nobody_sees_or_sends_above_the_own_clearance() {
    let world = world();
    let verdicts = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Confidential),
    );
    let row = world.deliveries(&verdicts)[0].clone();
    let tom = acting(&world, TOM).expect("acts");
    // The participant is cleared for it, this person is not.
    assert_eq!(inbox(&world, &tom), 0);
    assert!(!desk::has_mail(&world.gateway, &tom, Channel::Rest).expect("looked"));
    let refused = refusal(person::may_have(&world.gateway, &tom, &row.id));
    assert_eq!(refused.0, RefusalKind::NotFound);
    assert_eq!(world.count(EventKind::PersonRefused), 1);
    // A system of the participant, or a cleared colleague, gets it.
    assert_eq!(inbox(&world, &world.sender("csirt-alpha")), 1);
    assert_eq!(inbox(&world, &acting(&world, JANA).expect("acts")), 1);
    // Nor does he send it.
    let high = message(&["cert-eu"], Level::Confidential);
    match world.submit(TOM, Channel::Rest, high.clone()) {
        Ok(Outcome::Refused(refusal)) => {
            assert_eq!(refusal.kind, RefusalKind::Denied);
            assert!(refusal.detail.contains("your own clearance"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
    world.accepted(JANA, Channel::Rest, high.clone());
    // A clearance ends with its last day.
    world.clock.advance(Duration::from_secs(24 * 3600));
    let late = world.submit(JANA, Channel::Rest, high);
    assert!(matches!(late, Ok(Outcome::Refused(_))), "{late:?}");
    assert_eq!(inbox(&world, &acting(&world, JANA).expect("acts")), 0);
}

#[test]
fn two_officers_name_a_person_and_one_suspends_at_once() {
    let world = World::founded();
    let rules = world.gateway.rules();
    let mut participants = rules.directory().participants().to_vec();
    for one in &mut participants {
        if one.id.as_str() == "csirt-alpha" {
            one.people = people();
        }
    }
    let officers = rules.directory().officers().to_vec();
    let next = Directory::new(0, participants, officers).expect("whole");
    let rule = RuleText::participants(next.to_toml().expect("text").0);
    let change = Change::new(rule, "new staff");
    let sign = |who: &str| world.sign(who, change.rule.operation(), change.digest(), Vote::Approve);
    let proposal = rulebook::propose(&world.gateway, &change, &sign("dimitri"));
    let proposal = proposal.expect("proposed");
    assert!(acting(&world, JANA).is_none(), "one officer widens nothing");
    rulebook::approve(&world.gateway, &proposal.id, &sign("elena")).expect("approved");
    assert!(acting(&world, JANA).is_some());

    let subject: Subject = format!("person/{JANA}").parse().expect("a subject");
    let signed = world.sign("elena", "rules.suspend", [9; 32], Vote::Approve);
    let officer = "elena".parse().expect("id");
    let done = rulebook::suspend(&world.gateway, &subject, "left", &officer, &signed);
    assert!(done.expect("suspended").closed);
    assert!(acting(&world, JANA).is_none());
    assert!(acting(&world, TOM).is_some(), "nobody else is");
    assert!(acting(&world, "csirt-alpha").is_some());
    // Lifting it widens: one is not enough.
    let rule = RuleText::resume(&subject, "back");
    let change = Change::new(rule, "back");
    let sign = |who: &str| world.sign(who, change.rule.operation(), change.digest(), Vote::Approve);
    let proposal = rulebook::propose(&world.gateway, &change, &sign("dimitri"));
    assert!(acting(&world, JANA).is_none());
    let id = proposal.expect("proposed").id;
    rulebook::approve(&world.gateway, &id, &sign("elena")).expect("approved");
    assert!(acting(&world, JANA).is_some());
}

#[test]
fn a_person_has_one_entry_and_a_certificate_of_its_own() {
    let world = world();
    let rules = world.gateway.rules();
    let directory = rules.directory();
    let with = |id: &str, person: Person| {
        let mut all = directory.participants().to_vec();
        for one in &mut all {
            if one.id.as_str() == id {
                one.people.push(person.clone());
            }
        }
        Directory::new(0, all, directory.officers().to_vec())
            .expect_err("wrong")
            .to_string()
    };
    let twice = with("cert-eu", person(JANA, None, "2030-12-31"));
    assert!(twice.contains("one entry"), "{twice}");
    let mut shared = person("max.m", None, "2030-12-31");
    shared.rest = vec![Fingerprint(fingerprint("csirt-alpha"))];
    let shared = with("csirt-alpha", shared);
    assert!(shared.contains("one of its own"), "{shared}");
    let no_channel = with("europol-ec3", person("max.m", None, "2030-12-31"));
    assert!(
        no_channel.contains("does not have the channel"),
        "{no_channel}"
    );
}
