//! Stations 3 to 6 for one submission: authenticate, label, seal, decide; then
//! ONE transaction with message, deliveries, cases and audit leaves.

use std::sync::Arc;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{
    Channel, DeliveryId, Inbound, Intent, Malformed, MessageId, OpaqueRef, ParticipantId, Parsed, Purpose,
    RecipientRole, Submission, Timestamp,
};

use chancery_policy::facts::Consent;

use crate::documents::{Document, LabelStanding, MessageDocument, Originator};
use crate::gateway::{Gateway, StageError, kek};
use crate::outcome::{Outcome, RecipientVerdict, Refusal, RefusalKind, Verdict, Verdicts};
use crate::ports::{LedgerError, Step, Write};
use crate::rows::{IndexKind, MessageRow, MessageState};
use crate::rules::{Judgement, Question, Rules, Sender};
use crate::stages::authenticate::{Authenticated, authenticate};
use crate::stages::label::{Labelled, label};
use crate::stages::queue::{QueueInput, QueuedDelivery, queue};
use crate::stages::{forward, idempotency, quarantine, sources};
use crate::vault::{self, HeldOriginal, Original, Sealing};

/// How often a step is decided again when the rules changed under it.
const DECIDED_AGAIN: u32 = 5;

/// What a reader made of held bytes becomes a message, or a refusal with its record.
///
/// # Errors
/// [`StageError`]: nothing was accepted; the refusal is in the log unless the
/// log itself is what failed.
pub fn accept(
    gateway: &Gateway,
    inbound: &Inbound,
    held: HeldOriginal,
    parsed: Parsed,
) -> Result<Outcome, StageError> {
    match parsed {
        Parsed::Malformed(why) => malformed(gateway, inbound, &held, &why),
        Parsed::Suspicious(why) => {
            quarantine::unread(gateway, inbound, held, &why.what, &why.rule)
        }
        Parsed::Whole(submission) => {
            let mut held = Some(held);
            for _ in 0..DECIDED_AGAIN {
                match whole(gateway, inbound, &mut held, &submission) {
                    Err(StageError::Ledger(LedgerError::Conflict)) => {}
                    Err(StageError::Refused(refusal)) => return refused(gateway, inbound, refusal),
                    other => return other,
                }
            }
            Err(StageError::Ledger(LedgerError::Conflict))
        }
    }
}

/// A whole submission, decided under one snapshot of the rules.
fn whole(
    gateway: &Gateway,
    inbound: &Inbound,
    held: &mut Option<HeldOriginal>,
    submission: &Submission,
) -> Result<Outcome, StageError> {
    let now = gateway.now();
    let rules = gateway.rules();
    let (sender, proof) = match authenticate(&rules, inbound, submission, now)? {
        Authenticated::As { sender, proof } => (sender, proof),
        Authenticated::Nobody { reason } => {
            return quarantine::read(gateway, inbound, take(held)?, submission, None, reason);
        }
    };
    let request = idempotency::Request::of(gateway, inbound, submission, &sender);
    if submission.intent != Intent::Check
        && let Some(before) = request.repeated(gateway)?
    {
        return crate::desk::repeat(gateway, &sender, &before);
    }

    let labelled = label(submission, &gateway.floor(inbound.peer.channel));
    match labelled.standing {
        LabelStanding::Missing if inbound.peer.channel == Channel::Mail => {
            return quarantine::read(gateway, inbound, take(held)?, submission, Some(&sender), "the mail carries no label");
        }
        LabelStanding::Missing if !matches!(submission.intent, Intent::Forward { .. }) => {
            return Err(Refusal::new(
                RefusalKind::NoLabel,
                "the message has no label: give one, for example `RESTREINT UE/EU RESTRICTED` or `NC`",
            )
            .into());
        }
        LabelStanding::Invalid => {
            let problem = labelled.problem.as_deref().unwrap_or("it cannot be read");
            return Err(Refusal::new(RefusalKind::BadLabel, format!("the label is not valid: {problem}")).into());
        }
        LabelStanding::Missing | LabelStanding::Valid | LabelStanding::Conflict => {}
    }
    let addressed = recipients(gateway, &rules, &sender, submission, now)?;
    let draft = draft(gateway, submission, &sender, labelled, &addressed, now)?;
    above_channel(&rules, inbound.peer.channel, &sender, &draft, now)?;

    if submission.intent == Intent::Check {
        return check(gateway, inbound, &rules, &sender, &draft, now);
    }
    let origin = Origin::Fresh {
        inbound,
        original: held.as_ref().ok_or_else(gone)?,
        proof: &proof,
        request: &request,
    };
    let done = commit(gateway, origin, submission, &rules, &sender, draft, now)?;
    *held = None;
    Ok(done)
}

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
        row: MessageRow,
        original: crate::rows::BodyRow,
        step: Step,
    },
}

/// A message before it is sealed: what its decisions depend on.
pub(crate) struct Draft {
    pub(crate) id: MessageId,
    pub(crate) labelled: Labelled,
    pub(crate) document: MessageDocument,
    pub(crate) names: Vec<String>,
    /// A forward carries the content of the message that it passes on.
    pub(crate) forwarded: Option<forward::Forwarded>,
}

pub(crate) fn draft(
    gateway: &Gateway,
    submission: &Submission,
    sender: &Arc<Sender>,
    mut labelled: Labelled,
    addressed: &[(String, ParticipantId, RecipientRole)],
    now: Timestamp,
) -> Result<Draft, StageError> {
    let rules = gateway.rules();
    let mut derived_from = sources::resolve(gateway, sender, &submission.derived_from)?;
    let in_reply_to = sources::answered(gateway, sender, submission)?;
    let forwarded = match &submission.intent {
        Intent::Forward { of } => Some(forward::open(gateway, sender, of, now)?),
        Intent::Send | Intent::Check | Intent::Reply { .. } => None,
    };
    let own: Vec<ParticipantId> = addressed.iter().map(|(_, id, _)| id.clone()).collect();
    let mut originator = originator(&rules, sender, submission, now);
    let mut addressees = own;
    if let Some(forwarded) = &forwarded {
        forwarded.bind(&mut labelled);
        originator = forwarded.originator(sender);
        addressees.clone_from(&forwarded.document.addressed);
        derived_from.push(forwarded.source());
    } else if originator == Originator::Sender && derived_from.iter().any(|source| source.sender.as_ref() != Some(&sender.id)) {
        // Derived from another's message: not the sender's own information.
        originator = derived_from
            .iter()
            .find_map(|source| source.sender.clone().filter(|id| id != &sender.id))
            .map_or(Originator::Unknown, Originator::Other);
    }
    Ok(Draft {
        id: MessageId::mint(now, gateway.entropy.as_ref())?,
        document: MessageDocument {
            label: Some(labelled.label.clone()),
            asserted: labelled.asserted.clone(),
            standing: labelled.standing,
            originator,
            addressed: addressees,
            recipients: addressed.iter().map(|(_, id, role)| (id.clone(), *role)).collect(),
            purpose: submission.purpose.unwrap_or_else(|| purpose_of(sender)),
            // What is not said releases least.
            personal_data: submission.personal_data.unwrap_or(true),
            evaluation: submission.evaluation,
            derived_from,
            forward_of: forwarded.as_ref().map(|one| one.message),
            in_reply_to,
            portions: labelled.portions,
            original: None,
            attachment_bytes: 0,
            quarantine: None,
        },
        names: addressed.iter().map(|(name, _, _)| name.clone()).collect(),
        labelled,
        forwarded,
    })
}

/// The purpose where the channel has no field for it: that of the sender's community.
fn purpose_of(sender: &Sender) -> Purpose {
    use chancery_message::Community;
    match sender.community {
        Community::Civilian => Purpose::CyberCrisis,
        Community::LawEnforcement => Purpose::LawEnforcement,
        Community::Diplomacy => Purpose::Diplomacy,
        Community::Defence => Purpose::CyberDefence,
        Community::Private => Purpose::Commercial,
        Community::Judicial => Purpose::Evidence,
    }
}

fn originator(rules: &Rules, sender: &Sender, submission: &Submission, now: Timestamp) -> Originator {
    match submission.originator.as_deref() {
        None => Originator::Sender,
        Some(name) if name == sender.id.as_str() => Originator::Sender,
        Some(name) => name
            .parse()
            .ok()
            .filter(|id| rules.by_id(id, now).is_some())
            .map_or(Originator::Unknown, Originator::Other),
    }
}

/// Every recipient, known and visible to the sender, each once; or the whole
/// submission is refused. One that does not exist and one that the sender may
/// not know of get the same words.
pub(crate) fn recipients(
    gateway: &Gateway,
    rules: &Rules,
    sender: &Sender,
    submission: &Submission,
    now: Timestamp,
) -> Result<Vec<(String, ParticipantId, RecipientRole)>, Refusal> {
    let mut found: Vec<(String, ParticipantId, RecipientRole)> = Vec::new();
    for requested in &submission.recipients {
        let id = rules
            .resolve(&requested.name, &gateway.node.mail_domain, now)
            .filter(|id| rules.may_know(sender, id, now));
        let Some(id) = id else {
            return Err(Refusal::new(
                RefusalKind::UnknownRecipient,
                "a recipient is not known: ask for the list of recipients; nothing was sent to anyone",
            ));
        };
        if !found.iter().any(|(_, other, _)| other == &id) {
            found.push((requested.name.clone(), id, requested.role));
        }
    }
    let europol = submission.siena.as_ref().filter(|siena| siena.europol_in_copy);
    if let (Some(_), Some(id)) = (europol, &gateway.node.europol)
        && !found.iter().any(|(_, other, _)| other == id)
        && id != &sender.id
    {
        found.push((id.to_string(), id.clone(), RecipientRole::Copy));
    }
    if found.is_empty() {
        return Err(Refusal::new(RefusalKind::Invalid, "the message names no recipient"));
    }
    Ok(found)
}

/// A label above what the channel may carry never passes it (2015/444 Article
/// 21(5), 2019/1961 Article 15).
pub(crate) fn above_channel(rules: &Rules, channel: Channel, sender: &Sender, draft: &Draft, now: Timestamp) -> Result<(), Refusal> {
    let ceiling = rules.ceiling_of(sender, channel, now);
    if draft.labelled.label.level > ceiling {
        return Err(Refusal::new(
            RefusalKind::LabelAboveChannel,
            format!(
                "the message is {}, this channel may carry up to {ceiling}: use another channel",
                draft.labelled.label.level
            ),
        ));
    }
    Ok(())
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

/// Answers what would happen; leaves one audit record.
fn check(
    gateway: &Gateway,
    inbound: &Inbound,
    rules: &Rules,
    sender: &Sender,
    draft: &Draft,
    now: Timestamp,
) -> Result<Outcome, StageError> {
    let judgements = judge_all(rules, sender, draft, now);
    let verdicts: Vec<String> = judgements
        .iter()
        .zip(&draft.document.recipients)
        .map(|(judgement, (recipient, _))| format!("{recipient}={}", judgement.verdict.word()))
        .collect();
    let event = Event::new(EventKind::ReleaseChecked, now, Actor::Participant(sender.id.clone()))
        .detail(Key::Channel, inbound.peer.channel.name())
        .detail(Key::Effective, chancery_label::marking::format(&draft.labelled.label))
        .detail(Key::Recipients, verdicts);
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    Ok(Outcome::Checked(Verdicts {
        message: None,
        registration: None,
        label: draft.labelled.label.clone(),
        recipients: shown(draft, &judgements, &[]),
        repeated: false,
    }))
}

fn shown(draft: &Draft, judgements: &[Judgement], queued: &[QueuedDelivery]) -> Vec<RecipientVerdict> {
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
    let judgements = judge_all(rules, sender, &draft, now);
    let level = draft.labelled.label.level;

    // Station 5: sealed under the key of its level and of the sender's compartment.
    let sealing = Sealing {
        message: id,
        label: &draft.labelled.label,
        kek: kek(level.rank(), sender.compartment.clone()),
        owner: Some(&sender.id),
        now,
    };
    let original = match &origin {
        Origin::Fresh { original, .. } => Original::Held(original),
        Origin::Labelled { original, .. } => Original::Stored(original.clone()),
    };
    let sealed = vault::seal(gateway, &sealing, submission, draft.forwarded.as_ref(), &original)?;
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
            fresh_events(&mut step, inbound, original, submission, sender, proof, id, now);
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
                ..row
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
    step.events.push(label_event(&draft.labelled, now).message(id));
    step.events.push(
        Event::new(EventKind::MessageSealed, now, Actor::System)
            .message(id)
            .detail(Key::Kek, sealing.kek.to_string())
            .detail(Key::Root, hex::encode(root)),
    );
    step.events.push(
        Event::new(EventKind::MessageRegistered, now, Actor::System)
            .message(id)
            .detail(Key::Registration, i64::try_from(registration).unwrap_or(i64::MAX))
            .detail(Key::Rows, [anchor]),
    );

    // Station 6: decided for every recipient, on its own.
    let mut queued = Vec::new();
    for (position, judgement) in judgements.iter().enumerate() {
        let delivery = DeliveryId::mint(now, gateway.entropy.as_ref())?;
        let (recipient, role) = draft.document.recipients.get(position).ok_or_else(gone)?.clone();
        let one = queue(gateway, rules, &mut step, QueueInput {
            message: id,
            delivery,
            position: u32::try_from(position).unwrap_or(u32::MAX),
            recipient,
            role,
            precedence: submission.precedence,
            judgement,
            now,
        })?;
        queued.push(one);
    }
    step.guards.push(crate::ports::Guard::Epoch(rules.epoch()));

    match gateway.ledger.commit(step) {
        Ok(_) => {}
        Err(LedgerError::Duplicate { what: "idempotency", .. }) => {
            // Another request under the same key was faster: its answer is this one's.
            return match request.map(|request| request.repeated(gateway)).transpose()?.flatten() {
                Some(before) => crate::desk::repeat(gateway, sender, &before),
                None => Err(StageError::Ledger(LedgerError::Conflict)),
            };
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Outcome::Accepted(Verdicts {
        message: Some(id),
        registration: Some(crate::desk::registration_for(sender, registration, &reference)),
        label: draft.labelled.label.clone(),
        recipients: shown(&draft, &judgements, &queued),
        repeated: false,
    }))
}

#[allow(clippy::too_many_arguments, reason = "what stations 1 to 3 found, told once")]
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
    step.events.push(original.received_event(inbound, now).message(id));
    step.events.push(
        Event::new(EventKind::MessageParsed, now, Actor::process(&format!("reader-{channel}")))
            .message(id)
            .detail(Key::Channel, channel.name())
            .detail(Key::Parts, i64::try_from(submission.attachments.len()).unwrap_or(i64::MAX)),
    );
    step.events.push(
        Event::new(
            EventKind::OriginatorAuthenticated,
            now,
            Actor::Participant(sender.id.clone()),
        )
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

/// The one record of bytes that are no message.
fn malformed(
    gateway: &Gateway,
    inbound: &Inbound,
    held: &HeldOriginal,
    why: &Malformed,
) -> Result<Outcome, StageError> {
    let event = Event::new(EventKind::MessageMalformed, gateway.now(), crate::desk::peer_actor(gateway, &inbound.peer))
        .detail(Key::Channel, inbound.peer.channel.name())
        .detail(Key::Rule, why.rule.as_str())
        .detail(Key::Reason, why.what.as_str())
        .detail(Key::Bytes, i64::try_from(held.size()).unwrap_or(i64::MAX));
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    Ok(Outcome::Refused(Refusal::new(
        RefusalKind::Malformed,
        format!("{} ({})", why.what, why.rule),
    )))
}

/// The one record of a refusal, and its words for the peer.
fn refused(gateway: &Gateway, inbound: &Inbound, refusal: Refusal) -> Result<Outcome, StageError> {
    crate::desk::record_refusal(gateway, &inbound.peer, &refusal)?;
    Ok(Outcome::Refused(refusal))
}

fn take(held: &mut Option<HeldOriginal>) -> Result<HeldOriginal, StageError> {
    held.take().ok_or_else(gone)
}

fn gone() -> StageError {
    StageError::Corrupt("the original of a submission is gone".to_owned())
}

/// The verdict of a submission as a whole: the best that any recipient gets.
#[must_use]
pub fn best(verdicts: &[RecipientVerdict]) -> Verdict {
    let has = |verdict| verdicts.iter().any(|one| one.verdict == verdict);
    if has(Verdict::Permit) {
        Verdict::Permit
    } else if has(Verdict::Review) {
        Verdict::Review
    } else {
        Verdict::Deny
    }
}

