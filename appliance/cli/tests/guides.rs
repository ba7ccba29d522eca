//! Every command that the documents name exists.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what fails fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The subcommands that the help of a command lists; none where it has none.
fn subcommands(of: &[&str]) -> BTreeSet<String> {
    let out = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(of)
        .arg("--help")
        .output()
        .expect("chancery runs");
    assert!(out.status.success(), "chancery {of:?} --help");
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // Names stand two columns in; what continues a description stands deeper.
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![root.join("README.md"), root.join("SECURITY.md")];
    for entry in fs::read_dir(root.join("docs")).expect("the documents") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// What stands behind each `chancery ` of a document's code.
fn invocations(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let pieces: Vec<&str> = if fenced {
            vec![line]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for piece in pieces {
            let Some(rest) = piece.trim_start().strip_prefix("chancery ") else {
                continue;
            };
            let words = rest
                .split_whitespace()
                .take_while(|word| {
                    word.chars()
                        .all(|one| one.is_ascii_lowercase() || "-|\\".contains(one))
                        && !word.starts_with('-')
                })
                .map(str::to_owned)
                .collect();
            found.push(words);
        }
    }
    found
}

#[test]
fn every_command_that_a_document_names_exists() {
    let top = subcommands(&[]);
    assert!(top.len() > 10, "{top:?}");
    let mut below: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for words in invocations(&text) {
            let Some(first) = words.first() else { continue };
            for name in first.split('|') {
                seen += 1;
                let name = name.trim_end_matches('\\');
                if !top.contains(name) {
                    wrong.push(format!("{}: chancery {name}", document.display()));
                    continue;
                }
                let known = below
                    .entry(name.to_owned())
                    .or_insert_with(|| subcommands(&[name]));
                let Some(second) = words.get(1).filter(|_| !known.is_empty()) else {
                    continue;
                };
                for one in second.split('|').map(|one| one.trim_end_matches('\\')) {
                    if !known.contains(one) {
                        wrong.push(format!("{}: chancery {name} {one}", document.display()));
                    }
                }
            }
        }
    }
    assert!(seen > 40, "only {seen} commands were found");
    assert!(wrong.is_empty(), "no such commands: {wrong:#?}");
}
