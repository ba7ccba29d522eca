//! Keys derived from the generations of one key of the token. The first makes,
//! all of them find and check what they made.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use chancery_hsm_api::{KeyError, KeyErrorKind, MacUse, Macs};
use zeroize::{Zeroize as _, Zeroizing};

/// The keys, with the generation that each comes from; never empty.
pub(crate) struct Generations(RwLock<Vec<(u32, [u8; 32])>>);

impl Generations {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(RwLock::new(vec![(1, bytes)]))
    }

    pub(crate) fn derive(
        macs: &dyn Macs,
        usage: MacUse,
        text: &[u8],
        generations: &[u32],
    ) -> Result<Self, KeyError> {
        let keys = Self(RwLock::new(Vec::new()));
        keys.renew(macs, usage, text, generations)?;
        Ok(keys)
    }

    /// Takes these generations for the present ones. True if they are others.
    pub(crate) fn renew(
        &self,
        macs: &dyn Macs,
        usage: MacUse,
        text: &[u8],
        generations: &[u32],
    ) -> Result<bool, KeyError> {
        if generations.is_empty() {
            let detail = "no generation of the key is active";
            return Err(KeyError::new(KeyErrorKind::Unknown, "derive a key", detail));
        }
        if self.read().iter().map(|(one, _)| one).eq(generations) {
            return Ok(false);
        }
        // Asked before anything is changed, and without holding the others up.
        let mut fresh = Zeroizing::new(Vec::with_capacity(generations.len()));
        for generation in generations {
            fresh.push((*generation, macs.mac_of(usage, *generation, text)?));
        }
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.zeroize();
        keys.extend(fresh.iter().copied());
        Ok(true)
    }

    /// With the one that makes.
    pub(crate) fn newest<T>(&self, f: impl FnOnce(&[u8; 32]) -> T) -> T {
        let keys = self.read();
        // INVARIANT: `renew` takes no empty list.
        let none = [0; 32];
        f(keys.first().map_or(&none, |(_, key)| key))
    }

    /// With each, the newest first.
    pub(crate) fn each<T>(&self, mut f: impl FnMut(&[u8; 32]) -> T) -> Vec<T> {
        self.read().iter().map(|(_, key)| f(key)).collect()
    }

    /// True if it is true of one of them.
    pub(crate) fn any(&self, mut f: impl FnMut(&[u8; 32]) -> bool) -> bool {
        self.read().iter().any(|(_, key)| f(key))
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<(u32, [u8; 32])>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Generations {
    fn drop(&mut self) {
        self.0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .zeroize();
    }
}
