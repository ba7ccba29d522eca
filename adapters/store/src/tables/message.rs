//! Messages.

use chancery_message::{MessageId, OpaqueRef, Timestamp};
use chancery_pipeline::rows::{MessageRow, MessageState};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::{Done, Fault};
use crate::kept::{few, kept};
use crate::schema::message as table;

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = table, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct Put<'a> {
    id: &'a [u8],
    version: i64,
    state: &'static str,
    channel: &'static str,
    sender: Option<&'a str>,
    rank: i16,
    registration: i64,
    reference: &'a [u8],
    received_at: i64,
    document: &'a [u8],
    sealed: &'a [u8],
    mac: &'a [u8],
}

#[derive(Queryable)]
struct Got {
    id: Vec<u8>,
    version: i64,
    state: String,
    channel: String,
    sender: Option<String>,
    rank: i16,
    registration: i64,
    reference: Vec<u8>,
    received_at: i64,
    document: Vec<u8>,
    sealed: Vec<u8>,
    mac: Vec<u8>,
}

// === writing ===

impl<'a> TryFrom<&'a MessageRow> for Put<'a> {
    type Error = Fault;

    fn try_from(row: &'a MessageRow) -> Done<Self> {
        Ok(Self {
            id: row.id.as_bytes(),
            version: column::number(row.version)?,
            state: row.state.word(),
            channel: row.channel.name(),
            sender: row.sender.as_ref().map(|id| id.as_str()),
            rank: i16::from(row.rank),
            registration: column::number(row.registration)?,
            reference: row.reference.as_bytes(),
            received_at: row.received_at.as_micros(),
            document: &row.document,
            sealed: &row.sealed,
            mac: &row.mac,
        })
    }
}

pub(crate) fn insert(db: &mut Db, rows: &[Put<'_>]) -> Done {
    insert_rows!(db, table::table, rows, "message")
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

pub(crate) fn get(db: &mut Db, id: &MessageId) -> Done<Option<MessageRow>> {
    let query = table::table.filter(table::id.eq(id.as_bytes().as_slice()));
    each!(db, c => query.get_result::<Got>(c).optional())?
        .map(MessageRow::try_from)
        .transpose()
}

pub(crate) fn quarantined(db: &mut Db, limit: u32) -> Done<Vec<MessageRow>> {
    // Written out, so that the planners see that the partial index fits.
    let query = table::table
        .filter(sql::<Bool>("state = 'quarantined'"))
        .order((table::received_at.asc(), table::id.asc()));
    each!(db, c => few(query, limit).load::<Got>(c))?
        .into_iter()
        .map(MessageRow::try_from)
        .collect()
}

impl TryFrom<Got> for MessageRow {
    type Error = Fault;

    fn try_from(got: Got) -> Done<Self> {
        Ok(Self {
            id: MessageId::from_bytes(column::fixed(&got.id, "message.id")?),
            version: column::count(got.version, "message.version")?,
            state: column::known(MessageState::from_word(&got.state), "message.state")?,
            channel: column::channel(&got.channel, "message.channel")?,
            sender: column::word_or_none(got.sender, "message.sender")?,
            rank: column::count(i64::from(got.rank), "message.rank")?,
            registration: column::count(got.registration, "message.registration")?,
            reference: OpaqueRef::from_bytes(column::fixed(&got.reference, "message.reference")?),
            received_at: Timestamp::from_micros(got.received_at),
            document: got.document,
            sealed: got.sealed,
            mac: column::fixed(&got.mac, "message.mac")?,
        })
    }
}
