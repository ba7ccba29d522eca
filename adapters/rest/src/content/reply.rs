//! An outcome → what goes back. The same outcome gives the same bytes.

use bytes::Bytes;
use chancery_label::marking;
use chancery_message::OpaqueRef;
use chancery_pipeline::outcome::{
    ConsentCard, InboxEntry, Outcome, Receipt, RecipientCard, RefusalKind, StatusView, Verdicts,
};
use chancery_pipeline::ports::{Chunks, Reply, ReplyBody};
use serde::Serialize;

use super::answer::{
    AcknowledgedAnswer, ConsentAnswer, ConsentsAnswer, InboxAnswer, InboxEntryAnswer,
    QuarantinedAnswer, RecipientAnswer, RecipientStatusAnswer, RecipientsAnswer, StatusAnswer,
    UploadAnswer, VerdictAnswer, VerdictsAnswer,
};
use super::deliver::{delivery, role};
use super::problem::{Problem, problem};

/// What goes back to the caller.
///
/// To a private caller only opaque references are shown as registrations, so
/// that no counter of the gateway reaches it even if one is handed in here.
#[must_use]
pub fn reply(outcome: &Outcome, caller_is_private: bool) -> Reply {
    let private = caller_is_private;
    match outcome {
        Outcome::Accepted(verdicts) => json(202, &verdicts_answer(verdicts, private)),
        Outcome::Checked(verdicts) => json(200, &verdicts_answer(verdicts, private)),
        Outcome::Quarantined { message, reason } => json(
            202,
            &QuarantinedAnswer {
                id: message.to_string(),
                state: "quarantined",
                reason,
            },
        ),
        Outcome::Refused(refusal) => problem(Problem::Gateway(refusal.kind), &refusal.detail, None),
        Outcome::Uploaded {
            id,
            sha256,
            size,
            expires_at,
        } => json(
            201,
            &UploadAnswer {
                id,
                sha256: hex::encode(sha256),
                size: *size,
                expires_at: expires_at.to_string(),
            },
        ),
        Outcome::Recipients(cards) => json(
            200,
            &RecipientsAnswer {
                recipients: cards.iter().map(card).collect(),
            },
        ),
        Outcome::Inbox(entries) => json(
            200,
            &InboxAnswer {
                deliveries: entries.iter().map(entry).collect(),
            },
        ),
        Outcome::Delivery(view) => json(
            200,
            &delivery(view, registration(&view.registration, private)),
        ),
        Outcome::Acknowledged { delivery, at } => json(
            200,
            &AcknowledgedAnswer {
                delivery: delivery.to_string(),
                acknowledged_at: at.to_string(),
            },
        ),
        Outcome::Consents(cards) => json(
            200,
            &ConsentsAnswer {
                consents: cards.iter().map(|one| consent(one, None)).collect(),
            },
        ),
        Outcome::Consented { request, granted } => json(200, &consent(request, Some(*granted))),
        Outcome::Status(view) | Outcome::Withdrawn(view) => json(200, &status(view, private)),
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

fn json<T: Serialize>(status: u16, answer: &T) -> Reply {
    match serde_json::to_vec(answer) {
        Ok(body) => Reply {
            status,
            content_type: "application/json".to_owned(),
            headers: Vec::new(),
            body: ReplyBody::Whole(Bytes::from(body)),
            per_recipient: Vec::new(),
        },
        // Structures with text keys always serialize; should one not, nothing half goes out.
        Err(_) => problem(
            Problem::Gateway(RefusalKind::Unavailable),
            "the answer cannot be written",
            None,
        ),
    }
}

/// The registration as this caller may see it.
fn registration(text: &str, private: bool) -> Option<&str> {
    (!private || text.parse::<OpaqueRef>().is_ok()).then_some(text)
}

fn verdicts_answer(verdicts: &Verdicts, private: bool) -> VerdictsAnswer<'_> {
    let recipients = verdicts.recipients.iter().map(|verdict| VerdictAnswer {
        recipient: &verdict.recipient,
        verdict: verdict.verdict.word(),
        reason: &verdict.reason,
        hints: &verdict.hints,
        due_at: verdict.due_at.map(|at| at.to_string()),
    });
    VerdictsAnswer {
        id: verdicts.message.map(|id| id.to_string()),
        registration: verdicts
            .registration
            .as_deref()
            .and_then(|text| registration(text, private)),
        marking: marking::format(&verdicts.label),
        label: &verdicts.label,
        recipients: recipients.collect(),
        repeated: verdicts.repeated,
    }
}

fn card(card: &RecipientCard) -> RecipientAnswer<'_> {
    RecipientAnswer {
        id: card.id.as_str(),
        name: &card.name,
        community: &card.community,
        country: &card.country,
        ceiling: card.ceiling.code(),
        contact: card.contact.as_deref(),
    }
}

fn consent(card: &ConsentCard, granted: Option<bool>) -> ConsentAnswer<'_> {
    ConsentAnswer {
        request: &card.request,
        message: card.message.to_string(),
        recipient: card.recipient.as_str(),
        level: card.level.code(),
        asked_at: card.asked_at.to_string(),
        answer_by: card.answer_by.to_string(),
        granted,
    }
}

fn entry(entry: &InboxEntry) -> InboxEntryAnswer<'_> {
    InboxEntryAnswer {
        delivery: entry.delivery.to_string(),
        from: entry.from.as_str(),
        marking: &entry.marking,
        subject: entry.subject.expose(),
        precedence: entry.precedence.name(),
        role: role(entry.role),
        sent_at: entry.sent_at.to_string(),
        due_at: entry.due_at.map(|at| at.to_string()),
        attachment_bytes: entry.attachment_bytes,
        opened: entry.opened,
        receipt: entry.receipt.map(Receipt::word),
    }
}

fn status(view: &StatusView, private: bool) -> StatusAnswer<'_> {
    let recipients = view
        .recipients
        .iter()
        .map(|recipient| RecipientStatusAnswer {
            recipient: recipient.recipient.as_str(),
            state: recipient.state.word(),
            reason: &recipient.reason,
            since: recipient.since.to_string(),
        });
    StatusAnswer {
        id: view.message.to_string(),
        registration: registration(&view.registration, private),
        marking: view.marking.as_deref(),
        received_at: view.received_at.to_string(),
        recipients: recipients.collect(),
    }
}
