//! Station 6, in rows: what a decision makes of a delivery. A permit queues it,
//! a review parks it with a case, a denial records why.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{
    CaseId, DeliveryId, MessageId, ParticipantId, Precedence, RecipientRole, Timestamp,
};

use chancery_policy::consent::Entry;
use chancery_policy::review::Waits;

use crate::documents::{DeliveryDocument, Document};
use crate::gateway::{Gateway, StageError};
use crate::judgement::Judgement;
use crate::outcome::Verdict;
use crate::ports::{Step, Write};
use crate::rows::{CaseRow, CaseState, DeliveryRow, DeliveryState};
use crate::rules::Rules;
use crate::stages::consent;
use crate::stages::review::CaseDocument;

/// One recipient's decision on its way into the ledger.
#[derive(Debug)]
pub(crate) struct QueueInput<'a> {
    pub(crate) message: MessageId,
    pub(crate) delivery: DeliveryId,
    pub(crate) position: u32,
    pub(crate) recipient: ParticipantId,
    pub(crate) role: RecipientRole,
    pub(crate) precedence: Precedence,
    pub(crate) judgement: &'a Judgement,
    /// Whose consent it may need; none where nobody can be asked.
    pub(crate) originator: Option<ParticipantId>,
    pub(crate) now: Timestamp,
}

/// What was queued.
#[derive(Debug)]
pub(crate) struct QueuedDelivery {
    /// For a review: by when it should be judged.
    pub(crate) review_due: Option<Timestamp>,
}

/// Adds a delivery, its case where it has one, and its events to a step.
pub(crate) fn queue(
    gateway: &Gateway,
    rules: &Rules,
    step: &mut Step,
    input: &QueueInput<'_>,
) -> Result<QueuedDelivery, StageError> {
    let QueueInput { judgement, now, .. } = *input;
    let state = match judgement.verdict {
        Verdict::Permit => DeliveryState::Queued,
        Verdict::Review => DeliveryState::Held,
        Verdict::Deny => DeliveryState::Refused,
    };
    let case = match judgement.verdict {
        Verdict::Review => Some(CaseId::mint(now, gateway.entropy.as_ref())?),
        Verdict::Permit | Verdict::Deny => None,
    };
    let review_due = case
        .is_some()
        .then(|| now.after(gateway.node.times.of(input.precedence)));
    let document = DeliveryDocument {
        case,
        opened_at: None,
        ended_at: None,
        since: now,
        ..judgement.document(rules.epoch())
    };
    let mut row = DeliveryRow {
        id: input.delivery,
        version: 1,
        message: input.message,
        position: input.position,
        recipient: input.recipient.clone(),
        role: input.role,
        channel: judgement.channel,
        state,
        precedence: input.precedence,
        created_at: now,
        next_at: (state == DeliveryState::Queued && !judgement.channel.is_pulled()).then_some(now),
        due_at: Some(now.after(gateway.node.delivery_lifetime)),
        attempts: 0,
        document: document.encode()?,
        mac: [0; 32],
    };
    row.mac = crate::rowmac::delivery(gateway, &row);
    step.events
        .push(verdict_event(judgement, &row, case, rules.epoch(), now));
    step.events.extend(
        judgement
            .alarm_events("decide", now)
            .map(|event| event.message(input.message).delivery(input.delivery)),
    );
    step.writes.push(Write::InsertDelivery(Box::new(row)));
    if let (Some(id), Some(due_at)) = (case, review_due) {
        open_case(gateway, step, input, id, due_at, &[])?;
    }
    Ok(QueuedDelivery { review_due })
}

/// The event of a decision.
pub(crate) fn verdict_event(
    judgement: &Judgement,
    row: &DeliveryRow,
    case: Option<CaseId>,
    epoch: u64,
    now: Timestamp,
) -> Event {
    let (kind, extra) = match judgement.verdict {
        Verdict::Permit => (EventKind::ReleasePermitted, None),
        Verdict::Review => (EventKind::ReleaseHeld, case.map(|id| id.to_string())),
        Verdict::Deny => (EventKind::ReleaseRefused, None),
    };
    let event = Event::new(kind, now, Actor::System)
        .message(row.message)
        .delivery(row.id)
        .detail(Key::Recipient, row.recipient.as_str())
        .detail(Key::Channel, row.channel.name())
        .detail(Key::Verdict, judgement.verdict.word())
        .detail(Key::Gates, judgement.gates.clone())
        .detail(Key::Epoch, i64::try_from(epoch).unwrap_or(i64::MAX))
        .detail(Key::Policy, hex::encode(judgement.policy))
        .detail(Key::Rows, [anchor(row)])
        .detail_if(
            Key::Mou,
            judgement.mou.as_ref().map(|mou| mou.as_str().to_owned()),
        )
        .detail_if(
            Key::Articles,
            (!judgement.articles.is_empty()).then(|| judgement.articles.clone()),
        );
    match judgement.verdict {
        Verdict::Permit => event.detail(Key::Obligations, judgement.obligations.clone()),
        Verdict::Review => event.detail_if(Key::Case, extra),
        Verdict::Deny => event,
    }
}

/// How an audit leaf anchors a row: a row put back from an older time has
/// another version than its latest leaf says.
pub(crate) fn anchor(row: &DeliveryRow) -> String {
    format!("delivery/{}@{}", row.id, row.version)
}

fn open_case(
    gateway: &Gateway,
    step: &mut Step,
    input: &QueueInput<'_>,
    id: CaseId,
    due_at: Timestamp,
    entries: &[Entry],
) -> Result<(), StageError> {
    let Some(case) = &input.judgement.case else {
        return Err(StageError::Corrupt("a review without a case".to_owned()));
    };
    let quorum = input.judgement.quorum();
    let mut asking = Step::default();
    let consent = if case.waits_for() == Waits::Consent || !entries.is_empty() {
        consent::ask(gateway, &mut asking, input, id, case.level, entries)?
    } else {
        None
    };
    let document = CaseDocument {
        case: Some(case.clone()),
        facts: input.judgement.facts.clone(),
        quorum,
        consent,
        claimed: None,
    };
    let mut row = CaseRow {
        id,
        version: 1,
        delivery: Some(input.delivery),
        message: input.message,
        state: CaseState::Open,
        opened_at: input.now,
        due_at,
        digest: case.digest,
        document: document.encode()?,
        mac: [0; 32],
    };
    row.mac = crate::rowmac::case(gateway, &row);
    step.events.push(
        Event::new(EventKind::ReviewOpened, input.now, Actor::System)
            .message(input.message)
            .delivery(input.delivery)
            .detail(Key::Case, id.to_string())
            .detail(Key::Recipient, input.recipient.as_str())
            .detail(Key::Gates, input.judgement.gates.clone())
            .detail_if(
                Key::Quorum,
                quorum.and_then(|needed| i64::try_from(needed).ok()),
            ),
    );
    step.writes.push(Write::InsertCase(Box::new(row)));
    step.writes.append(&mut asking.writes);
    step.events.append(&mut asking.events);
    Ok(())
}

/// Parks a delivery that was decided before and now needs officers: a new case.
pub(crate) fn hold_again(
    gateway: &Gateway,
    step: &mut Step,
    input: &QueueInput<'_>,
) -> Result<CaseId, StageError> {
    hold_with(gateway, step, input, &[])
}

/// The same, with what the originator answered before.
pub(crate) fn hold_with(
    gateway: &Gateway,
    step: &mut Step,
    input: &QueueInput<'_>,
    entries: &[Entry],
) -> Result<CaseId, StageError> {
    let id = CaseId::mint(input.now, gateway.entropy.as_ref())?;
    let due_at = input.now.after(gateway.node.times.of(input.precedence));
    open_case(gateway, step, input, id, due_at, entries)?;
    Ok(id)
}
