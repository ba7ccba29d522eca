//! What the pieces of a message cost alone, on the same machine in the same
//! run: the rows that it left, in as many commits, on the same file system.

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};

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

/// Prints the pieces beside what the whole took.
pub(crate) fn beside(node: &Node, name: &str, messages: usize, rows: i64, took: Duration) {
    let rows = usize::try_from(rows).unwrap();
    let folder = node.path("node/data");
    let single = plain(&folder, messages * COMMITS, rows);
    // The writer puts what waits into one commit: eight senders wait.
    let grouped = plain(&folder, messages * COMMITS / 8, rows);
    println!(
        "{name}: {} rows a message in {COMMITS} commits",
        rows / messages
    );
    for (what, piece) in [
        ("the same rows, each commit alone", single),
        ("the same rows, eight commits in one", grouped),
    ] {
        let ratio = took.as_secs_f64() / piece.as_secs_f64();
        println!("    {what:<40} {piece:>9.2?}; the whole takes {ratio:.1} times as long");
    }
}
