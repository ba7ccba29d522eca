//! Station 9: what became of a delivery.

use std::time::Duration;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{Channel, DeliveryId, ParticipantId, Timestamp};
use chancery_policy::decision::Obligation;

use crate::documents::{DeliveryDocument, Document};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{LedgerError, Step, Write};
use crate::protocol::MailSent;
use crate::rows::{DeliveryRow, DeliveryState};
use crate::stages::queue::anchor;
use crate::stages::registry;
use crate::stages::release::own_delivery;

/// After this many attempts a sent delivery is given up.
const MOST_ATTEMPTS: u32 = 60;

/// The recipient has it: recorded once, told the same ever after.
///
/// # Errors
/// [`RefusalKind::NotFound`]; [`RefusalKind::NotNow`] before it was fetched.
pub fn acknowledge(
    gateway: &Gateway,
    id: &DeliveryId,
    recipient: &ParticipantId,
) -> Result<Timestamp, StageError> {
    acknowledge_by(
        gateway,
        id,
        recipient,
        &Actor::Participant(recipient.clone()),
    )
}

/// The same, with who acts for the recipient.
///
/// # Errors
/// As [`acknowledge`].
pub fn acknowledge_by(
    gateway: &Gateway,
    id: &DeliveryId,
    recipient: &ParticipantId,
    by: &Actor,
) -> Result<Timestamp, StageError> {
    loop {
        let row = own_delivery(gateway, id, recipient)?;
        let document = DeliveryDocument::decode(&row.document)?;
        match row.state {
            DeliveryState::Completed => return Ok(document.ended_at.unwrap_or(document.since)),
            DeliveryState::Opened if row.channel.is_pulled() => {}
            DeliveryState::Queued => {
                return Err(Refusal::new(
                    RefusalKind::NotNow,
                    "fetch the delivery before you acknowledge it",
                )
                .into());
            }
            DeliveryState::Held
            | DeliveryState::Refused
            | DeliveryState::Opened
            | DeliveryState::Deferred
            | DeliveryState::Expired
            | DeliveryState::Uncertain
            | DeliveryState::Withdrawn => {
                return Err(Refusal::new(
                    RefusalKind::NotFound,
                    "there is no such delivery for you",
                )
                .into());
            }
        }
        let actor = by.clone();
        match end(
            gateway,
            &row,
            DeliveryState::Completed,
            "acknowledged",
            None,
            actor,
        ) {
            Err(StageError::Ledger(LedgerError::Conflict)) => {}
            Err(error) => return Err(error),
            Ok(at) => return Ok(at),
        }
    }
}

/// What the mail door told of a sending.
///
/// # Errors
/// [`StageError`] when the ledger fails: the delivery stays opened and ends as
/// uncertain.
pub fn mail_sent(
    gateway: &Gateway,
    row: &DeliveryRow,
    sent: &MailSent,
) -> Result<DeliveryState, StageError> {
    let now = gateway.now();
    let (state, words, next) = match sent {
        MailSent::Accepted { reply } => (DeliveryState::Completed, reply.as_str(), None),
        MailSent::Permanent { reason } => (DeliveryState::Expired, reason.as_str(), None),
        MailSent::Unknown { reason } => (DeliveryState::Uncertain, reason.as_str(), None),
        MailSent::Temporary { reason } => {
            let late = row.due_at.is_some_and(|due| due <= now) || row.attempts >= MOST_ATTEMPTS;
            if late {
                (DeliveryState::Expired, reason.as_str(), None)
            } else {
                (
                    DeliveryState::Deferred,
                    reason.as_str(),
                    Some(now.after(wait(row.attempts))),
                )
            }
        }
    };
    end(gateway, row, state, words, next, Actor::System)?;
    Ok(state)
}

/// How long a delivery waits after so many attempts: 15 s, doubled, at most an hour.
fn wait(attempts: u32) -> Duration {
    let doubled = 15u64.saturating_mul(1u64 << attempts.saturating_sub(1).min(10));
    Duration::from_secs(doubled.min(3600))
}

/// Sent deliveries that were opened when the process ended, and have no
/// outcome: bytes may have left. They end as uncertain, never as completed.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn recover(gateway: &Gateway) -> Result<u32, StageError> {
    let mut recovered = 0;
    loop {
        let mut progress = false;
        for row in gateway.ledger.in_state(DeliveryState::Opened, 1000)? {
            // A pulled delivery that was opened waits for its acknowledgement.
            if row.channel != Channel::Mail {
                continue;
            }
            crate::rowmac::check_delivery(gateway, &row)?;
            let words = "the gateway stopped before an outcome was known";
            end(
                gateway,
                &row,
                DeliveryState::Uncertain,
                words,
                None,
                Actor::System,
            )?;
            recovered += 1;
            progress = true;
        }
        if !progress {
            return Ok(recovered);
        }
    }
}

/// Deliveries whose time is over.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn expire(gateway: &Gateway) -> Result<u32, StageError> {
    let now = gateway.now();
    let mut expired = 0;
    for state in [DeliveryState::Queued, DeliveryState::Deferred] {
        for row in gateway.ledger.in_state(state, 1000)? {
            if row.due_at.is_some_and(|due| due <= now) {
                crate::rowmac::check_delivery(gateway, &row)?;
                match end(
                    gateway,
                    &row,
                    DeliveryState::Expired,
                    "not delivered in its time",
                    None,
                    Actor::System,
                ) {
                    Err(StageError::Ledger(LedgerError::Conflict)) => {}
                    Err(error) => return Err(error),
                    Ok(_) => expired += 1,
                }
            }
        }
    }
    Ok(expired)
}

/// Moves a delivery to an outcome, with its event.
pub(crate) fn end(
    gateway: &Gateway,
    row: &DeliveryRow,
    state: DeliveryState,
    words: &str,
    next_at: Option<Timestamp>,
    actor: Actor,
) -> Result<Timestamp, StageError> {
    let now = gateway.now();
    let mut document = DeliveryDocument::decode(&row.document)?;
    document.since = now;
    document.ended_at = next_at.is_none().then_some(now);
    let mut changed = DeliveryRow {
        version: row.version + 1,
        state,
        next_at,
        document: document.encode()?,
        ..row.clone()
    };
    changed.mac = crate::rowmac::delivery(gateway, &changed);
    let kind = match state {
        DeliveryState::Completed => EventKind::ReleaseCompleted,
        DeliveryState::Deferred => EventKind::ReleaseDeferred,
        DeliveryState::Uncertain => EventKind::ReleaseUncertain,
        DeliveryState::Withdrawn => EventKind::ReleaseWithdrawn,
        DeliveryState::Queued
        | DeliveryState::Held
        | DeliveryState::Refused
        | DeliveryState::Opened
        | DeliveryState::Expired => EventKind::ReleaseExpired,
    };
    let event = Event::new(kind, now, actor)
        .message(row.message)
        .delivery(row.id)
        .detail(Key::Recipient, row.recipient.as_str())
        .detail(Key::Channel, row.channel.name())
        .detail(Key::Rows, [anchor(&changed)]);
    let event = match kind {
        EventKind::ReleaseWithdrawn => event,
        _ => event
            .detail(Key::Attempt, i64::from(row.attempts))
            .detail(Key::Outcome, words),
    };
    let event = match (kind, next_at) {
        (EventKind::ReleaseDeferred, Some(next)) => event.detail(Key::Due, next.to_string()),
        _ => event,
    };
    let mut events = vec![event];
    let registers = Obligation::RegisterBothEnds.text();
    if state == DeliveryState::Completed && document.obligations.iter().any(|one| one == registers)
    {
        // From C-UE up what arrives is registered at the recipient's end too.
        let number = gateway.ledger.next_registration()?;
        events.push(
            Event::new(EventKind::ReceiptRegistered, now, Actor::System)
                .message(row.message)
                .delivery(row.id)
                .detail(Key::Recipient, row.recipient.as_str())
                .detail(Key::Channel, row.channel.name())
                .detail(Key::Registration, i64::try_from(number).unwrap_or(i64::MAX)),
        );
    }
    let mut step = Step {
        guards: Vec::new(),
        writes: vec![Write::UpdateDelivery(Box::new(changed))],
        events,
    };
    if state == DeliveryState::Completed {
        let mut passing = registry::passing(gateway, row)?;
        step.writes.append(&mut passing.writes);
        step.events.append(&mut passing.events);
    }
    gateway.ledger.commit(step)?;
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour() {
        assert_eq!(wait(1), Duration::from_secs(15));
        assert_eq!(wait(2), Duration::from_secs(30));
        assert_eq!(wait(9), Duration::from_secs(3600));
        assert_eq!(wait(u32::MAX), Duration::from_secs(3600));
    }
}
