//! Keyed digests under which messages are found again.

use chancery_message::MessageId;
use chancery_pipeline::rows::IndexKind;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::{CHUNK, column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::Done;
use crate::kept::kept;
use crate::schema::lookup as table;

#[derive(Insertable)]
#[diesel(table_name = table, treat_none_as_default_value = false)]
pub(crate) struct Put<'a> {
    kind: &'static str,
    digest: &'a [u8],
    message: &'a [u8],
    is_unique: bool,
}

impl<'a> Put<'a> {
    pub(crate) const fn new(
        kind: IndexKind,
        digest: &'a [u8; 32],
        message: &'a MessageId,
        is_unique: bool,
    ) -> Self {
        Self {
            kind: kind.word(),
            digest,
            message: message.as_bytes(),
            is_unique,
        }
    }
}

pub(crate) fn insert(db: &mut Db, rows: &[Put<'_>]) -> Done {
    insert_rows!(db, table::table, rows, "index")
}

/// Newest first.
pub(crate) fn find(db: &mut Db, kind: IndexKind, digest: &[u8; 32]) -> Done<Vec<MessageId>> {
    let query = table::table
        .filter(
            table::kind
                .eq(kind.word())
                .and(table::digest.eq(digest.as_slice())),
        )
        .order(table::id.desc())
        .select(table::message);
    each!(db, c => query.load::<Vec<u8>>(c))?
        .iter()
        .map(|id| Ok(MessageId::from_bytes(column::fixed(id, "lookup.message")?)))
        .collect()
}

/// The message that alone may have the digest.
pub(crate) fn holder(db: &mut Db, kind: IndexKind, digest: &[u8; 32]) -> Done<Option<MessageId>> {
    let query = table::table
        .filter(
            table::kind
                .eq(kind.word())
                .and(table::digest.eq(digest.as_slice())),
        )
        .filter(sql::<Bool>("is_unique"))
        .select(table::message);
    each!(db, c => kept(query).get_result::<Vec<u8>>(c).optional())?
        .map(|id| Ok(MessageId::from_bytes(column::fixed(&id, "lookup.message")?)))
        .transpose()
}

/// Which of these digests one message alone has, with their kinds.
pub(crate) fn taken(db: &mut Db, digests: &[&[u8]]) -> Done<Vec<(String, Vec<u8>)>> {
    let mut taken = Vec::new();
    for chunk in digests.chunks(CHUNK) {
        let query = table::table
            .filter(table::digest.eq_any(chunk).and(sql::<Bool>("is_unique")))
            .select((table::kind, table::digest));
        taken.extend(each!(db, c => query.load::<(String, Vec<u8>)>(c))?);
    }
    Ok(taken)
}
