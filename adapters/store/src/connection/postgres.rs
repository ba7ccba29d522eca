//! PostgreSQL, reached through a Unix socket alone: core has no network. A
//! remote server stands behind a local proxy that does TLS.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use super::Use;
use crate::config::OpenError;

const OLDEST: u32 = 140_000;

/// What libpq would otherwise take from the environment or a home directory.
const NO_DEFAULTS: &str =
    "&hostaddr=&options=&passfile=/dev/null/none&application_name=chancery-core";

/// A database behind a socket.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    url: String,
    patience_ms: u32,
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
struct Flag {
    #[diesel(sql_type = Bool)]
    value: bool,
}

// === impl Place ===

impl Place {
    /// Reads `postgres:///DATABASE?host=/SOCKET/DIRECTORY[&user=NAME]`, and
    /// nothing else: no host in the authority, no password, no other option
    /// (libpq has many, some of which weaken it).
    pub(crate) fn new(url: &str, patience_ms: u32) -> Result<Self, OpenError> {
        let form = |what: &str| {
            Err(OpenError::Place(format!(
                "{what}: write `postgres:///DATABASE?host=/SOCKET/DIRECTORY&user=NAME`"
            )))
        };
        let Some(rest) = url.strip_prefix("postgres:///") else {
            return form("not a PostgreSQL database behind a Unix socket");
        };
        let (database, options) = rest.split_once('?').unwrap_or((rest, ""));
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !plain(database) {
            return form("the database's name is missing or has unusual letters");
        }
        let mut directory = None;
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("host", value)) if directory.is_none() => directory = Some(value),
                Some(("user", value)) if plain(value) => {}
                _ => return form("an option other than `host` and `user`"),
            }
        }
        let absolute = |path: &str| {
            path.starts_with('/') && path.split('/').all(|part| part.is_empty() || plain(part))
        };
        match directory {
            Some(path) if absolute(path) => Ok(Self {
                url: format!("{url}{NO_DEFAULTS}"),
                patience_ms,
            }),
            _ => form("`host` is not the absolute path of a socket's directory"),
        }
    }

    pub(crate) fn connect(&self, purpose: Use) -> Result<PgConnection, OpenError> {
        let failed = |error: diesel::result::Error| OpenError::Connect(error.to_string());
        let mut db = PgConnection::establish(&self.url)
            .map_err(|error| OpenError::Connect(error.to_string()))?;
        let read_only = if purpose == Use::Read { "on" } else { "off" };
        db.batch_execute(&format!(
            "SET synchronous_commit = on;
             SET default_transaction_isolation = 'read committed';
             SET default_transaction_read_only = {read_only};
             SET lock_timeout = {patience};
             SET statement_timeout = {statement};
             SET idle_in_transaction_session_timeout = {statement};
             SET search_path = public;
             SET client_min_messages = warning;",
            patience = self.patience_ms,
            statement = self.patience_ms.saturating_mul(12),
        ))
        .map_err(failed)?;
        let version = ask(
            &mut db,
            "SELECT current_setting('server_version_num') AS value",
        )?;
        if version.parse::<u32>().map_or(true, |found| found < OLDEST) {
            return Err(OpenError::Version {
                found: version,
                oldest: "PostgreSQL 14",
            });
        }
        for (name, want) in [
            ("synchronous_commit", "on"),
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("default_transaction_read_only", read_only),
            ("server_encoding", "UTF8"),
        ] {
            let found = ask(
                &mut db,
                &format!("SELECT current_setting('{name}') AS value"),
            )?;
            if found != want {
                return Err(OpenError::Setting {
                    name,
                    found,
                    want: want.to_owned(),
                });
            }
        }
        Ok(db)
    }
}

/// Takes a lock that lasts as long as the session, if nobody has it.
///
/// An older session of this process may still be busy with its last COMMIT:
/// it holds the lock until that is decided, so that whoever gets the lock
/// finds every earlier commit either done or gone.
pub(crate) fn try_lock(db: &mut PgConnection, name: &str) -> Result<bool, diesel::result::Error> {
    diesel::sql_query(
        "SELECT pg_try_advisory_lock(hashtextextended('chancery:' || $1, 0)) AS value",
    )
    .bind::<Text, _>(name)
    .get_result::<Flag>(db)
    .map(|row| row.value)
}

/// Gives it back.
pub(crate) fn unlock(db: &mut PgConnection, name: &str) -> Result<bool, diesel::result::Error> {
    diesel::sql_query("SELECT pg_advisory_unlock(hashtextextended('chancery:' || $1, 0)) AS value")
        .bind::<Text, _>(name)
        .get_result::<Flag>(db)
        .map(|row| row.value)
}

fn ask(db: &mut PgConnection, sql: &str) -> Result<String, OpenError> {
    diesel::sql_query(sql)
        .get_result::<Setting>(db)
        .map(|row| row.value)
        .map_err(|error| OpenError::Connect(error.to_string()))
}
