//! `chancery backup` and `chancery restore`: a running node, sealed and signed.

mod bundle;
mod collect;
mod restore;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_hsm_api::approval::{Record, Vote};
use chancery_machine::{SystemClock, SystemEntropy};
use chancery_message::Clock as _;
use chancery_seal::seal_archive;
use chancery_settings::Settings;
use p256::pkcs8::{DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::failure::{Failure, failed};
use crate::init::officers::System;
use crate::officers::Desk;
use crate::{files, out};

pub(crate) use restore::{Args as RestoreArgs, command as restore};

/// What the signature of a backup is about.
const OPERATION: &str = "node.backup";

/// Backs up a running node into one file: database, configuration, the
/// custodian's log, book and roster, and the token where it is a file.
///
/// The file is sealed for the holder of the backup key: who makes backups cannot
/// open them. Neither PINs nor officers' keys are in it; keep those apart.
///
///   chancery backup --new-key keys --passphrase-file secret      once, on another machine
///   chancery backup --for keys/backup.pub --out node.backup --officer anna --key anna.key
///   chancery restore node.backup --help
///
/// FILE.sig beside it is the officer's signature over it.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    desk: Desk,
    /// Makes a backup key in this folder: backup.key (encrypted under the
    /// passphrase) and backup.pub.
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    new_key: Option<PathBuf>,
    /// The backup key's public half.
    #[arg(long = "for", value_name = "FILE", required_unless_present = "new_key")]
    recipient: Option<PathBuf>,
    /// The file that is made.
    #[arg(long, value_name = "FILE", required_unless_present = "new_key")]
    out: Option<PathBuf>,
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    if let Some(folder) = &args.new_key {
        return new_key(&args.desk, folder, json);
    }
    let (Some(recipient), Some(file)) = (&args.recipient, &args.out) else {
        return Err(Failure::usage("--for FILE --out FILE"));
    };
    let pem = files::text(recipient, 1 << 16)?;
    let recipient = p256::PublicKey::from_public_key_pem(&pem)
        .map_err(|_| Failure::new("--for: this is no public key of P-256 in PEM"))?;
    let officer = args.desk.open()?;
    let settings =
        Settings::load(&args.desk.config).map_err(|error| Failure::new(error.to_string()))?;
    let collected = collect::collect(&settings, &args.desk.config)?;

    let sealed = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(failed(format!("{} cannot be made", file.display())))?;
    let plain = bundle::read(&collected.entries)?;
    seal_archive(&recipient, &SystemEntropy, plain, BufWriter::new(&sealed))
        .and_then(|()| Ok(sealed.sync_all()?))
        .map_err(failed(file.display()))?;
    let digest = digest(file)?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(failed("the system gives no random bytes"))?;
    let signed = officer.sign(Record {
        node: settings.custodian.log_origin.clone(),
        operation: OPERATION.to_owned(),
        digest,
        vote: Vote::Approve,
        nonce,
        not_after: SystemClock
            .now()
            .after(Duration::from_secs(24 * 60 * 60))
            .as_micros(),
    })?;
    let text = serde_json::to_string_pretty(&signed).map_err(failed("the signature"))?;
    files::create(&signature_of(file), 0o600, text.as_bytes())?;

    let bytes: u64 = collected.entries.iter().map(|entry| entry.size).sum();
    if json {
        return out::json(&json!({
            "file": file, "sha256": hex::encode(digest), "files": collected.entries.len(),
            "bytes": bytes, "token": collected.token, "apart": collected.apart,
        }));
    }
    out::line(format_args!(
        "{}: {} files, {bytes} bytes, sha256 {}",
        file.display(),
        collected.entries.len(),
        hex::encode(digest)
    ))?;
    if !collected.token {
        out::line("the token is not in it: back it up by its maker's means (docs/operations.md)")?;
    }
    for path in collected.apart {
        out::line(format_args!(
            "outside the node's folder, not in it: {}",
            path.display()
        ))?;
    }
    out::line("PINs and officers' keys are not in it: keep them apart")
}

fn new_key(desk: &Desk, folder: &Path, json: bool) -> Result<(), Failure> {
    let file = desk
        .passphrase_file
        .as_deref()
        .ok_or_else(|| Failure::usage("--passphrase-file FILE: what the key is encrypted under"))?;
    let passphrase = Zeroizing::new(files::text(file, 1 << 12)?);
    let passphrase = passphrase.trim_end_matches(['\r', '\n']);
    if passphrase.len() < 12 {
        return Err(Failure::new("a passphrase has at least 12 characters"));
    }
    files::folder(folder)?;
    let key = p256::SecretKey::random(&mut System);
    let private = key
        .to_pkcs8_encrypted_pem(System, passphrase, LineEnding::LF)
        .map_err(failed("the backup key"))?;
    let public = key
        .public_key()
        .to_public_key_pem(LineEnding::LF)
        .map_err(failed("the backup key"))?;
    files::create(&folder.join("backup.key"), 0o400, private.as_bytes())?;
    files::create(&folder.join("backup.pub"), 0o444, public.as_bytes())?;
    if json {
        return out::json(
            &json!({ "key": folder.join("backup.key"), "public": folder.join("backup.pub") }),
        );
    }
    out::line(format_args!(
        "give backup.pub to the node; keep backup.key away from it: {}",
        folder.display()
    ))
}

/// Where the signature over a backup stands.
fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// SHA-256 of a file, however long.
pub(crate) fn digest(file: &Path) -> Result<[u8; 32], Failure> {
    let what = || failed(format!("{} cannot be read", file.display()));
    let mut reader = BufReader::new(File::open(file).map_err(what())?);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = reader.read(&mut buffer).map_err(what())?;
        if count == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(buffer.get(..count).unwrap_or_default());
    }
}
