//! A change that widens: one security officer proposes it, another approves
//! it, and it is in force at once, on all processes, by the epoch.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{OfficerId, Timestamp};
use chancery_policy::approval::{Signed, Vote};
use chancery_policy::directory;
use chancery_policy::widening::{self, Given};
use serde::{Deserialize, Serialize};

use super::change::{ChangeError, Checked};
use super::enact::{book, damaged, decided, epoch_after, rejected, signed_by};
use super::keeper::{changed, changed_entries};
use super::{Book, Change, Keeper, RuleText};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{Step, Write};
use crate::rows::DocumentKind;

/// After so many days a proposal is to be made anew.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

/// A proposed change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Its id: the beginning of its digest.
    pub id: String,
    /// The kind of text ([`DocumentKind::word`]).
    pub kind: String,
    /// Which text.
    pub key: String,
    /// The text as it is to be.
    pub text: String,
    /// Why.
    pub why: String,
    /// Who proposes it.
    pub by: OfficerId,
    /// When.
    pub at: Timestamp,
    /// Of a policy set: its evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Digest of the text that it changes, hexadecimal; none for a new one.
    pub base: Option<String>,
    /// Where it stands.
    pub state: ProposalState,
    /// The signatures so far.
    pub approvals: Vec<Signed>,
}

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProposalState {
    /// Waits for another officer.
    Open,
    /// In force, or followed by later ones.
    InForce,
    /// An officer refused it.
    Refused,
}

impl Proposal {
    /// What both officers sign; none where its kind is not of this version.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        let kind = DocumentKind::from_word(&self.kind)?;
        Some(Change {
            rule: RuleText::new(kind, &self.key, self.text.clone()),
            why: self.why.clone(),
            evidence: self.evidence.clone(),
        })
    }

    fn is_of(&self, rule: &RuleText) -> bool {
        self.kind == rule.kind.word() && self.key == rule.key && self.text == rule.text
    }
}

/// Takes a proposal in: signed by its proposer, whole, and different from what
/// is in force.
///
/// # Errors
/// [`RefusalKind::Denied`], [`RefusalKind::Invalid`] with everything that is
/// wrong with the text, [`RefusalKind::NotNow`]; each recorded.
pub fn propose(
    gateway: &Gateway,
    change: &Change,
    signed: &Signed,
) -> Result<Proposal, StageError> {
    let (officer, rule) = (signed.officer().clone(), &change.rule);
    let book = book(gateway)?;
    let directory = book.directory(book.epoch()).map_err(damaged)?;
    if signed_by(gateway, &directory, change, signed)? == Vote::Refuse {
        return Err(Refusal::new(RefusalKind::Invalid, "a proposal is an approval").into());
    }
    let reject = |kind, why| Err(rejected(gateway, rule, &officer, kind, why));
    if change.why.trim().is_empty() {
        return reject(
            RefusalKind::Invalid,
            "say why: the reason is signed and recorded".to_owned(),
        );
    }
    if let Some(wrong) = invalid(gateway, &book, rule) {
        return reject(RefusalKind::Invalid, wrong);
    }
    let now = gateway.now();
    let known = book.text(rule.kind, &rule.key);
    if known.is_some_and(|version| version.text == rule.text) {
        return reject(
            RefusalKind::NotNow,
            "exactly this is in force already".to_owned(),
        );
    }
    if book
        .proposals()
        .values()
        .any(|other| other.state == ProposalState::Open && other.is_of(rule))
    {
        return reject(
            RefusalKind::NotNow,
            "this is proposed already: another officer approves it".to_owned(),
        );
    }
    let checked = match evidence(gateway, change, &book) {
        Ok(checked) => checked,
        Err(ChangeError::Stage(error)) => return Err(error),
        Err(error @ ChangeError::Replay { .. }) => {
            return reject(RefusalKind::NotNow, error.to_string());
        }
        Err(error @ ChangeError::Evidence(_)) => {
            return reject(RefusalKind::Invalid, error.to_string());
        }
    };
    let proposal = Proposal {
        id: hex::encode(change.digest()).chars().take(12).collect(),
        kind: rule.kind.word().to_owned(),
        key: rule.key.clone(),
        text: rule.text.clone(),
        why: change.why.clone(),
        by: officer.clone(),
        at: now,
        evidence: change.evidence.clone(),
        base: base(&book, rule),
        state: ProposalState::Open,
        approvals: vec![signed.clone()],
    };
    let event = Event::new(
        EventKind::RulesProposed,
        now,
        Actor::Officer(officer.clone()),
    )
    .detail(Key::Digest, hex::encode(rule.digest()))
    .detail(Key::Name, rule.key.as_str())
    .detail(Key::Officer, officer.as_str())
    .detail(Key::Reason, proposal.why.as_str())
    .detail(Key::Epoch, epoch_after(&book, 1))
    .detail_if(Key::Evidence, change.evidence_digest());
    let event = match &checked {
        Some(checked) => checked.describe(event),
        None => event,
    };
    let step = Step {
        guards: Vec::new(),
        writes: vec![
            Write::InsertNonce(signed.record.nonce),
            row(gateway, &book, &proposal)?,
        ],
        events: vec![event],
    };
    decided(gateway, rule, &officer, &book, step)?;
    Ok(proposal)
}

/// Another officer's signature: the change is in force, or, with a vote
/// against, refused for good.
///
/// # Errors
/// [`RefusalKind::NotFound`], [`RefusalKind::Denied`] (the same officer, a
/// signature that does not fit), [`RefusalKind::NotNow`] where what it changes
/// has changed meanwhile; each recorded.
pub fn approve(gateway: &Gateway, id: &str, signed: &Signed) -> Result<Proposal, StageError> {
    let book = book(gateway)?;
    let proposal = book
        .proposals()
        .get(id)
        .filter(|one| one.state == ProposalState::Open)
        .cloned()
        .ok_or_else(|| Refusal::new(RefusalKind::NotFound, "there is no such open proposal"))?;
    let change = proposal
        .change()
        .ok_or_else(|| damaged("a stored proposal cannot be read"))?;
    let rule = &change.rule;
    let directory = book.directory(book.epoch()).map_err(damaged)?;
    let vote = signed_by(gateway, &directory, &change, signed)?;
    let (now, officer) = (gateway.now(), signed.officer().clone());
    let reject = |kind, why: String| Err(rejected(gateway, rule, &officer, kind, why));
    let mut after = proposal.clone();
    after.approvals.push(signed.clone());
    if vote == Vote::Refuse {
        after.state = ProposalState::Refused;
        let event = Event::new(
            EventKind::RulesDiscarded,
            now,
            Actor::Officer(officer.clone()),
        )
        .detail(Key::Digest, hex::encode(rule.digest()))
        .detail(Key::Name, rule.key.as_str())
        .detail(Key::Officer, officer.as_str())
        .detail(Key::Epoch, epoch_after(&book, 1));
        let step = Step {
            guards: Vec::new(),
            writes: vec![
                Write::InsertNonce(signed.record.nonce),
                row(gateway, &book, &after)?,
            ],
            events: vec![event],
        };
        decided(gateway, rule, &officer, &book, step)?;
        return Ok(after);
    }
    if proposal.by == officer {
        return reject(
            RefusalKind::Denied,
            "whoever proposes does not approve: another security officer must".to_owned(),
        );
    }
    if base(&book, rule) != proposal.base || proposal.at.after(LONGEST) < now {
        return reject(
            RefusalKind::NotNow,
            "what it changes has changed since, or it is too old: propose it again".to_owned(),
        );
    }
    // The proposer's signature counts from when it was taken in, if its officer
    // is in office today.
    for one in &proposal.approvals {
        let counts = widening::check(
            one,
            &gateway.node.name,
            rule.operation(),
            change.digest(),
            Given::At(proposal.at),
            &directory.at(now),
        );
        if let Err(error) = counts {
            return reject(RefusalKind::Denied, error.to_string());
        }
    }
    if let Some(wrong) = invalid(gateway, &book, rule) {
        return reject(RefusalKind::Invalid, wrong);
    }
    // What was proposed days ago must still be what it says it is.
    let checked = match change.check(&book) {
        Ok(checked) => checked,
        Err(error) => return reject(RefusalKind::NotNow, error.to_string()),
    };
    after.state = ProposalState::InForce;
    let next = book.with(rule, &after.approvals);
    let keeper = Keeper {
        ledger: gateway.ledger.as_ref(),
        row_key: &gateway.row_key,
        node: &gateway.node.name,
        now,
    };
    let mut step = Step::default();
    step.writes.push(Write::InsertNonce(signed.record.nonce));
    let mut known = book.clone();
    known.nonces.insert(signed.record.nonce);
    keeper
        .add(
            &mut step,
            &known,
            &change,
            &after.approvals,
            book.epoch() + 2,
        )
        .map_err(damaged)?;
    if let Some(checked) = &checked {
        step.events = step
            .events
            .into_iter()
            .map(|event| {
                checked
                    .describe(event)
                    .detail(Key::Previous, hex::encode(book.running()))
            })
            .collect();
    }
    step.events
        .extend(changed_entries(&book, &next, rule, now).map_err(damaged)?);
    step.writes.push(row(gateway, &book, &after)?);
    decided(gateway, rule, &officer, &next, step)?;
    Ok(after)
}

/// The proposals that wait for another officer.
///
/// # Errors
/// [`StageError`] when the ledger fails.
pub fn open(gateway: &Gateway) -> Result<Vec<Proposal>, StageError> {
    Ok(book(gateway)?
        .proposals()
        .values()
        .filter(|one| one.state == ProposalState::Open)
        .cloned()
        .collect())
}

/// Everything that would be wrong with the rules if this were in force.
fn invalid(gateway: &Gateway, book: &Book, rule: &RuleText) -> Option<String> {
    if rule.kind == DocumentKind::Suspension {
        let suspended = rule
            .key
            .parse()
            .is_ok_and(|subject| book.suspended().contains(&subject));
        return (!suspended).then(|| format!("{} is not suspended", rule.key));
    }
    if rule.kind == DocumentKind::Proposal {
        return Some("this cannot be proposed".to_owned());
    }
    let next = match book
        .with(rule, &[])
        .rules(book.epoch(), Some(gateway.rules().shared_engine()))
    {
        Ok(next) => next,
        Err(error) => return Some(error.to_string()),
    };
    if rule.kind != DocumentKind::Participant {
        return None;
    }
    let before = match book.directory(book.epoch()) {
        Ok(before) => before,
        Err(error) => return Some(error.to_string()),
    };
    // What is entered now must not be over already; what was entered long ago may be.
    let changed = changed(
        before.participants(),
        next.directory().participants(),
        |one| one.id.to_string(),
    );
    let ended = directory::ended(&rule.text, next.directory(), &changed, gateway.now());
    (!ended.is_empty()).then(|| {
        let all: Vec<String> = ended.iter().map(ToString::to_string).collect();
        all.join("\n")
    })
}

/// The evidence of a change, whole: what it is about, its cases, its replay.
fn evidence(
    gateway: &Gateway,
    change: &Change,
    book: &Book,
) -> Result<Option<Checked>, ChangeError> {
    let checked = change.check(book)?;
    if let Some(checked) = &checked {
        checked.replay(gateway)?;
    }
    Ok(checked)
}

fn base(book: &Book, rule: &RuleText) -> Option<String> {
    let version = book.text(rule.kind, &rule.key)?;
    let known = RuleText::new(rule.kind, &rule.key, version.text.clone());
    Some(hex::encode(known.digest()))
}

fn row(gateway: &Gateway, book: &Book, proposal: &Proposal) -> Result<Write, StageError> {
    let document = serde_json::to_vec(proposal).map_err(damaged)?;
    Ok(book.row(
        DocumentKind::Proposal,
        &proposal.id,
        document,
        &gateway.row_key,
        gateway.now(),
    ))
}
