//! One line for each try.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::MARK;

/// Tells what came of a try.
pub fn tell(process: &str, what: &str, outcome: &Result<(), String>) {
    let line = json!({
        "mark": MARK, "process": process, "try": what,
        "done": outcome.is_ok(), "why": outcome.as_ref().err(),
    });
    // One write: other daemons share this pipe, and formatting into it would
    // hand it over in pieces that theirs could fall between.
    let _told = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// What one line of a node's log tells: process, try, and why it was not done.
#[must_use]
pub fn read(line: &str) -> Option<(String, String, Result<(), String>)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let word = |key: &str| line.get(key)?.as_str().map(str::to_owned);
    if word("mark")? != MARK {
        return None;
    }
    let outcome = if line.get("done")?.as_bool()? {
        Ok(())
    } else {
        Err(word("why").unwrap_or_default())
    };
    Some((word("process")?, word("try")?, outcome))
}
