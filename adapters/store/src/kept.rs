//! Statements that stay prepared.
//!
//! Diesel prepares anew each time what it cannot tell to be one text: UPDATE,
//! pieces of SQL written out, rows given as a slice. And SQLite compiles a
//! statement anew at each use where LIMIT is a parameter, since its plan
//! depends on the value. That was two fifths of what core computed for a small
//! message. The statements here have few texts, so that each connection can
//! keep them all.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

/// A statement whose text depends on no value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<Q>(Q);

/// A query for so many rows. Its texts are as many as there are limits asked
/// for: those of the code, and pages of up to a hundred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Few<Q> {
    query: Q,
    limit: u32,
}

/// For statements with the same text each time: nothing in them may be as long
/// as a list is. They must be loaded (an UPDATE with what it returns): what is
/// executed goes by a reference, which Diesel asks instead.
pub(crate) const fn kept<Q>(statement: Q) -> Kept<Q> {
    Kept(statement)
}

/// The first rows of a query, in its order.
pub(crate) const fn few<Q>(query: Q, limit: u32) -> Few<Q> {
    Few { query, limit }
}

// === impl Kept ===

impl<Q, DB> QueryFragment<DB> for Kept<Q>
where
    DB: Backend,
    Q: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, _: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q: Query> Query for Kept<Q> {
    type SqlType = Q::SqlType;
}

/// Kept by its text: other statements of the same types may have another.
impl<Q> QueryId for Kept<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q, C> RunQueryDsl<C> for Kept<Q> {}

// === impl Few ===

impl<Q, DB> QueryFragment<DB> for Few<Q>
where
    DB: Backend,
    Q: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.query.walk_ast(pass.reborrow())?;
        pass.push_sql(" LIMIT ");
        pass.push_sql(&self.limit.to_string());
        Ok(())
    }

    fn is_safe_to_cache_prepared(&self, _: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q: Query> Query for Few<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> QueryId for Few<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q, C> RunQueryDsl<C> for Few<Q> {}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use diesel::connection::{InstrumentationEvent, SimpleConnection as _};
    use diesel::dsl::sql;
    use diesel::sql_types::Bool;

    use super::*;
    use crate::schema::epoch;

    /// What a connection kept, each text once.
    #[test]
    fn what_diesel_would_prepare_anew_is_prepared_once() {
        let texts = Arc::new(Mutex::new(Vec::new()));
        let mut db = SqliteConnection::establish(":memory:").unwrap();
        db.batch_execute("CREATE TABLE epoch (id INTEGER PRIMARY KEY, value BIGINT NOT NULL)")
            .unwrap();
        let told = Arc::clone(&texts);
        db.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::CacheQuery { sql, .. } = event {
                told.lock().unwrap().push(sql.to_owned());
            }
        });
        diesel::insert_into(epoch::table)
            .values((epoch::id.eq(1), epoch::value.eq(1_i64)))
            .execute(&mut db)
            .unwrap();
        for value in 2..5_i64 {
            let place = epoch::table.filter(epoch::id.eq(1));
            let update = diesel::update(place).set(epoch::value.eq(value));
            let set = kept(update.returning(epoch::value)).get_result::<i64>(&mut db);
            assert_eq!(set, Ok(value));
            let written_out = epoch::table
                .filter(sql::<Bool>("id > 0"))
                .select(epoch::value);
            let got = few(written_out, 1).get_result::<i64>(&mut db).unwrap();
            assert_eq!(got, value);
        }
        let texts = texts.lock().unwrap();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[1].starts_with("UPDATE"), "{}", texts[1]);
        assert!(texts[2].ends_with(" LIMIT 1"), "{}", texts[2]);
    }
}
