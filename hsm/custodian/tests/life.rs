//! The life of keys: periods to the second, rotation, and a kill at every step.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod office;
mod soft;

use chancery_hsm_api::{
    Checkpoints as _, ContentKeys as _, DoorZone, KekId, KeyError, KeyErrorKind, KeyRole, MacUse,
    Macs as _, PgpDecryption as _, PgpSigning as _, TlsSigning as _, WrappedKey,
};
use chancery_hsm_custodian::{Ceremony, Client, CustodyClient, Period, Periods};
use office::{DAY, Office, SECOND, client};
use soft::Tree;

const INTAKE: KeyRole = KeyRole::Kek(KekId::Intake);

fn all_roles() -> Vec<KeyRole> {
    let mut roles = vec![
        INTAKE,
        "kek/2/acme".parse().unwrap(),
        KeyRole::Mac(MacUse::Index),
        KeyRole::Mac(MacUse::Row),
        KeyRole::AuditCheckpoint,
        KeyRole::PgpSign,
        KeyRole::PgpDecrypt,
    ];
    roles.extend(DoorZone::ALL.map(KeyRole::Tls));
    roles
}

fn handshake() -> Vec<u8> {
    let mut message = vec![0x20; 64];
    message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
    message.extend_from_slice(&[7; 32]);
    message
}

/// Makes something with the role's key: originator use.
fn make(server: &Custodian, role: &KeyRole, size: u64) -> Result<(), KeyError> {
    let core = client(server, Client::Core);
    match role {
        KeyRole::Kek(kek) => core.new_content_key(kek).map(|_| ()),
        KeyRole::Mac(usage) => core.mac(*usage, b"x").map(|_| ()),
        KeyRole::AuditCheckpoint => {
            let last = core.last_checkpoint(soft::ORIGIN).unwrap().0;
            let request = Tree::new(size, 0).request(last, size);
            core.sign_checkpoint(&request).map(|_| ())
        }
        KeyRole::PgpSign => core.pgp_sign(&[7; 32]).map(|_| ()),
        KeyRole::PgpDecrypt => client(server, Client::Reader(DoorZone::Mail))
            .pgp_agree(&[4; 65])
            .map(|_| ()),
        KeyRole::Tls(zone) => client(server, Client::Door(*zone))
            .tls_sign(*zone, &handshake())
            .map(|_| ()),
    }
}

type Custodian = std::sync::Arc<chancery_hsm_custodian::Server<soft::SoftKeys>>;

#[test]
fn each_role_ends_to_the_second_and_what_it_made_is_still_opened() {
    let period = Period {
        make_days: 10,
        open_days: 20,
    };
    let mut size = 0;
    for role in all_roles() {
        let mut office = Office::new(2, 3);
        office.periods = Periods {
            kek: period,
            mac: period,
            checkpoint: period,
            pgp_sign: period,
            pgp_decrypt: period,
            tls: period,
        };
        let server = office.open(&all_roles());
        let from = office.now();
        let wrapped = match &role {
            KeyRole::Kek(kek) => {
                let core = client(&server, Client::Core);
                Some(core.new_content_key(kek).unwrap().1)
            }
            _ => None,
        };
        // A digest and an agreement are made to open: the later end is theirs.
        let opens = matches!(role, KeyRole::Mac(_) | KeyRole::PgpDecrypt);
        let end = from + if opens { 20 } else { 10 } * DAY;
        for (at, allowed) in [
            (from, true),
            (end - SECOND, true),
            (end - 1, true),
            (end, false),
            (end + SECOND, false),
        ] {
            office.set(at);
            size += 1;
            let made = make(&server, &role, size);
            if allowed {
                made.unwrap_or_else(|error| panic!("{role} at {}: {error}", at - end));
            } else {
                assert_eq!(made.unwrap_err().kind, KeyErrorKind::Denied, "{role}");
            }
        }
        if let Some(wrapped) = wrapped {
            let core = client(&server, Client::Core);
            let last = from + 20 * DAY;
            for (at, allowed) in [
                (last - SECOND, true),
                (last - 1, true),
                (last, false),
                (last + SECOND, false),
            ] {
                office.set(at);
                assert_eq!(core.unwrap_key(&wrapped).is_ok(), allowed, "{role}");
            }
        }
        // A restart gives nobody more time, nor does a clock that is set back.
        let again = office.open(&[]);
        size += 1;
        assert!(make(&again, &role, size).is_err(), "{role}");
    }
}

#[test]
fn a_clock_that_is_set_back_gives_no_more_time() {
    let mut office = Office::new(2, 3);
    office.periods.kek.make_days = 10;
    let from = office.now();
    let server = office.open(&[INTAKE]);
    office.set(from + 10 * DAY + SECOND);
    // Something that was done is what the register remembers.
    office
        .order(
            &server,
            Ceremony::Roster {
                roster: office.roster(2, &[0, 1]),
            },
            &[0, 1],
        )
        .unwrap();
    drop(server);
    office.set(from + SECOND);
    let server = office.open(&[]);
    assert!(make(&server, &INTAKE, 0).is_err());
}

#[test]
fn a_refusal_is_remembered_against_a_clock_that_is_set_back() {
    let mut office = Office::new(2, 3);
    office.periods.kek.make_days = 10;
    let from = office.now();
    let server = office.open(&[INTAKE]);
    make(&server, &INTAKE, 0).unwrap();
    office.set(from + 10 * DAY + SECOND);
    make(&server, &INTAKE, 0).unwrap_err();
    office.set(from + SECOND);
    make(&server, &INTAKE, 0).unwrap_err();
    drop(server);
    make(&office.open(&[]), &INTAKE, 0).unwrap_err();
}

#[test]
fn once_custodians_are_enrolled_no_key_is_taken_in_that_they_did_not_order() {
    let office = Office::new(2, 3);
    drop(office.open(&[INTAKE]));
    let planted: KeyRole = "kek/3/planted".parse().unwrap();
    let server = office.open(&[INTAKE, planted.clone(), KeyRole::PgpSign]);
    let error = make(&server, &planted, 0).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Unknown, "{error}");
    let error = make(&server, &KeyRole::PgpSign, 0).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Unknown, "{error}");
    let export = Ceremony::ExportPublic {
        role: KeyRole::PgpSign,
        generation: 1,
    };
    let error = office.order(&server, export, &[0, 1]).unwrap_err();
    assert!(error.detail.contains("never made here"), "{error}");
    make(&server, &INTAKE, 0).unwrap();
}

#[test]
fn rotation_overlaps_and_the_old_kek_goes_only_when_nothing_is_under_it() {
    let office = Office::new(2, 3);
    let server = office.open(&[INTAKE]);
    let core = client(&server, Client::Core);
    let (key, old) = core.new_content_key(&KekId::Intake).unwrap();
    let order = |operation| office.order(&server, operation, &[0, 1]);
    let (role, generation) = (INTAKE, 1);
    order(Ceremony::Destroy { role, generation }).unwrap_err();
    order(Ceremony::Rotate {
        role: INTAKE,
        generation: 3,
    })
    .unwrap_err();
    order(Ceremony::Rotate {
        role: INTAKE,
        generation: 2,
    })
    .unwrap();

    let (_, new) = core.new_content_key(&KekId::Intake).unwrap();
    assert_eq!((old.generation, new.generation), (1, 2));
    assert_eq!(core.unwrap_key(&old).unwrap(), key);
    let moved = core.rewrap_key(&old, &KekId::Intake).unwrap();
    assert_eq!(moved.generation, 2);
    assert_eq!(core.unwrap_key(&moved).unwrap(), key);

    let destroy = || {
        order(Ceremony::Destroy {
            role: INTAKE,
            generation: 1,
        })
    };
    assert!(destroy().unwrap_err().detail.contains("not counted"));
    core.note_blobs(&KekId::Intake, 1, 7, false).unwrap();
    assert!(destroy().unwrap_err().detail.contains("7 left"));
    core.note_blobs(&KekId::Intake, 1, 0, false).unwrap();
    destroy().unwrap_err();
    // Only core closes, and only what is no longer in use.
    assert!(core.note_blobs(&KekId::Intake, 2, 0, true).is_err());
    let admin = client(&server, Client::Admin);
    assert!(admin.note_blobs(&KekId::Intake, 1, 0, true).is_err());
    core.note_blobs(&KekId::Intake, 1, 0, true).unwrap();
    destroy().unwrap();
    assert!(!office.keys.has(&INTAKE, 1));
    assert_eq!(
        core.unwrap_key(&old).unwrap_err().kind,
        KeyErrorKind::Denied
    );
    assert_eq!(core.unwrap_key(&moved).unwrap(), key);
    destroy().unwrap_err();
}

#[test]
fn generate_activate_retire_and_what_cannot_be_rotated() {
    let office = Office::new(2, 3);
    let server = office.open(&all_roles());
    let order = |operation| office.order(&server, operation, &[1, 2]);
    let acme: KeyRole = "kek/3/new-partner".parse().unwrap();
    order(Ceremony::Generate {
        role: acme.clone(),
        generation: 1,
    })
    .unwrap();
    let core = client(&server, Client::Core);
    let kek: KekId = "kek/3/new-partner".parse().unwrap();
    assert!(core.new_content_key(&kek).is_err(), "not active yet");
    let activate = || Ceremony::Activate {
        role: acme.clone(),
        generation: 1,
    };
    order(activate()).unwrap();
    order(activate()).unwrap_err();
    core.new_content_key(&kek).unwrap();
    order(Ceremony::Retire {
        role: acme.clone(),
        generation: 1,
    })
    .unwrap();
    assert!(core.new_content_key(&kek).is_err());
    for role in [KeyRole::AuditCheckpoint, KeyRole::Tls(DoorZone::Rest)] {
        order(Ceremony::Rotate {
            role,
            generation: 2,
        })
        .unwrap_err();
    }
}

#[test]
fn a_digest_key_is_rotated_and_what_stands_under_the_old_one_is_found_again() {
    let office = Office::new(2, 3);
    let role = KeyRole::Mac(MacUse::Row);
    let server = office.open(std::slice::from_ref(&role));
    let order = |operation| office.order(&server, operation, &[0, 2]);
    let core = client(&server, Client::Core);
    let old = core.mac(MacUse::Row, b"row").unwrap();
    assert!(core.mac_of(MacUse::Row, 2, b"row").is_err(), "not made yet");
    order(Ceremony::Rotate {
        role: role.clone(),
        generation: 2,
    })
    .unwrap();
    let new = core.mac(MacUse::Row, b"row").unwrap();
    assert_ne!(new, old);
    assert_eq!(core.mac_of(MacUse::Row, 1, b"row").unwrap(), old);
    assert_eq!(core.mac_of(MacUse::Row, 2, b"row").unwrap(), new);
    // Rows stand under it for good: it is retired, never destroyed.
    let retire = Ceremony::Retire {
        role: role.clone(),
        generation: 1,
    };
    order(retire).unwrap();
    let destroy = Ceremony::Destroy {
        role: role.clone(),
        generation: 1,
    };
    let error = order(destroy).unwrap_err();
    assert!(error.detail.contains("for good"), "{error}");
    let again = office.open(&[]);
    let core = client(&again, Client::Core);
    assert_eq!(core.mac_of(MacUse::Row, 1, b"row").unwrap(), old);
    assert_eq!(core.mac(MacUse::Row, b"row").unwrap(), new);
    // No other process asks, by whatever generation.
    let door = client(&again, Client::Door(DoorZone::Rest));
    let error = door.mac_of(MacUse::Row, 1, b"row").unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Denied);
}

#[test]
fn a_later_generation_that_was_never_made_here_is_not_used() {
    let office = Office::new(2, 3);
    let server = office.open(&[INTAKE]);
    let core = client(&server, Client::Core);
    let (_, good) = core.new_content_key(&KekId::Intake).unwrap();
    office.keys.token.lock().unwrap().later.insert((INTAKE, 2));
    let again = office.open(&[INTAKE]);
    let core = client(&again, Client::Core);
    assert_eq!(
        core.new_content_key(&KekId::Intake).unwrap().1.generation,
        1
    );
    let planted = WrappedKey {
        generation: 2,
        ..good
    };
    assert_eq!(
        core.unwrap_key(&planted).unwrap_err().kind,
        KeyErrorKind::Denied
    );
}

/// What was wrapped before a rotation, and a store that rewraps.
struct Blobs(Vec<(chancery_hsm_api::ContentKey, WrappedKey)>);

impl Blobs {
    fn all_open(&self, core: &CustodyClient, when: &str) {
        for (key, wrapped) in &self.0 {
            match core.unwrap_key(wrapped) {
                Ok(opened) => assert_eq!(opened, *key, "{when}"),
                Err(error) => panic!("{when}: {error}"),
            }
        }
    }
}

/// Rotation, rewrapping and destruction are killed before each durable effect
/// (a line of the log, a key made or destroyed in the token): after the next
/// start everything opens, something new can be sealed, and the work goes on.
#[test]
fn killed_at_every_step_everything_opens() {
    let mut steps = 0;
    for cut in 0..200 {
        let office = Office::new(2, 3);
        let server = office.open(&[INTAKE]);
        let core = client(&server, Client::Core);
        let mut blobs = Blobs(
            (0..3)
                .map(|_| core.new_content_key(&KekId::Intake).unwrap())
                .collect(),
        );
        *office.fuse.0.lock().unwrap() = Some(cut);
        let survived = whole_rotation(&office, &server, &mut blobs);
        *office.fuse.0.lock().unwrap() = None;
        drop((core, server));

        let server = office.open(&[INTAKE]);
        let core = client(&server, Client::Core);
        let when = format!("killed before effect {cut}");
        blobs.all_open(&core, &when);
        blobs.0.push(core.new_content_key(&KekId::Intake).unwrap());
        blobs.all_open(&core, &when);
        // It can always be done again, to the end.
        whole_rotation(&office, &server, &mut blobs).unwrap();
        blobs.all_open(&core, &when);
        if survived.is_ok() {
            break;
        }
        steps = cut + 1;
    }
    assert!(steps >= 12, "a rotation has more effects than {steps}");
}

/// Rotates, rewraps blob by blob, closes and destroys what was active before.
fn whole_rotation(office: &Office, server: &Custodian, blobs: &mut Blobs) -> Result<(), KeyError> {
    let core = client(server, Client::Core);
    let cards = client(server, Client::Admin).cards()?;
    let next = cards.iter().map(|card| card.generation).max().unwrap() + 1;
    office.order(
        server,
        Ceremony::Rotate {
            role: INTAKE,
            generation: next,
        },
        &[0, 1],
    )?;
    for (_, wrapped) in &mut blobs.0 {
        let moved = core.rewrap_key(wrapped, &KekId::Intake)?;
        *wrapped = moved;
    }
    for card in client(server, Client::Admin).cards()? {
        if card.superseded_at.is_none() || card.destroyed_at.is_some() {
            continue;
        }
        core.note_blobs(&KekId::Intake, card.generation, 0, true)?;
        office.order(
            server,
            Ceremony::Destroy {
                role: INTAKE,
                generation: card.generation,
            },
            &[1, 2],
        )?;
    }
    Ok(())
}
