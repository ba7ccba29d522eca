//! What an answer does: it is entered into the register, the delivery is decided
//! anew with it, case and delivery move, all in one step.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::Timestamp;
use chancery_policy::approval::Vote;
use chancery_policy::consent::{self, ConsentError, Entry, Request};

use super::{Asked, not_found, update, waiting};
use crate::documents::{DeliveryDocument, Document};
use crate::gateway::{Gateway, StageError};
use crate::outcome::Verdict;
use crate::ports::{Guard, LedgerError, Step, Write};
use crate::rows::{CaseRow, CaseState, DeliveryRow, DeliveryState};
use crate::rules::Rules;
use crate::stages::queue::{QueueInput, anchor, hold_with, verdict_event};
use crate::stages::release::{judge_with, message_of};
use crate::stages::review::CaseDocument;

/// Enters an answer into the register, decides the delivery anew with it, and
/// moves case and delivery, all in one step.
pub(crate) fn settle(
    gateway: &Gateway,
    case: &CaseRow,
    mut document: CaseDocument,
    row: &DeliveryRow,
    entry: &Entry,
    actor: Actor,
    evidence: Step,
) -> Result<(), StageError> {
    let now = gateway.now();
    let rules = gateway.rules();
    let (message, meta) = message_of(gateway, row)?;
    let Some(asked) = &mut document.consent else {
        return Err(not_found());
    };
    asked.entries.push(entry.clone());
    let entries = asked.entries.clone();
    let request = asked.request.clone();
    let consent = consent::fact(&entries, row.message, &row.recipient, now);
    let judgement = judge_with(&rules, &message, &meta, row, consent, now)?;
    let granted = entry.vote == Vote::Approve;
    let mut step = evidence;
    step.guards.push(Guard::Epoch(rules.epoch()));
    let kept = DeliveryDocument::decode(&row.document)?;
    let mut next = DeliveryDocument {
        case: kept.case,
        opened_at: kept.opened_at,
        since: now,
        ..judgement.document(rules.epoch())
    };
    let (state, closed) = match (granted, judgement.verdict) {
        (true, Verdict::Permit) => (DeliveryState::Queued, CaseState::Approved),
        // Consent was one thing; what is left is the officers'.
        (true, Verdict::Review) => (DeliveryState::Held, CaseState::Superseded),
        (true, Verdict::Deny) => (DeliveryState::Refused, CaseState::Refused),
        (false, _) => (DeliveryState::Refused, CaseState::Refused),
    };
    next.reason = match (granted, state) {
        (false, _) => "the originator does not consent".to_owned(),
        (true, DeliveryState::Queued) => "released with the originator's consent".to_owned(),
        (true, _) => judgement.reason.clone(),
    };
    if state == DeliveryState::Held {
        next.case = Some(hold_with(
            gateway,
            &mut step,
            &QueueInput {
                message: row.message,
                delivery: row.id,
                position: row.position,
                recipient: row.recipient.clone(),
                role: row.role,
                precedence: row.precedence,
                judgement: &judgement,
                originator: Some(request.originator.clone()),
                now,
            },
            &entries,
        )?);
    }
    let mut moved = DeliveryRow {
        version: row.version + 1,
        state,
        next_at: (state == DeliveryState::Queued && !row.channel.is_pulled()).then_some(now),
        document: next.encode()?,
        ..row.clone()
    };
    moved.mac = crate::rowmac::delivery(gateway, &moved);
    let told = Event::new(
        if granted {
            EventKind::ConsentGranted
        } else {
            EventKind::ConsentRefused
        },
        now,
        actor,
    )
    .message(row.message)
    .delivery(row.id)
    .detail(Key::Case, case.id.to_string())
    .detail(Key::Digest, hex::encode(request.digest()))
    .detail(Key::Originator, request.originator.as_str())
    .detail(Key::Recipient, row.recipient.as_str())
    .detail(Key::Rows, [anchor(&moved)]);
    let told = match &entry.source {
        consent::Source::Answered { .. } => told.detail(Key::Reason, "answered"),
        consent::Source::Paper { reference, .. } => {
            told.detail(Key::Reason, format!("on paper: {reference}"))
        }
        consent::Source::Silence { mou } => {
            told.detail(Key::Reason, format!("by silence, as {mou} lets it"))
        }
    };
    step.events.push(told);
    step.events.push(
        Event::new(EventKind::ReviewClosed, now, Actor::System)
            .message(row.message)
            .delivery(row.id)
            .detail(Key::Case, case.id.to_string())
            .detail(Key::Outcome, closed.word())
            .detail(Key::Rows, [anchor(&moved)]),
    );
    if granted {
        step.events.push(verdict_event(
            &judgement,
            &moved,
            next.case,
            rules.epoch(),
            now,
        ));
    }
    step.events.extend(
        judgement
            .alarm_events("consent", now)
            .map(|event| event.message(row.message).delivery(row.id)),
    );
    step.writes.push(update(gateway, case, closed, &document)?);
    step.writes.push(Write::UpdateDelivery(Box::new(moved)));
    gateway.ledger.commit(step)?;
    Ok(())
}

/// Counts silence as consent where an MoU lets it: unclassified information
/// alone, its hours over, nobody having answered. How many were settled.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn silence(gateway: &Gateway) -> Result<u32, StageError> {
    let (now, rules) = (gateway.now(), gateway.rules());
    let mut settled = 0;
    for (case, asked) in waiting(gateway)? {
        let entry = silent(&rules, &asked, now).into_iter().find_map(Result::ok);
        let (Some(entry), Some(delivery)) = (entry, case.delivery) else {
            continue;
        };
        let Some(row) = gateway.ledger.delivery(&delivery)? else {
            continue;
        };
        crate::rowmac::check_delivery(gateway, &row)?;
        if row.state != DeliveryState::Held {
            continue;
        }
        let document = CaseDocument::decode(&case.document)?;
        let nothing = Step::default();
        settle(
            gateway,
            &case,
            document,
            &row,
            &entry,
            Actor::System,
            nothing,
        )?;
        settled += 1;
    }
    Ok(settled)
}

/// What each agreement in force between the two ends makes of silence.
fn silent(rules: &Rules, asked: &Asked, now: Timestamp) -> Vec<Result<Entry, ConsentError>> {
    let ends = [&asked.request.originator, &asked.request.recipient];
    let register = rules.register();
    register
        .mous()
        .iter()
        .filter(|mou| ends.iter().all(|id| mou.parties.contains(id)))
        .filter(|mou| register.is_in_force(&mou.id, now))
        .map(|mou| asked.request.silence(mou, &asked.entries, now))
        .collect()
}

/// Ends the releases whose originators did not answer in time: they may be
/// asked for again. How many ended.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn expire(gateway: &Gateway) -> Result<u32, StageError> {
    let (now, rules) = (gateway.now(), gateway.rules());
    let mut ended = 0;
    for (case, asked) in waiting(gateway)? {
        let Some(delivery) = case.delivery else {
            continue;
        };
        let waits_for_silence = silent(&rules, &asked, now).contains(&Err(ConsentError::TooEarly));
        if !asked.entries.is_empty() || now <= asked.request.answer_by || waits_for_silence {
            continue;
        }
        let Some(row) = gateway.ledger.delivery(&delivery)? else {
            continue;
        };
        crate::rowmac::check_delivery(gateway, &row)?;
        if row.state != DeliveryState::Held {
            continue;
        }
        match over(gateway, &case, &row, &asked.request) {
            Ok(()) => ended += 1,
            // It was answered at this moment.
            Err(StageError::Ledger(LedgerError::Conflict)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}

fn over(
    gateway: &Gateway,
    case: &CaseRow,
    row: &DeliveryRow,
    request: &Request,
) -> Result<(), StageError> {
    let now = gateway.now();
    let mut kept = DeliveryDocument::decode(&row.document)?;
    kept.since = now;
    kept.ended_at = Some(now);
    kept.reason = "the originator did not answer in time: pass it on again to ask again".to_owned();
    let mut moved = DeliveryRow {
        version: row.version + 1,
        state: DeliveryState::Expired,
        next_at: None,
        document: kept.encode()?,
        ..row.clone()
    };
    moved.mac = crate::rowmac::delivery(gateway, &moved);
    let about = |kind| {
        Event::new(kind, now, Actor::System)
            .message(row.message)
            .delivery(row.id)
            .detail(Key::Case, case.id.to_string())
            .detail(Key::Rows, [anchor(&moved)])
    };
    let events = vec![
        about(EventKind::ConsentExpired)
            .detail(Key::Originator, request.originator.as_str())
            .detail(Key::Recipient, row.recipient.as_str())
            .detail(Key::Until, request.answer_by.to_string()),
        about(EventKind::ReviewClosed).detail(Key::Outcome, CaseState::Superseded.word()),
    ];
    let document = CaseDocument::decode(&case.document)?;
    gateway.ledger.commit(Step {
        guards: Vec::new(),
        writes: vec![
            update(gateway, case, CaseState::Superseded, &document)?,
            Write::UpdateDelivery(Box::new(moved)),
        ],
        events,
    })?;
    Ok(())
}
