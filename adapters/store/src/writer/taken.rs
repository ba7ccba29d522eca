//! What of a batch is refused because it is taken, and by whom.
//!
//! Replays are the failures that a peer can make at will. After a batch has
//! failed, two or three queries find them all, so that they cost the others
//! little.

use std::collections::HashSet;

use chancery_pipeline::ports::{Guard, LedgerError, Write};

use super::{Job, Work};
use crate::connection::Db;
use crate::fault::{Done, Fault};
use crate::tables::{lookup, message, once};

/// Keys of a batch that are taken in the database.
pub(super) struct Taken {
    digests: HashSet<(String, Vec<u8>)>,
    keys: HashSet<(String, Vec<u8>)>,
    nonces: HashSet<Vec<u8>>,
}

// === impl Taken ===

impl Taken {
    pub(super) fn of(db: &mut Db, jobs: &[&Job]) -> Done<Self> {
        let (mut digests, mut keys, mut nonces) = (Vec::new(), Vec::new(), Vec::new());
        for write in jobs.iter().flat_map(|job| writes(&job.work)) {
            match write {
                Write::InsertIndex {
                    digest,
                    unique: true,
                    ..
                } => digests.push(digest.as_slice()),
                Write::InsertIdempotency(row) => keys.push(row.key.as_slice()),
                Write::InsertNonce(nonce) => nonces.push(nonce.as_slice()),
                _ => {}
            }
        }
        Ok(Self {
            digests: lookup::taken(db, &digests)?.into_iter().collect(),
            keys: once::taken_keys(db, &keys)?.into_iter().collect(),
            nonces: once::taken_nonces(db, &nonces)?.into_iter().collect(),
        })
    }

    /// Which table holds what the step wants; none where its guards, which
    /// come first, may not hold.
    pub(super) fn by(&self, work: &Work, epoch: u64) -> Option<&'static str> {
        let Work::Step(step) = work else { return None };
        let holds = |guard: &Guard| match guard {
            Guard::Epoch(wanted) => *wanted == epoch,
        };
        if !step.guards.iter().all(holds) {
            return None;
        }
        step.writes.iter().find_map(|write| match write {
            Write::InsertIndex {
                kind,
                digest,
                unique: true,
                ..
            } => self
                .digests
                .contains(&(kind.word().to_owned(), digest.to_vec()))
                .then_some("index"),
            Write::InsertIdempotency(row) => self
                .keys
                .contains(&(row.participant.to_string(), row.key.to_vec()))
                .then_some("idempotency"),
            Write::InsertNonce(nonce) => self.nonces.contains(nonce.as_slice()).then_some("nonce"),
            _ => None,
        })
    }
}

fn writes(work: &Work) -> &[Write] {
    match work {
        Work::Step(step) => &step.writes,
        Work::Checkpoint(_) | Work::Reserve => &[],
    }
}

/// A step's failure as its caller is told it: with the message that holds what
/// is taken.
pub(super) fn explain(db: &mut Db, work: &Work, fault: Fault) -> Done<LedgerError> {
    let (Work::Step(step), Fault::Duplicate(what)) = (work, &fault) else {
        return Ok(fault.into());
    };
    let mut holder = None;
    for write in &step.writes {
        holder = match write {
            Write::InsertMessage(row) if *what == "message" => {
                message::get(db, &row.id)?.map(|row| row.id)
            }
            Write::InsertIndex {
                kind,
                digest,
                message,
                ..
            } if *what == "index" => {
                let taken = lookup::find(db, *kind, digest)?;
                match lookup::holder(db, *kind, digest)? {
                    Some(one) => Some(one),
                    None => taken.contains(message).then_some(*message),
                }
            }
            Write::InsertIdempotency(row) if *what == "idempotency" => {
                once::key(db, &row.participant, &row.key)?.map(|row| row.message)
            }
            _ => None,
        };
        if holder.is_some() {
            break;
        }
    }
    Ok(LedgerError::Duplicate {
        what,
        message: holder,
    })
}
