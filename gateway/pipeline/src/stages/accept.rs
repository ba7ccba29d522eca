//! Stations 3 to 6 for one submission: authenticate, label, seal, decide; then
//! ONE transaction with message, deliveries, cases and audit leaves.

use chancery_audit::{Event, EventKind, Key};
use chancery_message::{Channel, Inbound, Intent, Malformed, Parsed, Submission, Timestamp};

use chancery_policy::approval::Vote;

use crate::documents::LabelStanding;
use crate::gateway::{Gateway, StageError};
use crate::held::HeldOriginal;
use crate::outcome::{Outcome, Refusal, RefusalKind, Verdicts};
use crate::ports::{LedgerError, Step};
use crate::rules::{Rules, Sender};
use crate::stages::authenticate::{Authenticated, authenticate};
use crate::stages::commit::{Origin, commit, gone, judged, shown};
use crate::stages::draft::{Draft, above_channel, draft, recipients};
use crate::stages::label::label;
use crate::stages::{consent, idempotency, protection, quarantine};

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
            quarantine::unread(gateway, inbound, &held, &why.what, &why.rule)
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
            return quarantine::read(gateway, inbound, &take(held)?, submission, None, reason);
        }
    };
    if inbound.peer.channel == Channel::Mail
        && let Some((request, vote)) = consent::in_mail(gateway, submission)?
    {
        let original = take(held)?;
        let evidence = Some((&original, inbound));
        let card = consent::answer(gateway, &sender, request, vote, evidence)?;
        return Ok(Outcome::Consented {
            request: card,
            granted: vote == Vote::Approve,
        });
    }
    let request = idempotency::Request::of(gateway, inbound, submission, &sender);
    if submission.intent != Intent::Check
        && let Some(before) = request.repeated(gateway)?
    {
        return crate::desk::repeat(gateway, &sender, &before);
    }

    let floor = gateway.floor(inbound.peer.channel);
    let labelled = label(submission, &floor, &gateway.reading()?);
    match labelled.standing {
        LabelStanding::Missing if inbound.peer.channel == Channel::Mail => {
            return quarantine::read(
                gateway,
                inbound,
                &take(held)?,
                submission,
                Some(&sender),
                "the mail carries no label",
            );
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
            return Err(Refusal::new(
                RefusalKind::BadLabel,
                format!("the label is not valid: {problem}"),
            )
            .into());
        }
        LabelStanding::Missing | LabelStanding::Valid | LabelStanding::Conflict => {}
    }
    let addressed = recipients(gateway, &rules, &sender, submission, now)?;
    let draft = draft(gateway, submission, &sender, labelled, &addressed, now)?;
    above_channel(&rules, inbound.peer.channel, &sender, &draft, now)?;
    protection::received(
        gateway,
        &rules,
        inbound,
        submission,
        &draft.labelled.label,
        now,
    )?;

    if submission.intent == Intent::Check {
        return check(gateway, inbound, &rules, &sender, draft, now);
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

/// Answers what would happen; leaves one audit record.
fn check(
    gateway: &Gateway,
    inbound: &Inbound,
    rules: &Rules,
    sender: &Sender,
    mut draft: Draft,
    now: Timestamp,
) -> Result<Outcome, StageError> {
    let mut judgements = judged(rules, sender, &mut draft, now);
    for judgement in &mut judgements {
        judgement.hints = rules.hints(judgement, sender, &draft.document);
    }
    let verdicts: Vec<String> = judgements
        .iter()
        .zip(&draft.document.recipients)
        .map(|(judgement, (recipient, _))| format!("{recipient}={}", judgement.verdict.word()))
        .collect();
    let event = Event::new(EventKind::ReleaseChecked, now, sender.actor())
        .detail(Key::Channel, inbound.peer.channel.name())
        .detail(
            Key::Effective,
            chancery_label::marking::format(&draft.labelled.label),
        )
        .detail(Key::Recipients, verdicts)
        .detail(Key::Epoch, i64::try_from(rules.epoch()).unwrap_or(i64::MAX))
        .detail(Key::Policy, hex::encode(rules.engine().policy_hash()));
    let mut events = vec![event];
    for judgement in &judgements {
        events.extend(judgement.alarm_events("check", now));
    }
    gateway.ledger.commit(Step {
        events,
        ..Step::default()
    })?;
    Ok(Outcome::Checked(Verdicts {
        message: None,
        registration: None,
        label: draft.labelled.label.clone(),
        recipients: shown(&draft, &judgements, &[]),
        repeated: false,
    }))
}

/// The one record of bytes that are no message.
fn malformed(
    gateway: &Gateway,
    inbound: &Inbound,
    held: &HeldOriginal,
    why: &Malformed,
) -> Result<Outcome, StageError> {
    let event = Event::new(
        EventKind::MessageMalformed,
        gateway.now(),
        crate::desk::peer_actor(gateway, &inbound.peer),
    )
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
