//! How much may be asked at once and how fast, so that nobody starves the
//! others: a stranger's handshakes never take the token's last session.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Client;

/// The bounds of one kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Requests worked on at once.
    pub at_once: u32,
    /// Requests that may wait for that; more are turned away at once.
    pub waiting: u32,
    /// Milliseconds that one may wait.
    pub wait_ms: u32,
    /// Requests per second on average, for each client; as many may come in one burst.
    pub per_second: u32,
}

/// The bounds by kind of client. All doors share one gate, all readers another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Core.
    pub core: Limit,
    /// All doors together: TLS handshakes.
    pub doors: Limit,
    /// All readers together: opening mail.
    pub readers: Limit,
    /// Officers' commands.
    pub admin: Limit,
}

impl Limits {
    /// For a token with that many sessions: doors and readers together leave
    /// at least one to core, unless there is only one.
    #[must_use]
    pub const fn for_sessions(sessions: u32) -> Self {
        let half = if sessions < 2 { 1 } else { sessions / 2 };
        Self {
            core: Limit {
                at_once: 64,
                waiting: 256,
                wait_ms: 5000,
                per_second: 20_000,
            },
            doors: Limit {
                at_once: half,
                waiting: 64,
                wait_ms: 1000,
                per_second: 1000,
            },
            readers: Limit {
                at_once: 1,
                waiting: 16,
                wait_ms: 2000,
                per_second: 200,
            },
            admin: Limit {
                at_once: 1,
                waiting: 4,
                wait_ms: 2000,
                per_second: 20,
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::for_sessions(2)
    }
}

/// Lets in so many at once.
#[derive(Debug)]
pub(crate) struct Gate {
    limit: Limit,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside: u32,
    waiting: u32,
    buckets: BTreeMap<Client, Bucket>,
}

/// What is left of a client's rate.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    since: Instant,
}

/// Being inside; leaving is its drop.
#[derive(Debug)]
pub(crate) struct Pass<'a>(&'a Gate);

impl Gate {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Waits for room, within bounds; says why there is none.
    pub(crate) fn enter(&self, client: Client, now: Instant) -> Result<Pass<'_>, &'static str> {
        let mut state = self.lock();
        if !take(
            &mut state.buckets,
            client,
            f64::from(self.limit.per_second),
            now,
        ) {
            return Err("more is asked per second than this client may");
        }
        if state.inside >= self.limit.at_once {
            if state.waiting >= self.limit.waiting {
                return Err("too many wait already");
            }
            state.waiting += 1;
            let patience = Duration::from_millis(u64::from(self.limit.wait_ms));
            state = self
                .freed
                .wait_timeout_while(state, patience, |state| state.inside >= self.limit.at_once)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            state.waiting -= 1;
            if state.inside >= self.limit.at_once {
                return Err("no turn came in time");
            }
        }
        state.inside += 1;
        Ok(Pass(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.inside = state.inside.saturating_sub(1);
        drop(state);
        self.0.freed.notify_one();
    }
}

fn take(buckets: &mut BTreeMap<Client, Bucket>, client: Client, rate: f64, now: Instant) -> bool {
    let bucket = buckets.entry(client).or_insert(Bucket {
        left: rate,
        since: now,
    });
    let gained = now.saturating_duration_since(bucket.since).as_secs_f64() * rate;
    bucket.left = (bucket.left + gained).min(rate);
    bucket.since = now;
    if bucket.left < 1.0 {
        return false;
    }
    bucket.left -= 1.0;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Limit = Limit {
        at_once: 1,
        waiting: 0,
        wait_ms: 1,
        per_second: 3,
    };

    #[test]
    fn only_so_many_at_once_and_leaving_makes_room() {
        let gate = Gate::new(SMALL);
        let now = Instant::now();
        let pass = gate.enter(Client::Core, now).unwrap();
        assert!(gate.enter(Client::Core, now).is_err());
        drop(pass);
        assert!(gate.enter(Client::Core, now).is_ok());
    }

    #[test]
    fn who_waits_gets_the_next_turn() {
        let gate = Gate::new(Limit {
            waiting: 1,
            wait_ms: 60_000,
            ..SMALL
        });
        let now = Instant::now();
        let pass = gate.enter(Client::Core, now).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| gate.enter(Client::Core, now).is_ok());
            while gate.lock().waiting == 0 {
                std::thread::yield_now();
            }
            assert!(gate.enter(Client::Core, now).is_err(), "the queue is full");
            drop(pass);
            assert!(waiter.join().unwrap());
        });
    }

    #[test]
    fn the_rate_is_each_clients_own_and_comes_back() {
        let gate = Gate::new(SMALL);
        let now = Instant::now();
        for _ in 0..3 {
            gate.enter(Client::Core, now).unwrap();
        }
        assert!(gate.enter(Client::Core, now).is_err());
        assert!(gate.enter(Client::Admin, now).is_ok());
        let later = now + Duration::from_millis(400);
        assert!(gate.enter(Client::Core, later).is_ok());
        assert!(gate.enter(Client::Core, later).is_err());
    }
}
