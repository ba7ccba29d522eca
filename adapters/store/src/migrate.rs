//! The schema: embedded, brought up to date when the store is opened.

use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::config::OpenError;
use crate::connection::{Db, Link, each, postgres};
use crate::schema::__diesel_schema_migrations as applied;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

const SQLITE_HAS_SCHEMA: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '__diesel_schema_migrations') AS value";
const POSTGRES_HAS_SCHEMA: &str =
    "SELECT to_regclass('public.__diesel_schema_migrations') IS NOT NULL AS value";

#[derive(QueryableByName)]
struct Flag {
    #[diesel(sql_type = Bool)]
    value: bool,
}

/// Refuses a schema of a later program, applies what is missing. Where nothing
/// is missing nothing is written, so that a role without the right to change
/// the schema may run it.
pub(crate) fn migrate(db: &mut Db, create: bool) -> Result<(), OpenError> {
    let known = match &db.link {
        Link::Sqlite(_) => versions::<diesel::sqlite::Sqlite>(&SQLITE)?,
        Link::Postgres(_) => versions::<diesel::pg::Pg>(&POSTGRES)?,
    };
    let found = found(db)?;
    if let Some(newer) = found.iter().find(|version| !known.contains(version)) {
        return Err(OpenError::Newer(newer.clone()));
    }
    if found.is_empty() && !create {
        return Err(OpenError::Missing);
    }
    if found.len() == known.len() {
        return Ok(());
    }
    match &mut db.link {
        Link::Sqlite(c) => run(c, SQLITE),
        Link::Postgres(c) => {
            // Nodes that share a database do not migrate it at once.
            let failed = |error: diesel::result::Error| OpenError::Migration(error.to_string());
            if !postgres::try_lock(c, "schema").map_err(failed)? {
                return Err(OpenError::Busy);
            }
            let result = run(c, POSTGRES);
            postgres::unlock(c, "schema").map_err(failed)?;
            result
        }
    }
}

fn found(db: &mut Db) -> Result<Vec<String>, OpenError> {
    let failed = |error: diesel::result::Error| OpenError::Damaged(error.to_string());
    let question = match &db.link {
        Link::Sqlite(_) => SQLITE_HAS_SCHEMA,
        Link::Postgres(_) => POSTGRES_HAS_SCHEMA,
    };
    if !each!(db, c => diesel::sql_query(question).get_result::<Flag>(c))
        .map_err(failed)?
        .value
    {
        return Ok(Vec::new());
    }
    each!(db, c => applied::table.select(applied::version).load::<String>(c)).map_err(failed)
}

fn versions<DB: diesel::backend::Backend>(
    source: &EmbeddedMigrations,
) -> Result<Vec<String>, OpenError> {
    let migrations: Vec<Box<dyn Migration<DB>>> = MigrationSource::<DB>::migrations(source)
        .map_err(|error| OpenError::Migration(error.to_string()))?;
    Ok(migrations
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect())
}

fn run<DB: diesel::backend::Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
) -> Result<(), OpenError> {
    match connection.run_pending_migrations(source) {
        Ok(_) => Ok(()),
        Err(error) => Err(OpenError::Migration(error.to_string())),
    }
}
