//! What the documents claim must be there: every test that the table of past
//! failures names, and every file that a document links to.
#![allow(
    clippy::expect_used,
    reason = "helpers of tests: what fails fails the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use chancery_house::root;

/// The names between back-ticks in a document.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Whether the file has a test of that name: a function below `#[test]`, or a
/// case of a suite, which is a plain function that the suite's runner calls.
fn has_test(file: &Path, name: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}(")))
}

#[test]
fn every_test_that_answers_a_past_failure_exists() {
    let table = fs::read_to_string(root().join("docs/past-failures.md")).expect("the table");
    let claims: Vec<(&str, &str)> = quoted(&table)
        .filter_map(|name| name.split_once("::"))
        .filter(|(file, _)| file.contains('/'))
        .collect();
    assert!(claims.len() > 100, "the table names {} tests", claims.len());
    let missing: Vec<_> = claims
        .iter()
        .filter(|(file, name)| !has_test(&root().join(file), name))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

/// Every document of the tree: the root's and those below `docs` and `appliance`.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("docs"), root().join("appliance"), root()];
    let top = root();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && folder != top && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn links_between_documents_lead_somewhere() {
    let documents = documents();
    assert!(documents.len() > 10, "{} documents", documents.len());
    let mut dead = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document");
        let folder = document.parent().expect("a folder");
        for piece in text.split("](").skip(1) {
            let target = piece.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !folder.join(target).exists() {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "links that lead nowhere: {dead:#?}");
}

/// `tests/long` does what its own help lists, and lists what it does.
#[test]
fn every_long_run_that_is_listed_is_there() {
    let script = fs::read_to_string(root().join("tests/long")).expect("the script");
    let (_, rest) = script.split_once("<<'TXT'\n").expect("its help");
    let (help, rest) = rest.split_once("\nTXT\n").expect("the end of its help");
    let listed: std::collections::BTreeSet<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let (_, cases) = rest.split_once("case \"${1-}\" in\n").expect("its cases");
    let there: std::collections::BTreeSet<&str> = cases
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_once(')'))
        .map(|(name, _)| name)
        .filter(|name| *name != "*")
        .collect();
    assert!(listed.len() > 8, "{listed:?}");
    assert_eq!(listed, there);
}
