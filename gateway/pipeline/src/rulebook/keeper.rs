//! Taking rules in from files: at a node's founding all of them, later what
//! changed, each only with its signatures.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_message::Timestamp;
use chancery_policy::approval::Signed;
use chancery_policy::directory::Directory;
use chancery_policy::engine::Engine;
use chancery_policy::evidence::EvidenceError;
use chancery_policy::widening::{self, Given, SignatureError};
use chancery_seal::RowKey;

use super::{Book, BookError, Change, RuleText, Version, event};
use crate::ports::{Guard, Ledger, Step, Write};
use crate::rows::DocumentKind;
use crate::rules::Rules;

/// What takes rules in.
#[derive(Clone, Copy)]
pub struct Keeper<'a> {
    /// Where versions are kept.
    pub ledger: &'a dyn Ledger,
    /// Authenticates them there.
    pub row_key: &'a RowKey,
    /// The node's name: signatures are meant for it.
    pub node: &'a str,
    /// Now.
    pub now: Timestamp,
}

impl std::fmt::Debug for Keeper<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

/// A text that a file offers.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The file.
    pub place: String,
    /// What it says.
    pub rule: RuleText,
    /// The signature file beside it, where there is one.
    pub signatures: Option<String>,
}

/// A file that differs from what is in force and was not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// The file.
    pub place: String,
    /// Why.
    pub why: String,
}

// === impl Keeper ===

impl Keeper<'_> {
    /// Takes in what the files offer beyond what is in force. At the founding
    /// every file must be signed by two of the founding security officers; later
    /// a file that is not signed by two officers in office is left, recorded as
    /// an alarm, and what is in force stays. A policy set is then never taken from
    /// files: it needs its evidence ([`super::propose`]).
    ///
    /// # Errors
    /// [`BookError`]: nothing was taken in.
    pub fn take_in(
        &self,
        candidates: &[Candidate],
        prepared: Option<&Arc<Engine>>,
    ) -> Result<(Rules, Vec<NotTaken>), BookError> {
        let book = Book::read(self.ledger, self.row_key)?;
        let (changes, left) = if book.is_empty() {
            (self.founding(candidates)?, Vec::new())
        } else {
            self.renewed(&book, candidates)?
        };
        // That of the book, not of now: what others add meanwhile is not in it.
        let epoch = book.epoch();
        let after = epoch + changes.len() as u64;
        let mut next = book.clone();
        for (rule, approvals) in &changes {
            next = next.with(rule, approvals);
        }
        let rules = next.rules(after, prepared)?;
        let mut step = Step {
            guards: vec![Guard::Epoch(epoch)],
            ..Step::default()
        };
        for one in &left {
            step.events.push(
                Event::new(EventKind::AlarmRaised, self.now, Actor::process("core"))
                    .detail(Key::Alarm, "rules that are not signed")
                    .detail(Key::Name, one.place.as_str())
                    .detail(Key::Reason, one.why.as_str()),
            );
        }
        for (rule, approvals) in &changes {
            let change = Change::new(rule.clone(), "");
            self.add(&mut step, &book, &change, approvals, after)?;
            if !book.is_empty() {
                step.events
                    .extend(changed_entries(&book, &next, rule, self.now)?);
            }
        }
        if !step.events.is_empty() {
            self.ledger.commit(step)?;
        }
        Ok((rules, left))
    }

    /// Everything, carried by the founding officers themselves.
    fn founding(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<(RuleText, Vec<Signed>)>, BookError> {
        let mut founding = Book::default();
        for one in candidates {
            founding = founding.with(&one.rule, &[]);
        }
        let directory = founding.directory(0)?;
        candidates
            .iter()
            .map(|one| {
                let approvals =
                    self.carried(one, &directory, Given::Founding)
                        .map_err(|cause| BookError::Signatures {
                            place: one.place.clone(),
                            cause,
                        })?;
                Ok((one.rule.clone(), approvals))
            })
            .collect()
    }

    /// What differs and is carried; what differs and is not.
    #[allow(clippy::type_complexity, reason = "two lists, named by the one caller")]
    fn renewed(
        &self,
        book: &Book,
        candidates: &[Candidate],
    ) -> Result<(Vec<(RuleText, Vec<Signed>)>, Vec<NotTaken>), BookError> {
        let directory = book.directory(0)?;
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for one in candidates {
            let known = book.text(one.rule.kind, &one.rule.key);
            if known.is_some_and(|version| version.text == one.rule.text) {
                continue;
            }
            if one.rule.kind == DocumentKind::Policy {
                left.push(NotTaken {
                    place: one.place.clone(),
                    why: EvidenceError::Missing.to_string(),
                });
                continue;
            }
            let carried = self
                .carried(one, &directory, Given::At(self.now))
                .map_err(|error| error.to_string())
                .and_then(|approvals| {
                    let replayed = approvals.iter().any(|it| book.used(&it.record.nonce));
                    if replayed {
                        Err("its signatures were used before: sign anew".to_owned())
                    } else {
                        Ok(approvals)
                    }
                });
            match carried {
                Ok(approvals) => taken.push((one.rule.clone(), approvals)),
                Err(why) => left.push(NotTaken {
                    place: one.place.clone(),
                    why,
                }),
            }
        }
        Ok((taken, left))
    }

    fn carried(
        &self,
        one: &Candidate,
        directory: &Directory,
        given: Given,
    ) -> Result<Vec<Signed>, SignatureError> {
        let signatures = one.signatures.as_deref().ok_or(SignatureError::Unsigned)?;
        let all = widening::read(signatures)?;
        widening::carried(
            &all,
            self.node,
            one.rule.operation(),
            one.rule.digest(),
            given,
            &directory.at(self.now),
        )?;
        Ok(all)
    }

    /// Adds another version of a text to a step.
    pub(crate) fn add(
        &self,
        step: &mut Step,
        book: &Book,
        change: &Change,
        approvals: &[Signed],
        epoch: u64,
    ) -> Result<(), BookError> {
        let rule = &change.rule;
        let version = Version {
            text: rule.text.clone(),
            approvals: approvals.to_vec(),
            why: (!change.why.is_empty()).then(|| change.why.clone()),
            evidence: change.evidence.clone(),
        };
        let document = serde_json::to_vec(&version)
            .map_err(|_| BookError::Damaged("it cannot be written".to_owned()))?;
        step.writes.extend(
            approvals
                .iter()
                .filter(|one| !book.used(&one.record.nonce))
                .map(|one| Write::InsertNonce(one.record.nonce)),
        );
        step.writes
            .push(book.row(rule.kind, &rule.key, document, self.row_key, self.now));
        step.events.push(event(
            change,
            approvals,
            book.versions(rule.kind, &rule.key) + 1,
            epoch,
            Actor::process("core"),
            self.now,
        ));
        Ok(())
    }
}

/// One event for each entry of the directory that a new text changes.
pub(crate) fn changed_entries(
    before: &Book,
    after: &Book,
    rule: &RuleText,
    now: Timestamp,
) -> Result<Vec<Event>, BookError> {
    if rule.kind != DocumentKind::Participant && rule.kind != DocumentKind::Officer {
        return Ok(Vec::new());
    }
    let (old, new) = (before.directory(0)?, after.directory(0)?);
    let event = || Event::new(EventKind::DirectoryChanged, now, Actor::process("core"));
    Ok(if rule.kind == DocumentKind::Participant {
        changed(old.participants(), new.participants(), |one| {
            one.id.to_string()
        })
        .into_iter()
        .map(|id| event().detail(Key::Participant, id))
        .collect()
    } else {
        changed(old.officers(), new.officers(), |one| one.id.to_string())
            .into_iter()
            .map(|id| event().detail(Key::Officer, id))
            .collect()
    })
}

/// The ids whose versions differ.
pub fn changed<T: PartialEq>(old: &[T], new: &[T], id: impl Fn(&T) -> String) -> Vec<String> {
    let by_id = |all: &[T]| {
        let mut map: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, one) in all.iter().enumerate() {
            map.entry(id(one)).or_default().push(at);
        }
        map
    };
    let (before, after) = (by_id(old), by_id(new));
    let mut ids: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    ids.sort();
    ids.dedup();
    ids.retain(|name| {
        let of = |map: &BTreeMap<String, Vec<usize>>| map.get(name).cloned().unwrap_or_default();
        let (a, b) = (of(&before), of(&after));
        a.len() != b.len() || a.iter().zip(&b).any(|(x, y)| old.get(*x) != new.get(*y))
    });
    ids
}
