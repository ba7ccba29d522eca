//! Files: read with a size limit, written with a mode.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::failure::{Failure, failed};

/// Reads a file, or standard input for `-`; at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let what = || format!("{} cannot be read", path.display());
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(most + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
    }
    .map_err(failed(what()))?;
    if bytes.len() as u64 > most {
        return Err(Failure::new(format!(
            "{}: larger than {most} bytes",
            what()
        )));
    }
    Ok(bytes)
}

/// Reads text.
pub(crate) fn text(path: &Path, most: u64) -> Result<String, Failure> {
    String::from_utf8(read(path, most)?)
        .map_err(|_| Failure::new(format!("{} is not UTF-8 text", path.display())))
}

/// Makes a new file with this mode; one that exists is not touched.
pub(crate) fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(failed(
            format_args!("{} cannot be made", path.display()).to_string(),
        ))
}

/// Replaces a file as a whole: readers see the old one or the new one.
pub(crate) fn replace(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = Path::new(&beside);
    create(beside, mode, bytes)?;
    std::fs::rename(beside, path).map_err(failed(format!("{} cannot be replaced", path.display())))
}

/// Makes a folder of the user alone, and those above it.
pub(crate) fn folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed(format!("{} cannot be made", path.display())))
}
