//! What is passed on stays under the keys of who originated it, and an
//! agreement is cited only where communities are crossed.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails fails the test"
)]

use chancery_audit::{EventKind, Key};
use chancery_hsm_api::KekId;
use chancery_label::Level;
use chancery_message::{Channel, Intent, MessageId, Purpose};
use chancery_pipeline::vault;
use chancery_route::{World, message};

fn kek(world: &World, id: Option<MessageId>) -> (u8, String) {
    let row = world
        .gateway
        .ledger
        .message(&id.expect("id"))
        .expect("ledger")
        .expect("there");
    match vault::kek_of(&row).expect("sealed") {
        KekId::Label { rank, compartment } => (rank, compartment.to_string()),
        KekId::Intake => (0, "intake".to_owned()),
    }
}

#[test]
fn a_forward_is_sealed_in_its_originators_compartment() {
    let world = World::new();
    let home = |id: &str| world.sender(id).compartment.to_string();
    assert_ne!(home("cert-eu"), home("csirt-alpha"), "or nothing is shown");
    let first = world.accepted(
        "cert-eu",
        Channel::Rest,
        message(&["csirt-alpha"], Level::Nc),
    );
    assert_eq!(kek(&world, first.message), (0, home("cert-eu")));
    let row = world.deliveries(&first)[0].clone();
    world.fetch(&row).expect("released");
    // Passed on one level higher: the level's key changes, the compartment does not.
    for (level, rank) in [(Level::Nc, 0), (Level::Restricted, 1)] {
        let mut forward = message(&["europol-ec3"], level);
        forward.purpose = Some(Purpose::CyberCrisis);
        forward.intent = Intent::Forward {
            of: row.id.to_string(),
        };
        let passed = world.accepted("csirt-alpha", Channel::Rest, forward);
        assert_eq!(kek(&world, passed.message), (rank, home("cert-eu")));
    }
}

#[test]
fn an_agreement_is_cited_only_where_communities_are_crossed() {
    let world = World::new();
    let cited = |to: &str| {
        let mut one = message(&[to], Level::Restricted);
        one.purpose = Some(Purpose::CyberCrisis);
        let verdicts = world.accepted("cert-eu", Channel::Rest, one);
        let delivery = world.deliveries(&verdicts)[0].id;
        let decided = world.records().into_iter().find(|event| {
            event.delivery == Some(delivery)
                && matches!(
                    event.kind,
                    EventKind::ReleasePermitted
                        | EventKind::ReleaseHeld
                        | EventKind::ReleaseRefused
                )
        });
        let decided = decided.expect("a record of the decision");
        decided
            .details
            .get(Key::Mou)
            .and_then(|mou| mou.as_text())
            .map(str::to_owned)
    };
    assert_eq!(cited("csirt-alpha"), None, "one community");
    assert!(
        cited("europol-ec3").is_some(),
        "civilian to law enforcement"
    );
}
