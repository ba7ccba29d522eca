//! What a message is derived from and what it answers, found again by id or by
//! the sender's own reference. Only what the sender itself sent or received
//! counts: a name of anything else tells nothing.

use chancery_message::{DeliveryId, Intent, MessageId, ParticipantId, Submission, Text};

use crate::documents::{Document, MessageDocument, Source};
use crate::gateway::{Gateway, StageError};
use crate::rows::{IndexKind, MessageRow};
use crate::rules::Sender;

/// The digest under which a participant's reference is found again.
#[must_use]
pub(crate) fn reference_digest(
    gateway: &Gateway,
    owner: &ParticipantId,
    reference: &str,
) -> [u8; 32] {
    gateway.index_key.digest(&[
        b"reference",
        owner.as_str().as_bytes(),
        reference.as_bytes(),
    ])
}

/// The sources named, in order. One that the gateway does not hold, or that
/// the sender never had, stays as unknown.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub(crate) fn resolve(
    gateway: &Gateway,
    sender: &Sender,
    named: &[Text],
) -> Result<Vec<Source>, StageError> {
    named
        .iter()
        .map(|name| {
            let found = find(gateway, sender, name.expose())?;
            Ok(match found {
                None => Source {
                    message: None,
                    label: None,
                    sender: None,
                },
                Some(row) => Source {
                    message: Some(row.id),
                    label: MessageDocument::decode(&row.document)?.label,
                    sender: row.sender,
                },
            })
        })
        .collect()
}

/// The message that a submission answers, if the sender had it.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub(crate) fn answered(
    gateway: &Gateway,
    sender: &Sender,
    submission: &Submission,
) -> Result<Option<MessageId>, StageError> {
    let name = match &submission.intent {
        Intent::Reply { to } => Some(to.as_str()),
        Intent::Send | Intent::Check | Intent::Forward { .. } => {
            submission.in_reply_to.as_ref().map(Text::expose)
        }
    };
    match name {
        None => Ok(None),
        Some(name) => Ok(find(gateway, sender, name)?.map(|row| row.id)),
    }
}

/// A message that this participant sent or received, by message id, delivery
/// id or its own reference.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub(crate) fn find(
    gateway: &Gateway,
    who: &Sender,
    name: &str,
) -> Result<Option<MessageRow>, StageError> {
    let mut candidates: Vec<MessageId> = Vec::new();
    if let Ok(id) = name.parse::<MessageId>() {
        candidates.push(id);
    }
    if let Ok(id) = name.parse::<DeliveryId>()
        && let Some(delivery) = gateway.ledger.delivery(&id)?
        && delivery.recipient == who.id
    {
        candidates.push(delivery.message);
    }
    candidates.extend(gateway.ledger.find_indexed(
        IndexKind::Reference,
        &reference_digest(gateway, &who.id, name),
    )?);
    for id in candidates {
        if let Some(row) = gateway.ledger.message(&id)?
            && had(gateway, who, &row)?
        {
            crate::rowmac::check_message(gateway, &row)?;
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// True if the participant sent the message, or was given it.
fn had(gateway: &Gateway, who: &Sender, row: &MessageRow) -> Result<bool, StageError> {
    if row.sender.as_ref() == Some(&who.id) {
        return Ok(true);
    }
    let deliveries = gateway.ledger.deliveries_of(&row.id)?;
    Ok(deliveries.iter().any(|delivery| {
        delivery.recipient == who.id && crate::stages::release::was_given(delivery.state)
    }))
}
