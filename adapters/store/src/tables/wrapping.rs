//! Under which key-encryption key each content key is, and which of those keys
//! are closed.

use chancery_hsm_api::KekId;
use chancery_message::{BodyId, MessageId};
use chancery_pipeline::rows::{Holder, Wrapping};
use diesel::prelude::*;

use super::{CHUNK, column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::{Done, Fault};
use crate::kept::few;
use crate::schema::{kek_closed, wrapping as table};

#[derive(Insertable)]
#[diesel(table_name = table, treat_none_as_default_value = false)]
pub(crate) struct Put {
    holder: Vec<u8>,
    kind: &'static str,
    kek: String,
    generation: i64,
}

const MESSAGE: &str = "message";
const BODY: &str = "body";

// === writing ===

impl From<&Wrapping> for Put {
    fn from(wrapping: &Wrapping) -> Self {
        let (holder, kind) = match &wrapping.holder {
            Holder::Message(id) => (id.as_bytes().to_vec(), MESSAGE),
            Holder::Body(id) => (id.as_bytes().to_vec(), BODY),
        };
        Self {
            holder,
            kind,
            kek: wrapping.kek.to_string(),
            generation: i64::from(wrapping.generation),
        }
    }
}

/// New holders.
pub(crate) fn insert(db: &mut Db, rows: &[Put]) -> Done {
    insert_rows!(db, table::table, rows, "wrapping")
}

/// Holders that may be there already, under another key.
pub(crate) fn replace(db: &mut Db, rows: &[Put]) -> Done {
    for chunk in rows.chunks(CHUNK) {
        let holders: Vec<&[u8]> = chunk.iter().map(|row| row.holder.as_slice()).collect();
        let old = table::table.filter(table::holder.eq_any(holders));
        each!(db, c => diesel::delete(old).execute(c))?;
    }
    insert(db, rows)
}

pub(crate) fn delete_body(db: &mut Db, id: &BodyId) -> Done {
    let place = table::table.filter(table::holder.eq(id.as_bytes().as_slice()));
    each!(db, c => diesel::delete(place).execute(c))?;
    Ok(())
}

/// Closes a key under which nothing is; one that is closed stays so.
pub(crate) fn close(db: &mut Db, kek: &KekId, generation: u32) -> Done {
    let (name, number) = (kek.to_string(), i64::from(generation));
    let place = kek_closed::table.filter(
        kek_closed::kek
            .eq(&name)
            .and(kek_closed::generation.eq(number)),
    );
    if each!(db, c => place.count().get_result::<i64>(c))? > 0 {
        return Ok(());
    }
    let row = (kek_closed::kek.eq(&name), kek_closed::generation.eq(number));
    each!(db, c => diesel::insert_into(kek_closed::table).values(row).execute(c))?;
    Ok(())
}

// === reading ===

pub(crate) fn count(db: &mut Db, kek: &KekId, generation: u32) -> Done<u64> {
    let place = table::table.filter(
        table::kek
            .eq(kek.to_string())
            .and(table::generation.eq(i64::from(generation))),
    );
    column::count(
        each!(db, c => place.count().get_result::<i64>(c))?,
        "wrapping",
    )
}

pub(crate) fn under(db: &mut Db, kek: &KekId, generation: u32, limit: u32) -> Done<Vec<Holder>> {
    let query = table::table
        .filter(
            table::kek
                .eq(kek.to_string())
                .and(table::generation.eq(i64::from(generation))),
        )
        .order(table::holder.asc())
        .select((table::holder, table::kind));
    each!(db, c => few(query, limit).load::<(Vec<u8>, String)>(c))?
        .into_iter()
        .map(|(holder, kind)| {
            let id = column::fixed(&holder, "wrapping.holder")?;
            match kind.as_str() {
                MESSAGE => Ok(Holder::Message(MessageId::from_bytes(id))),
                BODY => Ok(Holder::Body(BodyId::from_bytes(id))),
                _ => Err(Fault::damaged("wrapping.kind")),
            }
        })
        .collect()
}
