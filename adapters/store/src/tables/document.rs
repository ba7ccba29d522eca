//! Versions of directory, MoU and policy documents: append-only.

use chancery_message::Timestamp;
use chancery_pipeline::rows::{DocumentKind, DocumentRow};
use diesel::prelude::*;

use super::{column, insert_rows};
use crate::connection::{Db, each};
use crate::fault::Done;
use crate::schema::document as table;

#[derive(Insertable)]
#[diesel(table_name = table, treat_none_as_default_value = false)]
pub(crate) struct Put<'a> {
    kind: &'static str,
    name: &'a str,
    valid_from: i64,
    recorded_at: i64,
    content: &'a [u8],
    mac: &'a [u8],
}

type Got = (i64, String, String, i64, i64, Vec<u8>, Vec<u8>);

impl<'a> From<&'a DocumentRow> for Put<'a> {
    fn from(row: &'a DocumentRow) -> Self {
        Self {
            kind: row.kind.word(),
            name: &row.key,
            valid_from: row.valid_from.as_micros(),
            recorded_at: row.recorded_at.as_micros(),
            content: &row.document,
            mac: &row.mac,
        }
    }
}

pub(crate) fn insert(db: &mut Db, rows: &[Put<'_>]) -> Done {
    insert_rows!(db, table::table, rows, "document")
}

/// In the order recorded.
pub(crate) fn of_kind(db: &mut Db, kind: DocumentKind) -> Done<Vec<DocumentRow>> {
    let query = table::table
        .filter(table::kind.eq(kind.word()))
        .order(table::id.asc());
    each!(db, c => query.load::<Got>(c))?
        .into_iter()
        .map(|(_, kind, key, valid_from, recorded_at, document, mac)| {
            Ok(DocumentRow {
                kind: column::known(DocumentKind::from_word(&kind), "document.kind")?,
                key,
                valid_from: Timestamp::from_micros(valid_from),
                recorded_at: Timestamp::from_micros(recorded_at),
                document,
                mac: column::fixed(&mac, "document.mac")?,
            })
        })
        .collect()
}
