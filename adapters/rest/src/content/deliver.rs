//! A delivery in JSON.

use chancery_label::marking;
use chancery_message::{RecipientRole, SienaFields, SienaKind, UrgencyGround};
use chancery_pipeline::view::{AttachmentView, DeliveryView, Party};

use super::answer::{AddresseeAnswer, AttachmentAnswer, DeliveryAnswer, PartyAnswer, SienaAnswer};

/// A delivery, with the registration that this recipient may see.
pub(super) fn delivery<'a>(
    view: &'a DeliveryView,
    registration: Option<&'a str>,
) -> DeliveryAnswer<'a> {
    let recipients = view
        .recipients
        .iter()
        .map(|(recipient, as_role)| AddresseeAnswer {
            id: recipient.id.as_str(),
            name: &recipient.name,
            role: role(*as_role),
        });
    DeliveryAnswer {
        marking: &view.marking,
        delivery: view.delivery.to_string(),
        message: view.message.to_string(),
        registration,
        from: party(&view.from),
        recipients: recipients.collect(),
        originator: view.originator.as_ref().map(party),
        label: &view.label,
        obligations: &view.obligations,
        precedence: view.precedence.name(),
        purpose: view.purpose.word(),
        personal_data: view.personal_data,
        evaluation: view.evaluation.map(|codes| codes.to_string()),
        sent_at: view.sent_at.to_string(),
        due_at: view.due_at.map(|at| at.to_string()),
        reference: view.reference.as_ref().map(|text| text.expose()),
        in_reply_to: view.in_reply_to.as_ref().map(|one| one.id.expose()),
        siena: view.siena.as_ref().map(siena),
        subject: view.subject.expose(),
        body: view.body.expose(),
        attachments: view.attachments.iter().map(attachment).collect(),
        closing_marking: &view.marking,
    }
}

/// `to` or `copy`.
pub(super) const fn role(role: RecipientRole) -> &'static str {
    match role {
        RecipientRole::To => "to",
        RecipientRole::Copy => "copy",
    }
}

fn party(party: &Party) -> PartyAnswer<'_> {
    PartyAnswer {
        id: party.id.as_str(),
        name: &party.name,
    }
}

fn attachment(attachment: &AttachmentView) -> AttachmentAnswer<'_> {
    AttachmentAnswer {
        index: attachment.index,
        name: attachment.name.expose(),
        media_type: &attachment.media_type,
        marking: attachment.label.as_ref().map(marking::format),
        label: attachment.label.as_ref(),
        size: attachment.size,
        sha256: hex::encode(attachment.sha256),
    }
}

fn siena(fields: &SienaFields) -> SienaAnswer<'_> {
    SienaAnswer {
        kind: match fields.kind {
            SienaKind::Request => "request",
            SienaKind::Answer => "answer",
            SienaKind::Information => "information",
            SienaKind::Update => "update",
        },
        urgency: fields.urgency.map(|ground| match ground {
            UrgencyGround::PublicSecurity => "public-security",
            UrgencyGround::LifeOrIntegrity => "life-or-integrity",
            UrgencyGround::RestrictiveMeasures => "restrictive-measures",
            UrgencyGround::LosingRelevance => "losing-relevance",
        }),
        directly_accessible: fields.directly_accessible,
        case_reference: fields.case_reference.as_ref().map(|text| text.expose()),
        europol_in_copy: fields.europol_in_copy,
    }
}
