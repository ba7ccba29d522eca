//! What is kept for an officer: mail without a label, mail whose sender nobody
//! proved, bytes that killed their reader. Sealed under the intake's key; no
//! delivery exists until an officer gives it a label.

use chancery_audit::{Event, EventKind, Key};
use chancery_hsm_api::KekId;
use chancery_message::{
    AttachmentContent, CaseId, Inbound, MessageId, OpaqueRef, Precedence, Purpose, RecipientRole,
    Submission,
};
use chancery_seal::{MessageSealer, PART_HEADER};

use crate::documents::{Document, LabelStanding, MessageDocument, Originator, SealedHeader};
use crate::gateway::{Gateway, StageError};
use crate::held::HeldOriginal;
use crate::outcome::Outcome;
use crate::ports::{Step, Write};
use crate::rows::{CaseRow, CaseState, MessageRow, MessageState};
use crate::rules::Sender;
use crate::stages::review::CaseDocument;

/// The part of a quarantined message that holds the whole submission, so that
/// an officer's label can send it on its way.
pub(crate) const PART_SUBMISSION: u32 = 16;

/// Keeps a submission that was read but has no label or no proven sender.
///
/// # Errors
/// [`StageError`] when keys or ledger fail: nothing was kept.
pub(crate) fn read(
    gateway: &Gateway,
    inbound: &Inbound,
    held: &HeldOriginal,
    submission: &Submission,
    sender: Option<&Sender>,
    reason: &str,
) -> Result<Outcome, StageError> {
    keep(
        gateway,
        inbound,
        held,
        Some(submission),
        sender,
        reason,
        None,
    )
}

/// Keeps bytes that nobody could read, or that are ambiguous.
///
/// # Errors
/// As [`read`].
pub fn unread(
    gateway: &Gateway,
    inbound: &Inbound,
    held: &HeldOriginal,
    reason: &str,
    rule: &str,
) -> Result<Outcome, StageError> {
    keep(gateway, inbound, held, None, None, reason, Some(rule))
}

fn keep(
    gateway: &Gateway,
    inbound: &Inbound,
    held: &HeldOriginal,
    submission: Option<&Submission>,
    sender: Option<&Sender>,
    reason: &str,
    rule: Option<&str>,
) -> Result<Outcome, StageError> {
    let now = gateway.now();
    let id = MessageId::mint(now, gateway.entropy.as_ref())?;
    let mut sealer = MessageSealer::begin(gateway.keys.as_ref(), &KekId::Intake, id, None)?;
    sealer.part(PART_HEADER, &header(submission).encode()?)?;
    if let Some(submission) = submission {
        let bytes = zeroize::Zeroizing::new(
            postcard::to_stdvec(submission)
                .map_err(|_| StageError::Corrupt("a submission cannot be encoded".to_owned()))?,
        );
        sealer.part(PART_SUBMISSION, &bytes)?;
    }
    sealer.bind(held.facts())?;
    let blob = sealer.finish()?.encode()?;
    let document = MessageDocument {
        label: None,
        asserted: None,
        standing: LabelStanding::Missing,
        originator: Originator::Unknown,
        addressed: Vec::new(),
        recipients: Vec::<(_, RecipientRole)>::new(),
        purpose: submission
            .and_then(|one| one.purpose)
            .unwrap_or(Purpose::CyberCrisis),
        personal_data: true,
        evaluation: submission.and_then(|one| one.evaluation),
        derived_from: Vec::new(),
        forward_of: None,
        in_reply_to: None,
        by_registry: None,
        portions: 0,
        levels: Vec::new(),
        original: Some(held.id()),
        attachment_bytes: submission.map_or(0, inline_bytes),
        quarantine: Some(reason.to_owned()),
    };
    let mut row = MessageRow {
        id,
        version: 1,
        state: MessageState::Quarantined,
        channel: inbound.peer.channel,
        sender: sender.map(|sender| sender.id.clone()),
        rank: 0,
        registration: gateway.ledger.next_registration()?,
        reference: OpaqueRef::mint(gateway.entropy.as_ref())?,
        received_at: now,
        document: document.encode()?,
        sealed: blob,
        mac: [0; 32],
    };
    row.mac = crate::rowmac::message(gateway, &row);

    let case_id = CaseId::mint(now, gateway.entropy.as_ref())?;
    let precedence = submission.map_or(Precedence::Routine, |one| one.precedence);
    let mut case = CaseRow {
        id: case_id,
        version: 1,
        delivery: None,
        message: id,
        state: CaseState::Open,
        opened_at: now,
        due_at: now.after(gateway.node.times.of(precedence)),
        digest: [0; 32],
        document: CaseDocument {
            case: None,
            facts: String::new(),
            quorum: None,
            consent: None,
            claimed: None,
        }
        .encode()?,
        mac: [0; 32],
    };
    case.mac = crate::rowmac::case(gateway, &case);
    let events = vec![
        held.received_event(inbound, now).message(id),
        Event::new(
            EventKind::MessageQuarantined,
            now,
            crate::desk::peer_actor(gateway, &inbound.peer),
        )
        .message(id)
        .detail(Key::Case, case_id.to_string())
        .detail(Key::Channel, inbound.peer.channel.name())
        .detail(Key::Reason, reason)
        .detail(Key::Original, held.id().to_string())
        .detail_if(Key::Rule, rule)
        .detail_if(
            Key::Sender,
            sender.map(|sender| sender.id.as_str().to_owned()),
        ),
    ];
    let mut writes = vec![Write::InsertMessage(Box::new(row))];
    writes.extend(held.writes(gateway, id, &KekId::Intake)?);
    writes.push(Write::InsertCase(Box::new(case)));
    gateway.ledger.commit(Step {
        guards: Vec::new(),
        writes,
        events,
    })?;
    Ok(Outcome::Quarantined {
        message: id,
        reason: reason.to_owned(),
    })
}

fn header(submission: Option<&Submission>) -> SealedHeader {
    let empty = chancery_message::Text::default;
    SealedHeader {
        subject: submission.map_or_else(empty, |one| one.subject.clone()),
        body: submission.map_or_else(empty, |one| one.body.clone()),
        reference: submission.and_then(|one| one.reference.clone()),
        in_reply_to: submission.and_then(|one| one.in_reply_to.clone()),
        derived_from: Vec::new(),
        siena: None,
        attachments: Vec::new(),
    }
}

fn inline_bytes(submission: &Submission) -> u64 {
    submission
        .attachments
        .iter()
        .map(|attachment| match &attachment.content {
            AttachmentContent::Inline(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            AttachmentContent::Uploaded(_) => 0,
        })
        .sum()
}
