//! After a rotation: content keys move under the newest generation of their
//! key-encryption key, one row and one record at a time. Whenever this is cut
//! off, every row is under the old generation or under the new one, and both
//! are there until the old one is closed.
//!
//! ```text
//! row under n ─► custodian rewraps (the key stays in the token) ─► row under n+1 + audit leaf, together
//!                          … none left under n ─► n is closed: later rows under it are refused
//! ```

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_hsm_api::KekId;
use chancery_seal::{SealedBody, SealedMessage};

use crate::gateway::{Gateway, StageError};
use crate::ports::{LedgerError, Step, Write};
use crate::rows::{BodyRow, Holder, MessageRow};

/// Moves one content key. False where there was nothing to move any more, or
/// the row changed meanwhile: it is then met again.
///
/// # Errors
/// [`StageError::Corrupt`] where the row is not what was written; others when
/// keys or ledger fail.
pub fn rewrap(gateway: &Gateway, holder: &Holder) -> Result<bool, StageError> {
    let step = match holder {
        Holder::Message(id) => match gateway.ledger.message(id)? {
            Some(row) => message(gateway, row)?,
            None => None,
        },
        Holder::Body(id) => match gateway.ledger.body(id)? {
            Some(row) => body(gateway, row)?,
            None => None,
        },
    };
    let Some(step) = step else {
        return Ok(false);
    };
    match gateway.ledger.commit(step) {
        Ok(_) => Ok(true),
        Err(LedgerError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn message(gateway: &Gateway, row: MessageRow) -> Result<Option<Step>, StageError> {
    crate::rowmac::check_message(gateway, &row)?;
    let sealed = SealedMessage::decode(&row.sealed)?;
    let moved = sealed.rewrapped(gateway.keys.as_ref())?;
    if moved.wrapped().generation == sealed.wrapped().generation {
        return Ok(None);
    }
    let mut next = MessageRow {
        version: row.version + 1,
        sealed: moved.encode()?,
        mac: [0; 32],
        ..row
    };
    next.mac = crate::rowmac::message(gateway, &next);
    let event = moved_event(
        gateway,
        &moved.wrapped().kek,
        moved.wrapped().generation,
        format!("message/{}@{}", next.id, next.version),
    )
    .message(next.id);
    Ok(Some(Step {
        guards: Vec::new(),
        writes: vec![Write::UpdateMessage(Box::new(next))],
        events: vec![event],
    }))
}

fn body(gateway: &Gateway, row: BodyRow) -> Result<Option<Step>, StageError> {
    crate::rowmac::check_body(gateway, &row)?;
    let sealed = SealedBody::decode(&row.document)?;
    let kek = sealed.wrapped().kek.clone();
    let moved = sealed.rewrapped(gateway.keys.as_ref(), &kek)?;
    if moved.wrapped().generation == sealed.wrapped().generation {
        return Ok(None);
    }
    let mut next = BodyRow {
        version: row.version + 1,
        document: moved.encode()?,
        mac: [0; 32],
        ..row
    };
    next.mac = crate::rowmac::body(gateway, &next);
    let mut event = moved_event(
        gateway,
        &kek,
        moved.wrapped().generation,
        format!("body/{}@{}", next.id, next.version),
    )
    .detail(Key::Body, next.id.to_string());
    if let Some(message) = next.message {
        event = event.message(message);
    }
    Ok(Some(Step {
        guards: Vec::new(),
        writes: vec![Write::UpdateBody(Box::new(next))],
        events: vec![event],
    }))
}

fn moved_event(gateway: &Gateway, kek: &KekId, generation: u32, row: String) -> Event {
    Event::new(
        EventKind::KeyRewrapped,
        gateway.now(),
        Actor::process("core"),
    )
    .detail(Key::Kek, kek.to_string())
    .detail(Key::Generation, u64::from(generation))
    .detail(Key::Rows, [row])
}

/// Closes a generation under which nothing is. False where something still is.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn close(gateway: &Gateway, kek: &KekId, generation: u32) -> Result<bool, StageError> {
    let event = Event::new(EventKind::KeyChanged, gateway.now(), Actor::process("core"))
        .detail(Key::Kek, kek.to_string())
        .detail(Key::Generation, u64::from(generation))
        .detail(Key::Outcome, "closed");
    let step = Step {
        guards: Vec::new(),
        writes: vec![Write::CloseKek {
            kek: kek.clone(),
            generation,
        }],
        events: vec![event],
    };
    match gateway.ledger.commit(step) {
        Ok(_) => Ok(true),
        Err(LedgerError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
