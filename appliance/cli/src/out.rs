//! Standard output.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// Writes a line.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(|error| write_failed(&error))
}

/// Writes a value as one line of JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::new(format!("the answer: {error}")))?;
    line(text)
}

/// What a failed write to standard output means.
pub(crate) fn write_failed(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::Closed
    } else {
        Failure::new(format!("standard output cannot be written: {error}"))
    }
}

/// Text from others, safe on a terminal: control characters are shown, not obeyed.
pub(crate) fn safe(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}
