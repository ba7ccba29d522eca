//! The shipped schemes are sound and read as their cases say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::Path;

use chancery_label::schemes::{self, SHIPPED};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/schemes");

#[test]
fn shipped_schemes_are_sound_and_their_cases_hold() {
    let problems = schemes::check_dir(Path::new(FOLDER));
    let text: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", text.join("\n"));
}

#[test]
fn every_file_of_the_folder_is_built_in() {
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(stem) = name.strip_suffix(".toml")
            && !stem.ends_with(".cases")
        {
            files.insert(stem.to_owned());
        }
    }
    let built_in: BTreeSet<_> = SHIPPED.iter().map(|file| file.name.to_owned()).collect();
    assert_eq!(files, built_in);
}
