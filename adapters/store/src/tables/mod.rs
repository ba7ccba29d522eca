//! One room for each table: what is written to it, what is read from it.
//!
//! Inserts take many rows, so that a batch of steps becomes a few statements.
//! Updates name the version that they replace; where it is not there, nothing
//! changes and the step is in conflict.

pub(crate) mod audit;
pub(crate) mod body;
pub(crate) mod case;
pub(crate) mod column;
pub(crate) mod delivery;
pub(crate) mod document;
pub(crate) mod lookup;
pub(crate) mod message;
pub(crate) mod node;
pub(crate) mod once;
pub(crate) mod wrapping;

/// Rows of one INSERT: far below the number of parameters that either
/// database takes (32,766 and 65,535, at up to 15 columns).
pub(crate) const CHUNK: usize = 256;

/// Inserts rows into a table; a taken key is a duplicate of `$what`. SQLite
/// takes them one by one, by a statement that stays prepared; PostgreSQL is
/// spared the ways there and back.
macro_rules! insert_rows {
    ($db:expr, $table:path, $rows:expr, $what:literal) => {{
        let failed = |error| $crate::fault::Fault::from(error).in_table($what);
        match &mut $db.link {
            $crate::connection::Link::Sqlite(c) => {
                for row in $rows {
                    diesel::insert_into($table)
                        .values(row)
                        .execute(c)
                        .map_err(failed)?;
                }
            }
            $crate::connection::Link::Postgres(c) => {
                for chunk in $rows.chunks($crate::tables::CHUNK) {
                    diesel::insert_into($table)
                        .values(chunk)
                        .execute(c)
                        .map_err(failed)?;
                }
            }
        }
        Ok(())
    }};
}
pub(crate) use insert_rows;
