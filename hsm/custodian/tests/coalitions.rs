//! Two-person control: every set of custodians that is large enough may order,
//! no other; and nothing that was signed for one thing serves another.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end where it fails"
)]

mod office;
mod soft;

use chancery_hsm_api::approval::{Proof, Vote};
use chancery_hsm_api::{DoorZone, KekId, KeyErrorKind, KeyRole, PgpSigning as _, PublicKeys as _};
use chancery_hsm_custodian::{Ceremony, Client, Denial, Dossier, RosterText, verify_chain};
use office::{DAY, Office, SECOND, client};

const INTAKE: KeyRole = KeyRole::Kek(KekId::Intake);

fn rotate(generation: u32) -> Ceremony {
    Ceremony::Rotate {
        role: INTAKE,
        generation,
    }
}

/// All sets of numbers below `n`.
fn subsets(n: u8) -> Vec<Vec<u8>> {
    (0..1u32 << n)
        .map(|bits| (0..n).filter(|k| bits >> k & 1 == 1).collect())
        .collect()
}

#[test]
fn every_set_of_m_succeeds_and_every_smaller_one_is_refused_and_recorded() {
    let (mut small, mut large) = (0, 0);
    for count in 2..=5u8 {
        for needed in 2..=count {
            let office = Office::new(u32::from(needed), count);
            let server = office.open(&[INTAKE]);
            let mut generation = 1;
            for who in subsets(count) {
                let refusals = refused_lines(&office);
                let done = office.order(&server, rotate(generation + 1), &who);
                if who.len() >= usize::from(needed) {
                    large += 1;
                    generation += 1;
                    assert_eq!(done.unwrap().by.len(), who.len());
                    assert_eq!(refused_lines(&office), refusals);
                } else {
                    small += 1;
                    assert_eq!(done.unwrap_err().kind, KeyErrorKind::Denied, "{who:?}");
                    assert!(refused_lines(&office) > refusals, "{who:?} is recorded");
                }
                let cards = client(&server, Client::Admin).cards().unwrap();
                assert_eq!(cards.len(), usize::try_from(generation).unwrap());
            }
            verify_chain(office::bytes(&office.log_file()).as_slice()).unwrap();
        }
    }
    // Of all 2^n sets: those with fewer than m, and the others.
    assert_eq!((small, large), (124, 72));
}

fn refused_lines(office: &Office) -> usize {
    office
        .lines()
        .iter()
        .filter(|line| line["outcome"] == "refused")
        .count()
}

/// What an attacker makes of approvals that were given in good faith.
#[test]
fn repeated_swapped_expired_and_replayed_approvals_are_refused_and_recorded() {
    let office = Office::new(2, 3);
    let server = office.open(&[INTAKE, KeyRole::PgpSign]);
    let admin = client(&server, Client::Admin);
    let good = office.dossier(rotate(2), &[0, 1]);
    let stranger = Office::new(2, 5);

    let mut tries: Vec<(&str, Dossier)> = Vec::new();
    let mut with = |what, change: &dyn Fn(&mut Dossier)| {
        let mut dossier = good.clone();
        change(&mut dossier);
        tries.push((what, dossier));
    };
    with("the same approval twice", &|d| {
        d.approvals[1] = d.approvals[0].clone();
    });
    with("the same person with another nonce", &|d| {
        d.approvals[1] = office.approval(0, &d.proposal);
    });
    with("another person's name on one's own signature", &|d| {
        let Proof::Es256 { officer, .. } = &mut d.approvals[1].proof;
        *officer = "custodian-2".to_owned();
    });
    with("somebody outside the roster", &|d| {
        d.approvals[1] = stranger.approval(4, &d.proposal);
    });
    with("an approval of another operation", &|d| {
        let other = office.proposal(Ceremony::ChangePin {});
        d.approvals[1] = office.approval(1, &other);
    });
    with(
        "an approval of the same operation, proposed another time",
        &|d| {
            let other = office.proposal(rotate(2));
            d.approvals[1] = office.approval(1, &other);
        },
    );
    with("another operation under the approvals", &|d| {
        d.proposal.operation = rotate(3);
    });
    with("another kind of operation under the approvals", &|d| {
        d.proposal.operation = Ceremony::Destroy {
            role: INTAKE,
            generation: 1,
        };
    });
    with("another node", &|d| {
        d.proposal.node = "chancery/other".to_owned();
    });
    with("a later end of the proposal", &|d| {
        d.proposal.not_after = "2027-01-03T00:00:00Z".to_owned();
    });
    with("another id of the proposal", &|d| {
        d.proposal.id = "ff".repeat(16);
    });
    with("a changed vote", &|d| {
        d.approvals[1].record.vote = Vote::Refuse;
    });
    with("a later end of the approval", &|d| {
        d.approvals[1].record.not_after += SECOND;
    });
    with("a changed signature", &|d| {
        let Proof::Es256 { signature, .. } = &mut d.approvals[1].proof;
        let flipped = if signature.ends_with('0') { "1" } else { "0" };
        signature.replace_range(127..128, flipped);
    });
    with("an approval that was for too long", &|d| {
        let mut record = office.record(&d.proposal);
        record.not_after = office.now() + DAY + SECOND;
        let (name, key) = &office.people[1];
        d.approvals[1] = record.sign(name, key).unwrap();
    });
    with("an approval for another node", &|d| {
        let mut record = office.record(&d.proposal);
        record.node = "chancery/other".to_owned();
        let (name, key) = &office.people[1];
        d.approvals[1] = record.sign(name, key).unwrap();
    });
    with("one bad approval beside enough good ones", &|d| {
        d.approvals.push(d.approvals[0].clone());
    });
    for (what, dossier) in &tries {
        let before = refused_lines(&office);
        let error = admin.perform(dossier).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Denied, "{what}");
        assert!(refused_lines(&office) > before, "{what} is recorded");
    }
    assert_eq!(admin.cards().unwrap().len(), 2, "nothing was made");

    // Expired, to the second.
    let (late, later) = (
        office.dossier(rotate(2), &[0, 1]),
        office.dossier(rotate(3), &[0, 1]),
    );
    let end = late.approvals[0].record.not_after;
    // One microsecond before and after.
    office.set(end);
    admin.perform(&late).unwrap();
    // Replayed: by the same process, and by the next.
    assert!(admin.perform(&late).is_err());
    let again = office.open(&[]);
    let error = client(&again, Client::Admin).perform(&late).unwrap_err();
    assert!(error.detail.contains("before"), "{error}");
    office.set(end + 1);
    assert!(
        admin
            .perform(&later)
            .unwrap_err()
            .detail
            .contains("expired")
    );
    // The refusal was recorded: a clock that is set back gives no time again.
    office.set(end);
    assert!(
        admin
            .perform(&later)
            .unwrap_err()
            .detail
            .contains("expired")
    );
}

#[test]
fn one_refusal_ends_a_proposal_for_good() {
    let office = Office::new(2, 3);
    let server = office.open(&[INTAKE]);
    let admin = client(&server, Client::Admin);
    let mut dossier = office.dossier(rotate(2), &[0, 1]);
    let whole = dossier.clone();
    let mut record = office.record(&dossier.proposal);
    record.vote = Vote::Refuse;
    let (name, key) = &office.people[2];
    dossier.approvals.push(record.sign(name, key).unwrap());
    assert!(
        admin
            .perform(&dossier)
            .unwrap_err()
            .detail
            .contains("refused")
    );
    assert!(admin.perform(&whole).is_err(), "even without the refusal");
}

#[test]
fn the_roster_changes_by_those_it_names_and_proves_itself() {
    let office = Office::new(2, 5);
    let server = office.open(&[INTAKE]);
    let change = |needed, who: &[u8]| Ceremony::Roster {
        roster: office.roster(needed, who),
    };
    office
        .order(&server, change(3, &[1, 2, 3]), &[0])
        .unwrap_err();
    office
        .order(&server, change(3, &[1, 2, 3]), &[0, 1])
        .unwrap();
    // Who left decides no more; what is needed now is three.
    office.order(&server, rotate(2), &[0, 1, 2]).unwrap_err();
    office.order(&server, rotate(2), &[1, 2]).unwrap_err();
    office.order(&server, rotate(2), &[1, 2, 3]).unwrap();
    office
        .order(&server, change(2, &[0, 1, 4]), &[1, 2, 3])
        .unwrap();
    drop(server);
    let server = office.open(&[]);
    office.order(&server, rotate(3), &[0, 4]).unwrap();
    drop(server);

    // Forged, cut, exchanged: the custodian does not start.
    let file = office.roster_file();
    let whole = office::bytes(&file);
    let text = String::from_utf8(whole.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let cut = format!("{}\n{}\n", lines[0], lines[1]);
    let fewer = text.replacen("\"needed\":2", "\"needed\":3", 1);
    let other = Office::new(2, 5);
    drop(other.open(&[INTAKE]));
    let foreign = office::bytes(&other.roster_file());
    for bad in [cut.as_bytes(), fewer.as_bytes(), &foreign, b""] {
        std::fs::write(&file, bad).unwrap();
        assert!(office.try_open(&[]).is_err());
    }
    std::fs::remove_file(&file).unwrap();
    assert!(office.try_open(&[]).is_err());
    std::fs::write(&file, &whole).unwrap();
    office.open(&[]);
}

#[test]
fn a_roster_of_one_or_of_one_key_twice_is_none() {
    let office = Office::new(2, 3);
    let good = office.roster(2, &[0, 1, 2]);
    let mut twice = good.clone();
    let key = twice.custodians["custodian-0"].clone();
    twice.custodians.insert("custodian-1".to_owned(), key);
    let alone = RosterText {
        needed: 1,
        ..good.clone()
    };
    let many = RosterText {
        needed: 4,
        ..good.clone()
    };
    for bad in [twice, alone, many] {
        assert!(chancery_hsm_custodian::Roster::new(bad).is_err());
    }
    assert!(chancery_hsm_custodian::Roster::new(good).is_ok());
}

#[test]
fn the_role_table_and_public_parts_are_the_custodians_too() {
    let office = Office::new(2, 3);
    let server = office.open(&[INTAKE, KeyRole::PgpSign]);
    // Nobody asks for a public part by the officers' link.
    let admin = client(&server, Client::Admin);
    assert!(admin.public_key(&KeyRole::PgpSign).is_err());
    let take = |operation: &str| Ceremony::RoleTable {
        denied: vec![Denial {
            client: "core".to_owned(),
            operation: operation.to_owned(),
        }],
    };
    let core = client(&server, Client::Core);
    core.pgp_sign(&[7; 32]).unwrap();
    office.order(&server, take("pgp-sign"), &[0]).unwrap_err();
    core.pgp_sign(&[7; 32]).unwrap();
    office.order(&server, take("pgp-sign"), &[0, 2]).unwrap();
    assert_eq!(
        core.pgp_sign(&[7; 32]).unwrap_err().kind,
        KeyErrorKind::Denied
    );
    // It lasts, and nobody takes away the way back.
    let again = office.open(&[]);
    let core = client(&again, Client::Core);
    assert!(core.pgp_sign(&[7; 32]).is_err());
    let way_back = Ceremony::RoleTable {
        denied: vec![Denial {
            client: "admin".to_owned(),
            operation: "perform".to_owned(),
        }],
    };
    office.order(&again, way_back, &[0, 1]).unwrap_err();
    let file = office.folder.path().join("role-table.json");
    let good = office::bytes(&file);
    std::fs::write(&file, "[]").unwrap();
    assert!(office.try_open(&[]).is_err(), "an exchanged table is found");
    std::fs::write(&file, good).unwrap();
    let all = Ceremony::RoleTable { denied: Vec::new() };
    office.order(&again, all, &[0, 1]).unwrap();
    core.pgp_sign(&[7; 32]).unwrap();
    let door = client(&again, Client::Door(DoorZone::Rest));
    assert!(door.public_key(&KeyRole::PgpSign).is_err());
}
