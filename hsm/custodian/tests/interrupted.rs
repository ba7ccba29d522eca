//! Ceremonies cut off before each durable effect: the custodian starts again,
//! nothing is half done, the log tells how it ended, and nothing is done twice.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod office;
mod soft;

use std::io::Write as _;

use chancery_hsm_api::{KekId, KeyRole, PgpSigning as _};
use chancery_hsm_custodian::{
    Ceremony, ChainLog, Client, Denial, Dossier, RosterFile, verify_chain,
};
use office::{Office, client};

const INTAKE: KeyRole = KeyRole::Kek(KekId::Intake);

/// What is there of a ceremony's effect: true if it is done.
type Effect = fn(&Office, &std::sync::Arc<chancery_hsm_custodian::Server<soft::SoftKeys>>) -> bool;

fn card_is(
    server: &std::sync::Arc<chancery_hsm_custodian::Server<soft::SoftKeys>>,
    generation: u32,
    is: impl Fn(&chancery_hsm_custodian::KeyCard) -> bool,
) -> bool {
    let cards = client(server, Client::Admin).cards().unwrap();
    cards
        .iter()
        .any(|card| card.role == INTAKE && card.generation == generation && is(card))
}

fn ceremonies(office: &Office) -> Vec<(Ceremony, Effect)> {
    let (role, generation) = (INTAKE, 2);
    vec![
        (
            Ceremony::Generate {
                role: role.clone(),
                generation: 3,
            },
            |_, server| card_is(server, 3, |_| true),
        ),
        (
            Ceremony::Activate {
                role: role.clone(),
                generation,
            },
            |_, server| card_is(server, 2, |card| card.active_from.is_some()),
        ),
        (
            Ceremony::Retire {
                role: role.clone(),
                generation: 1,
            },
            |_, server| card_is(server, 1, |card| card.retired_at.is_some()),
        ),
        (Ceremony::Destroy { role, generation }, |_, server| {
            card_is(server, 2, |card| card.destroyed_at.is_some())
        }),
        (
            Ceremony::RoleTable {
                denied: vec![Denial {
                    client: "core".to_owned(),
                    operation: "pgp-sign".to_owned(),
                }],
            },
            |_, server| client(server, Client::Core).pgp_sign(&[7; 32]).is_err(),
        ),
        (
            Ceremony::Roster {
                roster: office.roster(2, &[0, 1]),
            },
            |office, server| {
                client(server, Client::Admin).roster().unwrap() == Some(office.roster(2, &[0, 1]))
            },
        ),
    ]
}

#[test]
fn cut_off_before_each_effect_it_is_done_or_not_and_never_twice() {
    let mut cuts = 0;
    for kind in 0..6 {
        for cut in 0..20 {
            let office = Office::new(2, 3);
            let server = office.open(&[INTAKE, KeyRole::PgpSign]);
            let second = Ceremony::Generate {
                role: INTAKE,
                generation: 2,
            };
            office.order(&server, second, &[0, 1]).unwrap();
            let (operation, effect) = ceremonies(&office).swap_remove(kind);
            let dossier = office.dossier(operation.clone(), &[0, 1]);
            *office.fuse.0.lock().unwrap() = Some(cut);
            let done = client(&server, Client::Admin).perform(&dossier);
            *office.fuse.0.lock().unwrap() = None;
            if done.is_err() && cut > 1 {
                // The same process goes on with a log that works again.
                let again = client(&server, Client::Admin).perform(&dossier);
                assert!(again.is_err(), "{operation:?} cut at {cut}: twice");
            }
            drop(server);
            let when = format!("{operation:?} cut at {cut}");
            let server = office
                .try_open(&[INTAKE, KeyRole::PgpSign])
                .unwrap_or_else(|error| panic!("{when}: {error}"));
            let there = effect(&office, &server);
            let digest = hex::encode(dossier.proposal.digest());
            let ended: Vec<String> = office
                .lines()
                .iter()
                .filter(|line| line["detail"] == digest.as_str())
                .map(|line| line["operation"].as_str().unwrap().to_owned())
                .collect();
            let begun = office.lines().iter().any(|line| {
                line["operation"] == "ceremony.begun" && line["detail"] == text(&dossier)
            });
            if begun {
                let expected = if there {
                    "ceremony.done"
                } else {
                    "ceremony.abandoned"
                };
                assert_eq!(ended, [expected], "{when}");
                let again = client(&server, Client::Admin).perform(&dossier);
                assert!(again.is_err(), "{when}: done twice");
            } else {
                assert!(!there, "{when}");
            }
            verify_chain(office::bytes(&office.log_file()).as_slice()).unwrap();
            if done.is_ok() {
                assert!(there, "{when}");
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts >= 20, "{cuts}");
}

fn text(dossier: &Dossier) -> String {
    serde_json::to_string(&dossier.proposal).unwrap()
}

/// Whoever can write the roster's file has dossiers that were never carried
/// out: too late, refused, or of another node of the same custodians.
#[test]
fn a_signed_roster_that_this_custodian_never_carried_out_is_no_version() {
    let office = Office::new(2, 3);
    let server = office.open(&[INTAKE]);
    let smaller = Ceremony::Roster {
        roster: office.roster(2, &[0, 1]),
    };
    let never = office.dossier(smaller.clone(), &[0, 1]);
    office.order(&server, smaller, &[1, 2]).unwrap();
    drop(server);
    // The line that the custodian itself would have written, with the other dossier.
    let file = office.roster_file();
    let whole = std::fs::read_to_string(&file).unwrap();
    let first = whole.lines().next().unwrap();
    let head: serde_json::Value = serde_json::from_str(first).unwrap();
    let line = forged(&head, &office, &never);
    let log = std::fs::read(office.log_file()).unwrap();
    // In a node whose log tells of the first version alone.
    let text = String::from_utf8(log).unwrap();
    let short: String = text
        .lines()
        .take_while(|line| !line.contains("ceremony.agreed"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(office.log_file(), short).unwrap();
    std::fs::write(&file, format!("{first}\n")).unwrap();
    drop(office.open(&[]));
    let mut opened = std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .unwrap();
    opened.write_all(line.as_bytes()).unwrap();
    let error = office.try_open(&[]).unwrap_err();
    assert!(error.detail.contains("carried out"), "{error}");
}

/// A whole line of the roster's file, its hash as it should be.
fn forged(first: &serde_json::Value, office: &Office, dossier: &Dossier) -> String {
    use sha2::Digest as _;
    let head = hex::decode(first["hash"].as_str().unwrap()).unwrap();
    let roster = serde_json::to_string(&office.roster(2, &[0, 1])).unwrap();
    let dossier = serde_json::to_string(dossier).unwrap();
    let open = format!("{{\"seq\":2,\"roster\":{roster},\"agreed\":{dossier},\"hash\":\"");
    let mut hash = sha2::Sha256::new();
    hash.update(b"chancery-custodian-roster-v1\n");
    hash.update(head);
    hash.update(format!("{open}\"}}"));
    format!("{open}{}\"}}\n", hex::encode(hash.finalize()))
}

#[test]
fn enrolling_that_was_interrupted_is_done_again_with_the_same_custodians_alone() {
    let office = Office::new(2, 3);
    let log = || ChainLog::open(&office.log_file(), || 1).unwrap();
    let good = office.roster(2, &[0, 1, 2]);
    RosterFile::begin(&office.roster_file(), good.clone(), &log()).unwrap();
    // Recorded, but the file was not written any more.
    std::fs::remove_file(office.roster_file()).unwrap();
    let error = RosterFile::open(&office.roster_file(), soft::ORIGIN, &log()).unwrap_err();
    assert!(error.detail.contains("enrol"), "{error}");
    let others = office.roster(2, &[0, 1]);
    RosterFile::begin(&office.roster_file(), others, &log()).unwrap_err();
    RosterFile::begin(&office.roster_file(), good.clone(), &log()).unwrap();
    RosterFile::open(&office.roster_file(), soft::ORIGIN, &log())
        .unwrap()
        .unwrap();
    RosterFile::begin(&office.roster_file(), good, &log()).unwrap_err();
}
