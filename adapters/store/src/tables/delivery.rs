//! Deliveries: the queue of each recipient.

use chancery_message::{Channel, DeliveryId, MessageId, ParticipantId, RecipientRole, Timestamp};
use chancery_pipeline::rows::{DeliveryRow, DeliveryState};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, SmallInt};

use super::{column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::{Done, Fault};
use crate::kept::{few, kept};
use crate::schema::delivery as table;

// Written out, so that the planners see that a partial index fits.
const IN_INBOX: &str = "state IN ('queued', 'opened')";
const TO_SEND: &str = "state IN ('queued', 'deferred')";

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = table, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct Put<'a> {
    id: &'a [u8],
    version: i64,
    message: &'a [u8],
    position: i64,
    recipient: &'a str,
    role: &'static str,
    channel: &'static str,
    state: &'static str,
    urgency: i16,
    created_at: i64,
    next_at: Option<i64>,
    due_at: Option<i64>,
    attempts: i64,
    document: &'a [u8],
    mac: &'a [u8],
}

#[derive(Queryable)]
struct Got {
    id: Vec<u8>,
    version: i64,
    message: Vec<u8>,
    position: i64,
    recipient: String,
    role: String,
    channel: String,
    state: String,
    urgency: i16,
    created_at: i64,
    next_at: Option<i64>,
    due_at: Option<i64>,
    attempts: i64,
    document: Vec<u8>,
    mac: Vec<u8>,
}

const fn role_word(role: RecipientRole) -> &'static str {
    match role {
        RecipientRole::To => "to",
        RecipientRole::Copy => "copy",
    }
}

// === writing ===

impl<'a> TryFrom<&'a DeliveryRow> for Put<'a> {
    type Error = Fault;

    fn try_from(row: &'a DeliveryRow) -> Done<Self> {
        Ok(Self {
            id: row.id.as_bytes(),
            version: column::number(row.version)?,
            message: row.message.as_bytes(),
            position: i64::from(row.position),
            recipient: row.recipient.as_str(),
            role: role_word(row.role),
            channel: row.channel.name(),
            state: row.state.word(),
            urgency: column::urgency(row.precedence),
            created_at: row.created_at.as_micros(),
            next_at: row.next_at.map(Timestamp::as_micros),
            due_at: row.due_at.map(Timestamp::as_micros),
            attempts: i64::from(row.attempts),
            document: &row.document,
            mac: &row.mac,
        })
    }
}

pub(crate) fn insert(db: &mut Db, rows: &[Put<'_>]) -> Done {
    insert_rows!(db, table::table, rows, "delivery")
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

pub(crate) fn get(db: &mut Db, id: &DeliveryId) -> Done<Option<DeliveryRow>> {
    let query = table::table.filter(table::id.eq(id.as_bytes().as_slice()));
    each!(db, c => query.get_result::<Got>(c).optional())?
        .map(DeliveryRow::try_from)
        .transpose()
}

pub(crate) fn of_message(db: &mut Db, message: &MessageId) -> Done<Vec<DeliveryRow>> {
    let query = table::table
        .filter(table::message.eq(message.as_bytes().as_slice()))
        .order((
            table::position.asc(),
            table::created_at.asc(),
            table::id.asc(),
        ));
    rows(each!(db, c => query.load::<Got>(c))?)
}

/// One page of an inbox: what follows `after` in (urgency, age, id). Where
/// `after` has left the inbox meanwhile, its place still counts.
pub(crate) fn inbox(
    db: &mut Db,
    participant: &ParticipantId,
    channel: Channel,
    after: Option<&DeliveryId>,
    limit: u32,
) -> Done<Vec<DeliveryRow>> {
    let queue = table::table
        .filter(
            table::recipient
                .eq(participant.as_str())
                .and(table::channel.eq(channel.name())),
        )
        .filter(sql::<Bool>(IN_INBOX))
        .order((
            table::urgency.asc(),
            table::created_at.asc(),
            table::id.asc(),
        ));
    let Some(after) = after else {
        return rows(each!(db, c => few(queue, limit).load::<Got>(c))?);
    };
    let place = table::table
        .filter(
            table::id
                .eq(after.as_bytes().as_slice())
                .and(table::recipient.eq(participant.as_str())),
        )
        .select((table::urgency, table::created_at));
    let Some((urgency, created_at)) = each!(db, c => place.get_result::<(i16, i64)>(c).optional())?
    else {
        // Not one of this participant's: there is no place after it.
        return Ok(Vec::new());
    };
    let page = queue.filter(
        sql::<Bool>("(urgency, created_at, id) > (")
            .bind::<SmallInt, _>(urgency)
            .sql(", ")
            .bind::<BigInt, _>(created_at)
            .sql(", ")
            .bind::<Binary, _>(after.as_bytes().as_slice())
            .sql(")"),
    );
    rows(each!(db, c => few(page, limit).load::<Got>(c))?)
}

/// What is to be sent now. A row without a time is due at once.
pub(crate) fn due(
    db: &mut Db,
    channel: Channel,
    now: Timestamp,
    limit: u32,
) -> Done<Vec<DeliveryRow>> {
    let query = table::table
        .filter(table::channel.eq(channel.name()))
        .filter(sql::<Bool>(TO_SEND))
        .filter(
            table::next_at
                .is_null()
                .or(table::next_at.le(now.as_micros())),
        )
        .order((
            table::urgency.asc(),
            table::created_at.asc(),
            table::id.asc(),
        ));
    rows(each!(db, c => few(query, limit).load::<Got>(c))?)
}

pub(crate) fn in_state(db: &mut Db, state: DeliveryState, limit: u32) -> Done<Vec<DeliveryRow>> {
    let query = table::table
        .filter(table::state.eq(state.word()))
        .order((table::created_at.asc(), table::id.asc()));
    rows(each!(db, c => few(query, limit).load::<Got>(c))?)
}

/// A page of all deliveries from a time on, in the order of their ids.
pub(crate) fn since(
    db: &mut Db,
    since: Timestamp,
    after: Option<&DeliveryId>,
    limit: u32,
) -> Done<Vec<DeliveryRow>> {
    let after = after.map_or(&[][..], |id| id.as_bytes().as_slice());
    let query = table::table
        .filter(table::id.gt(after))
        .filter(table::created_at.ge(since.as_micros()))
        .order(table::id.asc());
    rows(each!(db, c => few(query, limit).load::<Got>(c))?)
}

pub(crate) fn count_in_state(db: &mut Db, state: DeliveryState) -> Done<(u64, Option<Timestamp>)> {
    use diesel::dsl::{count_star, min};
    let query = table::table
        .filter(table::state.eq(state.word()))
        .select((count_star(), min(table::created_at)));
    let (count, oldest) = each!(db, c => query.get_result::<(i64, Option<i64>)>(c))?;
    Ok((
        column::count(count, "delivery.state")?,
        column::time_or_none(oldest),
    ))
}

fn rows(got: Vec<Got>) -> Done<Vec<DeliveryRow>> {
    got.into_iter().map(DeliveryRow::try_from).collect()
}

impl TryFrom<Got> for DeliveryRow {
    type Error = Fault;

    fn try_from(got: Got) -> Done<Self> {
        let role = [RecipientRole::To, RecipientRole::Copy]
            .into_iter()
            .find(|role| role_word(*role) == got.role);
        Ok(Self {
            id: DeliveryId::from_bytes(column::fixed(&got.id, "delivery.id")?),
            version: column::count(got.version, "delivery.version")?,
            message: MessageId::from_bytes(column::fixed(&got.message, "delivery.message")?),
            position: column::count(got.position, "delivery.position")?,
            recipient: column::word(&got.recipient, "delivery.recipient")?,
            role: column::known(role, "delivery.role")?,
            channel: column::channel(&got.channel, "delivery.channel")?,
            state: column::known(DeliveryState::from_word(&got.state), "delivery.state")?,
            precedence: column::precedence(got.urgency, "delivery.urgency")?,
            created_at: Timestamp::from_micros(got.created_at),
            next_at: column::time_or_none(got.next_at),
            due_at: column::time_or_none(got.due_at),
            attempts: column::count(got.attempts, "delivery.attempts")?,
            document: got.document,
            mac: column::fixed(&got.mac, "delivery.mac")?,
        })
    }
}
