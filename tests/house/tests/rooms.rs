//! Every crate forbids unsafe code by its own first lines, and every room has
//! a size that a newcomer can read in one sitting.
#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what fails fails the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use chancery_house::{crates, root};

/// The longest room. The design asks for 100 to 400 lines; a little more is
/// borne where a table is longer than that.
const LONGEST: usize = 450;

/// Rooms that are longer and say why: a debt that must not grow.
const LONGER: &[(&str, usize)] = &[
    // One state machine: its states read better together than apart.
    ("adapters/mail/src/wire/session.rs", 600),
    ("appliance/ipc/src/links/mod.rs", 470),
];

fn rooms(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rooms(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_crate_forbids_unsafe_code() {
    for one in crates().values() {
        let src = root().join(&one.folder).join("src");
        for head in ["lib.rs", "main.rs"] {
            if let Ok(text) = fs::read_to_string(src.join(head)) {
                assert!(
                    text.contains("#![forbid(unsafe_code)]"),
                    "{}/src/{head}",
                    one.folder
                );
            }
        }
    }
}

#[test]
fn rooms_are_small() {
    let mut long = Vec::new();
    for one in crates()
        .values()
        .filter(|one| !one.folder.starts_with("tests/"))
    {
        let mut found = Vec::new();
        rooms(&root().join(&one.folder).join("src"), &mut found);
        for room in found {
            let text = fs::read_to_string(&room).expect("a room");
            // Inline tests at the end do not count.
            let lines = text
                .lines()
                .take_while(|line| *line != "#[cfg(test)]")
                .count();
            // Tables of a schema, and tests that have a file of their own.
            let is_other = room
                .file_name()
                .is_some_and(|name| name == "schema.rs" || name == "tests.rs");
            let most = LONGER
                .iter()
                .find(|(name, _)| room.ends_with(name))
                .map_or(LONGEST, |(_, most)| *most);
            if lines > most && !is_other {
                long.push(format!("{} has {lines} lines", room.display()));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
