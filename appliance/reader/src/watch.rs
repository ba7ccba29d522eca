//! A message that is read for too long ends its reader: a parser that loops is
//! treated like one that dies. The door reads the message once more, alone, and
//! then sets it aside.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A whole line: what reads cannot be asked to share its locks.
const WHY: &str = "{\"level\":\"ERROR\",\"fields\":{\"message\":\"a message was read for longer than limits.reading_s: this reader ends\"},\"target\":\"chancery_reader::watch\"}\n";

/// Watches one reading at a time.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    longest: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    until: Mutex<Option<Instant>>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.lock() = until;
        self.changed.notify_one();
    }

    /// Returns when a reading has passed its time.
    fn too_long(&self) {
        let mut until = self.lock();
        loop {
            until = match *until {
                None => self
                    .changed
                    .wait(until)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(at) => match at.checked_duration_since(Instant::now()) {
                    None | Some(Duration::ZERO) => return,
                    Some(left) => {
                        self.changed
                            .wait_timeout(until, left)
                            .unwrap_or_else(PoisonError::into_inner)
                            .0
                    }
                },
            };
        }
    }
}

// === impl Watch ===

impl Watch {
    /// Starts the watching thread: call it inside the sandbox. The process
    /// aborts when a reading takes longer than `longest`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(longest: Duration) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        // A descriptor of its own: the log's lock may be held by what loops.
        let mut log = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || {
                watched.too_long();
                let _told = log.write_all(WHY.as_bytes());
                std::process::abort();
            })?;
        Ok(Self { shared, longest })
    }

    /// Does the work, watched.
    pub(crate) fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        self.shared.set(Some(Instant::now() + self.longest));
        let done = work();
        self.shared.set(None);
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn only_a_reading_that_goes_on_is_too_long() {
        let shared = Arc::<Shared>::default();
        let (told, hears) = mpsc::channel();
        let watching = Arc::clone(&shared);
        std::thread::spawn(move || {
            watching.too_long();
            told.send(()).unwrap();
        });
        // Ended in time, again and again: nothing happens.
        for _ in 0..3 {
            shared.set(Some(Instant::now() + Duration::from_secs(3600)));
            shared.set(None);
        }
        assert_eq!(hears.try_recv(), Err(mpsc::TryRecvError::Empty));
        shared.set(Some(Instant::now()));
        hears.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
