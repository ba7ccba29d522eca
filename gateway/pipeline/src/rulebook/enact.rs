//! What proposing, approving and suspending have in common: the book, the
//! signature, the refusal with its record, and the step that puts rules in force.

use std::fmt::Display;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::OfficerId;
use chancery_policy::approval::{Signed, Vote};
use chancery_policy::directory::Directory;
use chancery_policy::widening::{self, Given};

use super::{Book, BookError, Change, RuleText};
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::{Guard, LedgerError, Step, Write};
use crate::stages::orders::denied;

pub(super) fn damaged(error: impl Display) -> StageError {
    StageError::Corrupt(error.to_string())
}

/// The gateway's book as it stands.
pub(crate) fn book(gateway: &Gateway) -> Result<Book, StageError> {
    Book::read(gateway.ledger.as_ref(), &gateway.row_key).map_err(|error| match error {
        BookError::Ledger(error) => error.into(),
        other => damaged(other),
    })
}

/// A signature over this change, by a security officer in office by the book.
pub(super) fn signed_by(
    gateway: &Gateway,
    directory: &Directory,
    change: &Change,
    signed: &Signed,
) -> Result<Vote, StageError> {
    let (now, rule) = (gateway.now(), &change.rule);
    let checked = widening::check(
        signed,
        &gateway.node.name,
        rule.operation(),
        change.digest(),
        Given::At(now),
        &directory.at(now),
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
pub(super) fn rejected(
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
///
/// # Errors
/// [`LedgerError::Conflict`] where the rules changed since the book was read:
/// nothing was written, and what is in force stays.
pub(crate) fn enact(gateway: &Gateway, next: &Book, mut step: Step) -> Result<u64, StageError> {
    let documents = step
        .writes
        .iter()
        .filter(|write| matches!(write, Write::InsertDocument(_)))
        .count();
    let epoch = next.epoch() + documents as u64;
    let rules = next
        .rules(epoch, Some(gateway.rules().shared_engine()))
        .map_err(damaged)?;
    step.guards.push(Guard::Epoch(next.epoch()));
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

/// The same for a proposal: what others changed since the book was read is
/// refused with a record, for whoever decided did not see it.
pub(super) fn decided(
    gateway: &Gateway,
    rule: &RuleText,
    officer: &OfficerId,
    next: &Book,
    step: Step,
) -> Result<u64, StageError> {
    match enact(gateway, next, step) {
        Err(StageError::Ledger(LedgerError::Conflict)) => Err(rejected(
            gateway,
            rule,
            officer,
            RefusalKind::NotNow,
            "the rules changed meanwhile: try again".to_owned(),
        )),
        other => other,
    }
}

/// The epoch after so many more versions, as the log has it.
pub(super) fn epoch_after(book: &Book, versions: u64) -> i64 {
    i64::try_from(book.epoch() + versions).unwrap_or(i64::MAX)
}
