//! `chancery audit`: the log.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use chancery_audit::{CheckpointKey, Expect, Exporter, Frontier, LogId, Record, timeline, verify};
use chancery_pipeline::officers::Request;
use clap::Subcommand;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, failed};
use crate::officers::{Desk, Officer};
use crate::{files, out, run};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    desk: Desk,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists records of the log.
    List {
        /// The first.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Tells the story of one message.
    Timeline {
        /// The message.
        id: String,
    },
    /// Writes the whole log, with its signed checkpoints, to one file that proves itself.
    Export {
        /// The new file.
        file: PathBuf,
    },
    /// Verifies an export, offline; status 1 names the first bad record.
    Verify {
        /// The export; `-` reads standard input.
        file: PathBuf,
        /// The log's key as it was kept: the file data/audit.key of `chancery
        /// init`, a public key in PEM, or its SHA-256 fingerprint. (--key, since
        /// nothing is signed here.) Without it, whoever made the file chose the key.
        #[arg(long = "log-key", value_name = "FILE|HEX", visible_alias = "expect")]
        log_key: Option<String>,
        /// A checkpoint that was kept outside the node; may be given again.
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
    },
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    match &args.command {
        Command::Verify {
            file,
            log_key,
            checkpoint,
        } => {
            // `--key` is the officer's key elsewhere; here it can only mean the log's.
            let given = args.desk.key.as_ref().map(|key| key.display().to_string());
            let expect = expect(log_key.as_deref().or(given.as_deref()), checkpoint)?;
            verify_file(file, &expect, json)
        }
        Command::List { from, limit } => {
            let officer = args.desk.open()?;
            let request = Request::AuditLeaves {
                from: *from,
                limit: *limit,
            };
            let lines = run::runtime()?.block_on(officer.order(request))?;
            show(&lines, json)
        }
        Command::Timeline { id } => {
            let officer = args.desk.open()?;
            let lines = run::runtime()?.block_on(story(&officer, id))?;
            show(&lines, json)
        }
        Command::Export { file } => {
            let officer = args.desk.open()?;
            let base = args.desk.config.parent().unwrap_or(Path::new("."));
            let key = key_of(&base.join("data/audit.key"))?;
            let records = run::runtime()?.block_on(export(&officer, &key, file))?;
            if json {
                return out::json(&json!({ "file": file, "records": records }));
            }
            out::line(format_args!(
                "{records} records in {}; chancery audit verify needs nothing else",
                file.display()
            ))
        }
    }
}

/// The records about one message, as the log has them.
pub(crate) async fn story(officer: &Officer, message: &str) -> Result<Vec<Bytes>, Failure> {
    officer
        .order(Request::AuditMessage {
            message: message.to_owned(),
        })
        .await
}

fn show(lines: &[Bytes], json: bool) -> Result<(), Failure> {
    for line in lines {
        if json {
            out::line(String::from_utf8_lossy(line))?;
            continue;
        }
        let record = Record::parse(line).map_err(failed("a record"))?;
        let entry = timeline::entry(&record);
        out::line(format_args!(
            "{:>6}  {}  {:<24} {}",
            entry.seq,
            entry.at,
            entry.kind.name(),
            out::safe(&entry.words)
        ))?;
    }
    Ok(())
}

/// Writes the whole log to a new file; the number of records.
pub(crate) async fn export(
    officer: &Officer,
    key: &CheckpointKey,
    file: &Path,
) -> Result<u64, Failure> {
    let lines = officer.order(Request::AuditExport).await?;
    let mut notes: Vec<(u64, String)> = Vec::new();
    let mut records: Vec<&Bytes> = Vec::new();
    for line in &lines {
        match checkpoint_of(line) {
            Some(note) if records.is_empty() => {
                let size = note.lines().nth(1).and_then(|size| size.parse().ok());
                notes.push((
                    size.ok_or_else(|| Failure::new("a checkpoint of the log cannot be read"))?,
                    note,
                ));
            }
            _ => records.push(line),
        }
    }
    let total = records.len() as u64;
    notes.sort();
    notes.dedup_by_key(|(size, _)| *size);
    // A checkpoint that is newer than the last record that came has no place.
    notes.retain(|(size, _)| (1..=total).contains(size));
    let wrong = || failed::<chancery_audit::ExportError>("the export");
    let count = notes.len() as u64;
    let mut exporter =
        Exporter::begin(Vec::new(), key, &Frontier::default(), total, count).map_err(wrong())?;
    let mut notes = notes.into_iter().peekable();
    for record in records {
        exporter.record(record, None).map_err(wrong())?;
        while let Some((_, note)) = notes.next_if(|(size, _)| *size == exporter.size()) {
            exporter.checkpoint(&note).map_err(wrong())?;
        }
    }
    let bytes = exporter.finish().map_err(wrong())?;
    files::create(file, 0o600, &bytes)?;
    Ok(total)
}

fn checkpoint_of(line: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(line).ok()?;
    value
        .get("checkpoint")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// Verifies an export; the report is shown.
pub(crate) fn verify_file(file: &Path, expect: &Expect, json: bool) -> Result<(), Failure> {
    let report = report(file, expect)?;
    if json {
        out::json(&report.to_json())?;
    } else {
        out::line(&report)?;
    }
    match &report.fault {
        None => Ok(()),
        Some(fault) => Err(Failure::new(format!("the log is not sound: {fault}"))),
    }
}

/// Verifies an export.
pub(crate) fn report(file: &Path, expect: &Expect) -> Result<verify::Report, Failure> {
    let cannot = || format!("{} cannot be read", file.display());
    if file == Path::new("-") {
        return verify::verify(BufReader::new(std::io::stdin().lock()), expect)
            .map_err(failed(cannot()));
    }
    let opened = std::fs::File::open(file).map_err(failed(cannot()))?;
    verify::verify(BufReader::with_capacity(1 << 18, opened), expect).map_err(failed(cannot()))
}

/// What is known of the log from elsewhere.
pub(crate) fn expect(key: Option<&str>, checkpoints: &[PathBuf]) -> Result<Expect, Failure> {
    let mut expect = Expect::default();
    if let Some(key) = key {
        let mut fingerprint = [0; 32];
        if key.len() == 64 && hex::decode_to_slice(key, &mut fingerprint).is_ok() {
            expect.fingerprint = Some(fingerprint);
        } else {
            let text = files::text(Path::new(key), 1 << 16)?;
            if text.contains("BEGIN PUBLIC KEY") {
                // The key's log is the file's to say; the fingerprint binds the key.
                let log: LogId = "unknown".parse().map_err(failed("the log"))?;
                let key = CheckpointKey::from_pem(&log, &text).map_err(failed("the log's key"))?;
                expect.fingerprint = Some(key.fingerprint());
            } else {
                let key = verifier(&text)?;
                expect.fingerprint = Some(key.fingerprint());
                expect.log = Some(key.log().clone());
            }
        }
    }
    for file in checkpoints {
        expect.anchors.push(files::text(file, 1 << 16)?);
    }
    Ok(expect)
}

/// The key in a file that `chancery init` wrote.
pub(crate) fn key_of(file: &Path) -> Result<CheckpointKey, Failure> {
    verifier(&files::text(file, 1 << 16)?)
}

/// Reads a C2SP verifier key: `name+id+base64(type, SubjectPublicKeyInfo)`.
fn verifier(text: &str) -> Result<CheckpointKey, Failure> {
    let not_one = || {
        Failure::new("not a log's key: NAME+ID+KEY as `chancery init` writes it to data/audit.key")
    };
    let mut parts = text.trim().splitn(3, '+');
    let (name, id, key) = (parts.next(), parts.next(), parts.next());
    let (Some(name), Some(id), Some(key)) = (name, id, key) else {
        return Err(not_one());
    };
    let typed = BASE64_STANDARD.decode(key).map_err(|_| not_one())?;
    let Some((2, spki)) = typed.split_first() else {
        return Err(not_one());
    };
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update(b"\n");
    hash.update(&typed);
    let expected: String = hex::encode(hash.finalize()).chars().take(8).collect();
    if id != expected {
        return Err(Failure::new(
            "the log's key is damaged: its id does not fit",
        ));
    }
    let log: LogId = name.parse().map_err(|_| not_one())?;
    CheckpointKey::from_spki(&log, spki).map_err(failed("the log's key"))
}
