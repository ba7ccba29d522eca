//! Releases that are under way: opened, and not yet closed. Suspending looks
//! here for what it must stop, and waits until it is closed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chancery_message::DeliveryId;

/// All that is under way in this process.
#[derive(Debug, Default)]
pub struct UnderWay {
    open: Mutex<Table>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    all: BTreeMap<u64, Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    delivery: DeliveryId,
    epoch: AtomicU64,
    stop: AtomicBool,
    given: AtomicU64,
    whole: AtomicBool,
}

/// One release under way; it is closed when this is dropped.
#[derive(Debug)]
pub struct Way {
    number: u64,
    entry: Arc<Entry>,
    table: Arc<UnderWay>,
}

/// A release that somebody looks at from outside.
#[derive(Clone, Debug)]
pub struct Watched {
    number: u64,
    entry: Arc<Entry>,
}

// === impl UnderWay ===

impl UnderWay {
    /// Begins a release. Called before the rules are looked at, so that
    /// whoever changes them afterwards sees it.
    #[must_use]
    pub fn begin(self: &Arc<Self>, delivery: DeliveryId) -> Way {
        let entry = Arc::new(Entry {
            delivery,
            epoch: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            given: AtomicU64::new(0),
            whole: AtomicBool::new(false),
        });
        let mut table = self.table();
        table.next += 1;
        let number = table.next;
        table.all.insert(number, Arc::clone(&entry));
        drop(table);
        Way {
            number,
            entry,
            table: Arc::clone(self),
        }
    }

    /// Releases that were decided under rules older than `epoch`.
    #[must_use]
    pub fn older(&self, epoch: u64) -> Vec<Watched> {
        self.table()
            .all
            .iter()
            .filter(|(_, entry)| entry.epoch.load(Ordering::SeqCst) < epoch)
            .map(|(number, entry)| Watched {
                number: *number,
                entry: Arc::clone(entry),
            })
            .collect()
    }

    /// Waits until all of these are closed, at most so long; true if they are.
    pub fn wait(&self, for_all: &[Watched], longest: Duration) -> bool {
        let open = |table: &mut Table| {
            for_all
                .iter()
                .any(|one| table.all.contains_key(&one.number))
        };
        let waited = self
            .changed
            .wait_timeout_while(self.table(), longest, open)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Way ===

impl Way {
    /// Under which rules it was decided.
    pub fn decided(&self, epoch: u64) {
        self.entry.epoch.store(epoch, Ordering::SeqCst);
    }

    /// True if it must stop: the rules do not allow it any more.
    #[must_use]
    pub fn must_stop(&self) -> bool {
        self.entry.stop.load(Ordering::SeqCst)
    }

    /// A look at it for those who carry its bytes.
    #[must_use]
    pub fn watched(&self) -> Watched {
        Watched {
            number: self.number,
            entry: Arc::clone(&self.entry),
        }
    }

    /// So many bytes more are out of reach.
    pub fn gave(&self, bytes: u64) {
        self.entry.given.fetch_add(bytes, Ordering::SeqCst);
    }

    /// All of it is out of reach.
    pub fn gave_all(&self) {
        self.entry.whole.store(true, Ordering::SeqCst);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.table.table().all.remove(&self.number);
        self.table.changed.notify_all();
    }
}

// === impl Watched ===

impl Watched {
    /// Which delivery.
    #[must_use]
    pub fn delivery(&self) -> DeliveryId {
        self.entry.delivery
    }

    /// True if it must stop.
    #[must_use]
    pub fn must_stop(&self) -> bool {
        self.entry.stop.load(Ordering::SeqCst)
    }

    /// Tells it to stop.
    pub fn stop(&self) {
        self.entry.stop.store(true, Ordering::SeqCst);
    }

    /// Bytes that were out of reach.
    #[must_use]
    pub fn given(&self) -> u64 {
        self.entry.given.load(Ordering::SeqCst)
    }

    /// True if all of it was out of reach.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.entry.whole.load(Ordering::SeqCst)
    }
}
