//! Third States and international organisations are reached by way of the
//! central registry: it has the message first.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use chancery_audit::{EventKind, Key};
use chancery_label::Level;
use chancery_message::{AssertedLabel, Channel, Community, Intent, ParticipantKind, Submission};
use chancery_pipeline::desk;
use chancery_pipeline::outcome::{Outcome, RefusalKind, Verdict};
use chancery_pipeline::protocol::MailSent;
use chancery_pipeline::rows::{DeliveryRow, DeliveryState};
use chancery_pipeline::rules::Rules;
use chancery_pipeline::stages::receipt;
use chancery_policy::derive::Thresholds;
use chancery_policy::directory::{Directory, Fingerprint, Participant};
use chancery_policy::mou::Register;
use chancery_route::{World, message, refusal};

const REGISTRY: &str = "central-registry";
const ABROAD: &str = "ncsc-che";

/// The examples with a central registry and an authority of Switzerland, which
/// is reached by `channel`, and an MoU with it.
fn world(channel: Channel, named: bool) -> World {
    let world = World::new();
    let rules = world.gateway.rules();
    let directory = rules.directory();
    let mut participants = directory.participants().to_vec();
    let like = |id: &str| {
        let mut one = participants
            .iter()
            .find(|one| one.id.as_str() == "cert-eu")
            .expect("there")
            .clone();
        one.id = id.parse().expect("id");
        id.clone_into(&mut one.name);
        id.clone_into(&mut one.organisation);
        id.clone_into(&mut one.compartment);
        if let Some(rest) = &mut one.rest {
            rest.certificates = vec![Fingerprint(chancery_route::fingerprint(id))];
        }
        one.mail = None;
        one
    };
    let mut registry: Participant = like(REGISTRY);
    registry.central_registry = named;
    let mut abroad = like(ABROAD);
    abroad.kind = ParticipantKind::ThirdState;
    abroad.country = "CHE".parse().expect("country");
    abroad.external_agreement = chancery_policy::facts::ExternalAgreement::SecurityOfInformation;
    if channel == Channel::Mail {
        abroad.rest = None;
        let mut mail = participants
            .iter()
            .find_map(|one| one.mail.clone())
            .expect("an entry");
        mail.address = "desk@ncsc.example".to_owned();
        abroad.mail = Some(mail);
        abroad.preferred_channel = Some(Channel::Mail);
    }
    participants.extend([registry, abroad]);
    let officers = directory.officers().to_vec();
    let directory = Directory::new(directory.epoch(), participants, officers).expect("whole");
    let mut mous = rules.register().mous().to_vec();
    let mut mou = mous
        .iter()
        .find(|mou| mou.id.as_str() == "mou-civ-le")
        .expect("there")
        .clone();
    mou.id = "mou-che".parse().expect("id");
    mou.parties = ["cert-eu", ABROAD]
        .map(|id| id.parse().expect("id"))
        .to_vec();
    mou.communities = vec![Community::Civilian];
    mou.compartments = vec!["cert-eu".to_owned(), ABROAD.to_owned()];
    mou.articles.clear();
    mous.push(mou);
    let register = Register::new(mous, &directory).expect("whole");
    let engine = std::sync::Arc::clone(rules.shared_engine());
    let rules = Rules::new(directory, register, engine, Thresholds::default());
    world.gateway.replace_rules(rules);
    world
}

fn report(level: Level) -> Submission {
    let mut report = message(&[ABROAD], level);
    if let AssertedLabel::Valid { label, .. } = &mut report.label {
        for code in ["EU", "CHE"] {
            label.releasable_to.insert(code.parse().expect("code"));
        }
    }
    report
}

fn now(world: &World, row: &DeliveryRow) -> DeliveryRow {
    world
        .gateway
        .ledger
        .delivery(&row.id)
        .expect("ledger")
        .expect("there")
}

fn inbox(world: &World, who: &str) -> usize {
    let listed = desk::inbox(
        &world.gateway,
        &world.sender(who),
        &chancery_route::peer(who, Channel::Rest),
        None,
        50,
    );
    match listed.expect("listed") {
        Outcome::Inbox(entries) => entries.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_goes_abroad_waits_until_the_registry_has_it() {
    let world = world(Channel::Rest, true);
    let verdicts = world.accepted("cert-eu", Channel::Rest, report(Level::Restricted));
    assert_eq!(
        verdicts.recipients[0].verdict,
        Verdict::Permit,
        "{verdicts:?}"
    );
    assert!(
        verdicts.recipients[0].reason.contains(REGISTRY),
        "{verdicts:?}"
    );
    let [abroad, registry] = &world.deliveries(&verdicts)[..] else {
        panic!("the registry has a delivery of its own: {verdicts:?}")
    };
    assert_eq!(registry.recipient.as_str(), REGISTRY);
    // Not a word to the one abroad: not in the list, not by its id.
    let there = world.sender(ABROAD);
    assert_eq!(inbox(&world, ABROAD), 0);
    assert!(!desk::has_mail(&world.gateway, &there, Channel::Rest).expect("looked"));
    let early = refusal(world.fetch(abroad).map(|_| ()));
    assert_eq!(early.0, RefusalKind::NotFound);
    // Read is not passed on.
    assert_eq!(inbox(&world, REGISTRY), 1);
    world.fetch(registry).expect("released");
    assert!(world.fetch(abroad).is_err());
    receipt::acknowledge(&world.gateway, &registry.id, &registry.recipient).expect("taken");
    let passed: Vec<_> = world
        .records()
        .into_iter()
        .filter(|event| event.kind == EventKind::RegistryPassed)
        .collect();
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0].delivery, Some(abroad.id));
    assert!(passed[0].details.get(Key::Registration).is_some());
    assert!(desk::has_mail(&world.gateway, &there, Channel::Rest).expect("looked"));
    assert_eq!(inbox(&world, ABROAD), 1);
    world.fetch(abroad).expect("released");
}

#[test]
fn what_is_sent_is_deferred_until_then() {
    let world = world(Channel::Mail, true);
    let verdicts = world.accepted("cert-eu", Channel::Rest, report(Level::Restricted));
    let rows = world.deliveries(&verdicts);
    let (abroad, registry) = (&rows[0], &rows[1]);
    assert_eq!(abroad.channel, Channel::Mail);
    let early = refusal(world.fetch(abroad).map(|_| ()));
    assert_eq!(early.0, RefusalKind::NotNow);
    let waits = now(&world, abroad);
    assert_eq!(waits.state, DeliveryState::Deferred);
    assert!(
        waits.next_at > Some(world.gateway.now()),
        "not at once again"
    );
    world.fetch(registry).expect("released");
    receipt::acknowledge(&world.gateway, &registry.id, &registry.recipient).expect("taken");
    let due = now(&world, abroad);
    assert_eq!(due.next_at, Some(world.gateway.now()));
    let released = world.fetch(&due).expect("released");
    let sent = MailSent::Accepted {
        reply: "250 taken".to_owned(),
    };
    receipt::mail_sent(&world.gateway, &released.delivery, &sent).expect("noted");
}

#[test]
fn without_a_registry_nothing_goes_abroad() {
    let world = world(Channel::Rest, false);
    match world.submit("cert-eu", Channel::Rest, report(Level::Nc)) {
        Ok(Outcome::Refused(refusal)) => {
            assert_eq!(refusal.kind, RefusalKind::Denied);
            assert!(refusal.detail.contains("central registry"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.count(EventKind::DoorRefused), 1);
    assert_eq!(world.count(EventKind::MessageSealed), 0);
}

#[test]
fn the_registry_itself_sends_abroad_and_what_is_refused_does_not_reach_it() {
    let world = world(Channel::Rest, true);
    // Above what the agreement covers: refused, and nothing of it to the registry.
    let high = world.accepted("cert-eu", Channel::Rest, report(Level::Confidential));
    assert_eq!(high.recipients.len(), 1, "{high:?}");
    assert_eq!(high.recipients[0].verdict, Verdict::Deny, "{high:?}");
    assert_eq!(inbox(&world, REGISTRY), 0);
    // Only asked for, it says by which way it would go.
    let mut ask = report(Level::Restricted);
    ask.intent = Intent::Check;
    match world.submit("cert-eu", Channel::Rest, ask).expect("asked") {
        Outcome::Checked(verdicts) => {
            assert_eq!(verdicts.recipients[1].recipient, REGISTRY, "{verdicts:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_has_one_registry_inside_the_union() {
    let world = world(Channel::Rest, true);
    let rules = world.gateway.rules();
    let directory = rules.directory();
    let with = |change: fn(&mut Participant)| {
        let mut all = directory.participants().to_vec();
        all.iter_mut().for_each(change);
        Directory::new(0, all, directory.officers().to_vec())
    };
    let two = with(|one| one.central_registry |= one.id.as_str() == "cert-eu");
    let error = two.expect_err("two").to_string();
    assert!(error.contains("another central registry"), "{error}");
    let out = with(|one| one.central_registry = one.id.as_str() == ABROAD);
    let error = out.expect_err("abroad").to_string();
    assert!(error.contains("authority of the Union"), "{error}");
}
