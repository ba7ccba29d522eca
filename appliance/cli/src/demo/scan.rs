//! Searching files for text that must stand in none of them.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, failed};
use crate::files;

/// The files, below these places, in which one of the words stands.
pub(super) fn find(places: &[PathBuf], words: &[String]) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = places.to_vec();
    while let Some(path) = open.pop() {
        let Ok(about) = std::fs::symlink_metadata(&path) else {
            // Gone meanwhile: a journal of the database.
            continue;
        };
        if about.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(failed(path.display()))? {
                open.push(entry.map_err(failed(path.display()))?.path());
            }
        } else if about.is_file() && holds(&path, words)? {
            found.push(path.display().to_string());
        }
    }
    found.sort();
    Ok(found)
}

fn holds(path: &Path, words: &[String]) -> Result<bool, Failure> {
    let bytes = match files::read(path, 1 << 32) {
        Ok(bytes) => bytes,
        Err(_) if !path.exists() => return Ok(false),
        Err(failure) => return Err(failure),
    };
    Ok(words.iter().any(|word| {
        bytes
            .windows(word.len())
            .any(|part| part == word.as_bytes())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_where_it_stands_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/a"), b"\x00xxcanary1yy").unwrap();
        std::fs::write(folder.path().join("b"), b"canary2").unwrap();
        let find = |word: &str| find(&[folder.path().to_owned()], &[word.to_owned()]).unwrap();
        assert_eq!(find("canary1").len(), 1);
        assert!(find("canary3").is_empty());
    }
}
