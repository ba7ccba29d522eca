//! An officer gives a message in quarantine its label: it is then sealed under
//! that label's key and decided like any other. A label is given once; from
//! then on it only rises.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_label::marking;
use chancery_message::{AssertedLabel, LabelSource, MessageId, OfficerId, Submission};
use chancery_policy::release::read_permit;

use crate::documents::{Document, MessageDocument};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Outcome, Refusal, RefusalKind};
use crate::ports::{LedgerError, Step, Write};
use crate::rows::{CaseState, MessageState};
use crate::stages::commit::{Origin, commit};
use crate::stages::draft::{above_channel, draft, recipients};
use crate::stages::quarantine::PART_SUBMISSION;
use crate::stages::{label as station, review};
use crate::vault;

/// What became of the message, for the officer.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Relabelled {
    /// The message.
    pub message: String,
    /// The label that holds now.
    pub label: String,
    /// For each recipient: `permit`, `review` or `deny`.
    pub recipients: Vec<(String, String)>,
}

/// Labels a message and sends it on its way.
///
/// # Errors
/// [`RefusalKind::NotFound`], [`RefusalKind::NotNow`] out of quarantine,
/// [`RefusalKind::Denied`] where the officer may not read it,
/// [`RefusalKind::BadLabel`]; others when ledger or keys fail.
pub fn label(
    gateway: &Gateway,
    id: &MessageId,
    officer: &OfficerId,
    text: &str,
    nonce: [u8; 16],
) -> Result<Relabelled, StageError> {
    let now = gateway.now();
    let rules = gateway.rules();
    let row = gateway
        .ledger
        .message(id)?
        .ok_or_else(|| Refusal::new(RefusalKind::NotFound, "there is no such message"))?;
    crate::rowmac::check_message(gateway, &row)?;
    if row.state != MessageState::Quarantined {
        return Err(
            Refusal::new(RefusalKind::NotNow, format!("the message is {}", row.state)).into(),
        );
    }
    let unproven = || {
        Refusal::new(
            RefusalKind::NotNow,
            "nobody is proven to have sent it: refuse it, and ask the sender to send it again, signed",
        )
    };
    let sender = row
        .sender
        .as_ref()
        .and_then(|sender| rules.by_id(sender, now))
        .ok_or_else(unproven)?;
    let options = gateway.reading()?;
    let given = marking::parse(text, &options).map_err(|error| {
        Refusal::new(
            RefusalKind::BadLabel,
            format!("the label is not valid: {error}"),
        )
    })?;

    // The officer's right to read it at that level, recorded before it is opened.
    let view = rules.directory().at(now);
    let permit = read_permit(
        officer,
        *id,
        given.level,
        Some(&sender.id),
        "giving it a label",
        &view,
    )
    .map_err(|refusal| Refusal::new(RefusalKind::Denied, refusal.to_string()))?;
    gateway
        .ledger
        .commit(Step {
            guards: Vec::new(),
            writes: vec![Write::InsertNonce(nonce)],
            events: vec![
                Event::new(EventKind::ContentRead, now, Actor::Officer(officer.clone()))
                    .message(*id)
                    .detail(Key::Officer, officer.as_str())
                    .detail(Key::Permit, "read")
                    .detail(Key::Reason, permit.reason()),
            ],
        })
        .map_err(|error| match error {
            LedgerError::Duplicate { .. } => StageError::Refused(Refusal::new(
                RefusalKind::Replayed,
                "this order was used before: sign anew",
            )),
            other => other.into(),
        })?;
    let kept = MessageDocument::decode(&row.document)?;
    let opened = vault::open(gateway, &permit, &row, None)?;
    let bytes = opened
        .message
        .part(PART_SUBMISSION)
        .map_err(|_| unproven())?;
    let mut submission: Submission = match postcard::take_from_bytes(bytes.expose()) {
        Ok((submission, [])) => submission,
        _ => {
            return Err(StageError::Corrupt(
                "a kept submission cannot be read".to_owned(),
            ));
        }
    };
    submission.label = AssertedLabel::Valid {
        label: given,
        source: LabelSource::Field,
    };
    // What could not be read of a part is covered by what the officer says of the whole.
    for attachment in &mut submission.attachments {
        if matches!(attachment.label, AssertedLabel::Invalid { .. }) {
            attachment.label = submission.label.clone();
        }
    }

    let labelled = station::label(&submission, &gateway.floor(row.channel), &options);
    let addressed = recipients(gateway, &rules, &sender, &submission, now)?;
    let mut draft = draft(gateway, &submission, &sender, labelled, &addressed, now)?;
    draft.id = *id;
    above_channel(&rules, row.channel, &sender, &draft, now)?;
    let original = match kept.original {
        Some(body) => gateway.ledger.body(&body)?,
        None => None,
    }
    .ok_or_else(|| StageError::Corrupt("the original of a message is gone".to_owned()))?;
    let mut step = Step::default();
    review::close_quarantine_case(gateway, &mut step, id, CaseState::Approved, officer, now)?;
    let origin = Origin::Labelled {
        row: Box::new(row),
        original: Box::new(original),
        step,
    };
    match commit(gateway, origin, &submission, &rules, &sender, draft, now)? {
        Outcome::Accepted(verdicts) => Ok(Relabelled {
            message: id.to_string(),
            label: marking::format(&verdicts.label),
            recipients: verdicts
                .recipients
                .into_iter()
                .map(|one| (one.recipient, one.verdict.word().to_owned()))
                .collect(),
        }),
        _ => Err(StageError::Corrupt(
            "a labelled message was not accepted".to_owned(),
        )),
    }
}
