//! What of a running node goes into a backup, copied so that it fits together.
//!
//! ```text
//! checkpoint book ─► database (a snapshot) ─► custodian's log and roster ─► token ─► log unchanged?
//! ```
//!
//! In this order the database has all that the book has signed, and the log
//! tells of every key that the database or the token may need.

use std::path::{Path, PathBuf};

use chancery_settings::{ModuleKind, Place, Settings};
use tempfile::TempDir;

use super::bundle::Entry;
use crate::failure::{Failure, failed};

/// How often it is tried while custodians order things meanwhile.
const TRIES: usize = 5;

/// A consistent copy.
pub(super) struct Collected {
    pub(super) entries: Vec<Entry>,
    /// Whether the token's keys are in it.
    pub(super) token: bool,
    /// Files of the settings outside the node's folder.
    pub(super) apart: Vec<PathBuf>,
    /// Holds the copies until they are sealed.
    _copies: TempDir,
}

pub(super) fn collect(settings: &Settings, config: &Path) -> Result<Collected, Failure> {
    let config = std::path::absolute(config).map_err(failed("the settings' path"))?;
    let base = config.parent().unwrap_or(Path::new("/")).to_owned();
    for _ in 0..TRIES {
        if let Some(collected) = once(settings, &config, &base)? {
            return Ok(collected);
        }
    }
    Err(Failure::new(
        "custodians are at work: make the backup when they are done",
    ))
}

/// None where the custodian's log grew meanwhile by more than a start.
fn once(settings: &Settings, config: &Path, base: &Path) -> Result<Option<Collected>, Failure> {
    let copies = tempfile::Builder::new()
        .prefix(".backup-")
        .tempdir_in(&settings.node.data)
        .map_err(failed("a folder for the copies"))?;
    let mut copy = Copy {
        base,
        folder: copies.path(),
        entries: Vec::new(),
        apart: Vec::new(),
    };
    let state = &settings.custodian.state_dir;
    copy.optional(&state.join("checkpoints.json"))?;
    match settings.database.place().map_err(failed("the database"))? {
        Place::Sqlite(file) => {
            let snapshot = copy.place();
            chancery_store::snapshot_sqlite(&file, &snapshot).map_err(failed("the database"))?;
            copy.entry(&file, snapshot)?;
        }
        Place::Postgres { .. } => {
            return Err(Failure::new(
                "the database is PostgreSQL: back it up by its own means (docs/operations.md)",
            ));
        }
    }
    let log = state.join("custodian.log");
    copy.file(&log)?;
    let length = std::fs::metadata(&log)
        .map_err(failed(log.display()))?
        .len();
    for name in ["roster.jsonl", "role-table.json"] {
        copy.optional(&state.join(name))?;
    }
    let token = token(settings, &mut copy)?;
    configuration(settings, config, base, &mut copy)?;
    if std::fs::metadata(&log)
        .map_err(failed(log.display()))?
        .len()
        != length
    {
        return Ok(None);
    }
    let (entries, apart) = (copy.entries, copy.apart);
    Ok(Some(Collected {
        entries,
        token,
        apart,
        _copies: copies,
    }))
}

/// The token, where it is a folder of files: its keys stand there encrypted
/// under the PIN, which is not in the backup.
fn token(settings: &Settings, copy: &mut Copy<'_>) -> Result<bool, Failure> {
    let token = &settings.custodian.token;
    match (token.kind, &token.store) {
        (ModuleKind::Kryoptic | ModuleKind::Softhsm, Some(store)) => {
            copy.folder(store)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn configuration(
    settings: &Settings,
    config: &Path,
    base: &Path,
    copy: &mut Copy<'_>,
) -> Result<(), Failure> {
    copy.file(config)?;
    let rules = &settings.rules;
    for folder in [&rules.schemes, &rules.policies, &rules.mous] {
        copy.folder(folder)?;
    }
    copy.file(&rules.participants)?;
    copy.file(&rules.officers)?;
    for name in ["openpgp.pgp", "audit.key"] {
        copy.optional(&settings.node.data.join(name))?;
    }
    for name in ["ca", "tls"] {
        let folder = base.join(name);
        if folder.is_dir() {
            copy.folder(&folder)?;
        }
    }
    let doors = &settings.doors;
    let mut more: Vec<&PathBuf> = Vec::new();
    if let Some(mail) = &doors.mail {
        more.push(&mail.certificate);
        more.extend(&mail.relay_ca);
    }
    for door in [&doors.siena, &doors.rest].into_iter().flatten() {
        more.extend([&door.certificate, &door.client_ca]);
        more.extend(&door.crl);
    }
    for file in more {
        copy.file(file)?;
    }
    Ok(())
}

struct Copy<'a> {
    base: &'a Path,
    folder: &'a Path,
    entries: Vec<Entry>,
    apart: Vec<PathBuf>,
}

impl Copy<'_> {
    fn place(&self) -> PathBuf {
        self.folder.join(self.entries.len().to_string())
    }

    /// Notes a copy under the name of its original.
    fn entry(&mut self, original: &Path, copy: PathBuf) -> Result<(), Failure> {
        let Ok(path) = original.strip_prefix(self.base) else {
            self.apart.push(original.to_owned());
            return Ok(());
        };
        self.entries.push(Entry::of(path, copy)?);
        Ok(())
    }

    fn file(&mut self, file: &Path) -> Result<(), Failure> {
        let known = file
            .strip_prefix(self.base)
            .is_ok_and(|path| self.entries.iter().any(|one| Path::new(&one.path) == path));
        if known {
            return Ok(());
        }
        let place = self.place();
        std::fs::copy(file, &place)
            .map_err(failed(format!("{} cannot be copied", file.display())))?;
        self.entry(file, place)
    }

    fn optional(&mut self, file: &Path) -> Result<(), Failure> {
        if file.exists() {
            self.file(file)
        } else {
            Ok(())
        }
    }

    fn folder(&mut self, folder: &Path) -> Result<(), Failure> {
        if !folder.starts_with(self.base) {
            self.apart.push(folder.to_owned());
            return Ok(());
        }
        let what = || failed(format!("{} cannot be read", folder.display()));
        for one in std::fs::read_dir(folder).map_err(what())? {
            let path = one.map_err(what())?.path();
            let kind = std::fs::symlink_metadata(&path).map_err(what())?;
            if kind.is_dir() {
                self.folder(&path)?;
            } else if kind.is_file() {
                self.file(&path)?;
            }
        }
        Ok(())
    }
}

/// Never in a backup, wherever they are.
#[cfg(test)]
mod tests {
    #[test]
    fn nothing_secret_is_named() {
        let text = include_str!("collect.rs");
        let before = text.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(!before.contains(".pin\"") && !before.contains("\"officers\""));
    }
}
