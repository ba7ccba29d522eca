//! The custodian, as core asks it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use chancery_hsm_api::{KeyRole, MacUse};
use chancery_hsm_custodian::{CustodyClient, KeyCard, KeyState};
use chancery_ipc::blocking::Channel;

/// A client over core's link. Calls may block up to the deadline: make them on
/// blocking threads.
pub(crate) fn client(channel: Channel, deadline: Duration) -> Arc<CustodyClient> {
    Arc::new(CustodyClient::new(move |request| {
        channel.roundtrip(request, deadline)
    }))
}

/// The generations of a digest key that core derives its own from: the one that
/// makes things first, then those under which something may stand.
pub(crate) fn digest_generations(cards: &[KeyCard], usage: MacUse, now: i64) -> Vec<u32> {
    let mut there: Vec<&KeyCard> = cards
        .iter()
        .filter(|card| card.role == KeyRole::Mac(usage))
        .filter(|card| matches!(card.state(now), KeyState::Active | KeyState::Deactivated))
        .collect();
    there.sort_by_key(|card| {
        (
            card.state(now) != KeyState::Active,
            Reverse(card.generation),
        )
    });
    there.into_iter().map(|card| card.generation).collect()
}
