//! Station 7: what officers see and do. Votes are signed and bind the digest of
//! message, label, recipient, facts and gates; they are counted anew when the
//! delivery is released. A refusal wins; a deny never closes by a vote. What
//! officers read is `reading`'s.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{CaseId, MessageId, OfficerId, Timestamp};
use chancery_policy::approval::{Signed, Vote};
use chancery_policy::review::{self, Case, Cast, Outcome as Counted};
use serde::{Deserialize, Serialize};

use crate::documents::{DeliveryDocument, Document, MessageDocument};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{LedgerError, Step, Write};
use crate::rows::{CaseRow, CaseState, DeliveryRow, DeliveryState, MessageRow, VoteRow};
use crate::stages::consent::Asked;
use crate::stages::orders::{denied, label_digest, officer_for};
use crate::stages::queue::anchor;
use crate::stages::release::votes_of;

/// What a case keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseDocument {
    /// The held release; none for a message in quarantine.
    pub case: Option<Case>,
    /// The facts, canonical JSON.
    pub facts: String,
    /// How many officers must approve; none where votes do not close it.
    pub quorum: Option<usize>,
    /// The request for the originator's consent, and what it answered.
    #[serde(default)]
    pub consent: Option<Asked>,
    /// Who has taken it up.
    #[serde(default)]
    pub claimed: Option<Claim>,
}

/// An officer works on a case: others see it, and may vote all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Who.
    pub officer: OfficerId,
    /// Until when.
    pub until: Timestamp,
}

impl Document for CaseDocument {
    const WHAT: &'static str = "case";

    // JSON: gates and digests read themselves from text.
    fn encode(&self) -> Result<Vec<u8>, crate::documents::UnreadableDocument> {
        serde_json::to_vec(self).map_err(|_| crate::documents::UnreadableDocument(Self::WHAT))
    }

    fn decode(bytes: &[u8]) -> Result<Self, crate::documents::UnreadableDocument> {
        serde_json::from_slice(bytes).map_err(|_| crate::documents::UnreadableDocument(Self::WHAT))
    }
}

/// A case as an officer sees it in the list: no content.
#[derive(Clone, Debug, Serialize)]
pub struct CaseCard {
    /// Its id.
    pub case: String,
    /// The message.
    pub message: String,
    /// Who sent it; none where nobody was proven.
    pub sender: Option<String>,
    /// To whom it would go; none for a message in quarantine.
    pub recipient: Option<String>,
    /// The label; none in quarantine.
    pub label: Option<String>,
    /// The gates that ask.
    pub gates: Vec<String>,
    /// What would close it: `2 votes`, `a label`, `the originator's consent`.
    pub closes_by: String,
    /// Votes so far.
    pub votes: Vec<VoteCard>,
    /// `open`, `approved`, `refused`, `superseded`.
    pub state: String,
    /// Since when.
    pub opened_at: String,
    /// By when it should be judged.
    pub due_at: String,
    /// What a vote signs, hexadecimal.
    pub digest: String,
    /// Why a message is in quarantine.
    pub quarantine: Option<String>,
    /// Who has taken it up, and until when.
    pub claimed: Option<String>,
    /// Who is asked for consent, and until when.
    pub asked: Option<String>,
}

/// A vote in a list.
#[derive(Clone, Debug, Serialize)]
pub struct VoteCard {
    /// Whose.
    pub officer: String,
    /// `approve` or `refuse`.
    pub vote: String,
    /// When.
    pub at: String,
}

pub(crate) fn no_case() -> StageError {
    Refusal::new(RefusalKind::NotFound, "there is no such case").into()
}

pub(crate) fn load(
    gateway: &Gateway,
    id: &CaseId,
) -> Result<(CaseRow, CaseDocument, MessageRow, MessageDocument), StageError> {
    let row = gateway.ledger.case(id)?.ok_or_else(no_case)?;
    crate::rowmac::check_case(gateway, &row)?;
    let document = CaseDocument::decode(&row.document)?;
    let message = gateway.ledger.message(&row.message)?.ok_or_else(no_case)?;
    crate::rowmac::check_message(gateway, &message)?;
    let meta = MessageDocument::decode(&message.document)?;
    Ok((row, document, message, meta))
}

/// The open cases, the most urgent first.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn list(gateway: &Gateway, limit: u32) -> Result<Vec<CaseCard>, StageError> {
    gateway
        .ledger
        .open_cases(limit)?
        .into_iter()
        .map(|row| card_of(gateway, &row.id))
        .collect()
}

pub(crate) fn card_of(gateway: &Gateway, id: &CaseId) -> Result<CaseCard, StageError> {
    let (row, document, message, meta) = load(gateway, id)?;
    let votes = gateway.ledger.votes(id)?;
    let case = document.case.as_ref();
    Ok(CaseCard {
        case: row.id.to_string(),
        message: row.message.to_string(),
        sender: message.sender.map(|sender| sender.to_string()),
        recipient: case.map(|case| case.recipient.to_string()),
        label: meta.label.as_ref().map(chancery_label::marking::format),
        gates: case.map_or_else(
            || vec!["G02".to_owned()],
            |case| case.gates.iter().map(ToString::to_string).collect(),
        ),
        closes_by: match case.map(Case::waits_for) {
            None | Some(review::Waits::Label) => "a label".to_owned(),
            Some(review::Waits::Consent) => "the originator's consent".to_owned(),
            Some(review::Waits::Votes(1)) => "1 vote".to_owned(),
            Some(review::Waits::Votes(needed)) => format!("{needed} votes of different officers"),
        },
        votes: votes
            .iter()
            .map(|vote| VoteCard {
                officer: vote.officer.to_string(),
                vote: if vote.approve { "approve" } else { "refuse" }.to_owned(),
                at: vote.at.to_string(),
            })
            .collect(),
        state: row.state.to_string(),
        opened_at: row.opened_at.to_string(),
        due_at: row.due_at.to_string(),
        digest: hex::encode(row.digest),
        quarantine: meta.quarantine,
        claimed: document
            .claimed
            .filter(|claim| claim.until > gateway.now())
            .map(|claim| format!("{} until {}", claim.officer, claim.until)),
        asked: document.consent.map(|asked| {
            let request = asked.request;
            format!("{} until {}", request.originator, request.answer_by)
        }),
    })
}

/// Takes an officer's signed vote, and closes the case if it decides it.
///
/// # Errors
/// [`RefusalKind::Denied`] for a vote that does not count (recorded);
/// [`RefusalKind::NotNow`] where the case is closed or the officer voted before.
pub fn vote(gateway: &Gateway, id: &CaseId, signed: &Signed) -> Result<CaseCard, StageError> {
    let (row, document, _, _) = load(gateway, id)?;
    let now = gateway.now();
    let rules = gateway.rules();
    let view = rules.directory().at(now);
    let Some(case) = &document.case else {
        return Err(Refusal::new(
            RefusalKind::NotNow,
            "a message without a label closes by a label: `chancery review label`",
        )
        .into());
    };
    if row.state != CaseState::Open {
        return Err(Refusal::new(
            RefusalKind::NotNow,
            format!("the case is {} already", row.state),
        )
        .into());
    }
    let cast = Cast {
        signed: signed.clone(),
        at: now,
    };
    let (officer, vote) = match review::check(case, &cast, &gateway.node.name, &view) {
        Ok(counted) => counted,
        Err(refused) => {
            denied(
                gateway,
                signed.officer(),
                "review.vote",
                &refused.to_string(),
            )?;
            return Err(Refusal::new(RefusalKind::Denied, refused.to_string()).into());
        }
    };
    let mut votes = votes_of(gateway, id)?;
    votes.push(cast.clone());
    let counted = review::close(case, &votes, &gateway.node.name, &view);
    let approve = vote == Vote::Approve;
    let mut step = Step::default();
    step.writes.push(Write::InsertNonce(signed.record.nonce));
    step.writes.push(Write::InsertVote(Box::new(VoteRow {
        case: *id,
        officer: officer.clone(),
        at: now,
        approve,
        document: serde_json::to_vec(&cast)
            .map_err(|_| StageError::Corrupt("a vote cannot be written".to_owned()))?,
    })));
    let mut event = Event::new(EventKind::ReviewVoted, now, Actor::Officer(officer.clone()))
        .message(row.message)
        .detail(Key::Case, id.to_string())
        .detail(Key::Officer, officer.as_str())
        .detail(Key::Digest, hex::encode(case.digest))
        .detail(Key::Vote, if approve { "approve" } else { "refuse" });
    if let Some(delivery) = row.delivery {
        event = event.delivery(delivery);
    }
    step.events.push(event);
    match counted {
        Counted::Approved(_) => {
            close(gateway, &mut step, &row, CaseState::Approved, &officer, now)?
        }
        Counted::Refused { .. } => {
            close(gateway, &mut step, &row, CaseState::Refused, &officer, now)?
        }
        Counted::Open { .. } => {}
        Counted::NotByVotes(_) => {
            return Err(Refusal::new(
                RefusalKind::NotNow,
                "this case waits for the originator's consent: no vote closes it",
            )
            .into());
        }
    }
    match gateway.ledger.commit(step) {
        Ok(_) => card_of(gateway, id),
        Err(LedgerError::Duplicate { what: "nonce", .. }) => {
            denied(gateway, &officer, "review.vote", "a replayed approval")?;
            Err(Refusal::new(
                RefusalKind::Replayed,
                "this approval was used before: sign anew",
            )
            .into())
        }
        Err(LedgerError::Duplicate { .. }) => {
            denied(
                gateway,
                &officer,
                "review.vote",
                "a second vote of the same officer",
            )?;
            Err(Refusal::new(RefusalKind::NotNow, "you have voted in this case").into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Closes a case and moves its delivery.
fn close(
    gateway: &Gateway,
    step: &mut Step,
    row: &CaseRow,
    state: CaseState,
    officer: &OfficerId,
    now: Timestamp,
) -> Result<(), StageError> {
    let mut closed = CaseRow {
        version: row.version + 1,
        state,
        ..row.clone()
    };
    closed.mac = crate::rowmac::case(gateway, &closed);
    step.writes.push(Write::UpdateCase(Box::new(closed)));
    let mut event = Event::new(
        EventKind::ReviewClosed,
        now,
        Actor::Officer(officer.clone()),
    )
    .message(row.message)
    .detail(Key::Case, row.id.to_string())
    .detail(Key::Outcome, state.word())
    .detail(Key::Officer, officer.as_str());
    if let Some(id) = row.delivery
        && let Some(delivery) = gateway.ledger.delivery(&id)?
        && delivery.state == DeliveryState::Held
    {
        crate::rowmac::check_delivery(gateway, &delivery)?;
        let moved = moved(gateway, &delivery, state, now)?;
        event = event.delivery(id).detail(Key::Rows, [anchor(&moved)]);
        step.writes.push(Write::UpdateDelivery(Box::new(moved)));
    }
    step.events.push(event);
    Ok(())
}

fn moved(
    gateway: &Gateway,
    delivery: &DeliveryRow,
    state: CaseState,
    now: Timestamp,
) -> Result<DeliveryRow, StageError> {
    let mut document = DeliveryDocument::decode(&delivery.document)?;
    document.since = now;
    let approved = state == CaseState::Approved;
    document.reason = if approved {
        "released after review".to_owned()
    } else {
        "an officer refused the release".to_owned()
    };
    let mut moved = DeliveryRow {
        version: delivery.version + 1,
        state: if approved {
            DeliveryState::Queued
        } else {
            DeliveryState::Refused
        },
        next_at: (approved && !delivery.channel.is_pulled()).then_some(now),
        document: document.encode()?,
        ..delivery.clone()
    };
    moved.mac = crate::rowmac::delivery(gateway, &moved);
    Ok(moved)
}

/// Refuses a message in quarantine for good: one officer is enough to narrow.
///
/// # Errors
/// [`RefusalKind::Denied`] where the officer may not.
pub fn reject(gateway: &Gateway, id: &MessageId, signed: &Signed) -> Result<(), StageError> {
    use crate::rows::MessageState;
    let row = gateway.ledger.message(id)?.ok_or_else(no_case)?;
    crate::rowmac::check_message(gateway, &row)?;
    if row.state != MessageState::Quarantined {
        return Err(
            Refusal::new(RefusalKind::NotNow, format!("the message is {}", row.state)).into(),
        );
    }
    let officer = officer_for(gateway, signed, "review.reject", label_digest(id, ""))?;
    let now = gateway.now();
    let mut rejected = MessageRow {
        version: row.version + 1,
        state: MessageState::Rejected,
        ..row
    };
    rejected.mac = crate::rowmac::message(gateway, &rejected);
    let mut step = Step::default();
    step.writes.push(Write::InsertNonce(signed.record.nonce));
    step.writes.push(Write::UpdateMessage(Box::new(rejected)));
    close_quarantine_case(gateway, &mut step, id, CaseState::Refused, &officer, now)?;
    gateway.ledger.commit(step)?;
    Ok(())
}

/// Adds the closing of a quarantine case to a step.
pub(crate) fn close_quarantine_case(
    gateway: &Gateway,
    step: &mut Step,
    message: &MessageId,
    state: CaseState,
    officer: &OfficerId,
    now: Timestamp,
) -> Result<(), StageError> {
    let open = gateway.ledger.open_cases(1000)?;
    for row in open
        .iter()
        .filter(|row| row.message == *message && row.delivery.is_none())
    {
        crate::rowmac::check_case(gateway, row)?;
        close(gateway, step, row, state, officer, now)?;
    }
    Ok(())
}
