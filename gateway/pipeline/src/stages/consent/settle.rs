//! What an answer does: it is entered into the register, the delivery is decided
//! anew with it, case and delivery move, all in one step.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_policy::approval::Vote;
use chancery_policy::consent::{self, Entry};

use super::{not_found, update, waiting};
use crate::documents::{DeliveryDocument, Document};
use crate::gateway::{Gateway, StageError};
use crate::outcome::Verdict;
use crate::ports::{Guard, Step, Write};
use crate::rows::{CaseRow, CaseState, DeliveryRow, DeliveryState};
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
        let ends = [&asked.request.originator, &asked.request.recipient];
        let entry = rules
            .register()
            .mous()
            .iter()
            .filter(|mou| ends.iter().all(|id| mou.parties.contains(id)))
            .filter(|mou| rules.register().is_in_force(&mou.id, now))
            .find_map(|mou| asked.request.silence(mou, &asked.entries, now).ok());
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
