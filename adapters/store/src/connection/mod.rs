//! One connection to either database.
//!
//! Diesel's queries are written once and compiled for each backend: [`each!`]
//! picks the connection and repeats the expression in both arms. (Diesel's
//! `MultiConnection` does the same for single rows, not for batches.)

pub(crate) mod postgres;
pub(crate) mod sqlite;

use diesel::connection::SimpleConnection as _;
use diesel::r2d2::{ManageConnection, Pool};
use diesel::{PgConnection, SqliteConnection};

use crate::config::OpenError;
use crate::fault::{Done, Fault};

/// A connection that is set up and checked.
pub(crate) struct Db {
    pub(crate) link: Link,
    /// Set once it failed in a way that it does not recover from.
    lost: bool,
}

pub(crate) enum Link {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Evaluates `$e` with `$c` as the connection of whichever backend it is.
macro_rules! each {
    ($db:expr, $c:ident => $e:expr) => {
        match &mut $db.link {
            $crate::connection::Link::Sqlite($c) => $e,
            $crate::connection::Link::Postgres($c) => $e,
        }
    };
}
pub(crate) use each;

/// Where the database is.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Sqlite(sqlite::Place),
    Postgres(postgres::Place),
}

/// For which use a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The one writer.
    Write,
    /// Reads alone; the database refuses anything else.
    Read,
}

/// Opens readers for the pool.
#[derive(Debug)]
pub(crate) struct Readers(pub(crate) Target);

pub(crate) type Pooled = Pool<Readers>;

// === impl Target ===

impl Target {
    pub(crate) fn connect(&self, purpose: Use) -> Result<Db, OpenError> {
        let link = match self {
            Self::Sqlite(place) => Link::Sqlite(place.connect(purpose)?),
            Self::Postgres(place) => Link::Postgres(place.connect(purpose)?),
        };
        Ok(Db { link, lost: false })
    }
}

// === impl Db ===

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.link {
            Link::Sqlite(_) => "Db(sqlite)",
            Link::Postgres(_) => "Db(postgres)",
        })
    }
}

impl Db {
    /// Runs statements without parameters.
    pub(crate) fn run(&mut self, sql: &str) -> Done {
        Ok(each!(self, c => c.batch_execute(sql))?)
    }

    /// Begins a transaction that will write. Past Diesel's own bookkeeping of
    /// transactions: what a COMMIT without answer means is decided here.
    /// (Inserts of several rows must therefore be one statement:
    /// `treat_none_as_default_value = false` on every row type.)
    pub(crate) fn begin(&mut self) -> Done {
        match &self.link {
            // Not deferred: the write lock now, or none at all.
            Link::Sqlite(_) => self.run("BEGIN IMMEDIATE"),
            Link::Postgres(_) => self.run("BEGIN"),
        }
    }

    /// Makes the transaction durable.
    pub(crate) fn commit(&mut self) -> Done {
        self.run("COMMIT")
    }

    /// Undoes the transaction.
    pub(crate) fn rollback(&mut self) -> Done {
        self.run("ROLLBACK")
    }

    pub(crate) const fn lose(&mut self) {
        self.lost = true;
    }
}

// === impl Readers ===

impl ManageConnection for Readers {
    type Connection = Db;
    type Error = OpenError;

    fn connect(&self) -> Result<Db, OpenError> {
        self.0.connect(Use::Read)
    }

    fn is_valid(&self, db: &mut Db) -> Result<(), OpenError> {
        db.run("SELECT 1")
            .map_err(|_| OpenError::Connect("it does not answer".into()))
    }

    fn has_broken(&self, db: &mut Db) -> bool {
        db.lost
    }
}

/// Reads with a connection of the pool. A connection that turns out to be dead
/// is thrown away and the read begins again on another, until the pool has no
/// old one left.
pub(crate) fn read<T>(pool: &Pooled, mut reading: impl FnMut(&mut Db) -> Done<T>) -> Done<T> {
    let mut tries = pool.max_size();
    loop {
        let mut db = pool
            .get()
            .map_err(|error| Fault::Refused(error.to_string()))?;
        match reading(&mut db) {
            Err(Fault::Lost(text)) => {
                db.lose();
                if tries == 0 {
                    return Err(Fault::Lost(text));
                }
                tries -= 1;
            }
            other => return other,
        }
    }
}
