//! An outcome → what goes back. The same outcome gives the same bytes.

use chancery_label::marking;
use chancery_message::{OpaqueRef, RecipientRole};
use chancery_pipeline::outcome::{
    ConsentCard, InboxEntry, Outcome, RecipientCard, RecipientVerdict, StatusView, Verdicts,
};
use chancery_pipeline::ports::{Chunks, Reply, ReplyBody};

use super::deliver::{delivery, label};
use super::fault::{Fault, fault, xml};
use super::write::Writer;

/// What goes back to the caller.
///
/// To a private caller only opaque references are shown as registrations, so
/// that no counter of the gateway reaches it even if one is handed in here.
#[must_use]
pub fn reply(outcome: &Outcome, caller_is_private: bool) -> Reply {
    let private = caller_is_private;
    match outcome {
        Outcome::Accepted(verdicts) => xml(202, verdicts_document(verdicts, private)),
        Outcome::Checked(verdicts) => xml(200, verdicts_document(verdicts, private)),
        Outcome::Quarantined { message, reason } => {
            let document =
                Writer::document("quarantined", &[("id", &message.to_string())], |xml| {
                    xml.text("reason", reason);
                });
            xml(202, document)
        }
        Outcome::Refused(refusal) => fault(Fault::Gateway(refusal.kind), &refusal.detail, None),
        Outcome::Uploaded {
            id,
            sha256,
            size,
            expires_at,
        } => {
            let attributes = [
                ("id", id.as_str()),
                ("sha256", &hex::encode(sha256)),
                ("size", &size.to_string()),
                ("expiresAt", &expires_at.to_string()),
            ];
            xml(201, Writer::document("upload", &attributes, |_| ()))
        }
        Outcome::Recipients(cards) => {
            let document = Writer::document("directory", &[], |xml| {
                cards.iter().for_each(|one| card(xml, one))
            });
            xml(200, document)
        }
        Outcome::Inbox(entries) => {
            let document = Writer::document("inbox", &[], |xml| {
                entries.iter().for_each(|one| entry(xml, one))
            });
            xml(200, document)
        }
        Outcome::Delivery(view) => xml(
            200,
            delivery(view, registration(&view.registration, private)),
        ),
        Outcome::Acknowledged { delivery, at } => {
            let attributes = [
                ("delivery", &*delivery.to_string()),
                ("at", &*at.to_string()),
            ];
            xml(200, Writer::document("acknowledged", &attributes, |_| ()))
        }
        Outcome::Consents(cards) => {
            let document = Writer::document("consents", &[], |xml| {
                cards.iter().for_each(|one| consent(xml, one))
            });
            xml(200, document)
        }
        Outcome::Consented { request, granted } => {
            let attributes = [
                ("request", request.request.as_str()),
                ("granted", if *granted { "true" } else { "false" }),
            ];
            xml(200, Writer::document("consented", &attributes, |_| ()))
        }
        Outcome::Status(view) | Outcome::Withdrawn(view) => xml(200, status(view, private)),
    }
}

/// The bytes of one attachment. Whatever the sender called it, it goes out as
/// bytes that no browser opens.
#[must_use]
pub fn attachment(length: u64, chunks: Box<dyn Chunks>) -> Reply {
    Reply {
        status: 200,
        content_type: "application/octet-stream".to_owned(),
        headers: vec![("content-disposition".to_owned(), "attachment".to_owned())],
        body: ReplyBody::Stream { length, chunks },
        per_recipient: Vec::new(),
    }
}

/// `to` or `copy`.
pub(super) const fn role(role: RecipientRole) -> &'static str {
    match role {
        RecipientRole::To => "to",
        RecipientRole::Copy => "copy",
    }
}

/// The registration as this caller may see it.
fn registration(text: &str, private: bool) -> Option<&str> {
    (!private || text.parse::<OpaqueRef>().is_ok()).then_some(text)
}

fn verdicts_document(verdicts: &Verdicts, private: bool) -> String {
    let repeated = verdicts.repeated.to_string();
    Writer::document("verdicts", &[("repeated", &repeated)], |xml| {
        xml.optional("messageId", verdicts.message);
        xml.optional(
            "registration",
            verdicts
                .registration
                .as_deref()
                .and_then(|text| registration(text, private)),
        );
        xml.text("marking", &marking::format(&verdicts.label));
        label(xml, &verdicts.label);
        verdicts.recipients.iter().for_each(|one| verdict(xml, one));
    })
}

fn verdict(xml: &mut Writer, verdict: &RecipientVerdict) {
    let due = verdict.due_at.map(|at| at.to_string());
    let mut attributes = vec![
        ("recipient", verdict.recipient.as_str()),
        ("verdict", verdict.verdict.word()),
    ];
    if let Some(due) = &due {
        attributes.push(("dueAt", due));
    }
    xml.within("verdict", &attributes, |xml| {
        xml.text("reason", &verdict.reason);
        for hint in &verdict.hints {
            xml.text("hint", hint);
        }
    });
}

fn card(xml: &mut Writer, card: &RecipientCard) {
    let mut attributes = vec![
        ("id", card.id.as_str()),
        ("name", &card.name),
        ("community", &card.community),
        ("country", &card.country),
        ("ceiling", card.ceiling.code()),
    ];
    if let Some(contact) = &card.contact {
        attributes.push(("contact", contact));
    }
    xml.empty("participant", &attributes);
}

fn consent(xml: &mut Writer, card: &ConsentCard) {
    let attributes = [
        ("request", &*card.request),
        ("message", &*card.message.to_string()),
        ("recipient", card.recipient.as_str()),
        ("level", card.level.code()),
        ("askedAt", &*card.asked_at.to_string()),
        ("answerBy", &*card.answer_by.to_string()),
    ];
    xml.empty("consent", &attributes);
}

fn entry(xml: &mut Writer, entry: &InboxEntry) {
    let attributes = [
        ("delivery", &*entry.delivery.to_string()),
        ("precedence", entry.precedence.name()),
        ("role", role(entry.role)),
        ("attachmentBytes", &*entry.attachment_bytes.to_string()),
        ("opened", if entry.opened { "true" } else { "false" }),
    ];
    let receipt = entry.receipt.map(|receipt| ("receipt", receipt.word()));
    let attributes: Vec<_> = attributes.into_iter().chain(receipt).collect();
    xml.within("entry", &attributes, |xml| {
        xml.text("from", entry.from.as_str());
        xml.text("marking", &entry.marking);
        xml.text("subject", entry.subject.expose());
        xml.value("sentAt", entry.sent_at);
        xml.optional("dueAt", entry.due_at);
    });
}

fn status(view: &StatusView, private: bool) -> String {
    let id = view.message.to_string();
    Writer::document("status", &[("id", &id)], |xml| {
        xml.optional("registration", registration(&view.registration, private));
        xml.optional("marking", view.marking.as_deref());
        xml.value("receivedAt", view.received_at);
        for recipient in &view.recipients {
            let since = recipient.since.to_string();
            let attributes = [
                ("recipient", recipient.recipient.as_str()),
                ("state", recipient.state.word()),
                ("since", &since),
            ];
            xml.text_with("delivery", &attributes, &recipient.reason);
        }
    })
}
