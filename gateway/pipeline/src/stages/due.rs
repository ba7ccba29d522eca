//! Receipts that are due: from C-UE up a recipient acknowledges what it was
//! given. First it is reminded, then it is overdue, and where the node is set so
//! nothing more goes to it until it has acknowledged.

use std::time::Duration;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_label::Level;
use chancery_message::{Channel, DeliveryId, MessageId, ParticipantId, Timestamp};
use chancery_policy::decision::Obligation;

use crate::documents::{DeliveryDocument, Document};
use crate::gateway::{Gateway, StageError};
use crate::outcome::Receipt;
use crate::ports::{LedgerError, Step, Write};
use crate::rows::{DeliveryRow, DeliveryState};
use crate::stages::queue::anchor;
use crate::stages::release::message_of;

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

/// A recipient is to be reminded of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// Whom.
    pub recipient: ParticipantId,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Of which message.
    pub message: MessageId,
    /// Its level.
    pub level: Level,
    /// Since when the receipt is due.
    pub due: Timestamp,
}

/// Records which receipts are due, and which are overdue: as long again after
/// the reminder. Those to be reminded who are reached by mail too.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn receipts(gateway: &Gateway) -> Result<Vec<Reminder>, StageError> {
    let now = gateway.now();
    let mut reminders = Vec::new();
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
            Ok(()) if kind == EventKind::ReceiptReminded => {
                reminders.extend(reminder(gateway, &row, due)?);
            }
            Ok(()) => {}
            // It was acknowledged meanwhile, or given out again.
            Err(StageError::Ledger(LedgerError::Conflict)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(reminders)
}

/// The reminder of a delivery, where its recipient has mail.
fn reminder(
    gateway: &Gateway,
    row: &DeliveryRow,
    due: Timestamp,
) -> Result<Option<Reminder>, StageError> {
    let rules = gateway.rules();
    let has_mail = rules
        .openpgp_certificate_of(&row.recipient, gateway.now())
        .is_some();
    if !has_mail {
        return Ok(None);
    }
    let (_, meta) = message_of(gateway, row)?;
    Ok(Some(Reminder {
        recipient: row.recipient.clone(),
        delivery: row.id,
        message: row.message,
        level: meta.label.map_or(Level::Nc, |label| label.level),
        due,
    }))
}

/// How a receipt stands, for the inbox of whoever owes it.
pub(crate) fn standing(
    gateway: &Gateway,
    row: &DeliveryRow,
    document: &DeliveryDocument,
) -> Option<Receipt> {
    due(gateway, row, document)?;
    Some(match (document.reminded_at, document.overdue_at) {
        (_, Some(_)) => Receipt::Overdue,
        (Some(_), None) => Receipt::Reminded,
        (None, None) => Receipt::Awaited,
    })
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
