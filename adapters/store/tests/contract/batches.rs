//! Many callers, one writer.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use chancery_pipeline::ports::{Ledger as _, LedgerError, Step, Write};
use chancery_pipeline::rows::{IndexKind, MessageRow};
use chancery_store::{Act, Point, Probe, Probes, Store, StoreConfig};

use crate::support::rows::*;
use crate::support::world::{World, config};

/// Counts transactions, and holds the first one until told to go on.
#[derive(Default)]
pub(crate) struct Counter {
    commits: AtomicU64,
}

impl Probe for Counter {
    fn at(&self, point: Point) -> Act {
        if point == Point::BeforeCommit {
            self.commits.fetch_add(1, Ordering::SeqCst);
        }
        Act::Go
    }
}

/// Every third step fails, each in another way; the others are all there, and
/// in the log no place is empty.
pub(crate) fn failures_do_not_sink_their_neighbours(world: &World) {
    const CALLERS: u64 = 64;
    const ROUNDS: u64 = 6;
    let store = world.open();
    store.commit(submission(0)).unwrap();
    let barrier = Barrier::new(usize::try_from(CALLERS).unwrap());
    let good = |n: u64| !n.is_multiple_of(3);
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (store, barrier) = (&store, &barrier);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    barrier.wait();
                    let n = 1 + caller + CALLERS * round;
                    let mut step = submission(n);
                    let expected = match n % 12 {
                        0 => {
                            step.writes.push(Write::UpdateMessage(Box::new(MessageRow {
                                version: 5,
                                ..message(0)
                            })));
                            LedgerError::Conflict
                        }
                        3 => {
                            step.writes.push(Write::InsertIndex {
                                kind: IndexKind::Original,
                                digest: digest(0),
                                message: message_id(n),
                                unique: true,
                            });
                            LedgerError::Duplicate {
                                what: "index",
                                message: Some(message_id(0)),
                            }
                        }
                        6 => {
                            step.guards.push(chancery_pipeline::ports::Guard::Epoch(77));
                            LedgerError::Conflict
                        }
                        _ => {
                            step.writes.push(Write::InsertSegment(segment(5, 5)));
                            LedgerError::Conflict
                        }
                    };
                    if good(n) {
                        let done = store.commit(submission(n)).unwrap();
                        assert_eq!(
                            store.leaves_of(&message_id(n)).unwrap()[0].seq,
                            done.first_seq
                        );
                    } else {
                        assert_eq!(store.commit(step), Err(expected));
                    }
                }
            });
        }
    });
    let total = CALLERS * ROUNDS;
    let written = (0..=total).filter(|n| *n == 0 || good(*n));
    for n in 0..=total {
        assert_eq!(
            store.message(&message_id(n)).unwrap().is_some(),
            n == 0 || good(n),
            "message {n}"
        );
    }
    assert_eq!(store.head().unwrap().size, 6 * written.count() as u64);
    crate::log::check_whole_log(&store);
}

pub(crate) fn waiting_steps_share_a_transaction(world: &World) {
    let counter = std::sync::Arc::new(Counter::default());
    let store = world
        .open_with(&StoreConfig {
            probes: Probes(Some(std::sync::Arc::<Counter>::clone(&counter))),
            ..config()
        })
        .unwrap();
    std::thread::scope(|scope| {
        for caller in 0..32 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..10 {
                    store.commit(submission(caller * 10 + round)).unwrap();
                }
            });
        }
    });
    let commits = counter.commits.load(Ordering::SeqCst);
    assert!(
        commits <= 160,
        "{commits} transactions for 320 steps of 32 callers"
    );
    assert_eq!(store.head().unwrap().size, 320 * 6);
}

pub(crate) fn registration_numbers_are_unique_and_rise_over_restarts(world: &World) {
    let take = |store: &Store, count: usize| -> BTreeSet<u64> {
        let taken = std::sync::Mutex::new(BTreeSet::new());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut last = 0;
                    for _ in 0..count {
                        let number = store.next_registration().unwrap();
                        assert!(number > last);
                        last = number;
                        assert!(
                            taken.lock().unwrap().insert(number),
                            "{number} was given out twice"
                        );
                    }
                });
            }
        });
        taken.into_inner().unwrap()
    };
    let store = world.open();
    let first = take(&store, 40);
    assert_eq!((first.first(), first.last()), (Some(&1), Some(&320)));
    drop(store);
    // After a proper end none is skipped.
    let store = world.open();
    let second = take(&store, 1);
    assert_eq!(second.first(), Some(&321));
    // A step that fails, and one that does not, take none by themselves.
    store.commit(Step::default()).unwrap();
    assert_eq!(store.next_registration().unwrap(), 329);
}

/// A reader never sees a message without its deliveries and records.
pub(crate) fn readers_see_whole_steps_while_the_writer_writes(world: &World) {
    const STEPS: u64 = 150;
    let store = world.open();
    let latest = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut seen = 0;
                loop {
                    let last = latest.load(Ordering::Acquire);
                    // The one that was acknowledged last, and the one that is being written.
                    for n in [last, last + 1] {
                        if store.message(&message_id(n)).unwrap().is_some() {
                            assert_eq!(store.deliveries_of(&message_id(n)).unwrap().len(), 2);
                            assert_eq!(store.leaves_of(&message_id(n)).unwrap().len(), 6);
                            seen += 1;
                        } else {
                            assert!(n == 0 || n > last, "{n} was acknowledged");
                        }
                    }
                    if last == STEPS {
                        break;
                    }
                }
                assert!(seen > 0);
            });
        }
        for n in 1..=STEPS {
            store.commit(submission(n)).unwrap();
            latest.store(n, Ordering::Release);
        }
    });
}
