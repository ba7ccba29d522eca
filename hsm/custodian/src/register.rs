//! The register of keys: what each key may be used for now. It is read out of
//! the custodian's own log, so that nobody gives a key a longer life unseen.
//!
//! ```text
//! making ─► made (pre-active) ─► activated (active) ─► retired, or superseded ─► destroyed
//!              recipient use, from activation until destruction or the end of its period
//!              originator use, from activation until the next one, retirement or its end
//! ```

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyLife, KeyRole};
use serde::{Deserialize, Serialize};

use crate::chain::{Done, Event, Outcome, Recorder};
use crate::period::Periods;

/// Tells microseconds since 1970, UTC.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What is known of one key. Times are microseconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCard {
    /// What it is for.
    pub role: KeyRole,
    /// Counted from 1.
    pub generation: u32,
    /// When it was made, or found in the token for the first time.
    pub made_at: i64,
    /// Since when it is used.
    pub active_from: Option<i64>,
    /// From then on nothing is made with it.
    pub make_until: Option<i64>,
    /// From then on what it made is not opened.
    pub open_until: Option<i64>,
    /// When it was retired.
    pub retired_at: Option<i64>,
    /// When the generation after it was activated.
    pub superseded_at: Option<i64>,
    /// Of a KEK: nothing is wrapped under it any more, and never will be again.
    pub closed: bool,
    /// Of a KEK that is no longer active: so many blobs are still under it, as
    /// core told last.
    pub blobs: Option<u64>,
    /// When it was destroyed.
    pub destroyed_at: Option<i64>,
}

/// Where a key stands (the states of SP 800-57 part 1, section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Made, not used yet.
    PreActive,
    /// Makes and opens.
    Active,
    /// Only opens what it made.
    Deactivated,
    /// Opens no more: its period has ended.
    Ended,
    /// Gone.
    Destroyed,
}

impl KeyState {
    /// The word for lists.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PreActive => "pre-active",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Ended => "ended",
            Self::Destroyed => "destroyed",
        }
    }
}

impl KeyCard {
    /// Where it stands at `now`.
    #[must_use]
    pub fn state(&self, now: i64) -> KeyState {
        let past = |end: Option<i64>| end.is_some_and(|end| end <= now);
        if self.destroyed_at.is_some() {
            KeyState::Destroyed
        } else if self.active_from.is_none() {
            KeyState::PreActive
        } else if past(self.open_until) {
            KeyState::Ended
        } else if past(self.make_until) || self.retired_at.is_some() || self.superseded_at.is_some()
        {
            KeyState::Deactivated
        } else {
            KeyState::Active
        }
    }
}

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
    /// When the log was last written.
    latest: i64,
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
    /// key more time than it had when the log was last written.
    #[must_use]
    pub fn now(&self) -> i64 {
        (self.now)().max(self.lock().latest)
    }

    /// Brings register and token together after a start: ends what a crash
    /// interrupted, takes in the first keys of roles that it has not seen, and
    /// tells the token what to make things with. A later generation that the
    /// register does not know was put there by someone else and is not used.
    ///
    /// # Errors
    /// Those of the token and of the log.
    pub fn reconcile(&self, keys: &dyn KeyLife, there: &[(KeyRole, u32)]) -> Result<(), KeyError> {
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
            if *generation != 1 {
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
        let mut state = self.lock();
        let now = (self.now)().max(state.latest);
        if !state.cards.keys().any(|(one, _)| one == role) {
            // The token says that there is no such key.
            return Ok(());
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
                Ok(())
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
            return Ok(());
        };
        if state.told.get(role) != Some(&generation) {
            keys.use_generation(role, generation);
            state.told.insert(role.clone(), generation);
        }
        drop(state);
        self.may_open(role, generation)
    }

    // === a key's life ===

    /// Makes the next generation; it is not used yet.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] when it is not the next one; those of token and log.
    pub fn make(
        &self,
        keys: &dyn KeyLife,
        role: &KeyRole,
        generation: u32,
    ) -> Result<(), KeyError> {
        let next = self.next(role);
        if generation != next {
            return refuse(
                "make a key",
                format!("the next generation of {role} is {next}: propose that"),
            );
        }
        self.write(MAKING, role, generation)?;
        match keys.make_key(role, generation) {
            Ok(_) => self.write(MADE, role, generation),
            Err(error) => {
                // What is half made goes at once, or at the next start.
                if keys.destroy_key(role, generation).is_ok() {
                    self.write(ABANDONED, role, generation)?;
                }
                Err(error)
            }
        }
    }

    /// Makes things with that generation from now on.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] for a key that is no longer, or not, pre-active.
    pub fn activate(&self, role: &KeyRole, generation: u32) -> Result<(), KeyError> {
        let what = "activate a key";
        let Some(card) = self.card(role, generation) else {
            return refuse(
                what,
                format!("there is no generation {generation} of {role}"),
            );
        };
        if card.active_from.is_some() || card.destroyed_at.is_some() || card.retired_at.is_some() {
            return refuse(
                what,
                format!("generation {generation} of {role} was active before, or is gone"),
            );
        }
        self.write(ACTIVATED, role, generation)
    }

    /// Makes nothing with it any more.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] for one that is not there.
    pub fn retire(&self, role: &KeyRole, generation: u32) -> Result<(), KeyError> {
        let what = "retire a key";
        match self.card(role, generation) {
            None => refuse(
                what,
                format!("there is no generation {generation} of {role}"),
            ),
            Some(card) if card.destroyed_at.is_some() || card.retired_at.is_some() => refuse(
                what,
                format!("generation {generation} of {role} is retired already"),
            ),
            Some(_) => self.write(RETIRED, role, generation),
        }
    }

    /// What core tells of the blobs under a KEK that is no longer active.
    /// `closed`: there are none, and core's database takes no more.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] for a KEK that still makes things; those of the log.
    pub fn note_blobs(
        &self,
        role: &KeyRole,
        generation: u32,
        blobs: u64,
        closed: bool,
    ) -> Result<(), KeyError> {
        let what = "note what is under a key";
        let Some(card) = self.card(role, generation) else {
            return refuse(
                what,
                format!("there is no generation {generation} of {role}"),
            );
        };
        if !matches!(role, KeyRole::Kek(_)) || card.state(self.now()) == KeyState::Active {
            return refuse(what, format!("generation {generation} of {role} is in use"));
        }
        if closed && blobs == 0 && !card.closed {
            self.write(CLOSED, role, generation)?;
        }
        if let Some(card) = self.lock().cards.get_mut(&(role.clone(), generation)) {
            card.blobs = Some(blobs);
        }
        Ok(())
    }

    /// Destroys a key that makes nothing any more.
    ///
    /// # Errors
    /// [`KeyErrorKind::Denied`] for a key in use, and for a KEK under which
    /// something is, or may be, still wrapped; those of token and log.
    pub fn destroy(
        &self,
        keys: &dyn KeyLife,
        role: &KeyRole,
        generation: u32,
    ) -> Result<(), KeyError> {
        let what = "destroy a key";
        let Some(card) = self.card(role, generation) else {
            return refuse(
                what,
                format!("there is no generation {generation} of {role}"),
            );
        };
        let was_active = card.active_from.is_some();
        match card.state(self.now()) {
            KeyState::Destroyed => {
                return refuse(
                    what,
                    format!("generation {generation} of {role} is gone already"),
                );
            }
            KeyState::Active => {
                return refuse(
                    what,
                    format!(
                        "generation {generation} of {role} is in use: rotate or retire it first"
                    ),
                );
            }
            KeyState::PreActive | KeyState::Deactivated | KeyState::Ended => {}
        }
        if matches!(role, KeyRole::Kek(_)) && was_active && !card.closed {
            let left = card.blobs.map_or_else(
                || "core has not counted yet".to_owned(),
                |n| format!("{n} left"),
            );
            return refuse(
                what,
                format!(
                    "generation {generation} of {role} still wraps content keys ({left}): wait until \
                     they are rewrapped (chancery key list)"
                ),
            );
        }
        self.write(DESTROYING, role, generation)?;
        keys.destroy_key(role, generation)?;
        self.write(DESTROYED, role, generation)
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
        self.latest = self.latest.max(done.at);
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

const UNKNOWN: &str = "it tells of a key that was never made";

fn refuse<T>(what: &str, why: String) -> Result<T, KeyError> {
    Err(KeyError::new(KeyErrorKind::Denied, what, why))
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register")
            .field("cards", &self.lock().cards.len())
            .finish_non_exhaustive()
    }
}
