//! The audit log's leaves and checkpoints: append-only.

use std::ops::Range;

use chancery_audit::{Hash, leaf_hash};
use chancery_message::{DeliveryId, MessageId, Timestamp};
use chancery_pipeline::ports::{AuditLeaf, StoredCheckpoint};
use diesel::prelude::*;

use super::{column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::{Done, Fault};
use crate::kept::few;
use crate::schema::{audit_checkpoint as checkpoint, audit_leaf as table};

#[derive(Insertable)]
#[diesel(table_name = table, treat_none_as_default_value = false)]
pub(crate) struct Put<'a> {
    pub(crate) log_id: &'a str,
    pub(crate) seq: i64,
    pub(crate) leaf_hash: Vec<u8>,
    pub(crate) message: Option<&'a [u8]>,
    pub(crate) delivery: Option<&'a [u8]>,
    pub(crate) record: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = checkpoint, treat_none_as_default_value = false)]
struct PutCheckpoint<'a> {
    log_id: &'a str,
    size: i64,
    root: &'a [u8],
    note: &'a str,
    at: i64,
}

type Got = (i64, Vec<u8>, Vec<u8>);
type GotCheckpoint = (i64, Vec<u8>, String, i64);

// === leaves ===

pub(crate) fn insert(db: &mut Db, rows: &[Put<'_>]) -> Done {
    insert_rows!(db, table::table, rows, "audit leaf")
}

/// How many leaves the log has.
pub(crate) fn size(db: &mut Db, log_id: &str) -> Done<u64> {
    let query = table::table
        .filter(table::log_id.eq(log_id))
        .select(diesel::dsl::max(table::seq));
    match each!(db, c => query.get_result::<Option<i64>>(c))? {
        None => Ok(0),
        Some(last) => Ok(column::count::<u64>(last, "audit_leaf.seq")? + 1),
    }
}

/// Leaf hashes of a range, in order, without a gap; fewer where the log ends.
pub(crate) fn hashes(db: &mut Db, log_id: &str, range: &Range<u64>) -> Done<Vec<Hash>> {
    let query = table::table
        .filter(table::log_id.eq(log_id))
        .filter(
            table::seq
                .ge(column::number(range.start)?)
                .and(table::seq.lt(column::number(range.end)?)),
        )
        .order(table::seq.asc())
        .select((table::seq, table::leaf_hash));
    let rows = each!(db, c => query.load::<(i64, Vec<u8>)>(c))?;
    (range.start..)
        .zip(rows)
        .map(|(want, (seq, hash))| {
            if u64::try_from(seq) != Ok(want) {
                return Err(Fault::Damaged(format!("audit leaf {want} is missing")));
            }
            column::fixed(&hash, "audit_leaf.leaf_hash")
        })
        .collect()
}

pub(crate) fn leaves(db: &mut Db, log_id: &str, from: u64, limit: u32) -> Done<Vec<AuditLeaf>> {
    let query = table::table
        .filter(
            table::log_id
                .eq(log_id)
                .and(table::seq.ge(column::number(from)?)),
        )
        .order(table::seq.asc())
        .select((table::seq, table::leaf_hash, table::record));
    let leaves: Vec<AuditLeaf> = each!(db, c => few(query, limit).load::<Got>(c))?
        .into_iter()
        .map(leaf)
        .collect::<Done<_>>()?;
    match (from..).zip(&leaves).find(|(want, leaf)| *want != leaf.seq) {
        Some((want, _)) => Err(Fault::Damaged(format!("audit leaf {want} is missing"))),
        None => Ok(leaves),
    }
}

pub(crate) fn of_message(db: &mut Db, log_id: &str, message: &MessageId) -> Done<Vec<AuditLeaf>> {
    let query = table::table
        .filter(
            table::message
                .eq(message.as_bytes().as_slice())
                .and(table::log_id.eq(log_id)),
        )
        .order(table::seq.asc())
        .select((table::seq, table::leaf_hash, table::record));
    each!(db, c => query.load::<Got>(c))?
        .into_iter()
        .map(leaf)
        .collect()
}

pub(crate) fn last_of_delivery(
    db: &mut Db,
    log_id: &str,
    delivery: &DeliveryId,
) -> Done<Option<AuditLeaf>> {
    let query = table::table
        .filter(
            table::delivery
                .eq(delivery.as_bytes().as_slice())
                .and(table::log_id.eq(log_id)),
        )
        .order(table::seq.desc())
        .select((table::seq, table::leaf_hash, table::record));
    each!(db, c => few(query, 1).get_result::<Got>(c).optional())?
        .map(leaf)
        .transpose()
}

/// A record that no longer has its hash was changed in the database.
fn leaf((seq, hash, record): Got) -> Done<AuditLeaf> {
    let seq = column::count(seq, "audit_leaf.seq")?;
    if leaf_hash(&record).as_slice() == hash {
        Ok(AuditLeaf { seq, record })
    } else {
        Err(Fault::Damaged(format!(
            "the record of audit leaf {seq} is not the one that was written"
        )))
    }
}

// === checkpoints ===

/// Keeps the first checkpoint of each size.
pub(crate) fn insert_checkpoint(db: &mut Db, log_id: &str, stored: &StoredCheckpoint) -> Done {
    let row = PutCheckpoint {
        log_id,
        size: column::number(stored.size)?,
        root: &stored.root,
        note: &stored.note,
        at: stored.at.as_micros(),
    };
    each!(db, c => diesel::insert_into(checkpoint::table).values(&row).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

pub(crate) fn checkpoints(
    db: &mut Db,
    log_id: &str,
    from: u64,
    to: u64,
) -> Done<Vec<StoredCheckpoint>> {
    // "To the end" is often asked for as `u64::MAX`.
    let column_of = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let query = checkpoint::table
        .filter(
            checkpoint::log_id
                .eq(log_id)
                .and(checkpoint::size.between(column_of(from), column_of(to))),
        )
        .order(checkpoint::size.asc())
        .select((
            checkpoint::size,
            checkpoint::root,
            checkpoint::note,
            checkpoint::at,
        ));
    each!(db, c => query.load::<GotCheckpoint>(c))?
        .into_iter()
        .map(|(size, root, note, at)| {
            Ok(StoredCheckpoint {
                size: column::count(size, "audit_checkpoint.size")?,
                root: column::fixed(&root, "audit_checkpoint.root")?,
                note,
                at: Timestamp::from_micros(at),
            })
        })
        .collect()
}
