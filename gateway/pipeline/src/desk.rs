//! What a participant asks at the desk: who may be written to, what waits, what
//! became of a message. Nothing here tells anybody of what is not his.

use chancery_audit::{Actor, Event, EventKind, Key, PeerId};
use chancery_message::{MessageId, OpaqueRef, PeerEvidence, Timestamp, TransportEvidence};

use crate::documents::{DeliveryDocument, Document, MessageDocument};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{
    InboxEntry, Outcome, RecipientStatus, RecipientVerdict, Refusal, RefusalKind, StatusView,
    Verdict, Verdicts,
};
use crate::ports::{DoorRefusal, LedgerError, Step, Write};
use crate::rows::{CaseState, DeliveryRow, DeliveryState, MessageRow, MessageState};
use crate::rules::Sender;
use crate::stages::receipt;
use crate::stages::{due, opened, person, registry};

/// A message's registration as that participant may see it: the number of this
/// node's register, or a reference without order or count for private ones.
#[must_use]
pub fn registration_for(who: &Sender, number: u64, reference: &OpaqueRef) -> String {
    if who.private {
        reference.to_string()
    } else {
        number.to_string()
    }
}

/// Who acts, as far as the transport proves it.
#[must_use]
pub fn peer_actor(gateway: &Gateway, peer: &PeerEvidence) -> Actor {
    match &peer.transport {
        TransportEvidence::MutualTls { certificate, .. } => gateway
            .rules()
            .by_certificate(peer.channel, &certificate.fingerprint, gateway.now())
            .map_or(
                Actor::Peer(PeerId::Certificate(certificate.fingerprint)),
                |sender| sender.actor(),
            ),
        TransportEvidence::ServerTls { .. } | TransportEvidence::Local => {
            Actor::Peer(PeerId::Unauthenticated)
        }
    }
}

/// One record of a refusal.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn record_refusal(
    gateway: &Gateway,
    peer: &PeerEvidence,
    refusal: &Refusal,
) -> Result<(), StageError> {
    let kind = match refusal.kind {
        RefusalKind::UnknownSender => EventKind::PeerUnknown,
        _ => EventKind::DoorRefused,
    };
    let mut event = Event::new(kind, gateway.now(), peer_actor(gateway, peer))
        .detail(Key::Channel, peer.channel.name())
        .detail(Key::Zone, peer.channel.name())
        .detail(Key::Address, peer.address.as_str())
        .detail(Key::Reason, refusal.kind.name());
    if let TransportEvidence::MutualTls { certificate, group } = &peer.transport {
        event = event.detail(Key::Certificate, hex::encode(certificate.fingerprint));
        if refusal.kind == RefusalKind::WeakProtection {
            event = event.detail(Key::Group, group.as_str());
        }
    }
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    Ok(())
}

/// One record of what a door refused by itself.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn record_door_refusal(gateway: &Gateway, refusal: &DoorRefusal) -> Result<(), StageError> {
    let event = Event::new(
        EventKind::DoorRefused,
        gateway.now(),
        peer_actor(gateway, &refusal.peer),
    )
    .detail(Key::Channel, refusal.peer.channel.name())
    .detail(Key::Zone, refusal.peer.channel.name())
    .detail(Key::Address, refusal.peer.address.as_str())
    .detail(Key::Rule, refusal.reason.as_str());
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    Ok(())
}

/// The participants that the caller may know of.
#[must_use]
pub fn recipients(gateway: &Gateway, caller: &Sender) -> Outcome {
    Outcome::Recipients(gateway.rules().cards_for(caller, gateway.now()))
}

/// What waits for the caller; subjects are shown only where the rules let the
/// delivery go now. One audit record where something is shown.
///
/// # Errors
/// [`StageError`] when ledger or keys fail.
pub fn inbox(
    gateway: &Gateway,
    caller: &Sender,
    peer: &PeerEvidence,
    after: Option<&str>,
    limit: u32,
) -> Result<Outcome, StageError> {
    let channel = peer.channel;
    let after = after
        .map(str::parse)
        .transpose()
        .map_err(|_| Refusal::new(RefusalKind::Invalid, "`after` is not a delivery id"))?;
    let rows = gateway
        .ledger
        .inbox(&caller.id, channel, after.as_ref(), limit.clamp(1, 200))?;
    let mut entries = Vec::new();
    for row in rows {
        crate::rowmac::check_delivery(gateway, &row)?;
        if let Some(entry) = entry(gateway, caller, &row, &peer.transport)? {
            entries.push(entry);
        }
    }
    if !entries.is_empty() {
        let event = Event::new(EventKind::InboxListed, gateway.now(), caller.actor())
            .detail(Key::Channel, channel.name())
            .detail(
                Key::Deliveries,
                entries
                    .iter()
                    .map(|one| one.delivery.to_string())
                    .collect::<Vec<_>>(),
            );
        gateway.ledger.commit(Step {
            events: vec![event],
            ..Step::default()
        })?;
    }
    Ok(Outcome::Inbox(entries))
}

fn entry(
    gateway: &Gateway,
    caller: &Sender,
    row: &DeliveryRow,
    over: &TransportEvidence,
) -> Result<Option<InboxEntry>, StageError> {
    let Some((subject, message, meta)) = opened::subject(gateway, row, over)? else {
        return Ok(None);
    };
    let (Some(from), Some(label)) = (message.sender, &meta.label) else {
        return Ok(None);
    };
    if !person::may_see(caller, &meta) {
        return Ok(None);
    }
    let kept = DeliveryDocument::decode(&row.document)?;
    Ok(Some(InboxEntry {
        delivery: row.id,
        from,
        marking: chancery_label::marking::format(label),
        precedence: row.precedence,
        role: row.role,
        sent_at: message.received_at,
        // A receipt that is due is what the recipient must know of first.
        due_at: due::due(gateway, row, &kept).or(row.due_at),
        subject,
        attachment_bytes: meta.attachment_bytes,
        opened: row.state == DeliveryState::Opened,
        receipt: due::standing(gateway, row, &kept),
    }))
}

/// True if anything waits for the caller: what a waiting inbox looks at.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn has_mail(
    gateway: &Gateway,
    caller: &Sender,
    channel: chancery_message::Channel,
) -> Result<bool, StageError> {
    for row in gateway.ledger.inbox(&caller.id, channel, None, 200)? {
        let document = DeliveryDocument::decode(&row.document)?;
        let Some(message) = gateway.ledger.message(&row.message)? else {
            continue;
        };
        let meta = MessageDocument::decode(&message.document)?;
        let sender = message.sender.as_ref();
        if person::may_see(caller, &meta)
            && !registry::waits(gateway, &document.obligations, &meta, sender, &row)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What became of a message of the caller's.
///
/// # Errors
/// [`RefusalKind::NotFound`] where it is not there or not the caller's.
pub fn status(gateway: &Gateway, caller: &Sender, message: &str) -> Result<StatusView, StageError> {
    let row = own_message(gateway, caller, message)?;
    status_of(gateway, caller, &row)
}

fn own_message(
    gateway: &Gateway,
    caller: &Sender,
    message: &str,
) -> Result<MessageRow, StageError> {
    let not_found = || Refusal::new(RefusalKind::NotFound, "there is no such message of yours");
    let id: MessageId = message.parse().map_err(|_| not_found())?;
    let row = gateway.ledger.message(&id)?.ok_or_else(not_found)?;
    if row.sender.as_ref() != Some(&caller.id) {
        return Err(not_found().into());
    }
    crate::rowmac::check_message(gateway, &row)?;
    Ok(row)
}

fn status_of(
    gateway: &Gateway,
    caller: &Sender,
    row: &MessageRow,
) -> Result<StatusView, StageError> {
    let document = MessageDocument::decode(&row.document)?;
    let mut recipients = Vec::new();
    for delivery in gateway.ledger.deliveries_of(&row.id)? {
        crate::rowmac::check_delivery(gateway, &delivery)?;
        let kept = DeliveryDocument::decode(&delivery.document)?;
        recipients.push(RecipientStatus {
            recipient: delivery.recipient,
            state: delivery.state,
            reason: kept.reason,
            since: kept.since,
        });
    }
    Ok(StatusView {
        message: row.id,
        registration: registration_for(caller, row.registration, &row.reference),
        marking: match row.state {
            MessageState::Sealed => document.label.as_ref().map(chancery_label::marking::format),
            MessageState::Quarantined | MessageState::Rejected => None,
        },
        received_at: row.received_at,
        recipients,
    })
}

/// The stored answer to a request that was made before.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn repeat(
    gateway: &Gateway,
    caller: &Sender,
    message: &MessageId,
) -> Result<Outcome, StageError> {
    let row = own_message(gateway, caller, &message.to_string())?;
    let document = MessageDocument::decode(&row.document)?;
    if row.state == MessageState::Quarantined {
        return Ok(Outcome::Quarantined {
            message: row.id,
            reason: document.quarantine.unwrap_or_default(),
        });
    }
    let status = status_of(gateway, caller, &row)?;
    Ok(Outcome::Accepted(Verdicts {
        message: Some(row.id),
        registration: Some(status.registration),
        label: document.label.unwrap_or_default(),
        recipients: status
            .recipients
            .into_iter()
            .map(|one| RecipientVerdict {
                recipient: one.recipient.to_string(),
                verdict: match one.state {
                    DeliveryState::Held => Verdict::Review,
                    DeliveryState::Refused => Verdict::Deny,
                    _ => Verdict::Permit,
                },
                reason: one.reason,
                hints: Vec::new(),
                due_at: None,
            })
            .collect(),
        repeated: true,
    }))
}

/// Takes back what is not yet delivered.
///
/// # Errors
/// [`RefusalKind::NotFound`] where the message is not the caller's.
pub fn withdraw(
    gateway: &Gateway,
    caller: &Sender,
    message: &str,
) -> Result<StatusView, StageError> {
    let row = own_message(gateway, caller, message)?;
    for delivery in gateway.ledger.deliveries_of(&row.id)? {
        withdraw_one(gateway, caller, &delivery)?;
    }
    status_of(gateway, caller, &row)
}

fn withdraw_one(
    gateway: &Gateway,
    caller: &Sender,
    delivery: &DeliveryRow,
) -> Result<(), StageError> {
    let mut current = delivery.clone();
    loop {
        crate::rowmac::check_delivery(gateway, &current)?;
        match current.state {
            DeliveryState::Queued | DeliveryState::Held | DeliveryState::Deferred => {}
            // Too late, or ended otherwise: it stays as it is.
            DeliveryState::Refused
            | DeliveryState::Opened
            | DeliveryState::Completed
            | DeliveryState::Expired
            | DeliveryState::Uncertain
            | DeliveryState::Withdrawn => return Ok(()),
        }
        let actor = caller.actor();
        match receipt::end(
            gateway,
            &current,
            DeliveryState::Withdrawn,
            "withdrawn",
            None,
            actor,
        ) {
            Ok(_) => return supersede_case(gateway, &current),
            Err(StageError::Ledger(LedgerError::Conflict)) => {
                match gateway.ledger.delivery(&current.id)? {
                    Some(newer) => current = newer,
                    None => return Ok(()),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn supersede_case(gateway: &Gateway, delivery: &DeliveryRow) -> Result<(), StageError> {
    let Some(case) = gateway.ledger.case_of(&delivery.id)? else {
        return Ok(());
    };
    if case.state != CaseState::Open {
        return Ok(());
    }
    let now: Timestamp = gateway.now();
    let mut closed = crate::rows::CaseRow {
        version: case.version + 1,
        state: CaseState::Superseded,
        ..case
    };
    closed.mac = crate::rowmac::case(gateway, &closed);
    let event = Event::new(EventKind::ReviewClosed, now, Actor::System)
        .message(delivery.message)
        .delivery(delivery.id)
        .detail(Key::Case, closed.id.to_string())
        .detail(Key::Outcome, CaseState::Superseded.word());
    gateway.ledger.commit(Step {
        guards: Vec::new(),
        writes: vec![Write::UpdateCase(Box::new(closed))],
        events: vec![event],
    })?;
    Ok(())
}
