//! A person who acts for a participant sees and sends no more than that person
//! is cleared for, whatever the participant is.

use chancery_audit::{Event, EventKind, Key};
use chancery_label::Level;
use chancery_message::DeliveryId;

use crate::documents::MessageDocument;
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::Step;
use crate::rules::Sender;
use crate::stages::release::{message_of, own_delivery};

/// True unless a person acts who is not cleared that far.
pub(crate) fn is_cleared(who: &Sender, level: Level) -> bool {
    who.person
        .as_ref()
        .is_none_or(|person| level <= person.clearance)
}

fn level_of(meta: &MessageDocument) -> Level {
    // What has no label yet is nobody's to have.
    meta.label
        .as_ref()
        .map_or(Level::ALL.last().copied().unwrap_or_default(), |label| {
            label.level
        })
}

/// True if whoever acts may have a message of this.
pub(crate) fn may_see(who: &Sender, meta: &MessageDocument) -> bool {
    is_cleared(who, level_of(meta))
}

/// Whether whoever acts may be given this delivery, as far as a person's
/// clearance goes; the rules decide the rest.
///
/// # Errors
/// [`RefusalKind::Denied`], recorded; [`RefusalKind::NotFound`].
pub fn may_have(gateway: &Gateway, who: &Sender, id: &DeliveryId) -> Result<(), StageError> {
    if who.person.is_none() {
        return Ok(());
    }
    let row = own_delivery(gateway, id, &who.id)?;
    let (_, meta) = message_of(gateway, &row)?;
    let level = level_of(&meta);
    if is_cleared(who, level) {
        return Ok(());
    }
    let event = Event::new(EventKind::PersonRefused, gateway.now(), who.actor())
        .message(row.message)
        .delivery(row.id)
        .detail(Key::Channel, row.channel.name())
        .detail(Key::Recipient, row.recipient.as_str())
        .detail(Key::Effective, level.code());
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    // The same words as for what is not there: it is not listed for that person either.
    Err(crate::stages::release::not_found())
}

/// Whether whoever acts may send what has this level.
///
/// # Errors
/// [`RefusalKind::Denied`].
pub(crate) fn may_send(who: &Sender, level: Level) -> Result<(), Refusal> {
    if is_cleared(who, level) {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::Denied,
        format!("the message is {level}, above your own clearance: a cleared colleague sends it"),
    ))
}
