//! What a message is derived from and what it answers, found again by id or by
//! the sender's own reference. Only what the sender itself sent or received
//! counts: a name of anything else tells nothing.

use chancery_message::{DeliveryId, Intent, MessageId, ParticipantId, Submission, Text};

use crate::documents::{Document, MessageDocument, Source};
use crate::gateway::{Gateway, StageError};
use crate::rows::{IndexKind, MessageRow};
use crate::rules::Sender;
use crate::stages::release::was_given;
use crate::view::Answered;

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

/// A source, and to whom its originator addressed it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) source: Source,
    pub(crate) addressed: Vec<ParticipantId>,
}

/// The sources named, in order. One that the gateway does not hold, or that
/// the sender never had, stays as unknown: it was addressed to nobody.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub(crate) fn resolve(
    gateway: &Gateway,
    sender: &Sender,
    named: &[Text],
) -> Result<Vec<Found>, StageError> {
    named
        .iter()
        .map(|name| {
            let Some(row) = find(gateway, sender, name.expose())? else {
                return Ok(Found {
                    source: Source {
                        message: None,
                        label: None,
                        originator: None,
                    },
                    addressed: Vec::new(),
                });
            };
            let document = MessageDocument::decode(&row.document)?;
            Ok(Found {
                source: Source {
                    message: Some(row.id),
                    originator: document.originator_is(row.sender.as_ref()),
                    label: document.label,
                },
                addressed: document.addressed,
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
    let plain = plain(gateway, name);
    if let Ok(id) = plain.parse::<MessageId>() {
        candidates.push(id);
    }
    if let Ok(id) = plain.parse::<DeliveryId>()
        && let Some(delivery) = gateway.ledger.delivery(&id)?
        && delivery.recipient == who.id
    {
        candidates.push(delivery.message);
    }
    let fields: [&[u8]; 3] = [b"reference", who.id.as_str().as_bytes(), name.as_bytes()];
    for digest in gateway.index_key.digests(&fields) {
        candidates.extend(gateway.ledger.find_indexed(IndexKind::Reference, &digest)?);
    }
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

/// An id as it stands in a mail of this gateway, `<ID@domain>`, without what is around it.
fn plain<'a>(gateway: &Gateway, name: &'a str) -> &'a str {
    name.strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .and_then(|inner| inner.rsplit_once('@'))
        .filter(|(_, domain)| domain.eq_ignore_ascii_case(&gateway.node.mail_domain))
        .map_or(name, |(id, _)| id)
}

/// What a message answers, as its recipient knows it: what it sent by the
/// message's id, what it was given by the delivery's. Of a message that it never
/// had it hears nothing; a reference that the two ends have of their own stays.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub(crate) fn known_to(
    gateway: &Gateway,
    recipient: &Sender,
    document: &MessageDocument,
    words: Option<&Text>,
) -> Result<Option<Answered>, StageError> {
    let Some(id) = document.in_reply_to else {
        // An id that the gateway made is somebody's, and not this one's to know.
        let theirs =
            words.filter(|words| plain(gateway, words.expose()).parse::<MessageId>().is_err());
        return Ok(theirs.map(|words| Answered {
            id: words.clone(),
            registration: None,
        }));
    };
    let Some(row) = gateway.ledger.message(&id)? else {
        return Ok(None);
    };
    crate::rowmac::check_message(gateway, &row)?;
    let shown = if row.sender.as_ref() == Some(&recipient.id) {
        row.id.to_string()
    } else {
        let given = gateway
            .ledger
            .deliveries_of(&id)?
            .into_iter()
            .find(|one| one.recipient == recipient.id && was_given(one.state));
        match given {
            Some(delivery) => delivery.id.to_string(),
            None => return Ok(None),
        }
    };
    Ok(Some(Answered {
        id: Text::new(shown),
        registration: Some(crate::desk::registration_for(
            recipient,
            row.registration,
            &row.reference,
        )),
    }))
}

/// True if the participant sent the message, or was given it.
fn had(gateway: &Gateway, who: &Sender, row: &MessageRow) -> Result<bool, StageError> {
    if row.sender.as_ref() == Some(&who.id) {
        return Ok(true);
    }
    let deliveries = gateway.ledger.deliveries_of(&row.id)?;
    Ok(deliveries
        .iter()
        .any(|delivery| delivery.recipient == who.id && was_given(delivery.state)))
}
