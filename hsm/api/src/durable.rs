//! Small files that must survive a crash: the counter of wrong PINs, the
//! checkpoint book. Either the old content is there afterwards, or the new.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Replaces the content of `path`, durably: when this returns, a loss of power
/// brings back the new content, never a part of it. The file gets mode 0600.
/// One writer at a time.
///
/// # Errors
/// Those of the file system; then the old content is still there.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path
        .file_name()
        .map(OsString::from)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file's path"))?;
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    sync_folder_of(path)
}

/// Makes the folder's entry of `path` durable.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
