//! Connections that are lost at the worst moments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chancery_pipeline::ports::Ledger as _;
use chancery_store::{Act, Point, Probe, Probes, Store, StoreConfig};

use crate::support::rows::*;
use crate::support::world::{World, config};

/// Loses the connection every `every` transactions, at one point or at both in turn.
struct Loser {
    at: &'static [Point],
    every: u64,
    seen: AtomicU64,
    lost: AtomicU64,
}

impl Probe for Loser {
    fn at(&self, point: Point) -> Act {
        if !self.at.contains(&point) {
            return Act::Go;
        }
        if (self.seen.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(self.every) {
            self.lost.fetch_add(1, Ordering::SeqCst);
            return Act::Lose;
        }
        Act::Go
    }
}

fn open(world: &World, at: &'static [Point], every: u64) -> (Store, Arc<Loser>) {
    let loser = Arc::new(Loser {
        at,
        every,
        seen: AtomicU64::new(0),
        lost: AtomicU64::new(0),
    });
    let probes = Probes(Some(Arc::<Loser>::clone(&loser)));
    (
        world
            .open_with(&StoreConfig { probes, ..config() })
            .unwrap(),
        loser,
    )
}

fn commit_all(world: &World, at: &'static [Point], every: u64) {
    let (store, loser) = open(world, at, every);
    for n in 0..12 {
        assert_eq!(store.commit(submission(n)).unwrap().first_seq, 6 * n);
    }
    // A step without records has only the count of transactions to be known by.
    for n in 12..18 {
        let step = writes(vec![chancery_pipeline::ports::Write::InsertMessage(
            Box::new(message(n)),
        )]);
        store.commit(step).unwrap();
        assert!(store.message(&message_id(n)).unwrap().is_some());
    }
    assert!(loser.lost.load(Ordering::SeqCst) >= 6);
    assert_eq!(store.head().unwrap().size, 72);
    crate::log::check_whole_log(&store);
}

pub(crate) fn an_answer_lost_after_the_commit_is_found_again(world: &World) {
    commit_all(world, &[Point::AfterCommit], 3);
}

pub(crate) fn a_transaction_lost_before_the_commit_is_done_again(world: &World) {
    commit_all(world, &[Point::BeforeCommit], 3);
}

pub(crate) fn both_at_once_under_load(world: &World) {
    let (store, loser) = open(world, &[Point::BeforeCommit, Point::AfterCommit], 5);
    std::thread::scope(|scope| {
        for caller in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..10 {
                    store.commit(submission(caller * 10 + round)).unwrap();
                }
            });
        }
    });
    assert!(loser.lost.load(Ordering::SeqCst) >= 3);
    assert_eq!(store.head().unwrap().size, 160 * 6);
    for n in 0..160 {
        assert!(store.message(&message_id(n)).unwrap().is_some());
    }
    crate::log::check_whole_log(&store);
}
