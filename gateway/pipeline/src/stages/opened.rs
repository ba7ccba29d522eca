//! A permitted delivery, opened: what its recipient may see.

use chancery_message::{BodyId, Content, ParticipantId, Text, Timestamp, TransportEvidence};

use crate::documents::{DeliveryDocument, Document as _, MessageDocument};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::rows::{DeliveryRow, MessageRow};
use crate::stages::release::{Released, judge, lets_go, message_of, not_found};
use crate::stages::sources::known_to;
use crate::stages::{due, protection, registry};
use crate::vault;
use crate::view::{AttachmentView, DeliveryView, Party};

// === impl Released ===

impl Released {
    /// The delivery as its recipient may see it. `inside` says whether the
    /// channel carries the attachments inside the message.
    ///
    /// # Errors
    /// [`StageError`] when keys or ledger fail, or anything is not as sealed.
    pub fn view(&self, gateway: &Gateway, inside: bool) -> Result<DeliveryView, StageError> {
        self.permit
            .check(self.message.id, &self.delivery.recipient, gateway.now())
            .map_err(|error| Refusal::new(RefusalKind::NotNow, error.to_string()))?;
        let label = self.document.label.clone().ok_or_else(not_found)?;
        let opened = vault::open(
            gateway,
            &self.permit,
            &self.message,
            self.document.label.as_ref(),
        )?;
        let mut attachments = Vec::new();
        for (index, attachment) in opened.header.attachments.iter().enumerate() {
            let content = if inside {
                Some(vault::open_attachment(gateway, &opened, &attachment.body)?)
            } else {
                None
            };
            attachments.push(AttachmentView {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                name: attachment.name.clone(),
                media_type: attachment.media_type.clone(),
                label: attachment.label.clone(),
                size: attachment.size,
                sha256: attachment.sha256,
                content,
            });
        }
        let now = self.message.received_at;
        let recipient = self
            .rules
            .by_id(&self.delivery.recipient, gateway.now())
            .ok_or_else(not_found)?;
        let party = |id: &ParticipantId| self.party(id, gateway.now());
        let sender = self.message.sender.as_ref().ok_or_else(not_found)?;
        let originator = match &self.document.originator {
            crate::documents::Originator::Other(id) => Some(party(id)),
            crate::documents::Originator::Sender | crate::documents::Originator::Unknown => None,
        };
        let recipients = self
            .document
            .recipients
            .iter()
            .filter(|(id, _)| {
                id == &recipient.id || self.rules.may_know(&recipient, id, gateway.now())
            })
            .map(|(id, role)| (party(id), *role))
            .collect();
        Ok(DeliveryView {
            delivery: self.delivery.id,
            message: self.message.id,
            registration: crate::desk::registration_for(
                &recipient,
                self.message.registration,
                &self.message.reference,
            ),
            from: party(sender),
            recipients,
            originator,
            marking: chancery_label::marking::format(&label),
            label,
            obligations: self.obligations.clone(),
            precedence: self.delivery.precedence,
            purpose: self.document.purpose,
            personal_data: self.document.personal_data,
            evaluation: self.document.evaluation,
            sent_at: now,
            due_at: due::due(
                gateway,
                &self.delivery,
                &DeliveryDocument::decode(&self.delivery.document)?,
            ),
            reference: opened.header.reference.clone(),
            in_reply_to: known_to(
                gateway,
                &recipient,
                &self.document,
                opened.header.in_reply_to.as_ref(),
            )?,
            siena: opened.header.siena.clone(),
            subject: opened.header.subject.clone(),
            body: opened.header.body.clone(),
            attachments,
        })
    }

    fn party(&self, id: &ParticipantId, now: Timestamp) -> Party {
        self.rules.by_id(id, now).map_or_else(
            || Party {
                id: id.clone(),
                name: id.to_string(),
                address: None,
            },
            |known| Party {
                id: id.clone(),
                name: known.name.clone(),
                address: known.address.clone(),
            },
        )
    }

    /// The sealed stream of one attachment: its facts, and which body it is.
    ///
    /// # Errors
    /// [`RefusalKind::NotFound`] where there is none at that place.
    pub fn attachment(
        &self,
        gateway: &Gateway,
        index: u32,
    ) -> Result<(BodyId, String, u64), StageError> {
        let opened = vault::open(
            gateway,
            &self.permit,
            &self.message,
            self.document.label.as_ref(),
        )?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let attachment =
            opened.header.attachments.get(index).ok_or_else(|| {
                Refusal::new(RefusalKind::NotFound, "there is no such attachment")
            })?;
        Ok((
            attachment.body,
            attachment.media_type.clone(),
            attachment.size,
        ))
    }

    /// Gives an attachment's bytes to `sink`, segment by segment, each verified
    /// before it is given. `sink` answers false to stop.
    ///
    /// # Errors
    /// [`StageError`]; then what was given so far is not the whole.
    pub fn stream(
        &self,
        gateway: &Gateway,
        body: &BodyId,
        sink: &mut dyn FnMut(Content) -> bool,
    ) -> Result<(), StageError> {
        let opened = vault::open(
            gateway,
            &self.permit,
            &self.message,
            self.document.label.as_ref(),
        )?;
        vault::stream_attachment(gateway, &opened, body, sink)
    }
}

/// A subject for a listing over this session, behind the same decision as a
/// release; in its place why, where the session is not allowed for the label.
///
/// # Errors
/// As [`Released::view`].
pub fn subject(
    gateway: &Gateway,
    row: &DeliveryRow,
    over: &TransportEvidence,
) -> Result<Option<(Text, MessageRow, MessageDocument)>, StageError> {
    let (message, meta) = message_of(gateway, row)?;
    let now = gateway.now();
    let _under_way = gateway.under_way.begin(row.id);
    let rules = gateway.rules();
    let judgement = judge(gateway, &rules, &message, &meta, row, now)?;
    let go = lets_go(gateway, &rules, &judgement, row, now)?;
    if go.is_no()
        || registry::waits(
            gateway,
            &judgement.obligations,
            &meta,
            message.sender.as_ref(),
            row,
        )?
    {
        return Ok(None);
    }
    if let Some(why) = meta
        .label
        .as_ref()
        .and_then(|label| protection::hides(&rules, over, label, now))
    {
        // That something waits may be known; what it is about is not opened.
        return Ok(Some((
            Text::new(format!("(not shown: {why})")),
            message,
            meta,
        )));
    }
    let permit = judgement.permit(message.id, &row.recipient, go.closed(), now)?;
    let opened = vault::open(gateway, &permit, &message, meta.label.as_ref())?;
    Ok(Some((opened.header.subject.clone(), message, meta)))
}
