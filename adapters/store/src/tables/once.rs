//! What counts once: idempotency keys of peers, nonces of approvals.

use chancery_message::{MessageId, ParticipantId, Timestamp};
use chancery_pipeline::rows::IdempotencyRow;
use diesel::prelude::*;

use super::{CHUNK, column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::Done;
use crate::schema::{idempotency, nonce};

#[derive(Insertable)]
#[diesel(table_name = idempotency, treat_none_as_default_value = false)]
pub(crate) struct PutKey<'a> {
    participant: &'a str,
    key: &'a [u8],
    request: &'a [u8],
    message: &'a [u8],
    expires_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = nonce, treat_none_as_default_value = false)]
pub(crate) struct PutNonce<'a> {
    value: &'a [u8],
}

type GotKey = (String, Vec<u8>, Vec<u8>, Vec<u8>, i64);

// === writing ===

impl<'a> From<&'a IdempotencyRow> for PutKey<'a> {
    fn from(row: &'a IdempotencyRow) -> Self {
        Self {
            participant: row.participant.as_str(),
            key: &row.key,
            request: &row.request,
            message: row.message.as_bytes(),
            expires_at: row.expires_at.as_micros(),
        }
    }
}

impl<'a> From<&'a [u8; 16]> for PutNonce<'a> {
    fn from(nonce: &'a [u8; 16]) -> Self {
        Self { value: nonce }
    }
}

pub(crate) fn insert_keys(db: &mut Db, rows: &[PutKey<'_>]) -> Done {
    insert_rows!(db, idempotency::table, rows, "idempotency")
}

pub(crate) fn insert_nonces(db: &mut Db, rows: &[PutNonce<'_>]) -> Done {
    insert_rows!(db, nonce::table, rows, "nonce")
}

pub(crate) fn forget_keys(db: &mut Db, until: Timestamp) -> Done {
    let old = idempotency::table.filter(idempotency::expires_at.le(until.as_micros()));
    each!(db, c => diesel::delete(old).execute(c))?;
    Ok(())
}

// === reading ===

pub(crate) fn key(
    db: &mut Db,
    participant: &ParticipantId,
    key: &[u8; 32],
) -> Done<Option<IdempotencyRow>> {
    let query = idempotency::table.filter(
        idempotency::participant
            .eq(participant.as_str())
            .and(idempotency::key.eq(key.as_slice())),
    );
    each!(db, c => query.get_result::<GotKey>(c).optional())?
        .map(|(participant, key, request, message, expires_at)| {
            Ok(IdempotencyRow {
                participant: column::word(&participant, "idempotency.participant")?,
                key: column::fixed(&key, "idempotency.key")?,
                request: column::fixed(&request, "idempotency.request")?,
                message: MessageId::from_bytes(column::fixed(&message, "idempotency.message")?),
                expires_at: Timestamp::from_micros(expires_at),
            })
        })
        .transpose()
}

/// Which of these keys are used, with their participants.
pub(crate) fn taken_keys(db: &mut Db, keys: &[&[u8]]) -> Done<Vec<(String, Vec<u8>)>> {
    let mut taken = Vec::new();
    for chunk in keys.chunks(CHUNK) {
        let query = idempotency::table
            .filter(idempotency::key.eq_any(chunk))
            .select((idempotency::participant, idempotency::key));
        taken.extend(each!(db, c => query.load::<(String, Vec<u8>)>(c))?);
    }
    Ok(taken)
}

/// Which of these nonces are used.
pub(crate) fn taken_nonces(db: &mut Db, nonces: &[&[u8]]) -> Done<Vec<Vec<u8>>> {
    let mut taken = Vec::new();
    for chunk in nonces.chunks(CHUNK) {
        let query = nonce::table
            .filter(nonce::value.eq_any(chunk))
            .select(nonce::value);
        taken.extend(each!(db, c => query.load::<Vec<u8>>(c))?);
    }
    Ok(taken)
}
