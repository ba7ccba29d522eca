//! Looks how token and custodian fare, and which processes came again: what
//! changed is recorded. The state of the moment is told by `/healthz`.

use std::sync::Arc;
use std::time::Duration;

use chancery_audit::{Actor, Event, EventKind, Key, Record};
use chancery_hsm_custodian::Status;
use chancery_message::Timestamp;
use chancery_pipeline::ports::{LedgerError, Step};
use tracing::{error, info};

use crate::app::App;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// How the token fares, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Token {
    /// Not looked at yet.
    #[default]
    Unknown,
    Works,
    /// Since when it does not.
    Lost(Timestamp),
}

/// What was seen at the last look.
#[derive(Debug, Default)]
struct Seen {
    token: Token,
    /// How often the custodian was asked since it started.
    asked: Option<u64>,
    restarts: u64,
}

/// Looks, for ever.
pub(crate) async fn run(app: Arc<App>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = Seen::default();
    loop {
        every.tick().await;
        let looking = Arc::clone(&app);
        let mut at_last = seen;
        let looked = tokio::task::spawn_blocking(move || {
            let status = looking.keys.status().ok();
            let now = looking.gateway.now();
            for event in at_last.look(status.as_ref(), now) {
                record(&looking, event);
            }
            at_last
        })
        .await;
        seen = looked.unwrap_or_else(|error| {
            error!(%error, "looking at the custodian ended");
            Seen::default()
        });
    }
}

impl Seen {
    /// What changed since the last look.
    fn look(&mut self, status: Option<&Status>, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(status) = status {
            let asked = status
                .tallies
                .iter()
                .map(|(_, _, tally)| tally.done + tally.refused + tally.busy + tally.failed)
                .sum();
            // It counts from its start: fewer than before is another start.
            if self.asked.is_some_and(|before| asked < before) {
                self.restarts += 1;
                events.push(restarted("custodian", self.restarts, now));
            }
            self.asked = Some(asked);
        }
        let works = status.is_some_and(|status| status.token.working);
        match (self.token, works) {
            (Token::Unknown | Token::Works, true) => self.token = Token::Works,
            (Token::Unknown | Token::Works, false) => {
                self.token = Token::Lost(now);
                let why = if status.is_some() {
                    "the token does not work"
                } else {
                    "the custodian does not answer"
                };
                error!(why, "the token is lost");
                events.push(event(EventKind::TokenLost, now).detail(Key::Reason, why));
            }
            (Token::Lost(_), false) => {}
            (Token::Lost(since), true) => {
                self.token = Token::Works;
                info!("the token is back");
                events.push(
                    event(EventKind::TokenReturned, now)
                        .detail(Key::Previous, since.to_string())
                        .detail(
                            Key::Count,
                            i64::try_from(now.since(since).as_secs()).unwrap_or(i64::MAX),
                        ),
                );
            }
        }
        events
    }
}

fn event(kind: EventKind, now: Timestamp) -> Event {
    Event::new(kind, now, Actor::process("core"))
}

fn restarted(process: &str, count: u64, now: Timestamp) -> Event {
    event(EventKind::ProcessRestarted, now)
        .detail(Key::Process, process)
        .detail(Key::Count, i64::try_from(count).unwrap_or(i64::MAX))
}

fn record(app: &App, event: Event) {
    let step = Step {
        events: vec![event],
        ..Step::default()
    };
    if let Err(error) = app.gateway.ledger.commit(step) {
        error!(%error, "what became of a part of the node could not be recorded");
    }
}

/// A door or reader connected; the `came`th time since core started.
pub(crate) fn arrived(app: &Arc<App>, process: &str, came: u64) {
    if came < 2 {
        return;
    }
    let (app, process) = (Arc::clone(app), process.to_owned());
    tokio::task::spawn_blocking(move || {
        record(&app, restarted(&process, came - 1, app.gateway.now()));
    });
}

/// The event of core's own start after an end that was not in order; none after
/// one that was, and none at a node's first start.
pub(crate) fn own_restart(app: &App, now: Timestamp) -> Result<Option<Event>, LedgerError> {
    let ledger = app.gateway.ledger.as_ref();
    let size = ledger.head()?.size;
    let Some(last) = size.checked_sub(1) else {
        return Ok(None);
    };
    let leaves = ledger.leaves(last, 1)?;
    let in_order = leaves
        .first()
        .and_then(|leaf| Record::parse(&leaf.record).ok())
        .is_some_and(|record| record.event.kind == EventKind::NodeStopped);
    // Before the first start there is only what founded the rules.
    let ran = ledger
        .leaves(0, 64)?
        .iter()
        .filter_map(|leaf| Record::parse(&leaf.record).ok())
        .any(|record| record.event.kind == EventKind::NodeStarted);
    Ok((ran && !in_order).then(|| {
        event(EventKind::ProcessRestarted, now)
            .detail(Key::Process, "core")
            .detail(Key::Reason, "the log ends without a stop in order")
    }))
}

#[cfg(test)]
mod tests {
    use chancery_hsm_api::TokenHealth;
    use chancery_hsm_custodian::{Client, Head, Operation, Tally};

    use super::*;

    fn status(working: bool, done: u64) -> Status {
        Status {
            token: TokenHealth {
                label: String::new(),
                serial: String::new(),
                model: String::new(),
                working,
                sessions: 1,
                renewals: 0,
                last_failure: None,
            },
            log: Head {
                seq: 0,
                hash: [0; 32],
            },
            log_writable: true,
            tallies: vec![(
                Client::Core,
                Operation::Status,
                Tally {
                    done,
                    ..Tally::default()
                },
            )],
        }
    }

    #[test]
    fn each_change_is_told_once() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let mut seen = Seen::default();
        let mut look = |status: Option<&Status>, second| {
            let told = seen.look(status, at(second));
            told.iter().map(|event| event.kind).collect::<Vec<_>>()
        };
        assert!(look(Some(&status(true, 5)), 0).is_empty());
        assert!(look(Some(&status(true, 6)), 1).is_empty());
        assert_eq!(look(Some(&status(false, 7)), 2), [EventKind::TokenLost]);
        assert!(look(Some(&status(false, 8)), 3).is_empty());
        assert!(look(None, 4).is_empty());
        assert_eq!(
            look(Some(&status(true, 1)), 5),
            [EventKind::ProcessRestarted, EventKind::TokenReturned]
        );
        assert_eq!(look(None, 6), [EventKind::TokenLost]);
        assert_eq!(look(Some(&status(true, 2)), 7), [EventKind::TokenReturned]);
    }
}
