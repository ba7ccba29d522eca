//! Third States and international organisations are reached by way of the
//! central registry (Decision (EU, Euratom) 2015/444, Article 27): it gets the
//! message first, and what goes abroad goes when it has acknowledged, which
//! enters it in its register. Who the registry is, the directory says.

use std::time::Duration;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{ParticipantId, RecipientRole, Timestamp};
use chancery_policy::decision::Obligation;

use crate::documents::{DeliveryDocument, Document, MessageDocument};
use crate::gateway::{Gateway, StageError};
use crate::judgement::Judgement;
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{Step, Write};
use crate::rows::{DeliveryRow, DeliveryState, MessageRow};
use crate::rules::Rules;
use crate::stages::queue::anchor;
use crate::stages::receipt::end;

/// How long what is sent waits before the registry is looked for again.
const LOOK: Duration = Duration::from_secs(15 * 60);

type Addressed = (String, ParticipantId, RecipientRole);

/// Adds the central registry to recipients of whom one is outside the Union.
///
/// # Errors
/// [`RefusalKind::Denied`] where the directory names no registry.
pub(crate) fn join(
    rules: &Rules,
    sender: &ParticipantId,
    found: &mut Vec<Addressed>,
    now: Timestamp,
) -> Result<(), StageError> {
    let view = rules.directory().at(now);
    let abroad = |id: &ParticipantId| view.by_id(id).is_some_and(|one| one.is_external());
    if !found.iter().any(|(_, id, _)| abroad(id)) {
        return Ok(());
    }
    let Some(registry) = view.central_registry() else {
        return Err(Refusal::new(
            RefusalKind::Denied,
            "third States and international organisations are reached by way of the central registry, \
             and the directory names none; nothing was sent to anyone",
        )
        .into());
    };
    if registry.id != *sender && !found.iter().any(|(_, id, _)| *id == registry.id) {
        let id = registry.id.clone();
        found.push((id.to_string(), id, RecipientRole::Copy));
    }
    Ok(())
}

/// By which registry a message to these goes; the sender itself where it is that.
pub(crate) fn of(
    rules: &Rules,
    sender: &ParticipantId,
    recipients: &[Addressed],
    now: Timestamp,
) -> Option<ParticipantId> {
    let view = rules.directory().at(now);
    let registry = &view.central_registry()?.id;
    let abroad = |id: &ParticipantId| view.by_id(id).is_some_and(|one| one.is_external());
    let needed = recipients.iter().any(|(_, id, _)| abroad(id));
    let there = registry == sender || recipients.iter().any(|(_, id, _)| id == registry);
    (needed && there).then(|| registry.clone())
}

fn goes_by_it(obligations: &[String]) -> bool {
    let words = Obligation::ByCentralRegistry.text();
    obligations.iter().any(|one| one == words)
}

/// True while a delivery must wait for the registry. Where none was named when
/// the message came, it waits for good.
pub(crate) fn waits(
    gateway: &Gateway,
    obligations: &[String],
    meta: &MessageDocument,
    sender: Option<&ParticipantId>,
    row: &DeliveryRow,
) -> Result<bool, StageError> {
    if !goes_by_it(obligations) {
        return Ok(false);
    }
    let Some(registry) = &meta.by_registry else {
        return Ok(true);
    };
    if *registry == row.recipient || Some(registry) == sender {
        return Ok(false);
    }
    let has_it =
        |one: &DeliveryRow| one.recipient == *registry && one.state == DeliveryState::Completed;
    for one in gateway.ledger.deliveries_of(&row.message)? {
        if has_it(&one) {
            crate::rowmac::check_delivery(gateway, &one)?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// The same for a release that was just judged.
pub(crate) fn holds_up(
    gateway: &Gateway,
    judgement: &Judgement,
    meta: &MessageDocument,
    message: &MessageRow,
    row: &DeliveryRow,
) -> Result<bool, StageError> {
    let sender = message.sender.as_ref();
    waits(gateway, &judgement.obligations, meta, sender, row)
}

/// What a caller hears of a delivery that waits: of one that it would fetch,
/// nothing yet; one that is sent is looked at again later.
pub(crate) fn not_yet(gateway: &Gateway, row: &DeliveryRow) -> Result<StageError, StageError> {
    if row.channel.is_pulled() {
        return Ok(crate::stages::release::not_found());
    }
    let next = gateway.now().after(LOOK);
    let words = "it goes when the central registry has it";
    end(
        gateway,
        row,
        DeliveryState::Deferred,
        words,
        Some(next),
        Actor::System,
    )?;
    Ok(Refusal::new(RefusalKind::NotNow, words).into())
}

/// What follows from the registry's having it: everything that waited for it
/// may go, and the log says under which number the registry entered it.
pub(crate) fn passing(gateway: &Gateway, row: &DeliveryRow) -> Result<Step, StageError> {
    let mut step = Step::default();
    let Some(message) = gateway.ledger.message(&row.message)? else {
        return Ok(step);
    };
    crate::rowmac::check_message(gateway, &message)?;
    let meta = MessageDocument::decode(&message.document)?;
    if meta.by_registry.as_ref() != Some(&row.recipient) {
        return Ok(step);
    }
    let now = gateway.now();
    let number = gateway.ledger.next_registration()?;
    for one in gateway.ledger.deliveries_of(&row.message)? {
        let document = DeliveryDocument::decode(&one.document)?;
        if one.id == row.id || !goes_by_it(&document.obligations) {
            continue;
        }
        crate::rowmac::check_delivery(gateway, &one)?;
        let mut event = Event::new(EventKind::RegistryPassed, now, Actor::System)
            .message(one.message)
            .delivery(one.id)
            .detail(Key::Participant, row.recipient.as_str())
            .detail(Key::Recipient, one.recipient.as_str())
            .detail(Key::Channel, one.channel.name())
            .detail(Key::Registration, i64::try_from(number).unwrap_or(i64::MAX));
        let waits = matches!(one.state, DeliveryState::Queued | DeliveryState::Deferred);
        if waits && !one.channel.is_pulled() {
            let mut next = DeliveryRow {
                version: one.version + 1,
                next_at: Some(now),
                ..one
            };
            next.mac = crate::rowmac::delivery(gateway, &next);
            event = event.detail(Key::Rows, [anchor(&next)]);
            step.writes.push(Write::UpdateDelivery(Box::new(next)));
        }
        step.events.push(event);
    }
    Ok(step)
}
