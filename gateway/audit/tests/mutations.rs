//! Ten thousand ways to tamper with an export, and what the verifier says of each.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a helper that fails is a failed test"
)]

mod support;

use chancery_audit::verify::verify;
use chancery_audit::{
    CheckpointError, Event, EventKind, Expect, Place, Record, Report, Wrong, leaf_hash,
};
use support::{Dice, Log, Signing};

const RECORDS: u64 = 40;
const CHECKPOINTS: [u64; 3] = [9, 25, 40];

fn log() -> Log {
    Log::new(RECORDS, &CHECKPOINTS)
}

fn expect(log: &Log) -> Expect {
    Expect {
        fingerprint: Some(log.signing.key().fingerprint()),
        log: Some(log.signing.log.clone()),
        anchors: Vec::new(),
    }
}

fn run(bytes: &[u8], expect: &Expect) -> Report {
    verify(bytes, expect).expect("reads from memory")
}

fn lines(export: &[u8]) -> Vec<Vec<u8>> {
    export
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// Where each line of the export belongs.
fn places() -> Vec<Place> {
    let mut places = vec![Place::Header];
    for size in 0..=RECORDS {
        if CHECKPOINTS.contains(&size) {
            places.push(Place::Checkpoint(size));
        }
        if size < RECORDS {
            places.push(Place::Record(size));
        }
    }
    places
}

fn line_of(seq: u64) -> usize {
    places()
        .iter()
        .position(|place| *place == Place::Record(seq))
        .expect("in range")
}

fn record_line(record: &[u8]) -> Vec<u8> {
    [
        hex::encode(leaf_hash(record)).as_bytes(),
        b" ",
        record,
        b"\n",
    ]
    .concat()
}

#[test]
fn what_was_not_touched_is_sound() {
    let log = log();
    let report = run(&log.export(0, RECORDS), &expect(&log));
    assert_eq!(report.fault, None);
    assert_eq!(
        (report.from, report.size, report.anchored),
        (0, RECORDS, RECORDS)
    );
    assert_eq!((report.checkpoints, report.root), (3, log.tree.root()));
    assert!(report.key_expected);
    assert!(report.to_string().ends_with("sound"));
    // From the middle, with and without a checkpoint at its beginning.
    for (from, to, checkpoints, anchored) in [
        (9, 40, 3, 40),
        (10, 40, 2, 40),
        (3, 24, 1, 9),
        (26, 39, 0, 26),
        (40, 40, 1, 40),
    ] {
        let report = run(&log.export(from, to), &expect(&log));
        assert_eq!(report.fault, None, "{from} to {to}");
        assert_eq!(
            (
                report.from,
                report.size,
                report.checkpoints,
                report.anchored
            ),
            (from, to, checkpoints, anchored)
        );
        assert_eq!(report.not_yet_anchored(), to - anchored);
    }
    let empty = Log::new(0, &[]);
    assert_eq!(run(&empty.export(0, 0), &expect(&empty)).fault, None);
}

#[test]
fn ten_thousand_mutations_are_found_and_named() {
    let log = log();
    let expect = expect(&log);
    let export = log.export(0, RECORDS);
    let (whole, places) = (lines(&export), places());
    assert_eq!(whole.len(), places.len());
    let mut dice = Dice(0);
    for round in 0..10_000 {
        let seq = dice.below(RECORDS as usize) as u64;
        let (at, mut changed) = (line_of(seq), whole.clone());
        let expected = match round % 5 {
            0 | 1 => {
                // One bit, anywhere.
                let mut at = 0;
                let mut byte = dice.below(export.len());
                while byte >= changed[at].len() {
                    byte -= changed[at].len();
                    at += 1;
                }
                changed[at][byte] ^= 1 << dice.below(8);
                places[at]
            }
            2 => {
                changed.remove(at);
                Place::Record(seq)
            }
            3 => {
                // A record of the log, once more somewhere.
                let other = whole[line_of(dice.below(RECORDS as usize) as u64)].clone();
                changed.insert(at, other.clone());
                // Before itself it is its neighbour that comes twice.
                if other == whole[at] {
                    Place::Record(seq + 1)
                } else {
                    Place::Record(seq)
                }
            }
            _ => {
                let other = (seq + 1 + dice.below(RECORDS as usize - 1) as u64) % RECORDS;
                changed.swap(at, line_of(other));
                Place::Record(seq.min(other))
            }
        };
        let report = run(&changed.concat(), &expect);
        let fault = report
            .fault
            .unwrap_or_else(|| panic!("round {round} was not found"));
        match expected {
            // A header that says something else can make any place the first that is wrong.
            Place::Header => {}
            // A checkpoint whose first byte changed is no checkpoint any more: the
            // line reads like a record too many.
            Place::Checkpoint(size) if fault.place == Place::Record(size) => {}
            _ => assert_eq!(fault.place, expected, "round {round}: {fault}"),
        }
        if let Place::Record(seq) = fault.place {
            assert_eq!(report.size, seq, "all before it are good");
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_found_and_named() {
    let log = log();
    let expect = expect(&log);
    let export = log.export(0, RECORDS);
    let (whole, places) = (lines(&export), places());
    // At every line's end, and at every seventh byte.
    let ends: Vec<_> = whole
        .iter()
        .scan(0, |end, line| {
            *end += line.len();
            Some(*end)
        })
        .collect();
    let near = |length: usize| ends.iter().any(|end| end.abs_diff(length) < 2);
    for length in (0..export.len()).filter(|length| length.is_multiple_of(7) || near(*length)) {
        let line = ends.iter().filter(|end| **end <= length).count();
        let start = line.checked_sub(1).map_or(0, |before| ends[before]);
        let fault = run(&export[..length], &expect)
            .fault
            .unwrap_or_else(|| panic!("cut to {length}"));
        let expected = match places[line] {
            // Cut within or before a checkpoint: the next record is missing, or nothing but the checkpoint.
            Place::Checkpoint(RECORDS) if length == start => Place::Checkpoint(RECORDS),
            Place::Checkpoint(size) => Place::Record(size),
            place => place,
        };
        assert_eq!(fault.place, expected, "cut to {length}: {fault}");
    }
}

/// The most careful forger: everything is made to fit again, but the
/// custodian's signature.
#[test]
fn a_rewritten_past_is_found_between_its_checkpoints() {
    let log = log();
    let expect = expect(&log);
    for seq in 0..RECORDS {
        let first = CHECKPOINTS
            .iter()
            .rev()
            .find(|size| **size <= seq)
            .copied()
            .unwrap_or(0);
        let last = CHECKPOINTS
            .iter()
            .find(|size| **size > seq)
            .copied()
            .expect("40 is the last")
            - 1;
        let place = Place::Records(first, last);

        // One record says something else.
        let mut records = log.records.clone();
        let mut record = Record::parse(&records[seq as usize]).expect("a record");
        record.event.kind = EventKind::ReleaseCompleted;
        record.event.details = Event::new(
            EventKind::NodeStarted,
            record.event.at,
            record.event.actor.clone(),
        )
        .details;
        records[seq as usize] = record.encode();
        let mut changed = lines(&log.export(0, RECORDS));
        changed[line_of(seq)] = record_line(&records[seq as usize]);
        let fault = run(&changed.concat(), &expect).fault.expect("found");
        assert_eq!(
            (fault.place, fault.what),
            (place, Wrong::Root),
            "changed {seq}"
        );

        // One record is gone, all later ones are numbered anew, and one more
        // at the end keeps the count.
        let mut records = log.records.clone();
        records.remove(seq as usize);
        records.push(Record::new(&log.signing.log, RECORDS, support::event(RECORDS)).encode());
        let mut changed = lines(&log.export(0, RECORDS));
        for (at, bytes) in (0..).zip(&records) {
            changed[line_of(at)] = record_line(&renumbered(bytes, at));
        }
        let fault = run(&changed.concat(), &expect).fault.expect("found");
        assert_eq!(
            (fault.place, fault.what),
            (place, Wrong::Root),
            "removed {seq}"
        );
    }
}

fn renumbered(bytes: &[u8], seq: u64) -> Vec<u8> {
    let mut record = Record::parse(bytes).expect("a record");
    record.seq = seq;
    record.encode()
}

#[test]
fn a_fork_signed_with_another_key_is_refused() {
    let log = log();
    let forged = Log::of(
        Signing::new("chancery/node-1", 8),
        log.records.clone(),
        &CHECKPOINTS,
    );
    let fault = run(&forged.export(0, RECORDS), &expect(&log))
        .fault
        .expect("found");
    assert_eq!((fault.place, fault.what), (Place::Header, Wrong::Key));
    // With the true key in the header, but its own checkpoints.
    let mut changed = lines(&log.export(0, RECORDS));
    let other = lines(&forged.export(0, RECORDS));
    changed[1 + 9] = other[1 + 9].clone();
    let fault = run(&changed.concat(), &expect(&log)).fault.expect("found");
    assert_eq!(fault.place, Place::Checkpoint(9));
    assert!(matches!(
        fault.what,
        Wrong::Checkpoint(CheckpointError::OtherKey(_))
    ));
    // Nobody expected a key: the report says so.
    let report = run(&forged.export(0, RECORDS), &Expect::default());
    assert!(report.is_sound() && !report.key_expected);
    // Another log than expected.
    let expect = Expect {
        log: Some("chancery/node-2".parse().expect("id")),
        ..Expect::default()
    };
    assert_eq!(
        run(&log.export(0, RECORDS), &expect)
            .fault
            .expect("found")
            .what,
        Wrong::Log
    );
}

/// Two histories, both signed with the log's own key after a common start:
/// each export is sound alone, and is caught by a checkpoint of the other.
#[test]
fn a_fork_by_the_custodian_itself_shows_against_an_anchor() {
    let log = log();
    let mut records = log.records.clone();
    for (seq, record) in records.iter_mut().enumerate().skip(30) {
        let event = support::event(seq as u64 + 1);
        *record = Record::new(&log.signing.log, seq as u64, event).encode();
    }
    let fork = Log::of(Signing::new("chancery/node-1", 7), records, &CHECKPOINTS);
    let export = fork.export(0, RECORDS);
    assert!(run(&export, &expect(&log)).is_sound());

    let anchored = |size: u64| Expect {
        anchors: vec![log.note(size)],
        ..expect(&log)
    };
    for size in 1..=30 {
        let report = run(&export, &anchored(size));
        assert_eq!(
            (report.fault, report.anchors),
            (None, 1),
            "common past of {size}"
        );
    }
    for size in 31..=RECORDS {
        let fault = run(&export, &anchored(size)).fault.expect("found");
        assert_eq!(
            (fault.place, fault.what),
            (Place::Records(25, size - 1), Wrong::Root),
            "anchor of {size}"
        );
    }
    // Anchors from before a partial export's beginning say nothing of it.
    assert_eq!(run(&fork.export(39, 40), &anchored(35)).anchors, 0);
    // An anchor that is none.
    let expect = Expect {
        anchors: vec![log.note(5), "nonsense".into()],
        ..expect(&log)
    };
    assert_eq!(
        run(&export, &expect).fault.expect("found").place,
        Place::Anchor(1)
    );
}

#[test]
fn an_end_cut_off_with_its_header_shows_against_an_anchor_alone() {
    let log = log();
    let short = log.export(0, 30);
    assert_eq!(run(&short, &expect(&log)).not_yet_anchored(), 5);
    let fault = run(
        &short,
        &Expect {
            anchors: vec![log.note(40)],
            ..expect(&log)
        },
    )
    .fault
    .expect("found");
    assert_eq!(
        (fault.place, fault.what),
        (Place::Record(30), Wrong::Anchor { size: 40 })
    );
}

#[test]
fn a_forged_beginning_leads_to_no_signed_root() {
    let log = log();
    let mut changed = lines(&log.export(10, RECORDS));
    let header = String::from_utf8(changed[0].clone()).expect("text");
    let hash = header
        .split("\"before\":[\"")
        .nth(1)
        .and_then(|rest| rest.get(..64))
        .expect("hashes")
        .to_owned();
    changed[0] = header.replace(&hash, &hex::encode([7; 32])).into_bytes();
    let fault = run(&changed.concat(), &expect(&log)).fault.expect("found");
    assert_eq!(
        (fault.place, fault.what),
        (Place::Records(10, 24), Wrong::Root)
    );
    // No hashes of that size at all.
    changed[0] = header.replace(&format!("\"{hash}\","), "").into_bytes();
    assert_eq!(
        run(&changed.concat(), &expect(&log))
            .fault
            .expect("found")
            .place,
        Place::Header
    );
}

#[test]
fn hostile_files_are_refused_at_once() {
    let log = log();
    let expect = expect(&log);
    let endless = vec![b'a'; 4 * 1024 * 1024];
    let header = lines(&log.export(0, RECORDS)).remove(0);
    for (bytes, place) in [
        (Vec::new(), Place::Header),
        (endless.clone(), Place::Header),
        (b"{}\n".to_vec(), Place::Header),
        ([&header[..], &endless].concat(), Place::Record(0)),
        ([&header[..], b"\n\n\n"].concat(), Place::Record(0)),
        (
            [&header[..], b"{\"checkpoint\":\"\"}\n"].concat(),
            Place::Checkpoint(0),
        ),
        (
            [&header[..], "[".repeat(50_000).as_bytes(), b"\n"].concat(),
            Place::Record(0),
        ),
        ([&header[..], &[0xff; 70], b"\n"].concat(), Place::Record(0)),
        ([&header[..], &header].concat(), Place::Checkpoint(0)),
    ] {
        assert_eq!(run(&bytes, &expect).fault.expect("found").place, place);
    }
}
