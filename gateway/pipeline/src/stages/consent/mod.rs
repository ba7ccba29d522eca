//! The originator's consent, as a protocol: a release that needs it is parked
//! with a request, the originator is asked by its own channel, and what it
//! answers is bound to message, recipient and time. The register of answers
//! stands in the case; every decision reads it.

mod paper;
mod settle;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_hsm_api::KekId;
use chancery_message::{CaseId, Inbound, MessageId, ParticipantId, Submission, Timestamp};
use chancery_policy::approval::{Signed, Vote};
use chancery_policy::consent::{self, Answer, ConsentError, Entry, Request};
use chancery_policy::facts::Consent;
use serde::{Deserialize, Serialize};

use crate::documents::{DeliveryDocument, Document, MessageDocument};
use crate::gateway::{Gateway, StageError};
use crate::held::HeldOriginal;
use crate::outcome::{ConsentCard, Refusal, RefusalKind};
use crate::ports::{Step, Write};
use crate::rows::{CaseRow, CaseState, DeliveryRow, IndexKind};
use crate::rules::Sender;
use crate::stages::queue::QueueInput;
use crate::stages::review::CaseDocument;

pub use paper::{PaperCard, paper};
pub(crate) use settle::settle;
pub use settle::{expire, silence};

/// Open cases that are looked through.
const MOST: u32 = 10_000;

/// A request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// What was asked.
    pub request: Request,
    /// When it was sent, by a channel that sends.
    pub sent_at: Option<Timestamp>,
    /// What was answered.
    pub entries: Vec<Entry>,
    /// Officers' signatures over consent that came on paper, while too few.
    #[serde(default)]
    pub paper: Vec<(String, Signed)>,
}

/// Whose consent a release of this message waits for; nobody's where the
/// originator is not in the directory.
pub(crate) fn originator_of(
    document: &MessageDocument,
    sender: &ParticipantId,
) -> Option<ParticipantId> {
    document.originator_is(Some(sender))
}

/// Adds a request to a step, where somebody can be asked.
pub(crate) fn ask(
    gateway: &Gateway,
    step: &mut Step,
    input: &QueueInput<'_>,
    case: CaseId,
    level: chancery_label::Level,
    before: &[Entry],
) -> Result<Option<Asked>, StageError> {
    let Some(originator) = input.originator.clone() else {
        return Ok(None);
    };
    let mut nonce = [0; 16];
    gateway.entropy.fill(&mut nonce)?;
    let request = Request {
        message: input.message,
        recipient: input.recipient.clone(),
        originator,
        level,
        nonce,
        asked_at: input.now,
        answer_by: input.now.after(gateway.node.times.consent),
    };
    let asked = Asked {
        request: request.clone(),
        sent_at: None,
        entries: before.to_vec(),
        paper: Vec::new(),
    };
    if !before.is_empty() {
        // It answered; what is left is not its to close. Nobody is asked again.
        return Ok(Some(asked));
    }
    step.writes.push(Write::InsertIndex {
        kind: IndexKind::Consent,
        digest: request.digest(),
        message: input.message,
        unique: true,
    });
    step.events.push(
        Event::new(EventKind::ConsentRequested, input.now, Actor::System)
            .message(input.message)
            .delivery(input.delivery)
            .detail(Key::Case, case.to_string())
            .detail(Key::Originator, request.originator.as_str())
            .detail(Key::Recipient, request.recipient.as_str())
            .detail(Key::Until, request.answer_by.to_string()),
    );
    Ok(Some(asked))
}

/// What the register says of a delivery now.
pub(crate) fn fact(
    gateway: &Gateway,
    row: &DeliveryRow,
    now: Timestamp,
) -> Result<Consent, StageError> {
    if DeliveryDocument::decode(&row.document)?.case.is_none() {
        return Ok(Consent::NotApplicable);
    }
    let Some(case) = gateway.ledger.case_of(&row.id)? else {
        return Ok(Consent::NotApplicable);
    };
    crate::rowmac::check_case(gateway, &case)?;
    let document = CaseDocument::decode(&case.document)?;
    Ok(document.consent.map_or(Consent::NotApplicable, |asked| {
        consent::fact(&asked.entries, row.message, &row.recipient, now)
    }))
}

/// The requests that wait for this originator, the most urgent first.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn pending(gateway: &Gateway, who: &ParticipantId) -> Result<Vec<ConsentCard>, StageError> {
    let now = gateway.now();
    let mut cards = Vec::new();
    for (_, asked) in waiting(gateway)? {
        let request = &asked.request;
        if request.originator == *who && asked.entries.is_empty() && now <= request.answer_by {
            cards.push(card(request));
        }
    }
    Ok(cards)
}

fn card(request: &Request) -> ConsentCard {
    ConsentCard {
        request: hex::encode(request.digest()),
        message: request.message,
        recipient: request.recipient.clone(),
        level: request.level,
        asked_at: request.asked_at,
        answer_by: request.answer_by,
    }
}

/// Open cases with a request.
fn waiting(gateway: &Gateway) -> Result<Vec<(CaseRow, Asked)>, StageError> {
    let mut all = Vec::new();
    for case in gateway.ledger.open_cases(MOST)? {
        crate::rowmac::check_case(gateway, &case)?;
        if let Some(asked) = CaseDocument::decode(&case.document)?.consent {
            all.push((case, asked));
        }
    }
    Ok(all)
}

/// Requests that are to be sent to originators who are reached by mail.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn to_send(gateway: &Gateway) -> Result<Vec<(CaseId, ConsentCard, ParticipantId)>, StageError> {
    let (now, rules) = (gateway.now(), gateway.rules());
    let view = rules.directory().at(now);
    Ok(waiting(gateway)?
        .into_iter()
        .filter(|(_, asked)| {
            asked.sent_at.is_none()
                && asked.entries.is_empty()
                && now <= asked.request.answer_by
                && view
                    .by_id(&asked.request.originator)
                    .and_then(|one| one.reached_by(now))
                    .is_some_and(|entry| !entry.channel.is_pulled())
        })
        .map(|(case, asked)| (case.id, card(&asked.request), asked.request.originator))
        .collect())
}

/// A request was sent.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn sent(gateway: &Gateway, id: &CaseId) -> Result<(), StageError> {
    let Some(row) = gateway.ledger.case(id)? else {
        return Ok(());
    };
    crate::rowmac::check_case(gateway, &row)?;
    let mut document = CaseDocument::decode(&row.document)?;
    if let Some(asked) = &mut document.consent {
        asked.sent_at = Some(gateway.now());
    }
    gateway.ledger.commit(Step {
        writes: vec![update(gateway, &row, row.state, &document)?],
        ..Step::default()
    })?;
    Ok(())
}

fn update(
    gateway: &Gateway,
    row: &CaseRow,
    state: CaseState,
    document: &CaseDocument,
) -> Result<Write, StageError> {
    let mut next = CaseRow {
        version: row.version + 1,
        state,
        document: document.encode()?,
        ..row.clone()
    };
    next.mac = crate::rowmac::case(gateway, &next);
    Ok(Write::UpdateCase(Box::new(next)))
}

/// The local part of the address to which answers are mailed.
pub const MAILBOX: &str = "consent";
/// How an answer by mail begins, before the request.
pub const WORDS: [(&str, Vote); 2] = [
    ("CONSENT GRANTED ", Vote::Approve),
    ("CONSENT REFUSED ", Vote::Refuse),
];

/// The answer that a mail to the gateway's own mailbox for consent gives: its
/// first line, word for word. None for a mail to anybody else.
///
/// # Errors
/// [`RefusalKind::Invalid`] where such a mail answers nothing.
pub(crate) fn in_mail<'a>(
    gateway: &Gateway,
    submission: &'a Submission,
) -> Result<Option<(&'a str, Vote)>, Refusal> {
    let own = |name: &str| {
        name.rsplit_once('@').is_some_and(|(local, domain)| {
            local.eq_ignore_ascii_case(MAILBOX)
                && domain.eq_ignore_ascii_case(&gateway.node.mail_domain)
        })
    };
    let [only] = submission.recipients.as_slice() else {
        return Ok(None);
    };
    if !own(&only.name) {
        return Ok(None);
    }
    let first = submission
        .body
        .expose()
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    WORDS
        .iter()
        .find_map(|(words, vote)| Some((first.strip_prefix(words)?, *vote)))
        .map(Some)
        .ok_or_else(|| {
            Refusal::new(
                RefusalKind::Invalid,
                "the first line is CONSENT GRANTED or CONSENT REFUSED and the request, as it was asked",
            )
        })
}

/// An originator's answer, as its channel proved who gives it.
///
/// # Errors
/// [`RefusalKind::NotFound`] for a request that is not there or another's,
/// [`RefusalKind::NotNow`] late, [`RefusalKind::Replayed`]; each recorded.
pub fn answer(
    gateway: &Gateway,
    by: &Sender,
    request: &str,
    vote: Vote,
    evidence: Option<(&HeldOriginal, &Inbound)>,
) -> Result<ConsentCard, StageError> {
    let Some((case, document, row)) = find(gateway, request)? else {
        rejected(gateway, by, None, "no such request")?;
        return Err(not_found());
    };
    let Some(asked) = document.consent.clone() else {
        return Err(not_found());
    };
    let wanted = &asked.request;
    let given = Answer {
        message: wanted.message,
        recipient: wanted.recipient.clone(),
        nonce: wanted.nonce,
        vote,
    };
    let mut taken = wanted.take(&given, &by.id, &asked.entries, gateway.now());
    if case.state != CaseState::Open && taken.is_ok() {
        taken = Err(ConsentError::Replayed);
    }
    match taken {
        Ok(entry) => {
            let actor = by.actor();
            let mut kept = Step::default();
            if let Some((original, inbound)) = evidence {
                // The signed answer itself is kept, sealed, with the message that it is about.
                kept.writes = original.writes(gateway, row.message, &KekId::Intake)?;
                kept.events.push(
                    original
                        .received_event(inbound, gateway.now())
                        .message(row.message),
                );
            }
            settle(gateway, &case, document, &row, &entry, actor, kept)?;
            Ok(card(wanted))
        }
        Err(error) => {
            rejected(gateway, by, Some((&case, &row)), &error.to_string())?;
            Err(match error {
                ConsentError::NotTheOriginator => not_found(),
                ConsentError::Replayed => {
                    Refusal::new(RefusalKind::Replayed, error.to_string()).into()
                }
                _ => Refusal::new(RefusalKind::NotNow, error.to_string()).into(),
            })
        }
    }
}

fn not_found() -> StageError {
    Refusal::new(RefusalKind::NotFound, "there is no such request for you").into()
}

/// The one record of an answer that does not count.
fn rejected(
    gateway: &Gateway,
    by: &Sender,
    about: Option<(&CaseRow, &DeliveryRow)>,
    why: &str,
) -> Result<(), StageError> {
    let mut event =
        Event::new(EventKind::ConsentRejected, gateway.now(), by.actor()).detail(Key::Rule, why);
    if let Some((case, row)) = about {
        event = event
            .message(row.message)
            .delivery(row.id)
            .detail(Key::Case, case.id.to_string())
            .detail(Key::Recipient, row.recipient.as_str());
    }
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    Ok(())
}

/// The case, its document and its delivery, of a request's digest.
fn find(
    gateway: &Gateway,
    request: &str,
) -> Result<Option<(CaseRow, CaseDocument, DeliveryRow)>, StageError> {
    let mut digest = [0; 32];
    if hex::decode_to_slice(request, &mut digest).is_err() {
        return Ok(None);
    }
    let messages: Vec<MessageId> = gateway.ledger.find_indexed(IndexKind::Consent, &digest)?;
    for message in messages {
        for row in gateway.ledger.deliveries_of(&message)? {
            let Some(case) = gateway.ledger.case_of(&row.id)? else {
                continue;
            };
            crate::rowmac::check_delivery(gateway, &row)?;
            crate::rowmac::check_case(gateway, &case)?;
            let document = CaseDocument::decode(&case.document)?;
            let fits = document
                .consent
                .as_ref()
                .is_some_and(|asked| asked.request.digest() == digest);
            if fits {
                return Ok(Some((case, document, row)));
            }
        }
    }
    Ok(None)
}
