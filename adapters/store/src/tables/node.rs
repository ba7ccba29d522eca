//! The node's own row: who writes its log, how often it did, which numbers it
//! gave out. And the epoch, which all nodes of a database share.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::column;
use crate::connection::{Db, Link, each};
use crate::fault::{Done, Fault};
use crate::kept::kept;
use crate::schema::{epoch, node as table};

/// What one writer holds its log by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) log_id: String,
    pub(crate) fence: i64,
    /// Transactions done.
    pub(crate) commits: i64,
    /// Registration numbers below this may have been given out.
    pub(crate) registration: u64,
}

/// Makes the node's row where there is none.
pub(crate) fn insert(db: &mut Db, log_id: &str) -> Done {
    let row = (
        table::log_id.eq(log_id),
        table::fence.eq(0_i64),
        table::commits.eq(0_i64),
        table::settled.eq(0_i64),
        table::registration.eq(1_i64),
    );
    each!(db, c => diesel::insert_into(table::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

/// Takes the log over; none if the database has no such log.
pub(crate) fn claim(db: &mut Db, log_id: &str) -> Done<Option<Claim>> {
    let place = table::table.filter(table::log_id.eq(log_id));
    let row = each!(db, c => {
        diesel::update(place)
            .set(table::fence.eq(table::fence + 1))
            .returning((table::fence, table::commits, table::registration))
            .get_result::<(i64, i64, i64)>(c)
            .optional()
    })?;
    row.map(|(fence, commits, registration)| {
        let registration = column::count(registration, "node.registration")?;
        Ok(Claim {
            log_id: log_id.to_owned(),
            fence,
            commits,
            registration,
        })
    })
    .transpose()
}

/// Opens a transaction's books: the log is still ours, `commits` rises by one.
/// Holds the node's row, and the epoch that it gives back, until the end of
/// the transaction.
pub(crate) fn advance(db: &mut Db, claim: &Claim, registration: u64) -> Done<u64> {
    let place = table::table.filter(
        table::log_id
            .eq(&claim.log_id)
            .and(table::fence.eq(claim.fence))
            .and(table::commits.eq(claim.commits)),
    );
    let books = (
        table::commits.eq(claim.commits + 1),
        table::registration.eq(column::number(registration)?),
    );
    let update = diesel::update(place).set(books);
    let epoch = match &mut db.link {
        Link::Sqlite(c) => {
            let epoch = sql::<BigInt>("(SELECT value FROM epoch WHERE id = 1)");
            kept(update.returning(epoch)).get_result::<i64>(c)
        }
        Link::Postgres(c) => {
            let epoch = sql::<BigInt>("(SELECT value FROM epoch WHERE id = 1 FOR SHARE)");
            kept(update.returning(epoch)).get_result::<i64>(c)
        }
    };
    let epoch = epoch.optional()?.ok_or(Fault::Superseded)?;
    column::count(epoch, "epoch.value")
}

/// How many transactions were done, after one whose end is not known. Writes,
/// so that its own commit proves that the database can, and overwrites what a
/// failed one may have left in the write-ahead log.
pub(crate) fn settle(db: &mut Db, claim: &Claim) -> Done<i64> {
    let place = table::table.filter(
        table::log_id
            .eq(&claim.log_id)
            .and(table::fence.eq(claim.fence)),
    );
    let commits = each!(db, c => {
        diesel::update(place)
            .set(table::settled.eq(table::settled + 1))
            .returning(table::commits)
            .get_result::<i64>(c)
            .optional()
    })?;
    commits.ok_or(Fault::Superseded)
}

/// The epoch as it is committed.
pub(crate) fn epoch_now(db: &mut Db) -> Done<u64> {
    let query = epoch::table.filter(epoch::id.eq(1)).select(epoch::value);
    column::count(each!(db, c => query.get_result::<i64>(c))?, "epoch.value")
}

pub(crate) fn set_epoch(db: &mut Db, value: u64) -> Done {
    let place = epoch::table.filter(epoch::id.eq(1));
    let value = epoch::value.eq(column::number(value)?);
    each!(db, c => diesel::update(place).set(value).execute(c))?;
    Ok(())
}
