//! The MoU register: which MoU covers a release, and what does not load.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

mod world;

use chancery_label::{Level, Tlp};
use chancery_message::Purpose;
use chancery_policy::approval::Vote;
use chancery_policy::facts::MouState;
use chancery_policy::mou::{self, Crossing, Mou, MouFact, Register, SignatureError};
use chancery_policy::shipped;
use sha2::{Digest, Sha256};
use world::{World, at, id, world};

fn crossing<'a>(world: &'a World, from: &str, to: &str, purpose: Purpose) -> Crossing<'a> {
    let view = world.directory.at(world.now);
    Crossing {
        sender: view.by_id(&id(from)).unwrap(),
        recipient: view.by_id(&id(to)).unwrap(),
        purpose,
        level: Level::Nc,
        tlp: None,
        personal_data: false,
    }
}

fn covering(world: &World, from: &str, to: &str, purpose: Purpose) -> MouFact {
    world
        .register
        .covering(&crossing(world, from, to, purpose), world.now)
}

/// The world with another MoU beside the shipped ones, made from one of them.
fn with(world: &mut World, from: &str, change: impl Fn(&mut Mou)) {
    let mut mous = world.register.mous().to_vec();
    let mut extra = mous
        .iter()
        .find(|mou| mou.id.as_str() == from)
        .unwrap()
        .clone();
    extra.id = format!("extra-{}", mous.len()).parse().unwrap();
    change(&mut extra);
    mous.push(extra);
    world.register = Register::new(mous, &world.directory).unwrap();
}

#[test]
fn one_mou_covers_pair_communities_purpose_and_compartments() {
    let world = world();
    let fact = covering(&world, "cert-eu", "europol-ec3", Purpose::CyberCrisis);
    assert_eq!(
        (fact.state, fact.ceiling),
        (MouState::Active, Level::Restricted)
    );
    assert_eq!(fact.mou.unwrap().as_str(), "mou-civ-le");
    // The same between the two, the other way round.
    assert_eq!(
        covering(&world, "europol-ec3", "cert-eu", Purpose::CyberCrisis).state,
        MouState::Active
    );
    // A purpose that it does not name, and a pair that none names.
    assert_eq!(
        covering(&world, "cert-eu", "europol-ec3", Purpose::Evidence).state,
        MouState::None
    );
    assert_eq!(
        covering(
            &world,
            "csirt-alpha",
            "vendor-sentinel",
            Purpose::CyberCrisis
        )
        .state,
        MouState::None
    );
    assert_eq!(
        covering(
            &world,
            "csirt-alpha",
            "vendor-sentinel",
            Purpose::CyberCrisis
        )
        .ceiling,
        Level::Nc
    );
}

#[test]
fn days_and_standing_decide_the_state() {
    let mut world = world();
    let state = |world: &World| {
        covering(world, "cert-eu", "eu-military-staff", Purpose::CyberDefence).state
    };
    assert_eq!(state(&world), MouState::Expired);
    world.now = at("2025-01-01T00:00:00Z");
    assert_eq!(state(&world), MouState::Expired);
    with(&mut world, "mou-civ-def", |mou| {
        mou.valid_from = "2026-01-01".parse().unwrap();
        mou.valid_until = "2026-03-31".parse().unwrap();
    });
    for (text, expected) in [
        ("2025-12-31T23:59:59Z", MouState::Expired),
        ("2026-01-01T00:00:00Z", MouState::Active),
        ("2026-03-31T23:59:59Z", MouState::Active),
        ("2026-04-01T00:00:00Z", MouState::Expired),
    ] {
        world.now = at(text);
        assert_eq!(state(&world), expected, "{text}");
    }
}

#[test]
fn the_highest_ceiling_wins_and_is_never_mixed() {
    let mut world = world();
    with(&mut world, "mou-civ-le", |mou| {
        mou.ceiling = Level::Secret;
        mou.purposes = vec![Purpose::Evidence];
    });
    // The higher ceiling belongs to another purpose: it does not help.
    assert_eq!(
        covering(&world, "cert-eu", "europol-ec3", Purpose::CyberCrisis).ceiling,
        Level::Restricted
    );
    assert_eq!(
        covering(&world, "cert-eu", "europol-ec3", Purpose::Evidence).ceiling,
        Level::Secret
    );
    with(&mut world, "mou-civ-le", |mou| {
        mou.ceiling = Level::Confidential
    });
    let fact = covering(&world, "cert-eu", "europol-ec3", Purpose::CyberCrisis);
    assert_eq!(
        (fact.ceiling, fact.mou.unwrap().to_string()),
        (Level::Confidential, "extra-8".to_owned())
    );
}

#[test]
fn articles_narrow_and_are_cited() {
    let world = world();
    let mut release = crossing(&world, "cert-eu", "spoc-fra", Purpose::CyberCrisis);
    assert_eq!(
        world.register.covering(&release, world.now).state,
        MouState::Active
    );
    release.personal_data = true;
    let fact = world.register.covering(&release, world.now);
    assert_eq!(fact.state, MouState::None);
    let (mou, article) = fact.article.unwrap();
    assert_eq!((mou.as_str(), article.as_str()), ("mou-civ-le", "4(2)"));
    // Another purpose, another recipient: the article does not apply.
    release.purpose = Purpose::LawEnforcement;
    assert_eq!(
        world.register.covering(&release, world.now).state,
        MouState::Active
    );

    let mut vendor = crossing(&world, "cert-eu", "vendor-sentinel", Purpose::CyberCrisis);
    for (tlp, expected) in [
        (None, MouState::None),
        (Some(Tlp::Clear), MouState::Active),
        (Some(Tlp::Green), MouState::Active),
        (Some(Tlp::Amber), MouState::None),
        (Some(Tlp::AmberStrict), MouState::None),
        (Some(Tlp::Red), MouState::None),
    ] {
        vendor.tlp = tlp;
        assert_eq!(
            world.register.covering(&vendor, world.now).state,
            expected,
            "{tlp:?}"
        );
    }
}

#[test]
fn an_mou_in_force_whose_articles_hold_is_preferred() {
    let mut world = world();
    with(&mut world, "mou-sentinel", |mou| {
        mou.articles.clear();
        mou.ceiling = Level::Nc;
    });
    let mut release = crossing(&world, "cert-eu", "vendor-sentinel", Purpose::CyberCrisis);
    release.tlp = Some(Tlp::Red);
    let fact = world.register.covering(&release, world.now);
    assert_eq!((fact.state, fact.article), (MouState::Active, None));
}

#[test]
fn what_cannot_be_right_does_not_load() {
    let directory = world().directory;
    let good = shipped::MOUS
        .iter()
        .find(|(name, _)| *name == "vendor-sentinel.toml")
        .unwrap()
        .1;
    let cases = [
        (
            "\"vendor-sentinel\"]",
            "\"vendor-nobody\"]",
            "`vendor-nobody` is not a participant",
        ),
        (
            "2030-12-31",
            "2020-12-31",
            "valid_until is before valid_from",
        ),
        (
            "\"vendor-sentinel\"]",
            "\"vendor-sentinel\", \"vendor-bastion\"]",
            "two private ones",
        ),
        (
            "\"cert-eu\", \"vendor",
            "\"vendor",
            "two or more participants",
        ),
        ("max_tlp = \"GREEN\"", "", "article 3(1) demands nothing"),
        (
            "no_personal_data = true",
            "no_personal_data = true\nsenders = [\"eeas-intcen\"]",
            "is not a party",
        ),
        ("ceiling = \"NC\"", "ceiling = \"NONE\"", "mou.toml:"),
        ("state = \"agreed\"", "state = \"signed\"", "mou.toml:"),
        (
            "state = \"agreed\"",
            "state = \"agreed\"\nwidens = true",
            "mou.toml:",
        ),
        (
            "purposes = [\"cyber-crisis\", \"commercial\"]",
            "purposes = []",
            "an empty list covers nothing",
        ),
    ];
    for (from, to, expected) in cases {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = Register::from_toml([("mou.toml", text.as_str())], &directory).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        let (_, place) = error.split_once("mou.toml:").expect("a place");
        let line: String = place.chars().take_while(char::is_ascii_digit).collect();
        assert!(!line.is_empty(), "with its line: {error}");
    }
    let error = Register::from_toml([("a.toml", good), ("b.toml", good)], &directory).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("b.toml:2: id: another file has the MoU mou-sentinel too"),
        "{error}"
    );
}

#[test]
fn an_mou_is_carried_by_two_security_officers_over_its_very_text() {
    let world = world();
    let view = world.directory.at(world.now);
    let text = shipped::MOUS[0].1;
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let sign = |name: &str, vote: Vote| world.sign(name, mou::operation(), digest, vote);
    let verify = |text: &str, all: Vec<_>| {
        mou::verify(
            text,
            &serde_json::to_string(&all).unwrap(),
            world::NODE,
            world.now,
            &view,
        )
    };
    let (dimitri, elena) = (sign("dimitri", Vote::Approve), sign("elena", Vote::Approve));
    assert_eq!(verify(text, vec![dimitri.clone(), elena.clone()]), Ok(()));
    assert_eq!(
        verify(text, vec![dimitri.clone()]),
        Err(SignatureError::TooFew { found: 1 })
    );
    assert_eq!(
        verify(text, vec![dimitri.clone(), dimitri.clone()]),
        Err(SignatureError::TooFew { found: 1 })
    );
    assert_eq!(
        verify(text, vec![dimitri.clone(), sign("elena", Vote::Refuse)]),
        Err(SignatureError::Refused)
    );
    assert!(matches!(
        verify(&format!("{text} "), vec![dimitri.clone(), elena.clone()]),
        Err(SignatureError::Bad { .. })
    ));
    // Anna votes on releases; agreements are not hers to sign.
    assert!(matches!(
        verify(text, vec![dimitri, sign("anna", Vote::Approve)]),
        Err(SignatureError::Bad { .. })
    ));
    assert_eq!(
        mou::verify(text, "not a list", world::NODE, world.now, &view),
        Err(SignatureError::Unreadable)
    );
}
