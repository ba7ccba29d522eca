//! The register of keys: what each key may be used for now. It is read out of
//! the custodian's own log, so that nobody gives a key a longer life unseen.
//!
//! ```text
//! making ─► made (pre-active) ─► activated (active) ─► retired, or superseded ─► destroyed
//!              recipient use, from activation until destruction or the end of its period
//!              originator use, from activation until the next one, retirement or its end
//! ```

mod life;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyLife, KeyRole};
use serde::{Deserialize, Serialize};

use crate::card::{KeyCard, KeyState};
use crate::chain::{Done, Event, Outcome, Recorder};
use crate::period::Periods;

/// Tells microseconds since 1970, UTC.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// One key in the log's lines.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    role: String,
    generation: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    make_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_until: Option<i64>,
}

type Cards = BTreeMap<(KeyRole, u32), KeyCard>;

/// The register.
pub struct Register {
    recorder: Arc<dyn Recorder>,
    periods: Periods,
    now: Now,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cards: Cards,
    /// Begun and not ended: what a crash left behind.
    making: Vec<(KeyRole, u32)>,
    destroying: Vec<(KeyRole, u32)>,
    /// What the token was told to make things with.
    told: BTreeMap<KeyRole, u32>,
}

const MAKING: &str = "key.making";
const MADE: &str = "key.made";
const ABANDONED: &str = "key.abandoned";
const ACTIVATED: &str = "key.activated";
const RETIRED: &str = "key.retired";
const CLOSED: &str = "kek.closed";
const DESTROYING: &str = "key.destroying";
const DESTROYED: &str = "key.destroyed";

impl Register {
    /// Reads the register out of the log.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`] for a line of it that cannot be read.
    pub fn open(recorder: Arc<dyn Recorder>, periods: Periods, now: Now) -> Result<Self, KeyError> {
        let mut state = State::default();
        for done in recorder.done() {
            state.apply(&done).map_err(|why| {
                KeyError::new(
                    KeyErrorKind::Config,
                    "read the register of keys",
                    format!("{} of the custodian's log: {why}", done.operation),
                )
            })?;
        }
        Ok(Self {
            recorder,
            periods,
            now,
            state: Mutex::new(state),
        })
    }

    /// Now, microseconds since 1970; a clock that was set back does not give a
    /// key more time than it had when the log was last written, be it by a refusal.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.now)().max(self.recorder.latest())
    }

    /// Brings register and token together after a start: ends what a crash
    /// interrupted, takes in the first keys of roles that it has not seen, and
    /// tells the token what to make things with. Once custodians are enrolled,
    /// and of later generations always, a key that the register does not know
    /// was put there by someone else and is not used.
    ///
    /// # Errors
    /// Those of the token and of the log.
    pub fn reconcile(&self, keys: &dyn KeyLife, there: &[(KeyRole, u32)]) -> Result<(), KeyError> {
        let enrolled = crate::roster::is_begun(self.recorder.as_ref());
        let (making, destroying) = {
            let state = self.lock();
            (state.making.clone(), state.destroying.clone())
        };
        for (role, generation) in making {
            // Nothing was ever done with it.
            keys.destroy_key(&role, generation)?;
            self.write(ABANDONED, &role, generation)?;
        }
        for (role, generation) in destroying {
            keys.destroy_key(&role, generation)?;
            self.write(DESTROYED, &role, generation)?;
        }
        for (role, generation) in there {
            if self.lock().cards.contains_key(&(role.clone(), *generation)) {
                continue;
            }
            if enrolled || *generation != 1 {
                tracing::error!(%role, generation, "the token has a key that was never made here: it is not used");
                continue;
            }
            self.write(MADE, role, 1)?;
            self.activate(role, 1)?;
        }
        let roles: Vec<KeyRole> = self.cards().into_iter().map(|card| card.role).collect();
        for role in roles {
            let now = self.now();
            let mut state = self.lock();
            let chosen = state
                .maker(&role, now)
                .or_else(|| state.newest_active(&role));
            if let Some(generation) = chosen {
                keys.use_generation(&role, generation);
                state.told.insert(role, generation);
            }
        }
        Ok(())
    }

    /// All keys, destroyed ones too.
    #[must_use]
    pub fn cards(&self) -> Vec<KeyCard> {
        self.lock().cards.values().cloned().collect()
    }

    /// One key.
    #[must_use]
    pub fn card(&self, role: &KeyRole, generation: u32) -> Option<KeyCard> {
        self.lock().cards.get(&(role.clone(), generation)).cloned()
    }

    /// The generation that would be made next.
    #[must_use]
    pub fn next(&self, role: &KeyRole) -> u32 {
        let state = self.lock();
        state
            .cards
            .keys()
            .chain(&state.making)
            .filter(|(one, _)| one == role)
            .map(|(_, generation)| generation + 1)
            .max()
            .unwrap_or(1)
    }

    // === what may be done now ===

    /// Lets the role's active key make something now, and has the token use
    /// that generation.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] where none is active: not yet, or no longer.
    pub fn may_make(&self, keys: &dyn KeyLife, role: &KeyRole) -> Result<(), KeyError> {
        // Held over both: of two callers the later one tells the token last.
        let now = self.now();
        let mut state = self.lock();
        if !state.cards.keys().any(|(one, _)| one == role) {
            return Err(never_made(role));
        }
        let Some(generation) = state.maker(role, now) else {
            let detail = format!(
                "no key of {role} is in its time to make anything: rotate it (chancery key rotate)"
            );
            return Err(KeyError::new(KeyErrorKind::Denied, "use a key", detail));
        };
        if state.told.get(role) != Some(&generation) {
            keys.use_generation(role, generation);
            state.told.insert(role.clone(), generation);
        }
        Ok(())
    }

    /// Lets that generation open what it made.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] before its activation, after the end of its
    /// period, and when it is destroyed or was never made here.
    pub fn may_open(&self, role: &KeyRole, generation: u32) -> Result<(), KeyError> {
        let denied = |why: &str| {
            let detail = format!("generation {generation} of {role} {why}");
            Err(KeyError::new(KeyErrorKind::Denied, "use a key", detail))
        };
        let Some(card) = self.card(role, generation) else {
            return if self.lock().cards.keys().any(|(one, _)| one == role) {
                denied("was never made here")
            } else {
                Err(never_made(role))
            };
        };
        match card.state(self.now()) {
            KeyState::Active | KeyState::Deactivated => Ok(()),
            KeyState::PreActive => denied("is not active yet"),
            KeyState::Ended => denied("is past the end of its time to open anything"),
            KeyState::Destroyed => denied("is destroyed"),
        }
    }

    /// Lets the newest generation of a role that has ever been active open
    /// something: for what does not say by which generation it was made.
    ///
    /// # Errors
    /// As [`Register::may_open`].
    pub fn may_open_newest(&self, keys: &dyn KeyLife, role: &KeyRole) -> Result<(), KeyError> {
        let mut state = self.lock();
        let Some(generation) = state.newest_active(role) else {
            return Err(never_made(role));
        };
        if state.told.get(role) != Some(&generation) {
            keys.use_generation(role, generation);
            state.told.insert(role.clone(), generation);
        }
        drop(state);
        self.may_open(role, generation)
    }

    /// Writes a step down, durably, and only then counts it as done.
    fn write(&self, operation: &str, role: &KeyRole, generation: u32) -> Result<(), KeyError> {
        let mut entry = Entry {
            role: role.to_string(),
            generation,
            make_until: None,
            open_until: None,
        };
        let now = self.now();
        if operation == ACTIVATED {
            (entry.make_until, entry.open_until) = self.periods.of(role).ends(now);
        }
        let failed = |error: io::Error| {
            let detail = format!("the custodian's log cannot be written: {error}");
            KeyError::new(KeyErrorKind::Config, "keep the register of keys", detail)
        };
        let detail = serde_json::to_string(&entry).map_err(|error| failed(error.into()))?;
        let mut state = self.lock();
        self.recorder
            .record(&Event {
                client: "custodian".to_owned(),
                operation: operation.to_owned(),
                outcome: Outcome::Done,
                detail: detail.clone(),
                suppressed: 0,
            })
            .map_err(failed)?;
        state
            .apply(&Done {
                at: now,
                operation: operation.to_owned(),
                detail,
            })
            .map_err(|why| KeyError::new(KeyErrorKind::Config, "keep the register of keys", why))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes in one line of the log; lines about other things are passed over.
    fn apply(&mut self, done: &Done) -> Result<(), &'static str> {
        let operation = done.operation.as_str();
        if ![
            MAKING, MADE, ABANDONED, ACTIVATED, RETIRED, CLOSED, DESTROYING, DESTROYED,
        ]
        .contains(&operation)
        {
            return Ok(());
        }
        let entry: Entry =
            serde_json::from_str(&done.detail).map_err(|_| "it does not tell which key")?;
        let role: KeyRole = entry.role.parse().map_err(|_| "it names no role")?;
        let place = (role.clone(), entry.generation);
        match operation {
            MAKING => self.making.push(place),
            ABANDONED => self.making.retain(|one| *one != place),
            MADE => {
                self.making.retain(|one| *one != place);
                self.cards.insert(
                    place,
                    KeyCard {
                        role,
                        generation: entry.generation,
                        made_at: done.at,
                        active_from: None,
                        make_until: None,
                        open_until: None,
                        retired_at: None,
                        superseded_at: None,
                        closed: false,
                        blobs: None,
                        destroyed_at: None,
                    },
                );
            }
            ACTIVATED => {
                for ((one, generation), card) in &mut self.cards {
                    if *one == role && card.active_from.is_some() && *generation != entry.generation
                    {
                        card.superseded_at.get_or_insert(done.at);
                    }
                }
                let card = self.cards.get_mut(&place).ok_or(UNKNOWN)?;
                card.active_from = Some(done.at);
                card.make_until = entry.make_until;
                card.open_until = entry.open_until;
            }
            RETIRED => self.cards.get_mut(&place).ok_or(UNKNOWN)?.retired_at = Some(done.at),
            CLOSED => {
                let card = self.cards.get_mut(&place).ok_or(UNKNOWN)?;
                card.closed = true;
                card.blobs = Some(0);
            }
            DESTROYING => self.destroying.push(place),
            _ => {
                self.destroying.retain(|one| *one != place);
                self.cards.get_mut(&place).ok_or(UNKNOWN)?.destroyed_at = Some(done.at);
            }
        }
        Ok(())
    }

    /// The generation that makes things at `now`.
    fn maker(&self, role: &KeyRole, now: i64) -> Option<u32> {
        self.cards
            .values()
            .find(|card| card.role == *role && card.state(now) == KeyState::Active)
            .map(|card| card.generation)
    }

    /// The generation that was activated last.
    fn newest_active(&self, role: &KeyRole) -> Option<u32> {
        self.cards
            .values()
            .filter(|card| card.role == *role && card.destroyed_at.is_none())
            .filter(|card| card.active_from.is_some())
            .map(|card| card.generation)
            .max()
    }
}

/// Whatever the token has under that name was never made by this custodian.
fn never_made(role: &KeyRole) -> KeyError {
    let detail = format!("this node has no key {role}: chancery key generate {role}");
    KeyError::new(KeyErrorKind::Unknown, "use a key", detail)
}

const UNKNOWN: &str = "it tells of a key that was never made";

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register")
            .field("cards", &self.lock().cards.len())
            .finish_non_exhaustive()
    }
}
