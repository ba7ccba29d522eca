//! SQLite: the embedded default.
//!
//! What the design relies on is set and then read back: write-ahead log,
//! `synchronous=FULL` (every commit is synced), foreign keys, temporary tables
//! in memory, a version without the WAL-reset fault (3.51.3).

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::Use;
use crate::config::OpenError;

const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// A database file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Absolute, so that no spelling of it is taken for a URI.
    path: String,
    /// How long a statement waits for a lock, milliseconds.
    patience_ms: u32,
    /// Largest size of the file, in pages.
    max_pages: Option<u64>,
}

/// Holds the database for one process. Given back by the kernel when the
/// process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

/// Copies a database as it is at one moment into a new file, while others
/// write to it.
///
/// # Errors
/// [`OpenError`] where it cannot be read, or `to` cannot be made.
pub fn snapshot_sqlite(file: &Path, to: &Path) -> Result<(), OpenError> {
    let place = Place::new(file, 30_000, None)?;
    place.prepare(false)?;
    let target = to
        .to_str()
        .ok_or_else(|| OpenError::Place("its path is not UTF-8".into()))?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| OpenError::Place(error.to_string()))?;
    let failed = |error: diesel::result::Error| OpenError::Connect(error.to_string());
    let mut db = SqliteConnection::establish(&place.path)
        .map_err(|error| OpenError::Connect(error.to_string()))?;
    db.batch_execute("PRAGMA busy_timeout = 30000; PRAGMA trusted_schema = OFF;")
        .map_err(failed)?;
    // Into an empty file: SQLite takes that for a new one.
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(target)
        .execute(&mut db)
        .map_err(failed)?;
    Ok(())
}

// === impl Place ===

impl Place {
    pub(crate) const PAGE: u64 = 4096;

    pub(crate) fn new(
        path: &Path,
        patience_ms: u32,
        max_bytes: Option<u64>,
    ) -> Result<Self, OpenError> {
        let absolute =
            std::path::absolute(path).map_err(|error| OpenError::Place(error.to_string()))?;
        let path = absolute
            .to_str()
            .ok_or_else(|| OpenError::Place("its path is not UTF-8".into()))?
            .to_owned();
        Ok(Self {
            path,
            patience_ms,
            max_pages: max_bytes.map(|bytes| bytes.div_ceil(Self::PAGE)),
        })
    }

    /// Makes sure that the file is a plain file of this user's alone, or makes one.
    pub(crate) fn prepare(&self, create: bool) -> Result<(), OpenError> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if !found.is_file() => Err(OpenError::Place("it is not a plain file".into())),
            Ok(found) if found.permissions().mode() & 0o077 != 0 => Err(OpenError::Place(
                "others than its owner may open it: `chmod 600` it".into(),
            )),
            // An empty file is what a truncated database looks like.
            Ok(found) if found.len() == 0 && !create => Err(OpenError::Missing),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if !create {
                    return Err(OpenError::Missing);
                }
                // SQLite gives its -wal and -shm files the mode of this one.
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&self.path)
                    .map(drop)
                    .map_err(|error| OpenError::Place(error.to_string()))
            }
            Err(error) => Err(OpenError::Place(error.to_string())),
        }
    }

    /// Takes the database for this process, if no other has it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, OpenError> {
        let path = PathBuf::from(format!("{}.lock", self.path));
        let place = |error: std::io::Error| OpenError::Place(error.to_string());
        if std::fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(OpenError::Place("its lock is not a plain file".into()));
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(place)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(place(error)),
        }
    }

    pub(crate) fn connect(&self, purpose: Use) -> Result<SqliteConnection, OpenError> {
        let failed = |error: diesel::result::Error| OpenError::Connect(error.to_string());
        let mut db = SqliteConnection::establish(&self.path)
            .map_err(|error| OpenError::Connect(error.to_string()))?;
        // First of all, so that the statements after it wait for locks.
        db.batch_execute(&format!("PRAGMA busy_timeout = {}", self.patience_ms))
            .map_err(failed)?;
        if purpose == Use::Write {
            db.batch_execute("PRAGMA journal_mode = WAL")
                .map_err(failed)?;
        }
        db.batch_execute(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
             PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA recursive_triggers = ON;",
        )
        .map_err(failed)?;
        if purpose == Use::Read {
            db.batch_execute("PRAGMA query_only = ON").map_err(failed)?;
        } else if let Some(pages) = self.max_pages {
            db.batch_execute(&format!("PRAGMA max_page_count = {pages}"))
                .map_err(failed)?;
        }
        self.check(&mut db, purpose)?;
        Ok(db)
    }

    fn check(&self, db: &mut SqliteConnection, purpose: Use) -> Result<(), OpenError> {
        let version = ask(db, "SELECT sqlite_version() AS value")?;
        if parse_version(&version).is_none_or(|found| found < OLDEST) {
            return Err(OpenError::Version {
                found: version,
                oldest: "SQLite 3.51.3",
            });
        }
        let query_only = if purpose == Use::Read { "1" } else { "0" };
        for (name, column, want) in [
            ("journal_mode", "journal_mode", "wal"),
            ("synchronous", "synchronous", "2"),
            ("foreign_keys", "foreign_keys", "1"),
            ("temp_store", "temp_store", "2"),
            ("busy_timeout", "timeout", &self.patience_ms.to_string()),
            ("trusted_schema", "trusted_schema", "0"),
            ("query_only", "query_only", query_only),
        ] {
            let found = ask(
                db,
                &format!("SELECT CAST({column} AS TEXT) AS value FROM pragma_{name}"),
            )?;
            if found != want {
                return Err(OpenError::Setting {
                    name,
                    found,
                    want: want.to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn ask(db: &mut SqliteConnection, sql: &str) -> Result<String, OpenError> {
    diesel::sql_query(sql)
        .get_result::<Setting>(db)
        .map(|row| row.value)
        .map_err(|error| OpenError::Connect(error.to_string()))
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    match (parts.next()?, parts.next()?, parts.next()?) {
        (Ok(major), Ok(minor), Ok(patch)) => Some((major, minor, patch)),
        _ => None,
    }
}
