//! How fast the log grows, is rebuilt, proven and verified:
//! `cargo run --release -p chancery-audit --example speed [RECORDS]`.

#![allow(clippy::print_stdout, reason = "it is what this is for")]

use std::time::Instant;

use chancery_audit::verify::verify;
use chancery_audit::{
    Actor, CheckpointKey, Event, EventKind, Expect, Exporter, Frontier, Key, LogId, Record, Tree,
    leaf_hash,
};
use chancery_message::{MessageId, Timestamp};
use p256::ecdsa::SigningKey;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: u32 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let log: LogId = "chancery/node-1".parse()?;
    let tell = |what: &str, done: u32, start: Instant| {
        println!(
            "{what:22} {:10.0} a second",
            f64::from(done) / start.elapsed().as_secs_f64()
        );
    };

    let start = Instant::now();
    let mut records = Vec::with_capacity(usize::try_from(count)?);
    for seq in 0..count {
        let event = Event::new(
            EventKind::ReleasePermitted,
            Timestamp::from_micros(seq.into()),
            Actor::process("core"),
        )
        .message(MessageId::from_bytes([7; 16]))
        .detail(Key::Recipient, "europol-ec3")
        .detail(Key::Gates, ["G04", "G11"])
        .detail(Key::Epoch, 17_u32);
        records.push(Record::new(&log, seq.into(), event).encode());
    }
    tell("made and encoded", count, start);

    let start = Instant::now();
    let leaves: Vec<_> = records.iter().map(|record| leaf_hash(record)).collect();
    tell("leaves hashed", count, start);

    let start = Instant::now();
    let tree = Tree::rebuild(leaves.iter().copied());
    tell("tree rebuilt", count, start);

    let start = Instant::now();
    let mut grown = Tree::new();
    for batch in leaves.chunks(16) {
        let staged = grown.stage(batch);
        grown.confirm(staged)?;
    }
    tell("appended by sixteens", count, start);
    assert_eq!(grown.root(), tree.root(), "one log, one root");

    let proofs = 1000.min(count);
    let start = Instant::now();
    for n in 0..proofs {
        let seq = u64::from(n) * u64::from(count) / u64::from(proofs);
        tree.prove_inclusion(seq, tree.size(), &leaves[..])?;
    }
    tell("inclusion proofs", proofs, start);

    let secret = SigningKey::from_slice(&[7; 32])?;
    let key = CheckpointKey::from_point(
        &log,
        secret.verifying_key().to_encoded_point(false).as_bytes(),
    )?;
    let mut export = Exporter::begin(Vec::new(), &key, &Frontier::default(), count.into(), 0)?;
    for (record, leaf) in records.iter().zip(&leaves) {
        export.record(record, Some(leaf))?;
    }
    let file = export.finish()?;
    let start = Instant::now();
    let report = verify(&file[..], &Expect::default())?;
    tell("verified offline", count, start);
    assert!(report.is_sound() && report.root == tree.root(), "sound");
    println!(
        "{:.0} bytes a record in an export",
        f64::from(u32::try_from(file.len() / 1000)?) * 1000.0 / f64::from(count)
    );
    Ok(())
}
