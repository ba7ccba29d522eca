//! The custodian's own log: what was refused and what was administered, one
//! JSON line each, chained by hashes, written durably before anyone goes on.
//!
//! `hash = SHA-256("chancery-custodian-log-v1\n" ‖ previous hash ‖ line without
//! its hash)`; the hash before the first line is 32 zero bytes. The head goes
//! into the main audit log, which makes a cut tail show.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use chancery_hsm_api::durable;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const DOMAIN: &[u8] = b"chancery-custodian-log-v1\n";

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// It was tried and failed.
    Failed,
}

/// What is recorded; never content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who: a client's name, or `custodian` for itself.
    pub client: String,
    /// What: an operation's name.
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// On which key and why.
    pub detail: String,
    /// So many of this client were refused before without lines of their own.
    pub suppressed: u64,
}

/// The last line of a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number, counted from 1; 0 for an empty log.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Keeps what was refused and administered.
pub trait Recorder: Send + Sync {
    /// Keeps it, durably.
    ///
    /// # Errors
    /// Those of the file system.
    fn record(&self, event: &Event) -> io::Result<()>;

    /// The last that was kept.
    fn head(&self) -> Head;

    /// True if that was ever done, with that detail.
    fn was_done(&self, operation: &str, detail: &str) -> bool;

    /// All that was ever done, in order.
    fn done(&self) -> Vec<Done>;

    /// The latest time in any line, refusals too: microseconds since 1970, UTC;
    /// 0 for an empty log.
    fn latest(&self) -> i64;
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// When: microseconds since 1970, UTC.
    pub at: i64,
    /// What: an operation's name.
    pub operation: String,
    /// On what.
    pub detail: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    at: i64,
    client: String,
    operation: String,
    outcome: Outcome,
    detail: String,
    suppressed: u64,
    hash: String,
}

/// The log in a file.
pub struct ChainLog {
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
    /// The latest time in any line; asked with every use of a key.
    latest: AtomicI64,
    state: Mutex<State>,
}

struct State {
    file: File,
    head: Head,
    /// Length of what is whole.
    length: u64,
    /// What was done; administration is rare.
    done: Vec<Done>,
}

impl ChainLog {
    /// The detail of the last time that this was done.
    #[must_use]
    pub fn last_done(&self, operation: &str) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = state.done.iter().rev();
        done.find(|one| one.operation == operation)
            .map(|one| one.detail.clone())
    }
}

/// The log is not whole.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// It cannot be read or written.
    #[error("the custodian's log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not what was written.
    #[error("the custodian's log is broken at line {line}: {why}")]
    Broken {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        why: &'static str,
    },
}

impl ChainLog {
    /// Opens or starts the log and verifies it from its first line. A last
    /// line without its end was torn by a crash before anyone relied on it,
    /// and is cut off; that is recorded. `clock` tells microseconds since 1970, UTC.
    ///
    /// # Errors
    /// [`ChainError`] when a line was changed, removed or moved.
    pub fn open(
        path: &Path,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Result<Self, ChainError> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        durable::sync_folder_of(path)?;
        let mut done = Vec::new();
        let mut latest = 0;
        let (head, torn) = walk(&mut file, |line| {
            latest = latest.max(line.at);
            if line.outcome == Outcome::Done {
                done.push(Done {
                    at: line.at,
                    operation: line.operation,
                    detail: line.detail,
                });
            }
        })?;
        let length = file.metadata()?.len().saturating_sub(torn.len() as u64);
        let torn = !torn.is_empty();
        if torn {
            file.set_len(length)?;
            file.sync_all()?;
        }
        let log = Self {
            clock: Box::new(clock),
            latest: AtomicI64::new(latest),
            state: Mutex::new(State {
                file,
                head,
                length,
                done,
            }),
        };
        if torn {
            log.record(&Event {
                client: "custodian".to_owned(),
                operation: "log.recovered".to_owned(),
                outcome: Outcome::Done,
                detail: "a last line torn by a crash was cut off".to_owned(),
                suppressed: 0,
            })?;
        }
        Ok(log)
    }
}

impl Recorder for ChainLog {
    fn record(&self, event: &Event) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = state.head.seq + 1;
        let mut line = Line {
            seq,
            at: (self.clock)(),
            client: event.client.clone(),
            operation: event.operation.clone(),
            outcome: event.outcome,
            detail: event.detail.clone(),
            suppressed: event.suppressed,
            hash: String::new(),
        };
        let hash = chained(&state.head.hash, &line)?;
        line.hash = hex::encode(hash);
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        let written = state
            .file
            .write_all(&bytes)
            .and_then(|()| state.file.sync_data());
        if let Err(error) = written {
            // What got half written must not precede the next line.
            state.file.set_len(state.length)?;
            return Err(error);
        }
        state.length += bytes.len() as u64;
        state.head = Head { seq, hash };
        self.latest.fetch_max(line.at, Ordering::SeqCst);
        if event.outcome == Outcome::Done {
            state.done.push(Done {
                at: line.at,
                operation: line.operation,
                detail: line.detail,
            });
        }
        Ok(())
    }

    fn head(&self) -> Head {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .head
    }

    fn was_done(&self, operation: &str, detail: &str) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .done
            .iter()
            .any(|done| done.operation == operation && done.detail == detail)
    }

    fn done(&self) -> Vec<Done> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done.clone()
    }

    fn latest(&self) -> i64 {
        self.latest.load(Ordering::SeqCst)
    }
}

impl std::fmt::Debug for ChainLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainLog")
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

/// Verifies a log from its first line to its last and answers its head.
///
/// # Errors
/// [`ChainError`] with the first line that is not what was written; a last
/// line without its end counts as broken here.
pub fn verify_chain(log: impl Read) -> Result<Head, ChainError> {
    let (head, torn) = walk(log, |_| ())?;
    if torn.is_empty() {
        Ok(head)
    } else {
        Err(ChainError::Broken {
            line: head.seq + 1,
            why: "it has no end",
        })
    }
}

/// Reads all lines; answers the head, and what follows the last line's end.
fn walk(log: impl Read, mut each: impl FnMut(Line)) -> Result<(Head, Vec<u8>), ChainError> {
    let mut reader = BufReader::new(log);
    let mut head = Head::default();
    loop {
        let mut bytes = Vec::new();
        reader.read_until(b'\n', &mut bytes)?;
        if !bytes.ends_with(b"\n") {
            return Ok((head, bytes));
        }
        bytes.pop();
        let number = head.seq + 1;
        let broken = |why| ChainError::Broken { line: number, why };
        let mut line: Line =
            serde_json::from_slice(&bytes).map_err(|_| broken("it is no line of this log"))?;
        if serde_json::to_vec(&line).map_err(io::Error::from)? != bytes {
            return Err(broken("it is not written as it was"));
        }
        if line.seq != number {
            return Err(broken("its number does not follow"));
        }
        let told = std::mem::take(&mut line.hash);
        let hash = chained(&head.hash, &line)?;
        if told != hex::encode(hash) {
            return Err(broken("its hash does not follow from what is before it"));
        }
        head = Head { seq: number, hash };
        each(line);
    }
}

/// The hash of a line whose own hash is empty.
fn chained(previous: &[u8; 32], line: &Line) -> io::Result<[u8; 32]> {
    let text = serde_json::to_vec(line)?;
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(previous);
    hash.update(&text);
    Ok(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(detail: &str) -> Event {
        Event {
            client: "door/rest".to_owned(),
            operation: "pgp-sign".to_owned(),
            outcome: Outcome::Refused,
            detail: detail.to_owned(),
            suppressed: 0,
        }
    }

    fn written(path: &Path) -> Head {
        let log = ChainLog::open(path, || 7).unwrap();
        for detail in ["one", "two", "three"] {
            log.record(&event(detail)).unwrap();
        }
        log.head()
    }

    #[test]
    fn what_was_written_verifies_and_goes_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let head = written(&path);
        assert_eq!(head.seq, 3);
        assert_eq!(verify_chain(File::open(&path).unwrap()).unwrap(), head);
        let log = ChainLog::open(&path, || 8).unwrap();
        assert_eq!(log.head(), head);
        log.record(&event("four")).unwrap();
        assert_eq!(verify_chain(File::open(&path).unwrap()).unwrap().seq, 4);
    }

    #[test]
    fn a_changed_a_removed_and_a_moved_line_show_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        written(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let changed = text.replace("two", "TWO");
        let removed = format!("{}\n{}\n", lines[0], lines[2]);
        let moved = format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]);
        let spaced = text.replacen("{\"seq\":2", "{ \"seq\":2", 1);
        for (what, bad) in [changed, removed, moved, spaced].iter().enumerate() {
            let error = verify_chain(bad.as_bytes()).unwrap_err();
            assert!(
                matches!(error, ChainError::Broken { line: 2, .. }),
                "{what}: {error}"
            );
            std::fs::write(&path, bad).unwrap();
            assert!(ChainLog::open(&path, || 9).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let head = written(&path);
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let verdict = verify_chain(bad.as_slice());
            assert!(
                verdict.is_err_and(|e| matches!(e, ChainError::Broken { .. })),
                "byte {at}"
            );
        }
        assert_eq!(verify_chain(bytes.as_slice()).unwrap(), head);
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_that_is_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        written(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 10);
        std::fs::write(&path, &bytes).unwrap();
        assert!(verify_chain(bytes.as_slice()).is_err());
        let log = ChainLog::open(&path, || 9).unwrap();
        assert_eq!(log.head().seq, 3);
        assert!(log.was_done("log.recovered", "a last line torn by a crash was cut off"));
        verify_chain(File::open(&path).unwrap()).unwrap();
    }
}
