//! A node brought back from its backup, with the consent of its custodians.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use chancery_hsm_api::approval::Signed;
use chancery_hsm_custodian::{
    Ceremony, ChainLog, Dossier, Event, Outcome, Recorder as _, RosterFile, judge,
};
use chancery_machine::SystemClock;
use chancery_message::Clock as _;
use chancery_seal::open_archive;
use chancery_settings::Settings;
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use serde_json::json;
use zeroize::Zeroizing;

use super::{OPERATION, bundle, digest, signature_of};
use crate::failure::{Failure, failed};
use crate::{files, out};

/// Restores a node from a backup into a new folder.
///
/// It needs the backup key, the public key of the officer who signed the backup
/// (FILE.sig), and m of n of the node's custodians: they approve
///
///   chancery key propose restore FILE --out restore.json
///
/// Afterwards put the token's PIN in its place (it is not in the backup), look
/// with `chancery check`, and start. Never run the old node beside it.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The backup.
    file: PathBuf,
    /// The new node's folder: not there yet, or empty.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The backup key: backup.key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Its passphrase.
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
    /// The public key (PEM) of the officer who signed the backup.
    #[arg(long, value_name = "FILE")]
    signer: PathBuf,
    /// The proposal to restore it, approved by enough custodians.
    #[arg(long, value_name = "FILE")]
    dossier: PathBuf,
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let dossier = consent(args)?;
    let passphrase = Zeroizing::new(files::text(&args.passphrase_file, 1 << 12)?);
    let pem = Zeroizing::new(files::text(&args.key, 1 << 16)?);
    let key =
        p256::SecretKey::from_pkcs8_encrypted_pem(&pem, passphrase.trim_end_matches(['\r', '\n']))
            .map_err(|_| {
                Failure::new("the backup key cannot be opened: is the passphrase right?")
            })?;
    let dir = std::path::absolute(&args.to).map_err(failed("--to"))?;
    if std::fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(format!(
            "{} is not empty: name a new folder",
            dir.display()
        )));
    }
    files::folder(&dir)?;
    let done = unpack(args, &key, &dossier, &dir);
    if done.is_err() {
        // Nothing that was not agreed to stays.
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            return Err(failed(format!("{} cannot be removed", dir.display()))(
                error,
            ));
        }
    }
    let count = done?;
    if json {
        return out::json(&json!({ "to": dir, "files": count }));
    }
    out::line(format_args!(
        "{count} files are in {}. Next:",
        dir.display()
    ))?;
    out::line("  1. Put the token's PIN in its place, mode 0400 (custodian.pin in chancery.toml)")?;
    out::line(format_args!(
        "  2. chancery check --config {0}/chancery.toml, then chancery run --config {0}/chancery.toml",
        dir.display()
    ))
}

/// The dossier, if it is about exactly this file, and the file is signed.
fn consent(args: &Args) -> Result<Dossier, Failure> {
    let digest = digest(&args.file)?;
    let dossier: Dossier = serde_json::from_str(&files::text(&args.dossier, 1 << 20)?)
        .map_err(failed(format!("{} is no proposal", args.dossier.display())))?;
    let agreed = Ceremony::Restore {
        digest: hex::encode(digest),
    };
    if dossier.proposal.operation != agreed {
        return Err(Failure::new(
            "the custodians agreed to something else than to restore this backup",
        ));
    }
    let signer =
        p256::ecdsa::VerifyingKey::from_public_key_pem(&files::text(&args.signer, 1 << 16)?)
            .map_err(|_| Failure::new("--signer: this is no public key of P-256 in PEM"))?;
    let signature = signature_of(&args.file);
    let signed: Signed = serde_json::from_str(&files::text(&signature, 1 << 16)?)
        .map_err(failed(format!("{} is no signature", signature.display())))?;
    let fits = signed.record.operation == OPERATION
        && signed.record.digest == digest
        && signed.record.node == dossier.proposal.node
        && signed.is_by(&signer);
    if !fits {
        return Err(Failure::new(
            "the backup is not what the officer signed: it was changed, or somebody else signed it",
        ));
    }
    Ok(dossier)
}

/// Opens and writes all, and asks the roster inside whether its custodians agreed.
fn unpack(
    args: &Args,
    key: &p256::SecretKey,
    dossier: &Dossier,
    dir: &Path,
) -> Result<usize, Failure> {
    let plain = dir.join(".restoring");
    let sealed = File::open(&args.file).map_err(failed(args.file.display()))?;
    files::create(&plain, 0o600, b"")?;
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .open(&plain)
        .map_err(failed(plain.display()))?;
    open_archive(key, BufReader::new(sealed), &opened).map_err(failed("the backup"))?;
    drop(opened);
    let stream = BufReader::new(File::open(&plain).map_err(failed(plain.display()))?);
    let count = bundle::write(stream, dir)?;
    std::fs::remove_file(&plain).map_err(failed(plain.display()))?;

    let settings = Settings::load(&dir.join("chancery.toml"))
        .map_err(|error| Failure::new(error.to_string()))?;
    let state = &settings.custodian.state_dir;
    let log = ChainLog::open(&state.join("custodian.log"), || {
        SystemClock.now().as_micros()
    })
    .map_err(|error| Failure::new(error.to_string()))?;
    let roster = RosterFile::open(
        &state.join("roster.jsonl"),
        &settings.custodian.log_origin,
        &log,
    )
    .map_err(|error| Failure::new(error.to_string()))?
    .ok_or_else(|| Failure::new("the node in the backup has no custodians"))?;
    let people = judge(
        roster.present(),
        &settings.custodian.log_origin,
        dossier,
        SystemClock.now().as_micros(),
    )
    .map_err(|why| Failure::new(why.to_string()))?;
    let people: Vec<String> = people.into_iter().collect();
    log.record(&Event {
        client: "custodian".to_owned(),
        operation: "node.restored".to_owned(),
        outcome: Outcome::Done,
        detail: format!(
            "{}: {}",
            hex::encode(dossier.proposal.digest()),
            people.join(" ")
        ),
        suppressed: 0,
    })
    .map_err(failed("the custodian's log"))?;
    // A backup holds files: a folder that had none is made again.
    let rules = &settings.rules;
    for folder in [
        &settings.node.run,
        &rules.schemes,
        &rules.policies,
        &rules.mous,
    ] {
        if folder.starts_with(dir) {
            files::folder(folder)?;
        }
    }
    Ok(count)
}
