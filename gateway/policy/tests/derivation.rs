//! Facts of real releases: what comes from where, and what an absent source gives.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

mod world;

use chancery_label::{Caveat, Label, Level, NationalMarking, ReleaseCode, Tlp};
use chancery_message::{Channel, Community, Purpose};
use chancery_policy::decision::Obligation;
use chancery_policy::derive::{
    self, MessageMeta, Originator, Release, Source, Thresholds, Underivable,
};
use chancery_policy::facts::{Consent, LabelState, Relation, ReviewFlag};
use world::{id, message, of, world, world_with};

fn source(label: Label, originator: &str) -> Source {
    Source {
        label: Some(label),
        originator: Some(id(originator)),
    }
}

fn releasable(codes: &[&str]) -> Label {
    Label {
        releasable_to: codes.iter().map(|code| code.parse().unwrap()).collect(),
        ..Label::default()
    }
}

#[test]
fn the_demo_pairs_are_decided_as_their_agreements_say() {
    let world = world();
    let at = |level| {
        message(
            of(level),
            &[
                "cert-eu",
                "europol-ec3",
                "eeas-intcen",
                "eu-military-staff",
                "spoc-fra",
            ],
        )
    };
    let clear = MessageMeta {
        label: Label {
            tlp: Some(Tlp::Clear),
            ..Label::default()
        },
        ..message(Label::default(), &["vendor-sentinel"])
    };
    let green = MessageMeta {
        label: Label {
            tlp: Some(Tlp::Green),
            ..Label::default()
        },
        ..message(Label::default(), &["vendor-sentinel"])
    };
    for (meta, from, to, expected) in [
        (at(Level::Restricted), "csirt-alpha", "cert-eu", "permit"),
        (at(Level::Restricted), "cert-eu", "europol-ec3", "permit"),
        (
            at(Level::Confidential),
            "cert-eu",
            "europol-ec3",
            "deny G07",
        ),
        (
            at(Level::Confidential),
            "europol-ec3",
            "eeas-intcen",
            "permit",
        ),
        (
            at(Level::Secret),
            "europol-ec3",
            "eeas-intcen",
            "deny G03 G04 G07",
        ),
        (
            at(Level::Restricted),
            "cert-eu",
            "eu-military-staff",
            "deny G06",
        ),
        (
            at(Level::Restricted),
            "cert-eu",
            "vendor-sentinel",
            "deny G03 G04 G06 G10 G11",
        ),
        (at(Level::Nc), "cert-eu", "vendor-sentinel", "deny G06"),
        (clear.clone(), "cert-eu", "vendor-sentinel", "permit"),
        (clear, "cert-eu", "vendor-bastion", "permit"),
        (green, "cert-eu", "vendor-bastion", "deny G06 G17"),
        (at(Level::Nc), "spoc-fra", "europol-ec3", "permit"),
    ] {
        assert_eq!(
            world.answer(&meta, from, to),
            expected,
            "{from} to {to}: {:?}",
            meta.label
        );
    }
}

#[test]
fn eu_is_expanded_in_the_facts_alone() {
    let world = world();
    let meta = message(releasable(&["EU"]), &[]);
    let facts = world.derive(&meta, "csirt-alpha", "spoc-fra").facts;
    let codes: Vec<_> = facts
        .releasable_to
        .iter()
        .map(|code| code.as_str().to_owned())
        .collect();
    let expected: Vec<_> = ReleaseCode::eu()
        .map(|code| code.as_str().to_owned())
        .collect();
    assert_eq!(codes.len(), 28);
    assert!(expected.iter().all(|code| codes.contains(code)));
    assert_eq!(
        meta.label.releasable_to.len(),
        1,
        "the label itself stays as it was written"
    );
    // A list of Member States does not hold the EU bodies.
    let only = world
        .derive(
            &message(releasable(&["FRA"]), &[]),
            "csirt-alpha",
            "cert-eu",
        )
        .facts;
    assert!(!only.releasable_to.contains(&only.recipient_country));
}

#[test]
fn without_fields_personal_data_is_there_and_the_purpose_is_the_communitys() {
    let world = world();
    let meta = MessageMeta {
        purpose: None,
        personal_data: None,
        ..message(Label::default(), &[])
    };
    let facts = world.derive(&meta, "europol-ec3", "eeas-intcen").facts;
    assert!(facts.personal_data);
    assert_eq!(facts.purpose, Purpose::LawEnforcement);
    let purposes: Vec<_> = Community::ALL
        .iter()
        .map(|one| derive::purpose_of(*one))
        .collect();
    assert_eq!(
        purposes,
        [
            Purpose::CyberCrisis,
            Purpose::LawEnforcement,
            Purpose::Diplomacy,
            Purpose::CyberDefence,
            Purpose::Commercial,
            Purpose::Evidence
        ]
    );
}

#[test]
fn the_recipients_channel_speaks_and_a_missing_one_is_approved_for_nothing() {
    let world = world();
    let meta = message(of(Level::Restricted), &["cert-eu"]);
    let by = |channel: Option<Channel>| {
        let release = Release {
            message: &meta,
            sender: &id("csirt-alpha"),
            recipient: &id("cert-eu"),
            channel,
            consent: Consent::NotApplicable,
        };
        let view = world.directory.at(world.now);
        derive::facts(&release, &view, &world.register, &Thresholds::default()).unwrap()
    };
    let preferred = by(None);
    assert_eq!(preferred.channel, Some(Channel::Rest));
    assert_eq!(preferred.facts.channel_accreditation, Level::Confidential);
    let mail = by(Some(Channel::Mail));
    assert_eq!(
        (mail.channel, mail.facts.crypto_approval),
        (Some(Channel::Mail), Level::Restricted)
    );
    let none = by(Some(Channel::Siena));
    assert_eq!(none.channel, None);
    assert_eq!(
        (none.facts.channel_accreditation, none.facts.crypto_approval),
        (Level::Nc, Level::Nc)
    );
    assert!(none.facts.channel_public);
}

#[test]
fn relations_are_the_directorys() {
    let world = world_with(|all| {
        let mut desk = all[0].clone();
        desk.id = id("csirt-alpha-desk");
        desk.rest.as_mut().unwrap().certificates.clear();
        all.push(desk);
    });
    let relation = |from: &str, to: &str| {
        world
            .derive(&message(Label::default(), &[]), from, to)
            .facts
            .relation
    };
    assert_eq!(
        relation("csirt-alpha", "csirt-alpha-desk"),
        Relation::SameOrg
    );
    assert_eq!(relation("cert-eu", "vendor-sentinel"), Relation::Client);
    assert_eq!(relation("vendor-sentinel", "cert-eu"), Relation::Outside);
    assert_eq!(relation("csirt-alpha", "cert-eu"), Relation::Community);
    assert_eq!(relation("cert-eu", "europol-ec3"), Relation::Outside);
    assert_eq!(
        relation("vendor-sentinel", "vendor-bastion"),
        Relation::Outside
    );
}

#[test]
fn the_holder_is_the_originator_only_of_its_own() {
    let world = world();
    let own = message(Label::default(), &["cert-eu"]);
    let holder = |meta: &MessageMeta| {
        world
            .derive(meta, "csirt-alpha", "cert-eu")
            .facts
            .holder_is_originator
    };
    assert!(holder(&own));
    let named = |originator| MessageMeta {
        originator,
        ..own.clone()
    };
    assert!(holder(&named(Originator::Participant(id("csirt-alpha")))));
    assert!(!holder(&named(Originator::Participant(id("europol-ec3")))));
    assert!(!holder(&named(Originator::Unknown)));
    let derived = |sources: &[Source]| MessageMeta {
        derived_from: sources.to_vec(),
        ..own.clone()
    };
    assert!(holder(&derived(&[source(Label::default(), "csirt-alpha")])));
    assert!(!holder(&derived(&[
        source(Label::default(), "csirt-alpha"),
        source(Label::default(), "cert-eu")
    ])));
    assert!(!holder(&derived(&[Source {
        label: None,
        originator: None
    }])));
    assert!(!holder(&MessageMeta {
        forward: true,
        ..own.clone()
    }));
}

#[test]
fn addressed_is_the_originators_own_list() {
    let world = world();
    let addressed = |list: Option<&[&str]>| {
        let meta = MessageMeta {
            addressees: list.map(|names| names.iter().map(|name| id(name)).collect()),
            ..message(Label::default(), &[])
        };
        world
            .derive(&meta, "csirt-alpha", "cert-eu")
            .facts
            .addressed
    };
    assert!(addressed(Some(&["europol-ec3", "cert-eu"])));
    assert!(!addressed(Some(&["europol-ec3"])));
    assert!(!addressed(None));
}

#[test]
fn flags_are_derived() {
    let world = world();
    let base = message(of(Level::Restricted), &["cert-eu"]);
    let flags = |meta: &MessageMeta, from: &str| -> Vec<ReviewFlag> {
        world
            .derive(meta, from, "cert-eu")
            .facts
            .review_flags
            .into_iter()
            .collect()
    };
    assert_eq!(flags(&base, "csirt-alpha"), []);
    let sources = |all: &[Source]| MessageMeta {
        derived_from: all.to_vec(),
        ..base.clone()
    };
    let same = || source(of(Level::Restricted), "csirt-alpha");
    assert_eq!(flags(&sources(&[same()]), "csirt-alpha"), []);
    assert_eq!(
        flags(&sources(&[same(), same()]), "csirt-alpha"),
        [ReviewFlag::Aggregate]
    );
    let portions = |portions| MessageMeta {
        portions,
        ..base.clone()
    };
    assert_eq!(flags(&portions(10), "csirt-alpha"), []);
    assert_eq!(flags(&portions(11), "csirt-alpha"), [ReviewFlag::Aggregate]);
    let unknown = |originator| MessageMeta {
        originator,
        ..base.clone()
    };
    assert_eq!(
        flags(&unknown(Originator::Unknown), "csirt-alpha"),
        [ReviewFlag::UnknownOriginator]
    );
    assert_eq!(
        flags(
            &unknown(Originator::Participant(id("nobody"))),
            "csirt-alpha"
        ),
        [ReviewFlag::UnknownOriginator]
    );
    assert_eq!(
        flags(
            &unknown(Originator::Participant(id("eeas-intcen"))),
            "csirt-alpha"
        ),
        []
    );
    let unevaluated = MessageMeta {
        evaluated: false,
        ..base.clone()
    };
    assert_eq!(
        flags(&unevaluated, "europol-ec3"),
        [ReviewFlag::EvaluationMissing]
    );
    assert_eq!(flags(&unevaluated, "csirt-alpha"), []);
}

#[test]
fn a_drop_is_seen_in_every_dimension_of_the_label() {
    let world = world();
    let limite = Label {
        caveats: [Caveat::Limite].into(),
        ..Label::default()
    };
    let amber = Label {
        tlp: Some(Tlp::Amber),
        ..Label::default()
    };
    let drops = |label: Label, of: Option<Label>| {
        let meta = MessageMeta {
            derived_from: vec![Source {
                label: of,
                originator: Some(id("europol-ec3")),
            }],
            ..message(label, &["cert-eu"])
        };
        world
            .derive(&meta, "csirt-alpha", "cert-eu")
            .facts
            .review_flags
            .contains(&ReviewFlag::LevelDrop)
    };
    assert!(drops(of(Level::Nc), Some(of(Level::Restricted))));
    assert!(!drops(of(Level::Restricted), Some(of(Level::Restricted))));
    assert!(!drops(of(Level::Secret), Some(of(Level::Restricted))));
    assert!(drops(of(Level::Restricted), Some(limite)));
    assert!(drops(Label::default(), Some(amber.clone())));
    assert!(!drops(amber, Some(Label::default())));
    assert!(drops(Label::default(), Some(releasable(&["FRA"]))));
    assert!(
        drops(of(Level::Secret), None),
        "what is not held here cannot be compared"
    );
}

#[test]
fn a_text_of_another_sent_as_unclassified_is_denied() {
    let world = world();
    // R-UE text of Europol forwarded as NC: the effective label was raised by the
    // markings found, the assertion was not.
    let meta = MessageMeta {
        asserted: Some(of(Level::Nc)),
        forward: true,
        originator: Originator::Participant(id("europol-ec3")),
        derived_from: vec![source(of(Level::Restricted), "europol-ec3")],
        ..message(of(Level::Restricted), &["csirt-alpha"])
    };
    assert_eq!(world.answer(&meta, "csirt-alpha", "cert-eu"), "deny G26");
    // As it was labelled, it waits for Europol's consent.
    let kept = MessageMeta {
        asserted: Some(of(Level::Restricted)),
        ..meta.clone()
    };
    assert_eq!(world.answer(&kept, "csirt-alpha", "cert-eu"), "review G18");
    let granted = world.derive_with(&kept, "csirt-alpha", "cert-eu", Consent::Granted);
    assert!(world.engine.decide(&granted.facts).gates().is_empty());
}

#[test]
fn both_ends_must_be_custodians() {
    let flagged = |first: bool, second: bool| {
        let world = world_with(|all| {
            all[0].crypto_custodian = first;
            all[1].crypto_custodian = second;
        });
        let facts = world
            .derive(&message(Label::default(), &[]), "csirt-alpha", "cert-eu")
            .facts;
        facts.review_flags.contains(&ReviewFlag::CryptoCustodian)
    };
    assert_eq!(
        [
            flagged(true, true),
            flagged(true, false),
            flagged(false, true),
            flagged(false, false)
        ],
        [true, false, false, false]
    );
}

#[test]
fn an_end_that_is_not_in_force_has_no_facts() {
    let world = world_with(|all| all[1].suspended = true);
    let meta = message(Label::default(), &["cert-eu"]);
    let view = world.directory.at(world.now);
    let derive = |from: &str, to: &str| {
        let release = Release {
            message: &meta,
            sender: &id(from),
            recipient: &id(to),
            channel: None,
            consent: Consent::NotApplicable,
        };
        derive::facts(&release, &view, &world.register, &Thresholds::default()).unwrap_err()
    };
    assert_eq!(derive("csirt-alpha", "cert-eu"), Underivable::Recipient);
    assert_eq!(derive("cert-eu", "csirt-alpha"), Underivable::Sender);
    assert_eq!(derive("csirt-alpha", "nobody"), Underivable::Recipient);
    let decision = world
        .engine
        .refuse(meta.id, &id("cert-eu"), Underivable::Recipient);
    assert!(decision.is_denied() && decision.alarms().is_empty());
    assert_eq!(decision.gates()[0].to_string(), "G00");
}

#[test]
fn obligations_follow_the_release() {
    let world = world();
    let label = Label {
        national: Some(NationalMarking {
            country: "AUT".to_owned(),
            marking: "VERTRAULICH".to_owned(),
        }),
        tlp: Some(Tlp::Amber),
        ..of(Level::Confidential)
    };
    let (derived, decision) = world.decide(&message(label, &["cert-eu"]), "csirt-alpha", "cert-eu");
    assert_eq!(
        decision.obligations(),
        [
            Obligation::RegisterBothEnds,
            Obligation::ReceiptRequired,
            Obligation::TlpBesideClassification
        ]
    );
    assert_eq!(derived.obligations, [Obligation::NationalMarkingBeside]);
}

#[test]
fn unlabelled_is_asked_for_a_label_and_nothing_else() {
    let world = world();
    let meta = MessageMeta {
        label_state: LabelState::Missing,
        ..message(of(Level::TopSecret), &["cert-eu"])
    };
    assert_eq!(
        world.answer(&meta, "eu-military-staff", "vendor-bastion"),
        "review G02"
    );
}
