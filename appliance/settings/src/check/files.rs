//! What a file or folder that is named must be.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::Finding;

pub(super) fn range(at: &str, value: u64, least: u64, most: u64, found: &mut Vec<Finding>) {
    if !(least..=most).contains(&value) {
        found.push(Finding::wrong(
            at,
            format!("it must be from {least} to {most}"),
        ));
    }
}

pub(super) fn folder(at: &str, path: &Path, found: &mut Vec<Finding>) {
    match fs::metadata(path) {
        Ok(about) if !about.is_dir() => found.push(Finding::wrong(at, "it is not a folder")),
        Ok(about) if others_write(&about) => {
            found.push(Finding::wrong(
                at,
                "others may change the folder: chmod go-w it",
            ));
        }
        Ok(_) => {}
        Err(_) => found.push(Finding::wrong(
            at,
            "the folder does not exist: run `chancery init`, or create it",
        )),
    }
}

pub(super) fn plain(at: &str, path: &Path, found: &mut Vec<Finding>) -> bool {
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => found.push(Finding::wrong(at, "it is not a file")),
        Ok(about) if others_write(&about) => {
            found.push(Finding::wrong(
                at,
                "others may change the file: chmod go-w it",
            ));
        }
        Ok(_) => return true,
        Err(_) => found.push(Finding::wrong(at, "the file does not exist")),
    }
    false
}

/// A PEM file of certificates; a private key has no place there.
pub(super) fn certificates(at: &str, path: &Path, found: &mut Vec<Finding>) {
    if !plain(at, path, found) {
        return;
    }
    match fs::read_to_string(path) {
        Ok(text) if text.contains("PRIVATE KEY-----") => found.push(Finding::wrong(
            at,
            "a private key is in this file: keys live in the token; take it out and replace it",
        )),
        Ok(text) if !text.contains("-----BEGIN CERTIFICATE-----") => {
            found.push(Finding::wrong(
                at,
                "there is no certificate in this file (PEM)",
            ));
        }
        Ok(_) => {}
        Err(_) => found.push(Finding::wrong(at, "the file cannot be read as text (PEM)")),
    }
}

pub(super) fn others_write(about: &Metadata) -> bool {
    about.mode() & 0o022 != 0
}
