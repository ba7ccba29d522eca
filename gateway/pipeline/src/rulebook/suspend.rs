//! Suspending: one security officer, at once. It returns when no permit of the
//! older rules is open, and says what could no longer be stopped.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{DeliveryId, MouId, OfficerId, ParticipantId, PersonId, Timestamp};
use chancery_policy::permit::PERMIT_LIFE;
use serde::Serialize;

use super::enact::{book, enact, epoch_after};
use super::{Book, RuleText, Suspension, Version};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{LedgerError, Step, Write};
use crate::rows::{DeliveryRow, DeliveryState, DocumentKind};
use crate::rules::Rules;
use crate::stages::release::{judge, lets_go, message_of};
use crate::underway::Watched;

/// Most deliveries of a state that are looked at for the report.
const MOST: u32 = 10_000;

/// Who or what is suspended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A participant: nothing goes to it or comes from it.
    Participant(ParticipantId),
    /// An MoU: nothing goes under it.
    Mou(MouId),
    /// A person: nobody acts with that person's certificate.
    Person(PersonId),
    /// An officer: none of its signatures counts.
    Officer(OfficerId),
}

/// What suspending did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspended {
    /// What is suspended, for example `mou/mou-civ-def`.
    pub subject: String,
    /// The epoch of the rules from then on.
    pub epoch: u64,
    /// Deliveries that waited and do not go any more.
    pub waiting: u64,
    /// Deliveries that were on their way.
    pub under_way: Vec<Stopped>,
    /// Deliveries that the recipient has fetched and not yet acknowledged.
    pub given: Vec<Stopped>,
    /// False where something was still on its way when the time for it was over.
    pub closed: bool,
}

/// One delivery that suspending found on its way, or given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// The delivery.
    pub delivery: String,
    /// The message.
    pub message: String,
    /// To whom.
    pub recipient: String,
    /// Bytes that were gone before it could be stopped; none where it is not known.
    pub gone: Option<u64>,
    /// `stopped`, `cut off` (a part is gone) or `gone`.
    pub outcome: &'static str,
}

// === impl Subject ===

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Participant(id) => write!(f, "participant/{id}"),
            Self::Mou(id) => write!(f, "mou/{id}"),
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Officer(id) => write!(f, "officer/{id}"),
        }
    }
}

impl FromStr for Subject {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, id) = text.split_once('/').ok_or(())?;
        match kind {
            "participant" => id.parse().map(Self::Participant).map_err(|_| ()),
            "mou" => id.parse().map(Self::Mou).map_err(|_| ()),
            "person" => id.parse().map(Self::Person).map_err(|_| ()),
            "officer" => id.parse().map(Self::Officer).map_err(|_| ()),
            _ => Err(()),
        }
    }
}

/// Suspends, on the word of an officer whose order was verified.
///
/// # Errors
/// [`RefusalKind::NotFound`], [`RefusalKind::NotNow`] where it is suspended
/// already; others when the ledger fails: then nothing is suspended.
pub fn suspend(
    gateway: &Gateway,
    subject: &Subject,
    why: &str,
    officer: &OfficerId,
    signed: &chancery_policy::approval::Signed,
) -> Result<Suspended, StageError> {
    let epoch = loop {
        let book = book(gateway)?;
        match enter(gateway, &book, subject, why, officer, signed) {
            // Others changed the rules since the book was read: once more over theirs.
            Err(StageError::Ledger(LedgerError::Conflict))
                if self::book(gateway)?.epoch() != book.epoch() => {}
            done => break done?,
        }
    };
    let report = close(gateway, subject, epoch)?;
    let told = about(
        Event::new(
            EventKind::PermitsClosed,
            gateway.now(),
            Actor::Officer(officer.clone()),
        ),
        subject,
        officer,
    )
    .detail(Key::Name, subject.to_string())
    .detail(Key::Epoch, i64::try_from(epoch).unwrap_or(i64::MAX))
    .detail(
        Key::Count,
        i64::try_from(report.waiting).unwrap_or(i64::MAX),
    )
    .detail(
        Key::Deliveries,
        report
            .under_way
            .iter()
            .chain(&report.given)
            .map(|one| format!("{}: {}", one.delivery, one.outcome))
            .collect::<Vec<_>>(),
    )
    .detail(
        Key::Outcome,
        if report.closed {
            "closed"
        } else {
            "still open"
        },
    );
    gateway.ledger.commit(Step {
        events: vec![told],
        ..Step::default()
    })?;
    Ok(report)
}

/// Puts a suspension in force over this book; the epoch from then on.
fn enter(
    gateway: &Gateway,
    book: &Book,
    subject: &Subject,
    why: &str,
    officer: &OfficerId,
    signed: &chancery_policy::approval::Signed,
) -> Result<u64, StageError> {
    let now = gateway.now();
    known(gateway, subject)?;
    if book.suspended().contains(subject) {
        return Err(Refusal::new(RefusalKind::NotNow, "it is suspended already").into());
    }
    if why.trim().is_empty() {
        return Err(Refusal::new(RefusalKind::Invalid, "say why: the reason is recorded").into());
    }
    let corrupt = |_| StageError::Corrupt("a suspension cannot be written".to_owned());
    let text = serde_json::to_string(&Suspension {
        suspended: true,
        why: why.trim().to_owned(),
    })
    .map_err(corrupt)?;
    let rule = RuleText::new(DocumentKind::Suspension, &subject.to_string(), text.clone());
    let version = Version {
        text,
        approvals: vec![signed.clone()],
        why: None,
        evidence: None,
    };
    let document = serde_json::to_vec(&version).map_err(corrupt)?;
    let event = about(
        Event::new(
            EventKind::ParticipantSuspended,
            now,
            Actor::Officer(officer.clone()),
        ),
        subject,
        officer,
    )
    .detail(Key::Name, rule.key.as_str())
    .detail(Key::Epoch, epoch_after(book, 1))
    .detail(Key::Reason, why.trim());
    let step = Step {
        guards: Vec::new(),
        writes: vec![
            Write::InsertNonce(signed.record.nonce),
            book.row(
                DocumentKind::Suspension,
                &rule.key,
                document,
                &gateway.row_key,
                now,
            ),
        ],
        events: vec![event],
    };
    enact(gateway, &book.with(&rule, &[]), step)
}

fn about(event: Event, subject: &Subject, officer: &OfficerId) -> Event {
    match subject {
        Subject::Participant(id) => event
            .detail(Key::Participant, id.as_str())
            .detail(Key::Officer, officer.as_str()),
        Subject::Mou(id) => event
            .detail(Key::Mou, id.as_str())
            .detail(Key::Officer, officer.as_str()),
        Subject::Person(id) => event
            .detail(Key::Person, id.as_str())
            .detail(Key::Officer, officer.as_str()),
        Subject::Officer(id) => event.detail(Key::Officer, id.as_str()),
    }
}

fn known(gateway: &Gateway, subject: &Subject) -> Result<(), Refusal> {
    let rules = gateway.rules();
    let there = match subject {
        Subject::Participant(id) => rules.directory().knows(id),
        Subject::Mou(id) => rules.register().by_id(id).is_some(),
        Subject::Person(id) => acts_for(&rules, id).is_some(),
        Subject::Officer(id) => rules.directory().officers().iter().any(|one| one.id == *id),
    };
    if there {
        Ok(())
    } else {
        Err(Refusal::new(
            RefusalKind::NotFound,
            format!("there is no {subject}: look at the list"),
        ))
    }
}

/// Whom a person acts for, in force or not.
fn acts_for(rules: &Rules, id: &PersonId) -> Option<ParticipantId> {
    let mut all = rules.directory().participants().iter();
    all.find(|one| one.people.iter().any(|person| person.id == *id))
        .map(|one| one.id.clone())
}

/// Stops what is under way and not allowed any more, waits until it is closed,
/// and counts the rest.
fn close(gateway: &Gateway, subject: &Subject, epoch: u64) -> Result<Suspended, StageError> {
    let now = gateway.now();
    let mut affected: Vec<(Watched, DeliveryRow)> = Vec::new();
    for one in gateway.under_way.older(epoch) {
        let Some(row) = gateway.ledger.delivery(&one.delivery())? else {
            continue;
        };
        // Who fetches is not known by then: all of the participant's is cut off
        // where a person is suspended. The others fetch it again.
        let persons = match subject {
            Subject::Person(_) => concerns(gateway, &row, subject)?,
            _ => false,
        };
        if persons || !goes(gateway, &row, now)? {
            one.stop();
            affected.push((one, row));
        }
    }
    let watched: Vec<Watched> = affected.iter().map(|(one, _)| one.clone()).collect();
    let closed = gateway
        .under_way
        .wait(&watched, PERMIT_LIFE + Duration::from_secs(1));
    let under_way: Vec<Stopped> = affected
        .iter()
        .map(|(one, row)| {
            let (gone, outcome) = match (one.is_whole(), one.given()) {
                (true, bytes) => ((bytes > 0).then_some(bytes), "gone"),
                (false, 0) => (Some(0), "stopped"),
                (false, bytes) => (Some(bytes), "cut off"),
            };
            stopped(row, gone, outcome)
        })
        .collect();
    let on_their_way: Vec<DeliveryId> = affected.iter().map(|(_, row)| row.id).collect();
    let mut waiting = 0;
    for state in [
        DeliveryState::Queued,
        DeliveryState::Deferred,
        DeliveryState::Held,
    ] {
        for row in gateway.ledger.in_state(state, MOST)? {
            let held = state == DeliveryState::Held;
            if concerns(gateway, &row, subject)? && (held || !goes(gateway, &row, now)?) {
                waiting += 1;
            }
        }
    }
    let mut given = Vec::new();
    for row in gateway.ledger.in_state(DeliveryState::Opened, MOST)? {
        if !on_their_way.contains(&row.id) && concerns(gateway, &row, subject)? {
            given.push(stopped(&row, None, "gone"));
        }
    }
    Ok(Suspended {
        subject: subject.to_string(),
        epoch,
        waiting,
        under_way,
        given,
        closed,
    })
}

fn stopped(row: &DeliveryRow, gone: Option<u64>, outcome: &'static str) -> Stopped {
    Stopped {
        delivery: row.id.to_string(),
        message: row.message.to_string(),
        recipient: row.recipient.to_string(),
        gone,
        outcome,
    }
}

/// True if the rules of now let a delivery go.
fn goes(gateway: &Gateway, row: &DeliveryRow, now: Timestamp) -> Result<bool, StageError> {
    let rules = gateway.rules();
    let (message, document) = message_of(gateway, row)?;
    let judgement = judge(gateway, &rules, &message, &document, row, now)?;
    Ok(!lets_go(gateway, &rules, &judgement, row, now)?.is_no())
}

/// True if a delivery was decided under an MoU, or has a participant at an end.
fn concerns(gateway: &Gateway, row: &DeliveryRow, subject: &Subject) -> Result<bool, StageError> {
    use crate::documents::{DeliveryDocument, Document as _};
    Ok(match subject {
        Subject::Officer(_) => true,
        Subject::Person(id) => acts_for(&gateway.rules(), id).as_ref() == Some(&row.recipient),
        Subject::Participant(id) => {
            row.recipient == *id
                || gateway
                    .ledger
                    .message(&row.message)?
                    .is_some_and(|message| message.sender.as_ref() == Some(id))
        }
        Subject::Mou(id) => DeliveryDocument::decode(&row.document)?.mou.as_ref() == Some(id),
    })
}
