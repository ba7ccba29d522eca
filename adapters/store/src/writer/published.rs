//! What of the writer's state everyone may see: only what is committed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_audit::{Tree, TreeError};

use super::Outcome;

/// Numbers that are reserved at a time. After a crash at most this many are
/// skipped; after a proper end none.
const BLOCK: u64 = 64;

#[derive(Debug)]
pub(crate) struct Published {
    tree: Mutex<Arc<Tree>>,
    epoch: AtomicU64,
    numbers: Mutex<Numbers>,
}

#[derive(Debug)]
struct Numbers {
    next: u64,
    /// All below may be given out.
    reserved: u64,
}

// A panic ends the process; where it does not (tests), the values are whole:
// each is replaced at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Published {
    pub(crate) fn new(tree: Tree, epoch: u64, next: u64) -> Self {
        Self {
            tree: Mutex::new(Arc::new(tree)),
            epoch: AtomicU64::new(epoch),
            // Nothing is reserved until a transaction has written it.
            numbers: Mutex::new(Numbers {
                next,
                reserved: next,
            }),
        }
    }

    pub(crate) fn tree(&self) -> Arc<Tree> {
        Arc::clone(&lock(&self.tree))
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The epoch as a transaction found it.
    pub(crate) fn saw_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Release);
    }

    /// The next registration number; none where more must be reserved first.
    pub(crate) fn next_number(&self) -> Option<u64> {
        let mut numbers = lock(&self.numbers);
        let number = numbers.next;
        (number < numbers.reserved).then(|| {
            numbers.next += 1;
            number
        })
    }

    pub(crate) fn next_unused(&self) -> u64 {
        lock(&self.numbers).next
    }

    /// What a transaction is to write as reserved.
    pub(super) fn numbers_to_reserve(&self) -> u64 {
        let numbers = lock(&self.numbers);
        if numbers.reserved - numbers.next > BLOCK / 2 {
            numbers.reserved
        } else {
            numbers.next + BLOCK
        }
    }

    /// A transaction is done.
    pub(super) fn advance(&self, outcome: Outcome) -> Result<(), TreeError> {
        let mut tree = lock(&self.tree);
        // Copied only while a proof is being made from it.
        Arc::make_mut(&mut tree).confirm(outcome.staged)?;
        drop(tree);
        self.saw_epoch(outcome.epoch);
        let mut numbers = lock(&self.numbers);
        numbers.reserved = numbers.reserved.max(outcome.registration);
        drop(numbers);
        Ok(())
    }
}
