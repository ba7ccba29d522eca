//! Receipts that are due: from C-UE up a recipient acknowledges what it was
//! given. First it is reminded, then it is overdue, and where the node is set so
//! nothing more goes to it until it has acknowledged.

use std::time::Duration;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{Channel, ParticipantId, Timestamp};
use chancery_policy::decision::Obligation;

use crate::documents::{DeliveryDocument, Document};
use crate::gateway::{Gateway, StageError};
use crate::ports::{LedgerError, Step, Write};
use crate::rows::{DeliveryRow, DeliveryState};
use crate::stages::queue::anchor;

/// Deliveries that are looked through at one time.
const MOST: u32 = 10_000;

/// By when an opened delivery's receipt is due: as long after it was first
/// opened as officers have to judge a message of its precedence. None where it
/// needs no receipt.
pub(crate) fn due(
    gateway: &Gateway,
    row: &DeliveryRow,
    document: &DeliveryDocument,
) -> Option<Timestamp> {
    let needed = document
        .obligations
        .iter()
        .any(|one| one == Obligation::ReceiptRequired.text());
    let opened = document.opened_at.filter(|_| needed)?;
    Some(opened.after(time(gateway, row)))
}

fn time(gateway: &Gateway, row: &DeliveryRow) -> Duration {
    gateway.node.times.of(row.precedence)
}

/// Reminds of receipts that are due, and records those that are overdue: as
/// long again after the reminder. How many were told.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn receipts(gateway: &Gateway) -> Result<u32, StageError> {
    let now = gateway.now();
    let mut told = 0;
    for row in gateway.ledger.in_state(DeliveryState::Opened, MOST)? {
        let document = DeliveryDocument::decode(&row.document)?;
        let Some(due) = due(gateway, &row, &document) else {
            continue;
        };
        let kind = match (document.reminded_at, document.overdue_at) {
            (None, _) if now >= due => EventKind::ReceiptReminded,
            (Some(_), None) if now >= due.after(time(gateway, &row)) => EventKind::ReceiptOverdue,
            _ => continue,
        };
        crate::rowmac::check_delivery(gateway, &row)?;
        match tell(gateway, &row, document, kind, due) {
            Ok(()) => told += 1,
            // It was acknowledged meanwhile, or given out again.
            Err(StageError::Ledger(LedgerError::Conflict)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(told)
}

fn tell(
    gateway: &Gateway,
    row: &DeliveryRow,
    mut document: DeliveryDocument,
    kind: EventKind,
    due: Timestamp,
) -> Result<(), StageError> {
    let now = gateway.now();
    if kind == EventKind::ReceiptReminded {
        document.reminded_at = Some(now);
    } else {
        document.overdue_at = Some(now);
    }
    let mut changed = DeliveryRow {
        version: row.version + 1,
        document: document.encode()?,
        ..row.clone()
    };
    changed.mac = crate::rowmac::delivery(gateway, &changed);
    let event = Event::new(kind, now, Actor::System)
        .message(row.message)
        .delivery(row.id)
        .detail(Key::Recipient, row.recipient.as_str())
        .detail(Key::Channel, row.channel.name())
        .detail(Key::Due, due.to_string())
        .detail(Key::Rows, [anchor(&changed)]);
    gateway.ledger.commit(Step {
        guards: Vec::new(),
        writes: vec![Write::UpdateDelivery(Box::new(changed))],
        events: vec![event],
    })?;
    Ok(())
}

/// True if a recipient owes a receipt that is overdue.
pub(crate) fn owes(
    gateway: &Gateway,
    recipient: &ParticipantId,
    channel: Channel,
) -> Result<bool, StageError> {
    for row in gateway.ledger.inbox(recipient, channel, None, 200)? {
        if row.state == DeliveryState::Opened
            && DeliveryDocument::decode(&row.document)?
                .overdue_at
                .is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
