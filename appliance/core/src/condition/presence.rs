//! Which of the node's processes are connected, seen by their links.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence(Arc<Mutex<BTreeMap<String, Seen>>>);

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Live connections: two for a moment while one process follows another.
    live: u32,
    came: u64,
}

/// As long as this lives, so does the connection.
#[derive(Debug)]
pub(crate) struct Here {
    presence: Presence,
    name: String,
}

impl Drop for Here {
    fn drop(&mut self) {
        if let Some(seen) = self.presence.lock().get_mut(&self.name) {
            seen.live = seen.live.saturating_sub(1);
        }
    }
}

// === impl Presence ===

impl Presence {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process that belongs to the node, there or not.
    pub(crate) fn expect(&self, name: &str) {
        self.lock().entry(name.to_owned()).or_default();
    }

    /// A process connected; the how many-th time.
    pub(crate) fn arrived(&self, name: &str) -> (Here, u64) {
        let mut all = self.lock();
        let seen = all.entry(name.to_owned()).or_default();
        seen.live = seen.live.saturating_add(1);
        seen.came = seen.came.saturating_add(1);
        let here = Here {
            presence: self.clone(),
            name: name.to_owned(),
        };
        (here, seen.came)
    }

    /// All, with whether each is there and how often it came.
    pub(crate) fn all(&self) -> Vec<(String, bool, u64)> {
        self.lock()
            .iter()
            .map(|(name, seen)| (name.clone(), seen.live > 0, seen.came))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_is_missing_and_who_comes_again_is_counted() {
        let presence = Presence::default();
        presence.expect("reader-rest");
        assert_eq!(presence.all(), [("reader-rest".to_owned(), false, 0)]);
        let (first, _) = presence.arrived("reader-rest");
        let (second, came) = presence.arrived("reader-rest");
        assert_eq!(came, 2);
        drop(first);
        assert_eq!(presence.all(), [("reader-rest".to_owned(), true, 2)]);
        drop(second);
        assert_eq!(presence.all(), [("reader-rest".to_owned(), false, 2)]);
    }
}
