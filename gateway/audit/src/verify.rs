//! Offline verification of an export: needs the file and what one expects of
//! its key, nothing else. Streaming; memory does not grow with the file.

use std::io::{self, BufRead};

use crate::export::{CheckpointLine, Header, Line, parse_json, read_hash, read_line};
pub use crate::report::{Fault, Place, Report, Wrong};
use crate::{
    Checkpoint, CheckpointError, CheckpointKey, Frontier, Hash, LogId, Record, RecordError,
    leaf_hash,
};

/// What the verifier knows from elsewhere. The less it knows, the less a
/// sound report says.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// SHA-256 of the log key's SubjectPublicKeyInfo. Without it, whoever made
    /// the file chose the key.
    pub fingerprint: Option<Hash>,
    /// The log's id.
    pub log: Option<LogId>,
    /// Checkpoints (signed notes) that somebody kept outside the node: the log
    /// must still contain what they say. They show forks and cut-off ends.
    pub anchors: Vec<String>,
}

/// Verifies an export.
///
/// # Errors
/// When the file cannot be read. What is wrong with the log is in the report.
pub fn verify<R: BufRead>(reader: R, expect: &Expect) -> io::Result<Report> {
    let mut run = Run {
        reader,
        line: Vec::new(),
        number: 0,
        frontier: Frontier::default(),
        anchors: Vec::new(),
        report: Report {
            log: None,
            fingerprint: None,
            key_expected: false,
            from: 0,
            size: 0,
            root: Frontier::default().root(),
            checkpoints: 0,
            anchors: 0,
            anchored: 0,
            fault: None,
        },
    };
    match run.all(expect) {
        Ok(()) => {}
        Err(Stop::Fault(place, what)) => {
            run.report.fault = Some(Fault {
                place,
                what,
                line: run.number,
            });
        }
        Err(Stop::Io(error)) => return Err(error),
    }
    run.report.size = run.frontier.size();
    run.report.root = run.frontier.root();
    Ok(run.report)
}

enum Stop {
    Fault(Place, Wrong),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

struct Run<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
    frontier: Frontier,
    /// Verified anchors not yet met, largest first.
    anchors: Vec<Checkpoint>,
    report: Report,
}

impl<R: BufRead> Run<R> {
    fn all(&mut self, expect: &Expect) -> Result<(), Stop> {
        let (header, key) = self.header(expect)?;
        self.anchors(expect, &key)?;
        let mut checkpoints = header.checkpoints;
        let mut last_checkpoint = None;
        loop {
            self.meet_anchors()?;
            let size = self.frontier.size();
            let here = Place::Record(size);
            match self.next()? {
                Line::End if size < header.to => return Err(Stop::Fault(here, Wrong::Ended)),
                Line::End if checkpoints > 0 => {
                    return Err(Stop::Fault(
                        Place::Checkpoint(size),
                        Wrong::CheckpointMissing,
                    ));
                }
                Line::End => break,
                Line::TooLong => {
                    return Err(Stop::Fault(here, Wrong::Record(RecordError::TooLong)));
                }
                Line::Cut if size < header.to => return Err(Stop::Fault(here, Wrong::Ended)),
                Line::Cut => return Err(Stop::Fault(here, Wrong::More)),
                Line::Whole => {}
            }
            if self.line.first() == Some(&b'{') {
                let place = Place::Checkpoint(size);
                checkpoints = checkpoints
                    .checked_sub(1)
                    .ok_or(Stop::Fault(place, Wrong::More))?;
                if last_checkpoint == Some(size) {
                    return Err(Stop::Fault(place, Wrong::CheckpointPlace));
                }
                self.checkpoint(&key)?;
                last_checkpoint = Some(size);
            } else if size == header.to {
                return Err(Stop::Fault(here, Wrong::More));
            } else {
                self.record(&key)?;
            }
        }
        // Anchors beyond the end: the log was longer once.
        match self.anchors.last() {
            Some(anchor) => Err(Stop::Fault(
                Place::Record(self.frontier.size()),
                Wrong::Anchor { size: anchor.size },
            )),
            None => Ok(()),
        }
    }

    fn next(&mut self) -> io::Result<Line> {
        self.number += 1;
        read_line(&mut self.reader, &mut self.line)
    }

    fn header(&mut self, expect: &Expect) -> Result<(Header, CheckpointKey), Stop> {
        let wrong = |what| Stop::Fault(Place::Header, what);
        let Line::Whole = self.next()? else {
            return Err(wrong(Wrong::Header("not the header of an audit export")));
        };
        let header = Header::parse(&self.line).map_err(|what| wrong(Wrong::Header(what)))?;
        let key = header
            .key()
            .map_err(|error| wrong(Wrong::Checkpoint(error)))?;
        self.report.log = Some(key.log().clone());
        self.report.fingerprint = Some(key.fingerprint());
        if expect
            .fingerprint
            .is_some_and(|expected| expected != key.fingerprint())
        {
            return Err(wrong(Wrong::Key));
        }
        if expect
            .log
            .as_ref()
            .is_some_and(|expected| expected != key.log())
        {
            return Err(wrong(Wrong::Log));
        }
        self.report.key_expected = expect.fingerprint.is_some();
        self.frontier = header
            .frontier()
            .ok_or(wrong(Wrong::Header("hashes that no log of that size has")))?;
        self.report.from = header.from;
        self.report.anchored = header.from;
        Ok((header, key))
    }

    fn anchors(&mut self, expect: &Expect, key: &CheckpointKey) -> Result<(), Stop> {
        for (index, note) in expect.anchors.iter().enumerate() {
            let anchor = Checkpoint::verify(note.as_bytes(), key)
                .map_err(|error| Stop::Fault(Place::Anchor(index), Wrong::Checkpoint(error)))?;
            // One from before the export's beginning says nothing of it.
            if anchor.size >= self.report.from {
                self.anchors.push(anchor);
            }
        }
        self.anchors
            .sort_by_key(|anchor| std::cmp::Reverse(anchor.size));
        Ok(())
    }

    fn meet_anchors(&mut self) -> Result<(), Stop> {
        while let Some(anchor) = self
            .anchors
            .pop_if(|anchor| anchor.size <= self.frontier.size())
        {
            self.signed(&anchor)?;
            self.report.anchors += 1;
        }
        Ok(())
    }

    fn checkpoint(&mut self, key: &CheckpointKey) -> Result<(), Stop> {
        let size = self.frontier.size();
        let wrong = |what| Stop::Fault(Place::Checkpoint(size), what);
        let line: CheckpointLine =
            parse_json(&self.line).ok_or(wrong(Wrong::Checkpoint(CheckpointError::Malformed)))?;
        let checkpoint = Checkpoint::verify(line.checkpoint.as_bytes(), key)
            .map_err(|error| wrong(Wrong::Checkpoint(error)))?;
        if checkpoint.size > size {
            let announced = checkpoint.size;
            return Err(Stop::Fault(
                Place::Record(size),
                Wrong::Before { announced },
            ));
        }
        if checkpoint.size < size {
            return Err(Stop::Fault(
                Place::Checkpoint(checkpoint.size),
                Wrong::CheckpointPlace,
            ));
        }
        self.signed(&checkpoint)?;
        self.report.checkpoints += 1;
        Ok(())
    }

    /// Compares the records so far with a verified checkpoint of this size.
    fn signed(&mut self, checkpoint: &Checkpoint) -> Result<(), Stop> {
        let size = self.frontier.size();
        if checkpoint.size == size && checkpoint.root == self.frontier.root() {
            self.report.anchored = size;
            return Ok(());
        }
        // If nothing stands between the last good checkpoint and this one,
        // there are two different ones for one size, or `before` is forged.
        let place = match size.checked_sub(1) {
            Some(last) if last >= self.report.anchored => {
                Place::Records(self.report.anchored, last)
            }
            _ => Place::Checkpoint(size),
        };
        Err(Stop::Fault(place, Wrong::Root))
    }

    fn record(&mut self, key: &CheckpointKey) -> Result<(), Stop> {
        let seq = self.frontier.size();
        let wrong = |what| Stop::Fault(Place::Record(seq), what);
        let malformed = || wrong(Wrong::Record(RecordError::Malformed));
        let (hash, rest) = self.line.split_at_checked(64).ok_or_else(malformed)?;
        let recorded = std::str::from_utf8(hash)
            .ok()
            .and_then(read_hash)
            .ok_or_else(malformed)?;
        let bytes = rest.strip_prefix(b" ").ok_or_else(malformed)?;
        let leaf = leaf_hash(bytes);
        if leaf != recorded {
            return Err(wrong(Wrong::LeafHash));
        }
        let record = Record::parse(bytes).map_err(|error| wrong(Wrong::Record(error)))?;
        if record.log != *key.log() {
            return Err(wrong(Wrong::Log));
        }
        if record.seq > seq {
            return Err(wrong(Wrong::Missing { found: record.seq }));
        }
        if record.seq < seq {
            return Err(wrong(Wrong::Extra { found: record.seq }));
        }
        self.frontier.push(leaf);
        Ok(())
    }
}
