//! What the pieces of a message cost alone, on the same machine in the same
//! run: the rows that it left, in as many commits, on the same file system.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};

use crate::alone;
use crate::node::Node;

/// Commits of a message to one recipient: accepted, opened, acknowledged.
const COMMITS: usize = 3;

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// Rows of all tables of a node's database.
pub(crate) fn rows(database: &Path) -> i64 {
    let mut connection = SqliteConnection::establish(&database.display().to_string()).unwrap();
    connection
        .batch_execute("PRAGMA query_only = 1; PRAGMA busy_timeout = 10000")
        .unwrap();
    let tables: Vec<Name> = sql_query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .load(&mut connection)
    .unwrap();
    tables
        .iter()
        .map(|table| {
            let count = format!("SELECT count(*) AS rows FROM \"{}\"", table.name);
            let found: Count = sql_query(count).get_result(&mut connection).unwrap();
            found.rows
        })
        .sum()
}

/// Commits rows of 300 bytes to a database of the same settings beside the
/// node's own, one commit after the other.
fn plain(folder: &Path, commits: usize, rows: usize) -> Duration {
    let file = folder.join("plain.db");
    let _fresh = std::fs::remove_file(&file);
    let mut connection = SqliteConnection::establish(&file.display().to_string()).unwrap();
    connection
        .batch_execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE plain (id INTEGER PRIMARY KEY, value BLOB NOT NULL)",
        )
        .unwrap();
    let value = vec![0x5a_u8; 300];
    let begin = Instant::now();
    for commit in 0..commits {
        connection
            .immediate_transaction(|connection| {
                for _ in 0..rows * (commit + 1) / commits - rows * commit / commits {
                    sql_query("INSERT INTO plain (value) VALUES (?)")
                        .bind::<Binary, _>(&value)
                        .execute(connection)?;
                }
                QueryResult::Ok(())
            })
            .unwrap();
    }
    begin.elapsed()
}

/// What a flow did, and how long it took.
pub(crate) struct Done {
    pub(crate) messages: usize,
    pub(crate) took: Duration,
    /// Rows that it left.
    pub(crate) rows: i64,
    /// Operations asked of the custodian.
    pub(crate) calls: BTreeMap<String, u64>,
    /// A mail is opened, and one is made, for each message.
    pub(crate) mail: bool,
}

/// Prints the pieces beside what the whole took. Each piece is done by one
/// caller, one after the other, so the whole, on several processors, can be
/// faster than their sum.
pub(crate) fn beside(node: &Node, name: &str, done: &Done, alone: &BTreeMap<String, Duration>) {
    let rows = usize::try_from(done.rows).unwrap();
    let folder = node.path("node/data");
    let commits = done.messages * COMMITS;
    let single = plain(&folder, commits, rows);
    // The writer puts what waits into one commit: eight senders wait.
    let grouped = plain(&folder, commits / 8, rows);
    #[allow(clippy::cast_precision_loss, reason = "a few hundred messages")]
    let messages = done.messages as f64;
    let each = |all: Duration| all.as_secs_f64() * 1000.0 / messages;
    println!("{name}, the pieces alone, ms a message:");
    let mut others = 0.0;
    let counted = alone.keys().any(|what| done.calls.contains_key(what));
    assert!(
        counted,
        "no operation of the token was counted: {:?}",
        done.calls
    );
    for (what, one) in alone {
        let is_mail = what == alone::READ || what == alone::RENDER;
        // What a mail asks of the token is within the work on it.
        let within = what == "pgp-sign";
        #[allow(clippy::cast_precision_loss, reason = "a few thousand operations")]
        let times = match done.calls.get(what) {
            _ if is_mail && done.mail => 1.0,
            Some(calls) if !(within && done.mail) => *calls as f64 / messages,
            _ => continue,
        };
        let part = times * one.as_secs_f64() * 1000.0;
        others += part;
        println!("    {what:<40} {times:>5.1} times {one:>9.2?} = {part:>6.2}");
    }
    for (what, piece) in [
        ("its rows, each commit alone", single),
        ("its rows, eight commits in one", grouped),
    ] {
        let (rows, whole) = (each(piece), each(done.took));
        println!(
            "    {what:<40} {rows:>6.2}; all pieces {:>6.2}; the whole {whole:.2} is {:.2} times that",
            rows + others,
            whole / (rows + others)
        );
    }
    println!(
        "    ({:.1} rows a message, {COMMITS} commits)",
        f64::from(u32::try_from(rows).unwrap()) / messages
    );
}
