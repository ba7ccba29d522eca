//! A change that widens: one security officer proposes it, another approves
//! it, and it is in force at once, on all processes, by the epoch.

use std::fmt::Display;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::{OfficerId, Timestamp};
use chancery_policy::approval::{Signed, Vote};
use chancery_policy::widening::{self, Given};
use serde::{Deserialize, Serialize};

use super::keeper::changed_entries;
use super::{Book, BookError, Keeper, RuleText};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{Guard, LedgerError, Step, Write};
use crate::rows::DocumentKind;
use crate::stages::orders::denied;

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
    fn rule(&self) -> Option<RuleText> {
        let kind = DocumentKind::from_word(&self.kind)?;
        Some(RuleText::new(kind, &self.key, self.text.clone()))
    }
}

fn damaged(error: impl Display) -> StageError {
    StageError::Corrupt(error.to_string())
}

/// The gateway's book as it stands.
pub(crate) fn book(gateway: &Gateway) -> Result<Book, StageError> {
    Book::read(gateway.ledger.as_ref(), &gateway.row_key).map_err(|error| match error {
        BookError::Ledger(error) => error.into(),
        other => damaged(other),
    })
}

/// A signature over this text, by a security officer in office.
fn signed_by(gateway: &Gateway, rule: &RuleText, signed: &Signed) -> Result<Vote, StageError> {
    let now = gateway.now();
    let rules = gateway.rules();
    let checked = widening::check(
        signed,
        &gateway.node.name,
        rule.operation(),
        rule.digest(),
        Given::At(now),
        &rules.directory().at(now),
    );
    match checked {
        Ok(verified) => Ok(verified.vote()),
        Err(error) => {
            let why = error.to_string();
            denied(gateway, signed.officer(), rule.operation(), &why)?;
            Err(Refusal::new(RefusalKind::Denied, why).into())
        }
    }
}

/// Refused, with its one record; what is in force stays.
fn rejected(
    gateway: &Gateway,
    rule: &RuleText,
    officer: &OfficerId,
    kind: RefusalKind,
    why: String,
) -> StageError {
    let mut short = why.replace('\n', "; ");
    short.truncate(short.floor_char_boundary(300));
    let event = Event::new(
        EventKind::RulesRejected,
        gateway.now(),
        Actor::Officer(officer.clone()),
    )
    .detail(Key::Digest, hex::encode(rule.digest()))
    .detail(Key::Name, rule.key.as_str())
    .detail(Key::Officer, officer.as_str())
    .detail(Key::Rule, rule.operation())
    .detail(Key::Reason, short);
    match gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    }) {
        Ok(_) => Refusal::new(kind, why).into(),
        Err(error) => error.into(),
    }
}

/// Commits a step that changes the book, and puts the book's rules in force
/// under the epoch after it.
pub(crate) fn enact(gateway: &Gateway, next: &Book, mut step: Step) -> Result<u64, StageError> {
    let current = gateway.rules();
    let documents = step
        .writes
        .iter()
        .filter(|write| matches!(write, Write::InsertDocument(_)))
        .count();
    let epoch = current.epoch() + documents as u64;
    let rules = next
        .rules(epoch, Some(current.shared_engine()))
        .map_err(damaged)?;
    step.guards.push(Guard::Epoch(current.epoch()));
    match gateway.ledger.commit(step) {
        Ok(_) => {
            gateway.replace_rules(rules);
            Ok(epoch)
        }
        Err(LedgerError::Duplicate { what: "nonce", .. }) => Err(Refusal::new(
            RefusalKind::Replayed,
            "this signature was used before: sign anew",
        )
        .into()),
        Err(error) => Err(error.into()),
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
    rule: &RuleText,
    why: &str,
    signed: &Signed,
) -> Result<Proposal, StageError> {
    let officer = signed.officer().clone();
    if signed_by(gateway, rule, signed)? == Vote::Refuse {
        return Err(Refusal::new(RefusalKind::Invalid, "a proposal is an approval").into());
    }
    let book = book(gateway)?;
    let reject = |kind, why| Err(rejected(gateway, rule, &officer, kind, why));
    if why.trim().is_empty() {
        return reject(
            RefusalKind::Invalid,
            "say why: the reason is recorded".to_owned(),
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
    let digest = hex::encode(rule.digest());
    let proposal = Proposal {
        id: digest.chars().take(12).collect(),
        kind: rule.kind.word().to_owned(),
        key: rule.key.clone(),
        text: rule.text.clone(),
        why: why.trim().to_owned(),
        by: officer.clone(),
        at: now,
        base: base(&book, rule),
        state: ProposalState::Open,
        approvals: vec![signed.clone()],
    };
    if book
        .proposals()
        .get(&proposal.id)
        .is_some_and(|other| other.state == ProposalState::Open)
    {
        return reject(
            RefusalKind::NotNow,
            "this is proposed already: another officer approves it".to_owned(),
        );
    }
    let event = Event::new(
        EventKind::RulesProposed,
        now,
        Actor::Officer(officer.clone()),
    )
    .detail(Key::Digest, digest)
    .detail(Key::Name, rule.key.as_str())
    .detail(Key::Officer, officer.as_str())
    .detail(Key::Reason, proposal.why.as_str());
    let step = Step {
        guards: Vec::new(),
        writes: vec![
            Write::InsertNonce(signed.record.nonce),
            row(gateway, &book, &proposal)?,
        ],
        events: vec![event],
    };
    enact(gateway, &book, step)?;
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
    let rule = proposal
        .rule()
        .ok_or_else(|| damaged("a stored proposal cannot be read"))?;
    let vote = signed_by(gateway, &rule, signed)?;
    let (now, officer) = (gateway.now(), signed.officer().clone());
    let reject = |kind, why: String| Err(rejected(gateway, &rule, &officer, kind, why));
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
        .detail(Key::Officer, officer.as_str());
        let step = Step {
            guards: Vec::new(),
            writes: vec![
                Write::InsertNonce(signed.record.nonce),
                row(gateway, &book, &after)?,
            ],
            events: vec![event],
        };
        enact(gateway, &book, step)?;
        return Ok(after);
    }
    if proposal.by == officer {
        return reject(
            RefusalKind::Denied,
            "whoever proposes does not approve: another security officer must".to_owned(),
        );
    }
    if base(&book, &rule) != proposal.base || proposal.at.after(LONGEST) < now {
        return reject(
            RefusalKind::NotNow,
            "what it changes has changed since, or it is too old: propose it again".to_owned(),
        );
    }
    // The proposer's signature counts from when it was taken in, if its officer
    // is in office today.
    let rules = gateway.rules();
    for one in &proposal.approvals {
        let counts = widening::check(
            one,
            &gateway.node.name,
            rule.operation(),
            rule.digest(),
            Given::At(proposal.at),
            &rules.directory().at(now),
        );
        if let Err(error) = counts {
            return reject(RefusalKind::Denied, error.to_string());
        }
    }
    if let Some(wrong) = invalid(gateway, &book, &rule) {
        return reject(RefusalKind::Invalid, wrong);
    }
    after.state = ProposalState::InForce;
    let next = book.with(&rule, &after.approvals);
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
            &rule,
            &after.approvals,
            rules.epoch() + 2,
        )
        .map_err(damaged)?;
    step.events
        .extend(changed_entries(&book, &next, &rule, now).map_err(damaged)?);
    step.writes.push(row(gateway, &book, &after)?);
    enact(gateway, &next, step)?;
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
    let rules = gateway.rules();
    book.with(rule, &[])
        .rules(rules.epoch(), Some(rules.shared_engine()))
        .err()
        .map(|error| error.to_string())
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
