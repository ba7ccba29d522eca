//! Station 8: decide again, record `release.opened`, open the seal.
//!
//! ```text
//! read rows → decide at the current epoch → commit { guard epoch, delivery opened, release.opened }
//!           → ReleasePermit (30 s) → open → view → the channel
//! ```
//! The permit exists only after the record is durable: audit precedes effect.

use std::sync::Arc;

use chancery_audit::{Actor, Event, EventKind, Key, Record};
use chancery_message::{DeliveryId, ParticipantId, Timestamp};
use chancery_policy::facts::Consent;
use chancery_policy::permit::ReleasePermit;
use chancery_policy::review::{self, Cast, Closed};

use crate::documents::{DeliveryDocument, Document, MessageDocument};
use crate::gateway::{Gateway, StageError};
use crate::judgement::Judgement;
use crate::outcome::{Refusal, RefusalKind, Verdict};
use crate::ports::{Guard, LedgerError, Step, Write};
use crate::rows::{DeliveryRow, DeliveryState, MessageRow, MessageState};
use crate::rules::{Question, Rules};
use crate::stages::protection::{self, Over};
use crate::stages::queue::{QueueInput, anchor, hold_again, verdict_event};
use crate::stages::{consent, due, registry};
use crate::underway::Way;

/// How often a release is decided again when the rules changed under it.
const DECIDED_AGAIN: u32 = 5;

/// A delivery whose opening is on record.
#[derive(Debug)]
pub struct Released {
    /// Its row, opened.
    pub delivery: DeliveryRow,
    /// The message's row.
    pub message: MessageRow,
    /// What was decided on.
    pub document: MessageDocument,
    /// The right to open, by value.
    pub permit: ReleasePermit,
    /// What goes with it, in words.
    pub obligations: Vec<String>,
    /// The rules under which it was decided.
    pub rules: Arc<Rules>,
    /// It is under way until this is dropped: keep it until the bytes are gone.
    pub way: Way,
}

/// True if the recipient has been given (or is being given) the content.
#[must_use]
pub(crate) const fn was_given(state: DeliveryState) -> bool {
    matches!(
        state,
        DeliveryState::Opened | DeliveryState::Completed | DeliveryState::Uncertain
    )
}

/// What a caller hears of a delivery that is not its own, or not there.
pub(crate) fn not_found() -> StageError {
    Refusal::new(RefusalKind::NotFound, "there is no such delivery for you").into()
}

/// A recipient's own delivery, checked.
///
/// # Errors
/// [`RefusalKind::NotFound`] where it is not there or not the caller's.
pub(crate) fn own_delivery(
    gateway: &Gateway,
    id: &DeliveryId,
    recipient: &ParticipantId,
) -> Result<DeliveryRow, StageError> {
    let row = gateway.ledger.delivery(id)?.ok_or_else(not_found)?;
    if &row.recipient != recipient {
        return Err(not_found());
    }
    crate::rowmac::check_delivery(gateway, &row)?;
    anchored(gateway, &row)?;
    Ok(row)
}

/// A row that was put back from an older time is authentic, but not the newest:
/// its latest audit leaf says another version.
fn anchored(gateway: &Gateway, row: &DeliveryRow) -> Result<(), StageError> {
    let mine = anchor(row);
    let says = |leaf: &[u8]| -> Result<Option<bool>, StageError> {
        let record = Record::parse(leaf).map_err(|error| StageError::Corrupt(error.to_string()))?;
        Ok(record
            .event
            .details
            .get(Key::Rows)
            .map(|rows| names(rows, &mine)))
    };
    let latest = match gateway.ledger.last_leaf_of(&row.id)? {
        Some(leaf) => says(&leaf.record)?,
        None => None,
    };
    let good = match latest {
        Some(good) => good,
        // The last leaf anchors no row (an officer read or voted): look further back.
        None => {
            let mut found = None;
            for leaf in gateway.ledger.leaves_of(&row.message)?.iter().rev() {
                let record = Record::parse(&leaf.record)
                    .map_err(|error| StageError::Corrupt(error.to_string()))?;
                if record.event.delivery == Some(row.id)
                    && let Some(rows) = record.event.details.get(Key::Rows)
                {
                    found = Some(names(rows, &mine));
                    break;
                }
            }
            found.unwrap_or(false)
        }
    };
    if good {
        Ok(())
    } else {
        Err(StageError::Corrupt(format!(
            "delivery {} is not the version that the log anchors",
            row.id
        )))
    }
}

fn names(rows: &chancery_audit::Value, row: &str) -> bool {
    rows.as_list()
        .is_some_and(|rows| rows.iter().any(|one| one == row))
}

/// A delivery's message, checked.
pub(crate) fn message_of(
    gateway: &Gateway,
    row: &DeliveryRow,
) -> Result<(MessageRow, MessageDocument), StageError> {
    let message = gateway
        .ledger
        .message(&row.message)?
        .ok_or_else(not_found)?;
    crate::rowmac::check_message(gateway, &message)?;
    if message.state != MessageState::Sealed {
        return Err(not_found());
    }
    let document = MessageDocument::decode(&message.document)?;
    Ok((message, document))
}

/// The decision about a delivery, now, with what the originator answered.
pub(crate) fn judge(
    gateway: &Gateway,
    rules: &Rules,
    message: &MessageRow,
    document: &MessageDocument,
    row: &DeliveryRow,
    now: Timestamp,
) -> Result<Judgement, StageError> {
    let consent = consent::fact(gateway, row, now)?;
    judge_with(rules, message, document, row, consent, now)
}

/// The decision about a delivery with this consent.
pub(crate) fn judge_with(
    rules: &Rules,
    message: &MessageRow,
    document: &MessageDocument,
    row: &DeliveryRow,
    consent: Consent,
    now: Timestamp,
) -> Result<Judgement, StageError> {
    let sender = message.sender.as_ref().ok_or_else(not_found)?;
    Ok(rules.judge(&Question {
        message: message.id,
        document,
        sender,
        recipient: &row.recipient,
        channel: Some(row.channel),
        consent,
        now,
    }))
}

/// Whether a judgement lets a delivery go.
#[derive(Debug)]
pub(crate) enum Go {
    /// The rules permit it.
    Permitted,
    /// Officers approved exactly these facts; their votes count today.
    Approved(Closed),
    /// It does not go.
    No,
}

impl Go {
    pub(crate) const fn closed(&self) -> Option<&Closed> {
        match self {
            Self::Approved(closed) => Some(closed),
            Self::Permitted | Self::No => None,
        }
    }

    pub(crate) const fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }
}

/// A permit goes; a review goes if the votes in its case close it, counted anew.
pub(crate) fn lets_go(
    gateway: &Gateway,
    rules: &Rules,
    judgement: &Judgement,
    row: &DeliveryRow,
    now: Timestamp,
) -> Result<Go, StageError> {
    let case = match (judgement.verdict, &judgement.case) {
        (Verdict::Permit, _) => return Ok(Go::Permitted),
        (Verdict::Review, Some(case)) => case,
        (Verdict::Review | Verdict::Deny, _) => return Ok(Go::No),
    };
    let Some(stored) = gateway.ledger.case_of(&row.id)? else {
        return Ok(Go::No);
    };
    let votes = votes_of(gateway, &stored.id)?;
    Ok(
        match review::close(case, &votes, &gateway.node.name, &rules.directory().at(now)) {
            review::Outcome::Approved(closed) => Go::Approved(closed),
            review::Outcome::Open { .. }
            | review::Outcome::NotByVotes(_)
            | review::Outcome::Refused { .. } => Go::No,
        },
    )
}

/// The votes of a case, as they were cast.
pub(crate) fn votes_of(
    gateway: &Gateway,
    case: &chancery_message::CaseId,
) -> Result<Vec<Cast>, StageError> {
    gateway
        .ledger
        .votes(case)?
        .iter()
        .map(|vote| {
            serde_json::from_slice(&vote.document)
                .map_err(|_| StageError::Corrupt("a stored vote cannot be read".to_owned()))
        })
        .collect()
}

/// Decides a delivery again and, if it may go, records its opening and gives
/// out the permit. `by` is who it is opened for, in the record; `over` what will
/// carry it.
///
/// # Errors
/// [`RefusalKind::NotFound`], [`RefusalKind::NotNow`], [`RefusalKind::Denied`],
/// [`RefusalKind::WeakProtection`] (both recorded); others when ledger or keys fail.
pub fn release(
    gateway: &Gateway,
    id: &DeliveryId,
    recipient: &ParticipantId,
    by: &Actor,
    over: Over<'_>,
) -> Result<Released, StageError> {
    for _ in 0..DECIDED_AGAIN {
        match release_once(gateway, id, recipient, by, over) {
            Err(StageError::Ledger(LedgerError::Conflict)) => {}
            other => return other,
        }
    }
    Err(StageError::Ledger(LedgerError::Conflict))
}

fn release_once(
    gateway: &Gateway,
    id: &DeliveryId,
    recipient: &ParticipantId,
    by: &Actor,
    over: Over<'_>,
) -> Result<Released, StageError> {
    let row = own_delivery(gateway, id, recipient)?;
    let open_now = match row.state {
        DeliveryState::Queued | DeliveryState::Deferred => true,
        // Fetched again before it was acknowledged: the same delivery.
        DeliveryState::Opened => row.channel.is_pulled(),
        DeliveryState::Held
        | DeliveryState::Refused
        | DeliveryState::Completed
        | DeliveryState::Expired
        | DeliveryState::Uncertain
        | DeliveryState::Withdrawn => false,
    };
    if !open_now {
        // A held or refused delivery is nobody's to know of; an ended one is told.
        return Err(match row.state {
            DeliveryState::Completed => {
                Refusal::new(RefusalKind::NotNow, "this delivery was acknowledged before").into()
            }
            _ => not_found(),
        });
    }
    if gateway.node.hold_for_receipts
        && row.state != DeliveryState::Opened
        && due::owes(gateway, recipient, row.channel)?
    {
        return Err(Refusal::new(
            RefusalKind::NotNow,
            "a receipt of yours is overdue: acknowledge what you were given, then this goes",
        )
        .into());
    }
    let (message, meta) = message_of(gateway, &row)?;
    let mut document = DeliveryDocument::decode(&row.document)?;
    let now = gateway.now();
    // Begun before the rules are read: who changes them later sees it.
    let way = gateway.under_way.begin(row.id);
    let rules = gateway.rules();
    protection::given(gateway, &rules, &row, meta.label.as_ref(), over, now)?;
    let judgement = judge(gateway, &rules, &message, &meta, &row, now)?;
    let go = lets_go(gateway, &rules, &judgement, &row, now)?;
    if registry::holds_up(gateway, &judgement, &meta, &message, &row)? {
        return Err(registry::not_yet(gateway, &row)?);
    }
    if go.is_no() {
        let originator = message
            .sender
            .as_ref()
            .and_then(|sender| consent::originator_of(&meta, sender));
        return Err(turned_down(
            gateway, &rules, &row, &document, &judgement, originator, now,
        )?);
    }

    document.opened_at.get_or_insert(now);
    document.since = now;
    document.epoch = rules.epoch();
    document.facts.clone_from(&judgement.facts);
    document.policy = judgement.policy;
    document.obligations.clone_from(&judgement.obligations);
    let mut opened = DeliveryRow {
        version: row.version + 1,
        state: DeliveryState::Opened,
        attempts: row.attempts.saturating_add(1),
        next_at: None,
        document: document.encode()?,
        ..row
    };
    opened.mac = crate::rowmac::delivery(gateway, &opened);
    let event = Event::new(EventKind::ReleaseOpened, now, by.clone())
        .message(opened.message)
        .delivery(opened.id)
        .detail(Key::Recipient, recipient.as_str())
        .detail(Key::Channel, opened.channel.name())
        .detail(Key::Attempt, i64::from(opened.attempts))
        .detail(Key::Epoch, i64::try_from(rules.epoch()).unwrap_or(i64::MAX))
        .detail(Key::Policy, hex::encode(judgement.policy))
        .detail(Key::Obligations, judgement.obligations.clone())
        .detail(Key::Rows, [anchor(&opened)])
        .detail_if(
            Key::Mou,
            judgement.mou.as_ref().map(|mou| mou.as_str().to_owned()),
        )
        .detail_if(
            Key::Articles,
            (!judgement.articles.is_empty()).then(|| judgement.articles.clone()),
        );
    gateway.ledger.commit(Step {
        guards: vec![Guard::Epoch(rules.epoch())],
        writes: vec![Write::UpdateDelivery(Box::new(opened.clone()))],
        events: vec![event],
    })?;
    way.decided(rules.epoch());
    let permit = judgement.permit(message.id, recipient, go.closed(), now)?;
    Ok(Released {
        delivery: opened,
        message,
        document: meta,
        permit,
        obligations: judgement.obligations,
        rules,
        way,
    })
}

/// The rules do not let it go any more: recorded, and told.
fn turned_down(
    gateway: &Gateway,
    rules: &Rules,
    row: &DeliveryRow,
    document: &DeliveryDocument,
    judgement: &Judgement,
    originator: Option<ParticipantId>,
    now: Timestamp,
) -> Result<StageError, StageError> {
    let mut step = Step {
        guards: vec![Guard::Epoch(rules.epoch())],
        ..Step::default()
    };
    let mut changed = DeliveryRow {
        version: row.version + 1,
        state: DeliveryState::Refused,
        next_at: None,
        ..row.clone()
    };
    let mut next = DeliveryDocument {
        case: document.case,
        opened_at: document.opened_at,
        since: now,
        ..judgement.document(rules.epoch())
    };
    if judgement.verdict == Verdict::Review {
        changed.state = DeliveryState::Held;
        next.case = Some(hold_again(
            gateway,
            &mut step,
            &QueueInput {
                message: row.message,
                delivery: row.id,
                position: row.position,
                recipient: row.recipient.clone(),
                role: row.role,
                precedence: row.precedence,
                judgement,
                originator,
                now,
            },
        )?);
    }
    changed.document = next.encode()?;
    changed.mac = crate::rowmac::delivery(gateway, &changed);
    step.events.insert(
        0,
        verdict_event(judgement, &changed, next.case, rules.epoch(), now),
    );
    step.events.extend(
        judgement
            .alarm_events("release", now)
            .map(|event| event.message(row.message).delivery(row.id)),
    );
    step.writes
        .insert(0, Write::UpdateDelivery(Box::new(changed)));
    gateway.ledger.commit(step)?;
    Ok(Refusal::new(
        RefusalKind::Denied,
        "the rules do not allow this release any more; your registry can see why",
    )
    .into())
}
