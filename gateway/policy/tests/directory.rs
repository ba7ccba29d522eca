//! The directory: who is found, when, and who may know of whom.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

mod world;

use chancery_label::Level;
use chancery_message::{Channel, Timestamp};
use chancery_policy::directory::{Directory, Participant, View};
use chancery_policy::shipped;
use world::{at, id, officer, world, world_with};

#[test]
fn the_shipped_examples_load_and_no_channel_is_usable_without_keys() {
    let directory = shipped::directory(1).unwrap();
    let register = shipped::register(&directory).unwrap();
    assert_eq!(register.mous().len(), shipped::MOUS.len());
    let view = directory.at(at(world::NOW));
    assert_eq!(view.participants().count(), 8);
    for one in view.participants() {
        assert!(one.reached_by(view.now()).is_none(), "{}", one.id);
    }
    assert!(view.officers().all(|one| one.verifying_key().is_none()));
}

#[test]
fn a_directory_survives_writing_and_reading() {
    let world = world();
    let (people, judges) = world.directory.to_toml().unwrap();
    let again = Directory::from_toml(7, &people, &judges).unwrap();
    assert_eq!(again.participants(), world.directory.participants());
    assert_eq!(again.officers(), world.directory.officers());
    assert_eq!(again.epoch(), 7);
}

#[test]
fn identity_comes_from_credentials() {
    let world = world();
    let view = world.directory.at(world.now);
    let sentinel = view.by_id(&id("vendor-sentinel")).unwrap();
    let print = sentinel.rest.as_ref().unwrap().certificates[0].0;
    assert_eq!(
        view.by_certificate(Channel::Rest, &print).unwrap().id,
        sentinel.id
    );
    // A certificate counts on the channel that it is registered for.
    assert!(view.by_certificate(Channel::Siena, &print).is_none());
    assert!(view.by_certificate(Channel::Rest, &[0xee; 32]).is_none());
    assert_eq!(
        view.by_mail_address("INTCEN@eeas.Example").unwrap().id,
        id("eeas-intcen")
    );
    assert!(view.by_mail_address("intcen@eeas.example.evil").is_none());
    assert_eq!(
        view.openpgp_certificates_for("intcen@eeas.example"),
        ["certificate of intcen@eeas.example"]
    );
    assert!(
        view.openpgp_certificates_for("nobody@eeas.example")
            .is_empty()
    );
}

#[test]
fn what_has_ended_or_was_suspended_is_not_found() {
    let world = world_with(|all| {
        all[0].valid_until = "2026-06-30".parse().ok();
        all[1].suspended = true;
    });
    let name = id("csirt-alpha");
    let found = |now: Timestamp| world.directory.at(now).by_id(&name).is_some();
    assert!(!found(at("2024-12-31T23:59:59Z")));
    assert!(found(at("2025-01-01T00:00:00Z")));
    assert!(found(at("2026-06-30T23:59:59Z")));
    assert!(!found(at("2026-07-01T00:00:00Z")));
    let view = world.directory.at(world.now);
    assert!(view.by_id(&id("cert-eu")).is_none());
    assert!(view.by_mail_address("exchange@cert-eu.example").is_none());
    assert!(
        view.knows(&id("cert-eu")),
        "it is known, though not in force"
    );
}

#[test]
fn clearances_and_approvals_end_with_their_day() {
    let world = world_with(|all| {
        let one = &mut all[0];
        one.clearance.as_mut().unwrap().until = "2026-06-30".parse().unwrap();
        let approval = &mut one.rest.as_mut().unwrap().approval;
        approval.accredited_until = "2026-06-30".parse().ok();
        approval.crypto_approved_until = "2026-05-31".parse().ok();
    });
    let alpha = world
        .directory
        .at(world.now)
        .by_id(&id("csirt-alpha"))
        .unwrap();
    let levels = |text: &str| {
        let entry = alpha.channel(Channel::Rest, at(text)).unwrap();
        (
            alpha.clearance_at(at(text)),
            entry.accreditation,
            entry.crypto_approval,
        )
    };
    use Level::{Confidential as C, Nc};
    assert_eq!(levels("2026-05-31T23:59:59Z"), (C, C, C));
    assert_eq!(levels("2026-06-01T00:00:00Z"), (C, C, Nc));
    assert_eq!(levels("2026-06-30T23:59:59Z"), (C, C, Nc));
    assert_eq!(levels("2026-07-01T00:00:00Z"), (Nc, Nc, Nc));
}

fn seen(view: &View<'_>, world: &world::World, name: &str) -> Vec<String> {
    let viewer = view.by_id(&id(name)).unwrap();
    view.visible_to(viewer, &world.register)
        .iter()
        .map(|one| one.id.to_string())
        .collect()
}

#[test]
fn each_sees_its_community_and_its_partners_and_vendors_see_no_vendor() {
    let world = world();
    let view = world.directory.at(world.now);
    let of = |name: &str| seen(&view, &world, name);
    assert_eq!(of("vendor-sentinel"), ["cert-eu"]);
    assert_eq!(of("vendor-bastion"), ["csirt-alpha"]);
    assert_eq!(
        of("cert-eu"),
        [
            "csirt-alpha",
            "europol-ec3",
            "spoc-fra",
            "eeas-intcen",
            "vendor-sentinel"
        ]
    );
    assert_eq!(of("spoc-fra"), ["csirt-alpha", "cert-eu", "europol-ec3"]);
    // Its MoU with the CSIRTs has expired.
    assert_eq!(of("eu-military-staff"), ["eeas-intcen"]);
    let before = world.directory.at(at("2024-12-31T23:59:59Z"));
    assert!(before.by_id(&id("eu-military-staff")).is_none());
}

#[test]
fn a_vendor_never_sees_another_whatever_the_entries_say() {
    let world = world_with(|all| {
        for one in all.iter_mut().filter(|one| one.is_private()) {
            one.may_see = vec![
                id("vendor-bastion"),
                id("vendor-sentinel"),
                id("eeas-intcen"),
            ];
        }
    });
    let view = world.directory.at(world.now);
    assert_eq!(seen(&view, &world, "vendor-sentinel"), ["cert-eu"]);
    assert_eq!(seen(&view, &world, "vendor-bastion"), ["csirt-alpha"]);
}

#[test]
fn officers_are_found_while_in_office() {
    let world = world();
    let view = world.directory.at(world.now);
    assert!(
        view.officer(&officer("anna"))
            .unwrap()
            .verifying_key()
            .is_some()
    );
    assert!(view.officer(&officer("nobody")).is_none());
    assert!(
        world
            .directory
            .at(at("2024-12-31T23:59:59Z"))
            .officer(&officer("anna"))
            .is_none()
    );
}

type Change = fn(&mut Vec<Participant>);

#[test]
fn what_cannot_be_right_does_not_load() {
    let cases: [(&str, Change); 9] = [
        ("registered for more than one participant", |all| {
            all[1].rest.as_mut().unwrap().certificates =
                all[0].rest.as_ref().unwrap().certificates.clone();
        }),
        ("registered for more than one participant", |all| {
            all[4].mail.as_mut().unwrap().address = "Exchange@CERT-EU.example".to_owned();
        }),
        ("compartment is its own", |all| {
            all[0].compartment = "sentinel".to_owned()
        }),
        ("compartment is 1 to 32", |all| {
            all[0].compartment = "Alpha".to_owned()
        }),
        ("in force on the same day", |all| {
            let copy = all[0].clone();
            all.push(copy);
        }),
        ("valid_until is before", |all| {
            all[0].valid_until = "2020-01-01".parse().ok()
        }),
        ("preferred_channel", |all| {
            all[0].preferred_channel = Some(Channel::Mail)
        }),
        ("one address", |all| {
            all[1].mail.as_mut().unwrap().address = "a@b@c".to_owned()
        }),
        ("fingerprint is 40 or 64", |all| {
            all[1].mail.as_mut().unwrap().openpgp_fingerprint = Some("AB CD".to_owned());
        }),
    ];
    for (expected, change) in cases {
        let mut all = world().directory.participants().to_vec();
        change(&mut all);
        let error = Directory::new(1, all, Vec::new()).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn two_versions_that_follow_each_other_load() {
    let mut all = world().directory.participants().to_vec();
    let mut next = all[0].clone();
    all[0].valid_until = "2026-03-31".parse().ok();
    next.valid_from = "2026-04-01".parse().ok();
    next.clearance.as_mut().unwrap().level = Level::Nc;
    all.push(next);
    let directory = Directory::new(1, all, Vec::new()).unwrap();
    let clearance = |text: &str| {
        directory
            .at(at(text))
            .by_id(&id("csirt-alpha"))
            .unwrap()
            .clearance_at(at(text))
    };
    assert_eq!(clearance("2026-03-31T23:59:59Z"), Level::Confidential);
    assert_eq!(clearance("2026-04-01T00:00:00Z"), Level::Nc);
}

#[test]
fn unreadable_documents_tell_their_lines() {
    let cases = [
        (
            "[[participant]]\nid = \"x\"\nsurprise = 1\n",
            "participants.toml:",
        ),
        ("[[participant]]\nid = \"UPPER\"\n", "participants.toml:"),
        ("[[participant\n", "participants.toml:1"),
    ];
    for (text, place) in cases {
        let error = Directory::from_toml(1, text, "").unwrap_err();
        assert!(error.to_string().contains(place), "{error}");
    }
    let unknown = shipped::PARTICIPANTS.replacen("level = \"C-UE\"", "level = \"C\"", 1);
    assert!(Directory::from_toml(1, &unknown, shipped::OFFICERS).is_err());
    let stray =
        shipped::OFFICERS.replacen("participant = \"cert-eu\"", "participant = \"cert-us\"", 1);
    let error = Directory::from_toml(1, shipped::PARTICIPANTS, &stray).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("officer anna: `cert-us` is not a participant"),
        "{error}"
    );
}

#[test]
fn one_key_is_one_officer() {
    let world = world();
    let mut officers = world.directory.officers().to_vec();
    officers[1].key = officers[0].key.clone();
    let error = Directory::new(1, world.directory.participants().to_vec(), officers).unwrap_err();
    assert!(
        error.to_string().contains("has the same key as anna"),
        "{error}"
    );
}
