//! Many files as one stream: a list of them, then their bytes one after the
//! other. Paths stay below the node's folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Cursor, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, failed};
use crate::files;

/// Longest list.
const MOST: u64 = 64 * 1024 * 1024;

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Where it goes, below the node's folder.
    pub(super) path: String,
    /// Its permissions.
    pub(super) mode: u32,
    /// Its length.
    pub(super) size: u64,
    /// Its digest, hex.
    pub(super) sha256: String,
    /// Where its bytes are now: a copy that nobody changes.
    #[serde(skip)]
    pub(super) source: PathBuf,
}

impl Entry {
    /// The file at `source`, to be restored at `path`.
    pub(super) fn of(path: &Path, source: PathBuf) -> Result<Self, Failure> {
        let what = || failed(format!("{} cannot be read", source.display()));
        let meta = std::fs::metadata(&source).map_err(what())?;
        let path = path
            .to_str()
            .ok_or_else(|| Failure::new("a file's name is not UTF-8"))?;
        Ok(Self {
            path: path.to_owned(),
            mode: meta.permissions().mode() & 0o777,
            size: meta.len(),
            sha256: hex::encode(super::digest(&source)?),
            source,
        })
    }
}

/// All of them as one stream.
pub(super) fn read(entries: &[Entry]) -> Result<Box<dyn Read>, Failure> {
    let list = serde_json::to_vec(entries).map_err(failed("the list of files"))?;
    let mut head = (list.len() as u64).to_be_bytes().to_vec();
    head.extend(list);
    let mut all: Box<dyn Read> = Box::new(Cursor::new(head));
    for entry in entries {
        let file = File::open(&entry.source)
            .map_err(failed(format!("{} cannot be read", entry.source.display())))?;
        // Exactly so many, whatever happens to the file.
        all = Box::new(all.chain(file.take(entry.size)));
    }
    Ok(all)
}

/// Writes the files of a stream below `folder`, each checked.
pub(super) fn write(mut stream: impl Read, folder: &Path) -> Result<usize, Failure> {
    let broken = || Failure::new("the backup's list of files is broken");
    let mut length = [0; 8];
    stream.read_exact(&mut length).map_err(|_| broken())?;
    let length = u64::from_be_bytes(length);
    if length > MOST {
        return Err(broken());
    }
    let mut list = vec![0; usize::try_from(length).map_err(|_| broken())?];
    stream.read_exact(&mut list).map_err(|_| broken())?;
    let entries: Vec<Entry> = serde_json::from_slice(&list).map_err(|_| broken())?;
    let mut seen = BTreeSet::new();
    for entry in &entries {
        let path = Path::new(&entry.path);
        let plain = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !plain || entry.path.is_empty() || !seen.insert(&entry.path) {
            return Err(broken());
        }
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            files::folder(parent)?;
        }
        one(&mut stream, entry, &target)?;
    }
    Ok(entries.len())
}

fn one(stream: &mut impl Read, entry: &Entry, target: &Path) -> Result<(), Failure> {
    let what = || failed(format!("{} cannot be made", target.display()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(entry.mode & 0o700)
        .open(target)
        .map_err(what())?;
    let mut hash = Sha256::new();
    let mut left = entry.size;
    let mut buffer = vec![0; 1 << 16];
    while left > 0 {
        let want = usize::try_from(left.min(buffer.len() as u64)).unwrap_or(buffer.len());
        let piece = buffer.get_mut(..want).unwrap_or_default();
        let count = stream.read(piece).map_err(what())?;
        if count == 0 {
            return Err(what()(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        let piece = buffer.get(..count).unwrap_or_default();
        hash.update(piece);
        file.write_all(piece).map_err(what())?;
        left -= count as u64;
    }
    if hex::encode(hash.finalize()) != entry.sha256 {
        return Err(Failure::new(format!(
            "{} is not what was backed up",
            entry.path
        )));
    }
    file.sync_all().map_err(what())
}
