//! A key's life: made, activated, retired, emptied, destroyed. Each step is
//! written down before it counts.

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyLife, KeyRole};

use super::{ABANDONED, ACTIVATED, CLOSED, DESTROYED, DESTROYING, MADE, MAKING, RETIRED, Register};
use crate::KeyState;

impl Register {
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
        if matches!(role, KeyRole::Mac(_)) && was_active {
            return refuse(
                what,
                format!(
                    "rows and indexes stand under generation {generation} of {role} for good: \
                     they would be lost"
                ),
            );
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
}

fn refuse<T>(what: &str, why: String) -> Result<T, KeyError> {
    Err(KeyError::new(KeyErrorKind::Denied, what, why))
}
