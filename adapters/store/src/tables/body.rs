//! Sealed streams and their segments.

use chancery_message::{BodyId, MessageId, Timestamp};
use chancery_pipeline::rows::{BodyRow, BodyState, SegmentRow};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::{Done, Fault};
use crate::kept::{few, kept};
use crate::schema::body as table;
use crate::schema::segment;

// Written out, so that the planners see that the partial index fits.
const UNBOUND: &str = "state IN ('open', 'complete')";

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = table, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct Put<'a> {
    id: &'a [u8],
    version: i64,
    state: &'static str,
    owner: Option<&'a str>,
    message: Option<&'a [u8]>,
    created_at: i64,
    expires_at: i64,
    size: i64,
    segments: i64,
    document: &'a [u8],
    mac: &'a [u8],
}

#[derive(Queryable)]
struct Got {
    id: Vec<u8>,
    version: i64,
    state: String,
    owner: Option<String>,
    message: Option<Vec<u8>>,
    created_at: i64,
    expires_at: i64,
    size: i64,
    segments: i64,
    document: Vec<u8>,
    mac: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = segment, treat_none_as_default_value = false)]
pub(crate) struct PutSegment<'a> {
    body: &'a [u8],
    position: i64,
    sealed: &'a [u8],
}

// === writing ===

impl<'a> TryFrom<&'a BodyRow> for Put<'a> {
    type Error = Fault;

    fn try_from(row: &'a BodyRow) -> Done<Self> {
        Ok(Self {
            id: row.id.as_bytes(),
            version: column::number(row.version)?,
            state: row.state.word(),
            owner: row.owner.as_ref().map(|id| id.as_str()),
            message: row.message.as_ref().map(|id| id.as_bytes().as_slice()),
            created_at: row.created_at.as_micros(),
            expires_at: row.expires_at.as_micros(),
            size: column::number(row.size)?,
            segments: i64::from(row.segments),
            document: &row.document,
            mac: &row.mac,
        })
    }
}

impl<'a> From<&'a SegmentRow> for PutSegment<'a> {
    fn from(row: &'a SegmentRow) -> Self {
        Self {
            body: row.body.as_bytes(),
            position: i64::from(row.index),
            sealed: &row.sealed,
        }
    }
}

pub(crate) fn insert(db: &mut Db, rows: &[Put<'_>]) -> Done {
    insert_rows!(db, table::table, rows, "body")
}

pub(crate) fn insert_segments(db: &mut Db, rows: &[PutSegment<'_>]) -> Done {
    insert_rows!(db, segment::table, rows, "segment")
}

pub(crate) fn update(db: &mut Db, row: &Put<'_>) -> Done {
    let place = table::table.filter(table::id.eq(row.id).and(table::version.eq(row.version - 1)));
    let update = diesel::update(place).set(row).returning(table::version);
    match each!(db, c => kept(update).get_result::<i64>(c).optional())? {
        Some(_) => Ok(()),
        None => Err(Fault::Conflict),
    }
}

/// Its segments go with it. One that became part of a message stays.
pub(crate) fn delete(db: &mut Db, id: &BodyId) -> Done {
    let place = table::table
        .filter(table::id.eq(id.as_bytes().as_slice()))
        .filter(sql::<Bool>(UNBOUND));
    match each!(db, c => diesel::delete(place).execute(c))? {
        1 => Ok(()),
        _ => Err(Fault::Conflict),
    }
}

// === reading ===

pub(crate) fn get(db: &mut Db, id: &BodyId) -> Done<Option<BodyRow>> {
    let query = table::table.filter(table::id.eq(id.as_bytes().as_slice()));
    each!(db, c => query.get_result::<Got>(c).optional())?
        .map(BodyRow::try_from)
        .transpose()
}

pub(crate) fn get_segment(db: &mut Db, body: &BodyId, index: u32) -> Done<Option<SegmentRow>> {
    let query = segment::table
        .filter(
            segment::body
                .eq(body.as_bytes().as_slice())
                .and(segment::position.eq(i64::from(index))),
        )
        .select(segment::sealed);
    let sealed = each!(db, c => query.get_result::<Vec<u8>>(c).optional())?;
    Ok(sealed.map(|sealed| SegmentRow {
        body: *body,
        index,
        sealed,
    }))
}

pub(crate) fn expired(db: &mut Db, now: Timestamp, limit: u32) -> Done<Vec<BodyId>> {
    let query = table::table
        .filter(sql::<Bool>(UNBOUND))
        .filter(table::expires_at.le(now.as_micros()))
        .order((table::expires_at.asc(), table::id.asc()))
        .select(table::id);
    each!(db, c => few(query, limit).load::<Vec<u8>>(c))?
        .iter()
        .map(|id| Ok(BodyId::from_bytes(column::fixed(id, "body.id")?)))
        .collect()
}

impl TryFrom<Got> for BodyRow {
    type Error = Fault;

    fn try_from(got: Got) -> Done<Self> {
        Ok(Self {
            id: BodyId::from_bytes(column::fixed(&got.id, "body.id")?),
            version: column::count(got.version, "body.version")?,
            state: column::known(BodyState::from_word(&got.state), "body.state")?,
            owner: column::word_or_none(got.owner, "body.owner")?,
            message: column::fixed_or_none(got.message, "body.message")?.map(MessageId::from_bytes),
            created_at: Timestamp::from_micros(got.created_at),
            expires_at: Timestamp::from_micros(got.expires_at),
            size: column::count(got.size, "body.size")?,
            segments: column::count(got.segments, "body.segments")?,
            document: got.document,
            mac: column::fixed(&got.mac, "body.mac")?,
        })
    }
}
