//! A recipient passes on what it was given: never the originator's own
//! release. The content is that of the stored message, sealed anew; the label
//! is never below it; `addressed` stays that of the original, so that consent,
//! H2, TLP and downgrade gates are met.

use chancery_hsm_api::{Compartment, KekId};
use chancery_label::Level;
use chancery_message::{Content, MessageId, Text, Timestamp};
use chancery_policy::permit::ReleasePermit;

use crate::documents::{
    AttachmentHeader, LabelStanding, MessageDocument, Originator, SealedHeader, Source,
};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::rows::MessageRow;
use crate::rules::Sender;
use crate::stages::label::Labelled;
use crate::stages::release::{judge, lets_go, message_of, own_delivery, was_given};
use crate::vault;

/// A message that is being passed on, with the right of the one who passes it on to read it.
#[derive(Debug)]
pub struct Forwarded {
    /// The message.
    pub message: MessageId,
    /// What was decided on for it.
    pub document: MessageDocument,
    row: MessageRow,
    header: SealedHeader,
    permit: ReleasePermit,
}

/// Opens a message that was delivered to `holder`, for passing on.
///
/// # Errors
/// [`RefusalKind::NotFound`] where it was not; [`RefusalKind::Denied`] where
/// the holder may not have it any more.
pub(crate) fn open(
    gateway: &Gateway,
    holder: &Sender,
    of: &str,
    now: Timestamp,
) -> Result<Forwarded, StageError> {
    let not_found = || Refusal::new(RefusalKind::NotFound, "there is no such delivery for you");
    let id = of.parse().map_err(|_| not_found())?;
    let delivery = own_delivery(gateway, &id, &holder.id)?;
    if !was_given(delivery.state) {
        return Err(Refusal::new(
            RefusalKind::NotNow,
            "fetch the delivery before you pass it on",
        )
        .into());
    }
    let (row, document) = message_of(gateway, &delivery)?;
    let rules = gateway.rules();
    let judgement = judge(gateway, &rules, &row, &document, &delivery, now)?;
    let go = lets_go(gateway, &rules, &judgement, &delivery, now)?;
    if go.is_no() {
        return Err(Refusal::new(
            RefusalKind::Denied,
            "the rules do not allow you this message any more",
        )
        .into());
    }
    let permit = judgement.permit(row.id, &holder.id, go.closed(), now)?;
    let header = vault::open(gateway, &permit, &row, document.label.as_ref())?.header;
    Ok(Forwarded {
        message: row.id,
        document,
        row,
        header,
        permit,
    })
}

impl Forwarded {
    /// The label of what is passed on binds the whole; what the forwarder
    /// asserts below it is refused by the level-drop gate, which sees both.
    pub(crate) fn bind(&self, labelled: &mut Labelled) {
        let own = self.document.label.clone().unwrap_or_default();
        if labelled.standing == LabelStanding::Missing {
            // Nothing was asserted: the original's label is meant.
            labelled.standing = LabelStanding::Valid;
        }
        match labelled.label.join(&own) {
            Ok(joined) => labelled.label = joined,
            Err(_) => {
                labelled.standing = LabelStanding::Conflict;
                labelled.label = own;
            }
        }
    }

    /// The level of the texts, then of the attachments as they will stand:
    /// the forwarder's own, then those passed on.
    pub(crate) fn levels(&self, labelled: &Labelled) -> Vec<Level> {
        let (passed_on, own) = (&self.document.levels, &labelled.levels);
        let text = passed_on.first().max(own.first()).copied();
        let attached = own.iter().skip(1).chain(passed_on.iter().skip(1)).copied();
        text.into_iter().chain(attached).collect()
    }

    /// The originator of what is passed on.
    pub(crate) fn originator(&self, holder: &Sender) -> Originator {
        match (&self.document.originator, &self.row.sender) {
            (Originator::Sender, Some(sender)) if sender != &holder.id => {
                Originator::Other(sender.clone())
            }
            (Originator::Other(id), _) => Originator::Other(id.clone()),
            (Originator::Sender | Originator::Unknown, _) => Originator::Unknown,
        }
    }

    /// The compartment that the original is sealed under: its originator's,
    /// however often it is passed on. Only what has no label yet has none; the
    /// holder's stands in for it.
    ///
    /// # Errors
    /// [`StageError`] where the stored row cannot be read.
    pub(crate) fn compartment(&self, holder: &Sender) -> Result<Compartment, StageError> {
        Ok(match vault::kek_of(&self.row)? {
            KekId::Label { compartment, .. } => compartment,
            KekId::Intake => holder.compartment.clone(),
        })
    }

    /// What the forward is derived from.
    pub(crate) fn source(&self) -> Source {
        Source {
            message: Some(self.message),
            label: self.document.label.clone(),
            originator: self.document.originator_is(self.row.sender.as_ref()),
        }
    }

    /// The attachments, opened for sealing anew.
    ///
    /// # Errors
    /// [`StageError`] when keys or ledger fail.
    pub(crate) fn attachments(
        &self,
        gateway: &Gateway,
    ) -> Result<Vec<(AttachmentHeader, Content)>, StageError> {
        let opened = vault::open(
            gateway,
            &self.permit,
            &self.row,
            self.document.label.as_ref(),
        )?;
        opened
            .header
            .attachments
            .iter()
            .map(|attachment| {
                Ok((
                    attachment.clone(),
                    vault::open_attachment(gateway, &opened, &attachment.body)?,
                ))
            })
            .collect()
    }

    /// Covering text first, then what is passed on.
    pub(crate) fn compose(&self, header: &mut SealedHeader) {
        let cover = header.body.expose();
        let mut text = String::with_capacity(cover.len() + self.header.body.len() + 64);
        if !cover.is_empty() {
            text.push_str(cover);
            if !cover.ends_with('\n') {
                text.push('\n');
            }
            text.push('\n');
        }
        text.push_str("---- passed on ----\n");
        text.push_str(self.header.body.expose());
        header.body = Text::new(text);
        if header.subject.is_empty() {
            header.subject = self.header.subject.clone();
        }
    }
}
