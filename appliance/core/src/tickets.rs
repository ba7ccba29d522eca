//! What doors handed over and readers have not read yet: sealed, in memory,
//! bounded. Not acknowledged to anybody, so nothing is lost with it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chancery_message::{Channel, Entropy, EntropyError, Inbound, Ticket, Timestamp};
use chancery_pipeline::held::HeldOriginal;

/// Bytes held at most.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// How long something is held.
const LIFETIME: Duration = Duration::from_secs(600);

/// The originals held.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    held: Mutex<HashMap<Ticket, (Inbound, HeldOriginal)>>,
}

/// Why a ticket was not given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTicket {
    #[error("too much is waiting to be read")]
    Full,
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl Tickets {
    /// Keeps an original; the ticket is unguessable and works once.
    pub(crate) fn keep(
        &self,
        inbound: Inbound,
        original: HeldOriginal,
        entropy: &dyn Entropy,
    ) -> Result<Ticket, NoTicket> {
        let ticket = Ticket::mint(entropy)?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: u64 = held.values().map(|(_, original)| original.size()).sum();
        if bytes.saturating_add(original.size()) > MOST_BYTES {
            return Err(NoTicket::Full);
        }
        held.insert(ticket, (inbound, original));
        Ok(ticket)
    }

    /// Takes an original, if it came by that zone: a reader of another zone
    /// gets nothing by a ticket that it should not have.
    pub(crate) fn take(&self, ticket: &Ticket, zone: Channel) -> Option<(Inbound, HeldOriginal)> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held
            .get(ticket)
            .is_some_and(|(inbound, _)| inbound.peer.channel == zone)
        {
            held.remove(ticket)
        } else {
            None
        }
    }

    /// Forgets what nobody asked for.
    pub(crate) fn forget_old(&self, now: Timestamp) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, (_, original)| now.since(original.since()) < LIFETIME);
    }
}
