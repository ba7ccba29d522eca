//! Cases for officers, and their votes.

use chancery_message::{CaseId, DeliveryId, MessageId, Timestamp};
use chancery_pipeline::rows::{CaseRow, CaseState, VoteRow};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::{Done, Fault};
use crate::kept::{few, kept};
use crate::schema::review_case as table;
use crate::schema::vote;

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = table, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct Put<'a> {
    id: &'a [u8],
    version: i64,
    delivery: Option<&'a [u8]>,
    message: &'a [u8],
    state: &'static str,
    opened_at: i64,
    due_at: i64,
    digest: &'a [u8],
    document: &'a [u8],
    mac: &'a [u8],
}

#[derive(Queryable)]
struct Got {
    id: Vec<u8>,
    version: i64,
    delivery: Option<Vec<u8>>,
    message: Vec<u8>,
    state: String,
    opened_at: i64,
    due_at: i64,
    digest: Vec<u8>,
    document: Vec<u8>,
    mac: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = vote, treat_none_as_default_value = false)]
pub(crate) struct PutVote<'a> {
    case_id: &'a [u8],
    officer: &'a str,
    at: i64,
    approve: bool,
    document: &'a [u8],
}

type GotVote = (Vec<u8>, String, i64, bool, Vec<u8>);

// === writing ===

impl<'a> TryFrom<&'a CaseRow> for Put<'a> {
    type Error = Fault;

    fn try_from(row: &'a CaseRow) -> Done<Self> {
        Ok(Self {
            id: row.id.as_bytes(),
            version: column::number(row.version)?,
            delivery: row.delivery.as_ref().map(|id| id.as_bytes().as_slice()),
            message: row.message.as_bytes(),
            state: row.state.word(),
            opened_at: row.opened_at.as_micros(),
            due_at: row.due_at.as_micros(),
            digest: &row.digest,
            document: &row.document,
            mac: &row.mac,
        })
    }
}

impl<'a> From<&'a VoteRow> for PutVote<'a> {
    fn from(row: &'a VoteRow) -> Self {
        Self {
            case_id: row.case.as_bytes(),
            officer: row.officer.as_str(),
            at: row.at.as_micros(),
            approve: row.approve,
            document: &row.document,
        }
    }
}

pub(crate) fn insert(db: &mut Db, rows: &[Put<'_>]) -> Done {
    insert_rows!(db, table::table, rows, "case")
}

pub(crate) fn insert_votes(db: &mut Db, rows: &[PutVote<'_>]) -> Done {
    insert_rows!(db, vote::table, rows, "vote")
}

pub(crate) fn update(db: &mut Db, row: &Put<'_>) -> Done {
    let place = table::table.filter(table::id.eq(row.id).and(table::version.eq(row.version - 1)));
    let update = diesel::update(place).set(row).returning(table::version);
    match each!(db, c => kept(update).get_result::<i64>(c).optional())? {
        Some(_) => Ok(()),
        None => Err(Fault::Conflict),
    }
}

// === reading ===

pub(crate) fn get(db: &mut Db, id: &CaseId) -> Done<Option<CaseRow>> {
    let query = table::table.filter(table::id.eq(id.as_bytes().as_slice()));
    each!(db, c => query.get_result::<Got>(c).optional())?
        .map(CaseRow::try_from)
        .transpose()
}

pub(crate) fn open(db: &mut Db, limit: u32) -> Done<Vec<CaseRow>> {
    // Written out, so that the planners see that the partial index fits.
    let query = table::table.filter(sql::<Bool>("state = 'open'")).order((
        table::due_at.asc(),
        table::opened_at.asc(),
        table::id.asc(),
    ));
    each!(db, c => few(query, limit).load::<Got>(c))?
        .into_iter()
        .map(CaseRow::try_from)
        .collect()
}

pub(crate) fn count_open(db: &mut Db) -> Done<u64> {
    let query = table::table.filter(sql::<Bool>("state = 'open'")).count();
    let count = each!(db, c => kept(query).get_result::<i64>(c))?;
    column::count(count, "case.state")
}

pub(crate) fn of_delivery(db: &mut Db, delivery: &DeliveryId) -> Done<Option<CaseRow>> {
    let query = table::table
        .filter(table::delivery.eq(delivery.as_bytes().as_slice()))
        .order((table::opened_at.desc(), table::id.desc()));
    each!(db, c => few(query, 1).get_result::<Got>(c).optional())?
        .map(CaseRow::try_from)
        .transpose()
}

pub(crate) fn votes(db: &mut Db, case: &CaseId) -> Done<Vec<VoteRow>> {
    let query = vote::table
        .filter(vote::case_id.eq(case.as_bytes().as_slice()))
        .order(vote::id.asc())
        .select((
            vote::case_id,
            vote::officer,
            vote::at,
            vote::approve,
            vote::document,
        ));
    each!(db, c => query.load::<GotVote>(c))?
        .into_iter()
        .map(|(case, officer, at, approve, document)| {
            Ok(VoteRow {
                case: CaseId::from_bytes(column::fixed(&case, "vote.case_id")?),
                officer: column::word(&officer, "vote.officer")?,
                at: Timestamp::from_micros(at),
                approve,
                document,
            })
        })
        .collect()
}

impl TryFrom<Got> for CaseRow {
    type Error = Fault;

    fn try_from(got: Got) -> Done<Self> {
        Ok(Self {
            id: CaseId::from_bytes(column::fixed(&got.id, "review_case.id")?),
            version: column::count(got.version, "review_case.version")?,
            delivery: column::fixed_or_none(got.delivery, "review_case.delivery")?
                .map(DeliveryId::from_bytes),
            message: MessageId::from_bytes(column::fixed(&got.message, "review_case.message")?),
            state: column::known(CaseState::from_word(&got.state), "review_case.state")?,
            opened_at: Timestamp::from_micros(got.opened_at),
            due_at: Timestamp::from_micros(got.due_at),
            digest: column::fixed(&got.digest, "review_case.digest")?,
            document: got.document,
            mac: column::fixed(&got.mac, "review_case.mac")?,
        })
    }
}
