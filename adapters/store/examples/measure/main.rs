//! How fast the store is, and beside each figure what plain Diesel needs for
//! the same rows in the same number of transactions.
//!
//! `cargo run --example measure -p chancery-store [STEPS]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement stops at what it does not expect, and prints"
)]

#[path = "../../tests/support/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
mod support;

mod plain;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chancery_message::Channel;
use chancery_pipeline::ports::{Ledger as _, Step, Write};
use chancery_pipeline::rows::MessageRow;
use chancery_store::{Act, Point, Probe, Probes, Store, StoreConfig};
use support::rows::*;
use support::world::{World, config};

/// Rows of one submission: message, two deliveries, index, key, six leaves.
const ROWS: u64 = 11;

#[derive(Default)]
struct Commits(AtomicU64);

impl Probe for Commits {
    fn at(&self, point: Point) -> Act {
        if point == Point::AfterCommit {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Act::Go
    }
}

fn main() {
    let steps: u64 = std::env::args()
        .nth(1)
        .map_or(2000, |text| text.parse().unwrap());
    for (name, make) in [
        ("SQLite", World::sqlite as fn() -> World),
        ("PostgreSQL", World::postgres),
    ] {
        println!("=== {name} ===");
        for callers in [1, 8, 64] {
            submissions(make, callers, steps / if callers == 1 { 4 } else { 1 }, 0);
        }
        submissions(make, 64, steps, 10);
        segments(&make());
        reads(&make(), steps);
    }
}

fn rate(count: u64, begin: Instant) -> f64 {
    count as f64 / begin.elapsed().as_secs_f64()
}

/// Submissions from many callers; of every `failing` one is a replay.
fn submissions(make: fn() -> World, callers: u64, steps: u64, failing: u64) {
    let world = make();
    let commits = Arc::new(Commits::default());
    let probes = Probes(Some(Arc::<Commits>::clone(&commits)));
    let store = world
        .open_with(&StoreConfig { probes, ..config() })
        .unwrap();
    store.commit(submission(u64::from(u32::MAX))).unwrap();
    let each = steps / callers;
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for caller in 0..callers {
            let store = &store;
            scope.spawn(move || {
                for n in caller * each..(caller + 1) * each {
                    if failing > 0 && n % failing == 0 {
                        assert!(store.commit(submission(u64::from(u32::MAX))).is_err());
                    } else {
                        store.commit(submission(n)).unwrap();
                    }
                }
            });
        }
    });
    let spent = begin.elapsed().as_secs_f64();
    let number = commits.0.load(Ordering::Relaxed) - 1;
    let done = callers * each;
    drop(store);
    let beside = if failing > 0 {
        format!("1 of {failing} a replay")
    } else {
        let bare = make();
        drop(bare.open());
        let plain = plain::run(&bare, done, number);
        format!(
            "plain Diesel {:.0} rows/s, ratio of times {:.2}",
            (done * ROWS) as f64 / plain,
            spent / plain
        )
    };
    println!(
        "{callers:>3} callers: {:>6.0} steps/s {:>7.0} rows/s {:>5.0} commits/s ({:.1} steps each); {beside}",
        done as f64 / spent,
        (done * ROWS) as f64 / spent,
        number as f64 / spent,
        done as f64 / number as f64,
    );
}

/// Streams of 64 KiB segments, one step each, as an upload makes them.
fn segments(world: &World) {
    const EACH: u32 = 128;
    let store = world.open();
    for n in 0..4 {
        store
            .commit(writes(vec![Write::InsertBody(Box::new(body(n)))]))
            .unwrap();
    }
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for index in 0..EACH {
                    store
                        .commit(writes(vec![Write::InsertSegment(segment(n, index))]))
                        .unwrap();
                }
            });
        }
    });
    let mib = u64::from(EACH) * 4 / 16;
    let wrote = rate(mib, begin);
    let begin = Instant::now();
    for n in 0..4 {
        for index in 0..EACH {
            assert!(store.segment(&body_id(n), index).unwrap().is_some());
        }
    }
    println!(
        "segments: 4 streams write {wrote:.0} MiB/s, 1 reads {:.0} MiB/s",
        rate(mib, begin)
    );
}

fn reads(world: &World, steps: u64) {
    const DELIVERIES: u64 = 20_000;
    const LEAVES: u64 = 50_000;
    let store = world.open();
    for n in 0..DELIVERIES / 500 {
        let mut step = writes(vec![Write::InsertMessage(Box::new(MessageRow {
            ..message(n)
        }))]);
        for d in n * 500..(n + 1) * 500 {
            let mut row = delivery(d, n);
            if d % 2 == 0 {
                row.channel = Channel::Mail;
                row.next_at = Some(at(d.cast_signed()));
            }
            step.writes.push(Write::InsertDelivery(Box::new(row)));
        }
        store.commit(step).unwrap();
    }
    for n in 0..LEAVES / 500 {
        let events = (0..500).map(|_| event(n)).collect();
        store
            .commit(Step {
                events,
                ..Step::default()
            })
            .unwrap();
    }
    let read = |name: &str, count: u64, reading: &dyn Fn(u64)| {
        let begin = Instant::now();
        (0..count).for_each(reading);
        println!("  {name:<44} {:>8.0}/s", rate(count, begin));
    };
    println!("reads, one thread, {DELIVERIES} deliveries, {LEAVES} leaves:");
    read("a message", steps, &|n| {
        assert!(store.message(&message_id(n % 40)).unwrap().is_some())
    });
    let vendor = participant("europol-ec3");
    read("first page of 20 of an inbox of 10,000", steps / 4, &|_| {
        assert_eq!(
            store
                .inbox(&vendor, Channel::Siena, None, 20)
                .unwrap()
                .len(),
            20
        );
    });
    let last = delivery_id(19_001);
    read("a page far down in it", steps / 4, &|_| {
        assert_eq!(
            store
                .inbox(&vendor, Channel::Siena, Some(&last), 20)
                .unwrap()
                .len(),
            20
        );
    });
    read("20 due of 10,000", steps / 4, &|_| {
        assert_eq!(
            store.due(Channel::Mail, at(i64::MAX), 20).unwrap().len(),
            20
        );
    });
    read("20 due, 9,990 of 10,000 later", steps / 20, &|_| {
        assert_eq!(store.due(Channel::Mail, at(18), 20).unwrap().len(), 10);
    });
    read("inclusion proof, checked", steps / 20, &|n| {
        store.inclusion(n * 7919 % LEAVES, LEAVES).unwrap();
    });
    concurrent_reads(&store, steps);
    drop(store);
    let begin = Instant::now();
    let store = world.open();
    println!(
        "open with {LEAVES} leaves: {:.0} ms",
        begin.elapsed().as_secs_f64() * 1000.0
    );
    drop(store);
}

/// Readers beside a writer that never rests.
fn concurrent_reads(store: &Store, steps: u64) {
    let reads = AtomicU64::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..steps {
                    store.message(&message_id(n % 40)).unwrap();
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            let mut n = 1 << 32;
            while reads.load(Ordering::Relaxed) < 4 * steps {
                store.commit(submission(n)).unwrap();
                n += 1;
            }
            println!(
                "  beside 4 readers one caller writes {:>24.0}/s",
                rate(n - (1 << 32), begin)
            );
        });
    });
    println!(
        "  4 readers beside it, messages {:>29.0}/s",
        rate(4 * steps, begin)
    );
}
