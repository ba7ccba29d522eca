//! What doors handed over and readers have not read yet: sealed, in memory,
//! bounded. Not acknowledged to anybody, so nothing is lost with it.
//!
//! A ticket works once. A reader may die after core accepted what it read and
//! before the answer is out: whoever shows the ticket again gets that answer,
//! so that nobody is told to send again what was accepted.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chancery_message::{Channel, Entropy, EntropyError, Inbound, Ticket, Timestamp};
use chancery_pipeline::held::HeldOriginal;
use chancery_pipeline::protocol::ReplyHead;
use tokio::sync::watch;

/// Bytes held at most.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// How long something is held.
const LIFETIME: Duration = Duration::from_secs(600);
/// Answers that are remembered, the newest.
const MOST_ANSWERS: usize = 4096;

/// What was answered to the reader.
pub(crate) type Answered = Arc<(ReplyHead, Bytes)>;
/// The answer that another is working for, when it is there.
pub(crate) type Awaited = watch::Receiver<Option<Answered>>;

/// The originals held, and the answers given.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    held: HashMap<Ticket, (Inbound, HeldOriginal)>,
    answers: HashMap<Ticket, (Channel, Awaited)>,
    /// The tickets of the answers, the oldest first.
    order: VecDeque<Ticket>,
}

/// What a ticket is good for.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The original, and where its answer belongs.
    First(
        Box<(Inbound, HeldOriginal)>,
        watch::Sender<Option<Answered>>,
    ),
    /// It was taken before: the answer, as soon as it is there.
    Before(Awaited),
    /// Nothing.
    Unknown,
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an original; the ticket is unguessable and works once.
    pub(crate) fn keep(
        &self,
        inbound: Inbound,
        original: HeldOriginal,
        entropy: &dyn Entropy,
    ) -> Result<Ticket, NoTicket> {
        let ticket = Ticket::mint(entropy)?;
        let held = &mut self.lock().held;
        let bytes: u64 = held.values().map(|(_, original)| original.size()).sum();
        if bytes.saturating_add(original.size()) > MOST_BYTES {
            return Err(NoTicket::Full);
        }
        held.insert(ticket, (inbound, original));
        Ok(ticket)
    }

    /// Takes an original, if it came by that zone: a reader of another zone
    /// gets nothing by a ticket that it should not have.
    pub(crate) fn take(&self, ticket: &Ticket, zone: Channel) -> Taken {
        let mut state = self.lock();
        if let Some((_, awaited)) = state.answers.get(ticket).filter(|(of, _)| *of == zone) {
            return Taken::Before(awaited.clone());
        }
        let is_ours = state
            .held
            .get(ticket)
            .is_some_and(|(inbound, _)| inbound.peer.channel == zone);
        let Some(taken) = is_ours.then(|| state.held.remove(ticket)).flatten() else {
            return Taken::Unknown;
        };
        let (answer, awaited) = watch::channel(None);
        state.answers.insert(*ticket, (zone, awaited));
        state.order.push_back(*ticket);
        while state.order.len() > MOST_ANSWERS {
            if let Some(oldest) = state.order.pop_front() {
                state.answers.remove(&oldest);
            }
        }
        Taken::First(Box::new(taken), answer)
    }

    /// Forgets what nobody asked for.
    pub(crate) fn forget_old(&self, now: Timestamp) {
        self.lock()
            .held
            .retain(|_, (_, original)| now.since(original.since()) < LIFETIME);
    }
}

/// The answer that another works for; none if it ended without one.
pub(crate) async fn await_answer(mut awaited: Awaited) -> Option<Answered> {
    let answer = awaited.wait_for(Option::is_some).await.ok()?;
    answer.clone()
}
