//! Stations 5 and 6 and the one transaction: message, deliveries, cases and
//! audit leaves together.

use std::sync::Arc;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{DeliveryId, Inbound, MessageId, OpaqueRef, Submission, Timestamp};

use chancery_policy::facts::Consent;

use crate::documents::{Document, LabelStanding};
use crate::gateway::{Gateway, StageError, kek};
use crate::held::{HeldOriginal, Original};
use crate::judgement::Judgement;
use crate::outcome::{Outcome, RecipientVerdict, Verdict, Verdicts};
use crate::ports::{LedgerError, Step, Write};
use crate::rows::{IndexKind, MessageRow, MessageState};
use crate::rules::{Question, Rules, Sender};
use crate::stages::draft::Draft;
use crate::stages::label::Labelled;
use crate::stages::queue::{QueueInput, QueuedDelivery, queue};
use crate::stages::{consent, idempotency, sources};
use crate::vault::{self, Sealing};

/// Where a submission that is committed comes from.
pub(crate) enum Origin<'a> {
    /// From a door, just now.
    Fresh {
        inbound: &'a Inbound,
        original: &'a HeldOriginal,
        proof: &'a str,
        request: &'a idempotency::Request,
    },
    /// Out of quarantine, by an officer's label; `step` closes its case.
    Labelled {
        row: Box<MessageRow>,
        original: Box<crate::rows::BodyRow>,
        step: Step,
    },
}

fn judge_all(rules: &Rules, sender: &Sender, draft: &Draft, now: Timestamp) -> Vec<Judgement> {
    draft
        .document
        .recipients
        .iter()
        .map(|(recipient, _)| {
            rules.judge(&Question {
                message: draft.id,
                document: &draft.document,
                sender: &sender.id,
                recipient,
                channel: None,
                consent: Consent::NotApplicable,
                now,
            })
        })
        .collect()
}

/// The same for a draft whose registry was joined: where nothing may go abroad
/// it gets nothing either.
pub(crate) fn judged(
    rules: &Rules,
    sender: &Sender,
    draft: &mut Draft,
    now: Timestamp,
) -> Vec<Judgement> {
    let mut judgements = judge_all(rules, sender, draft, now);
    let goes = |one: &Judgement| one.verdict != Verdict::Deny && one.goes_by_registry();
    if draft.joined && !judgements.iter().any(goes) {
        draft.document.recipients.pop();
        draft.document.by_registry = None;
        draft.names.pop();
        judgements.pop();
    }
    judgements
}

pub(crate) fn shown(
    draft: &Draft,
    judgements: &[Judgement],
    queued: &[QueuedDelivery],
) -> Vec<RecipientVerdict> {
    draft
        .names
        .iter()
        .zip(judgements)
        .enumerate()
        .map(|(index, (name, judgement))| RecipientVerdict {
            recipient: name.clone(),
            verdict: judgement.verdict,
            reason: judgement.reason.clone(),
            hints: judgement.hints.clone(),
            due_at: queued.get(index).and_then(|one| one.review_due),
        })
        .collect()
}

/// Stations 5 and 6, and the one transaction.
pub(crate) fn commit(
    gateway: &Gateway,
    origin: Origin<'_>,
    submission: &Submission,
    rules: &Rules,
    sender: &Arc<Sender>,
    mut draft: Draft,
    now: Timestamp,
) -> Result<Outcome, StageError> {
    let id = draft.id;
    let judgements = judged(rules, sender, &mut draft, now);
    let level = draft.labelled.label.level;

    // Station 5: sealed under the key of its level and of the originator's
    // compartment: what is passed on stays under that of its original.
    let compartment = match &draft.forwarded {
        Some(forwarded) => forwarded.compartment(sender)?,
        None => sender.compartment.clone(),
    };
    let sealing = Sealing {
        message: id,
        label: &draft.labelled.label,
        attachments: &draft.labelled.attachments,
        kek: kek(level.rank(), compartment),
        owner: Some(&sender.id),
        now,
    };
    let original = match &origin {
        Origin::Fresh { original, .. } => Original::Held(original),
        Origin::Labelled { original, .. } => Original::Stored((**original).clone()),
    };
    let sealed = vault::seal(
        gateway,
        &sealing,
        submission,
        draft.forwarded.as_ref(),
        &original,
    )?;
    draft.document.original = Some(sealed.original);
    draft.document.attachment_bytes = sealed.attachment_bytes;
    let document = draft.document.encode()?;
    let root = sealed.root;

    let mut request = None;
    let (mut row, mut step) = match origin {
        Origin::Fresh {
            inbound,
            original,
            proof,
            request: asked,
        } => {
            let mut step = Step::default();
            step.writes.extend(asked.writes(id, now));
            fresh_events(
                &mut step, inbound, original, submission, sender, proof, id, now,
            );
            request = Some(asked);
            let row = MessageRow {
                id,
                version: 1,
                state: MessageState::Sealed,
                channel: inbound.peer.channel,
                sender: Some(sender.id.clone()),
                rank: level.rank(),
                registration: gateway.ledger.next_registration()?,
                reference: OpaqueRef::mint(gateway.entropy.as_ref())?,
                received_at: now,
                document,
                sealed: sealed.blob,
                mac: [0; 32],
            };
            (row, step)
        }
        Origin::Labelled { row, step, .. } => {
            let row = MessageRow {
                version: row.version + 1,
                state: MessageState::Sealed,
                rank: level.rank(),
                document,
                sealed: sealed.blob,
                mac: [0; 32],
                ..*row
            };
            (row, step)
        }
    };
    row.mac = crate::rowmac::message(gateway, &row);
    let (registration, reference) = (row.registration, row.reference);
    let anchor = format!("message/{id}@{}", row.version);
    step.writes.insert(
        0,
        if row.version == 1 {
            Write::InsertMessage(Box::new(row))
        } else {
            Write::UpdateMessage(Box::new(row))
        },
    );
    step.writes.extend(sealed.writes);
    if let Some(reference) = &submission.reference {
        step.writes.push(Write::InsertIndex {
            kind: IndexKind::Reference,
            digest: sources::reference_digest(gateway, &sender.id, reference.expose()),
            message: id,
            unique: false,
        });
    }
    step.events
        .push(label_event(&draft.labelled, now).message(id));
    step.events.push(
        Event::new(EventKind::MessageSealed, now, Actor::System)
            .message(id)
            .detail(Key::Kek, sealing.kek.to_string())
            .detail(Key::Root, hex::encode(root)),
    );
    step.events.push(
        Event::new(EventKind::MessageRegistered, now, Actor::System)
            .message(id)
            .detail(
                Key::Registration,
                i64::try_from(registration).unwrap_or(i64::MAX),
            )
            .detail(Key::Sender, sender.id.as_str())
            .detail(Key::Rows, [anchor]),
    );

    // Station 6: decided for every recipient, on its own.
    let mut queued = Vec::new();
    for (position, judgement) in judgements.iter().enumerate() {
        let delivery = DeliveryId::mint(now, gateway.entropy.as_ref())?;
        let (recipient, role) = draft
            .document
            .recipients
            .get(position)
            .ok_or_else(gone)?
            .clone();
        let one = queue(
            gateway,
            rules,
            &mut step,
            &QueueInput {
                message: id,
                delivery,
                position: u32::try_from(position).unwrap_or(u32::MAX),
                recipient,
                role,
                precedence: submission.precedence,
                judgement,
                originator: consent::originator_of(&draft.document, &sender.id),
                now,
            },
        )?;
        queued.push(one);
    }
    step.guards.push(crate::ports::Guard::Epoch(rules.epoch()));

    match gateway.ledger.commit(step) {
        Ok(_) => {}
        Err(LedgerError::Duplicate {
            what: "idempotency",
            ..
        }) => {
            // Another request under the same key was faster: its answer is this one's.
            return match request
                .map(|request| request.repeated(gateway))
                .transpose()?
                .flatten()
            {
                Some(before) => crate::desk::repeat(gateway, sender, &before),
                None => Err(StageError::Ledger(LedgerError::Conflict)),
            };
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Outcome::Accepted(Verdicts {
        message: Some(id),
        registration: Some(crate::desk::registration_for(
            sender,
            registration,
            &reference,
        )),
        label: draft.labelled.label.clone(),
        recipients: shown(&draft, &judgements, &queued),
        repeated: false,
    }))
}

#[allow(
    clippy::too_many_arguments,
    reason = "what stations 1 to 3 found, told once"
)]
fn fresh_events(
    step: &mut Step,
    inbound: &Inbound,
    original: &HeldOriginal,
    submission: &Submission,
    sender: &Sender,
    proof: &str,
    id: MessageId,
    now: Timestamp,
) {
    let channel = inbound.peer.channel;
    step.events
        .push(original.received_event(inbound, now).message(id));
    step.events.push(
        Event::new(
            EventKind::MessageParsed,
            now,
            Actor::process(&format!("reader-{channel}")),
        )
        .message(id)
        .detail(Key::Channel, channel.name())
        .detail(
            Key::Parts,
            i64::try_from(submission.attachments.len()).unwrap_or(i64::MAX),
        ),
    );
    step.events.push(
        Event::new(EventKind::OriginatorAuthenticated, now, sender.actor())
            .message(id)
            .detail(Key::Participant, sender.id.as_str())
            .detail(Key::Proof, proof),
    );
}

/// The event that tells what the label stage found.
pub(crate) fn label_event(labelled: &Labelled, now: Timestamp) -> Event {
    use chancery_label::marking::format;
    let kind = match (&labelled.asserted, labelled.standing) {
        (_, LabelStanding::Conflict) => EventKind::LabelConflict,
        (Some(asserted), _) if asserted != &labelled.label => EventKind::LabelRaised,
        _ => EventKind::LabelAssigned,
    };
    Event::new(kind, now, Actor::System)
        .detail(Key::Effective, format(&labelled.label))
        .detail_if(Key::Asserted, labelled.asserted.as_ref().map(format))
        .detail_if(Key::Found, labelled.found.map(|level| level.code()))
}

pub(crate) fn gone() -> StageError {
    StageError::Corrupt("the original of a submission is gone".to_owned())
}
