//! Passports, timelines, and a stranger's reading of our files.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a helper that fails is a failed test"
)]

mod support;

use std::io::Write as _;
use std::process::Command;

use chancery_audit::passport::{self, PassportError, Proven};
use chancery_audit::timeline::{self, Had};
use chancery_audit::{Actor, Event, EventKind, Expect, Key, Record, Wrong};
use chancery_message::Timestamp;
use support::{Dice, Log, delivery, message};

/// Records of one message with their proofs, and the passport of them.
fn passport(log: &Log, size: u64, n: u8) -> (Vec<Proven>, Vec<u8>) {
    let mut records = Vec::new();
    for bytes in &log.records[..usize::try_from(size).expect("small")] {
        let record = Record::parse(bytes).expect("a record");
        if record.event.message == Some(message(n)) {
            let proof = log
                .tree
                .prove_inclusion(record.seq, size, &log.leaves[..])
                .expect("in range");
            records.push((bytes.clone(), proof));
        }
    }
    let file = passport::write(
        Vec::new(),
        &log.signing.key(),
        &log.note(size),
        &message(n),
        &records,
    )
    .expect("writes");
    (records, file)
}

fn expect(log: &Log) -> Expect {
    Expect {
        fingerprint: Some(log.signing.key().fingerprint()),
        ..Expect::default()
    }
}

#[test]
fn a_passport_proves_its_records() {
    let log = Log::new(300, &[]);
    for size in [1, 2, 60, 256, 300] {
        let (records, file) = passport(&log, size, 1);
        let read = passport::verify(&file[..], &expect(&log)).expect("proves");
        assert_eq!(read.records.len(), records.len());
        assert_eq!(
            (read.message, read.checkpoint.size, read.key_expected),
            (message(1), size, true)
        );
        assert!(
            read.records
                .iter()
                .all(|record| record.event.message == Some(message(1)))
        );
    }
}

#[test]
fn every_change_of_a_passport_is_found() {
    let log = Log::new(60, &[]);
    let (records, file) = passport(&log, 60, 1);
    assert!(records.len() > 5);
    let expect = expect(&log);
    let mut dice = Dice(0);
    for round in 0..2_000 {
        let mut changed = file.clone();
        let at = dice.below(changed.len());
        changed[at] ^= 1 << dice.below(8);
        assert!(
            passport::verify(&changed[..], &expect).is_err(),
            "round {round}: byte {at}"
        );
    }
    for length in 0..file.len() {
        assert!(
            passport::verify(&file[..length], &expect).is_err(),
            "cut to {length}"
        );
    }
    // A record of another message, with a proof that holds.
    let (other, _) = passport(&log, 60, 2);
    let write = |records: &[Proven]| {
        passport::write(
            Vec::new(),
            &log.signing.key(),
            &log.note(60),
            &message(1),
            records,
        )
        .expect("writes")
    };
    let refused = |records: &[Proven]| passport::verify(&write(records)[..], &expect).err();
    assert!(matches!(
        refused(&other[..1]),
        Some(PassportError::Record {
            what: Wrong::Log,
            ..
        })
    ));
    // A record twice; records out of order; a proof that is another's.
    let twice = [records[0].clone(), records[0].clone()];
    assert!(matches!(
        refused(&twice),
        Some(PassportError::Record {
            what: Wrong::Extra { .. },
            ..
        })
    ));
    let swapped = [records[1].clone(), records[0].clone()];
    assert!(matches!(
        refused(&swapped),
        Some(PassportError::Record {
            what: Wrong::Extra { .. },
            ..
        })
    ));
    let mixed = [(records[0].0.clone(), records[1].1.clone())];
    assert!(matches!(
        refused(&mixed),
        Some(PassportError::Proof { seq: 1 })
    ));
    // Another key, and a later record than the checkpoint covers.
    let elsewhere = Expect {
        fingerprint: Some([0; 32]),
        ..Expect::default()
    };
    assert!(matches!(
        passport::verify(&file[..], &elsewhere),
        Err(PassportError::Header(Wrong::Key))
    ));
    let early = passport::write(
        Vec::new(),
        &log.signing.key(),
        &log.note(10),
        &message(1),
        &records,
    )
    .expect("writes");
    assert!(matches!(
        passport::verify(&early[..], &expect),
        Err(PassportError::Proof { .. })
    ));
}

/// The verifier of a few lines of Python knows nothing of this crate.
fn stranger(file: &[u8]) -> Result<String, String> {
    let mut stored = tempfile::NamedTempFile::new().expect("a temporary file");
    stored.write_all(file).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_export.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(stored.path())
        .output()
        .expect("python3 is needed for this test");
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn a_stranger_computes_the_same_roots() {
    let log = Log::new(300, &[1, 37, 256]);
    for size in [0_u64, 1, 2, 3, 37, 255, 256, 300] {
        let root = hex::encode(log.tree.root_at(size, &log.leaves[..]).expect("in range"));
        assert_eq!(stranger(&log.export(0, size)), Ok(format!("{size} {root}")));
    }
    for size in [2_u64, 77, 300] {
        let root = hex::encode(log.tree.root_at(size, &log.leaves[..]).expect("in range"));
        let (_, file) = passport(&log, size, 1);
        assert_eq!(stranger(&file), Ok(format!("{size} {root}")));
    }
    // And objects where this crate does.
    let (mut records, _) = passport(&log, 300, 1);
    records[0].1[0][0] ^= 1;
    let file = passport::write(
        Vec::new(),
        &log.signing.key(),
        &log.note(300),
        &message(1),
        &records,
    )
    .expect("writes");
    assert!(stranger(&file).is_err());
    let mut export = log.export(0, 300);
    let end = export.len() - 3;
    export[end] ^= 1;
    assert!(stranger(&export).is_err());
}

fn story() -> Vec<Record> {
    let log = "chancery/node-1".parse().expect("a log id");
    let at = |n: i64| Timestamp::from_micros(n * 1_000_000);
    let event = |kind, n| Event::new(kind, at(n), Actor::process("core")).message(message(1));
    let to =
        |event: Event, n: u8, who: &str| event.delivery(delivery(n)).detail(Key::Recipient, who);
    let officer = Event::new(
        EventKind::ContentRead,
        at(5),
        Actor::Officer("anna".parse().expect("id")),
    );
    let events = [
        event(EventKind::MessageReceived, 1).detail(Key::Channel, "rest"),
        event(EventKind::MessageSealed, 2)
            .detail(Key::Kek, "kek/1/cert-eu")
            .detail(Key::Label, "R-UE"),
        to(event(EventKind::ReleaseRefused, 3), 3, "vendor-1").detail(Key::Gates, ["G04", "G11"]),
        to(event(EventKind::ReleaseOpened, 4), 1, "europol-ec3"),
        officer.message(message(1)),
        event(EventKind::MessageReceived, 6).message(message(2)),
        to(event(EventKind::ReleaseCompleted, 7), 1, "europol-ec3"),
        to(event(EventKind::ReleaseOpened, 8), 2, "intcen"),
        to(event(EventKind::ReleaseUncertain, 9), 2, "intcen"),
    ];
    (0..)
        .zip(events)
        .map(|(seq, event)| Record::new(&log, seq, event))
        .collect()
}

#[test]
fn a_timeline_tells_one_message_in_order() {
    let mut records = story();
    records.reverse();
    let told = timeline::of_message(&records, &message(1));
    let seqs: Vec<_> = told.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4, 6, 7, 8]);
    assert_eq!(told[0].words, "a door took in a message (channel rest)");
    assert_eq!(
        told[1].words,
        "the content was sealed under the key of its label (label R-UE)"
    );
    assert_eq!(
        told[2].words,
        "the rules do not let the recipient have it (gates G04, G11; recipient vendor-1)"
    );
}

#[test]
fn who_had_it_is_told_with_its_certainty() {
    let had: Vec<_> = timeline::who_had(&story(), &message(1))
        .into_iter()
        .map(|holder| (holder.who, holder.how, holder.seq))
        .collect();
    assert_eq!(
        had,
        [
            ("europol-ec3".to_owned(), Had::Completed, 6),
            ("officer:anna".to_owned(), Had::Read, 4),
            ("intcen".to_owned(), Had::Uncertain, 8),
        ]
    );
    assert!(timeline::who_had(&story(), &message(9)).is_empty());
}
