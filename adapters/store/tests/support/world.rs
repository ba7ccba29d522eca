//! A database of either kind, fresh for one test.

use std::path::PathBuf;
use std::sync::OnceLock;

use chancery_audit::LogId;
use chancery_store::{OpenError, Store, StoreConfig};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use super::postgres::Postgres;

/// The log that the tests write.
pub const LOG: &str = "chancery/test-node";

/// Where a test's store is.
#[derive(Debug)]
pub struct World {
    pub url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Sqlite(TempDir),
    Postgres(String),
}

/// One server for all tests of this process.
pub fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

pub fn log() -> LogId {
    LOG.parse().unwrap()
}

pub fn config() -> StoreConfig {
    StoreConfig {
        create: true,
        ..StoreConfig::default()
    }
}

impl World {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("chancery.db").display());
        Self {
            url,
            place: Place::Sqlite(dir),
        }
    }

    pub fn postgres() -> Self {
        let database = server().create_database();
        Self {
            url: server().url(&database),
            place: Place::Postgres(database),
        }
    }

    /// Opens the store, and makes it the first time.
    pub fn open(&self) -> Store {
        self.open_with(&config()).unwrap()
    }

    pub fn open_with(&self, config: &StoreConfig) -> Result<Store, OpenError> {
        Store::open(&self.url, &log(), config)
    }

    /// SQL past the store, as whoever owns the tables.
    pub fn sql(&self, sql: &str) -> Result<(), String> {
        match &self.place {
            Place::Sqlite(_) => {
                let mut db = SqliteConnection::establish(self.file().to_str().unwrap()).unwrap();
                db.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
                db.batch_execute(sql).map_err(|error| error.to_string())
            }
            Place::Postgres(database) => server().psql(database, "postgres", sql).map(drop),
        }
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        PathBuf::from(self.url.strip_prefix("sqlite:").unwrap())
    }

    /// The PostgreSQL database.
    pub fn database(&self) -> &str {
        match &self.place {
            Place::Postgres(database) => database,
            Place::Sqlite(_) => panic!("not a PostgreSQL database"),
        }
    }

    pub const fn is_sqlite(&self) -> bool {
        matches!(self.place, Place::Sqlite(_))
    }
}
