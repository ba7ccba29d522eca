//! `chancery label spif`: policy files to schemes and back, through the real
//! command.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use chancery_label::schemes::parse_scheme;
use serde_json::Value;

const EXAMPLE: &str = include_str!("../../../gateway/label/tests/data/euci-example.spif.xml");
const GUIDE: &str = include_str!("../../../docs/adding-a-label-scheme.md");

const GRADE: &str = "<spif:securityClassification ";
const OBSOLETE: &str = " obsolete=\"true\"";

fn grades(spif: &str) -> impl Iterator<Item = &str> {
    spif.lines().filter(|line| line.starts_with(GRADE))
}

fn label(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chancery"))
        .arg("label")
        .args(arguments)
        .output()
        .unwrap()
}

/// What a command that must succeed says.
fn said(arguments: &[&str]) -> String {
    let output = label(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {error}");
    assert_eq!(error, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that must fail says, with this status.
fn refused(arguments: &[&str], status: i32) -> String {
    let output = label(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// A SPIF without the second in which it was made.
fn undated(spif: &str) -> String {
    let (before, rest) = spif.split_once(" creationDate=\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}{after}")
}

#[test]
fn every_policy_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    for id in ["EU", "NATO", "EUROPOL", "DEU", "BEL", "FRA", "SWE", "EST"] {
        let spif = path(folder.path(), &format!("{id}.xml"));
        let toml = path(folder.path(), &format!("{id}.toml"));
        let told = said(&["spif", "export", id, "--out", &spif]);
        assert!(told.starts_with(id), "{told}");
        let first = fs::read_to_string(&spif).unwrap();
        assert_eq!(undated(&said(&["spif", "export", id])), undated(&first));

        // The policy's number says which scheme it is.
        let told = said(&["spif", "import", &spif, "--out", &toml]);
        assert!(told.starts_with(&format!("{id}: ")), "{told}");
        assert!(told.contains(&format!("{id}.cases.toml")), "{told}");
        let text = fs::read_to_string(&toml).unwrap();
        assert_eq!(said(&["spif", "import", &spif]), text);
        assert_eq!(parse_scheme(id, &text).unwrap().id, id);

        // Days do not pass through a SPIF: who imports it hears which are missing.
        let ended = grades(&first)
            .filter(|line| line.contains(OBSOLETE))
            .count();
        assert_eq!(told.matches("obsolete: ").count(), ended, "{told}");

        // And says again what it said.
        let again = said(&["spif", "export", &toml]);
        assert_eq!(undated(&again), undated(&first), "{id}");
    }
}

#[test]
fn a_policy_from_elsewhere_becomes_a_scheme_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let part = |name: &str| {
        let (_, rest) = GUIDE
            .split_once(&format!("<!-- file: config/schemes/{name} -->\n```toml\n"))
            .unwrap();
        rest.split_once("\n```\n").unwrap().0
    };
    let by_hand = path(folder.path(), "by-hand.toml");
    fs::write(&by_hand, part("norway.toml")).unwrap();
    let spif = path(folder.path(), "norway.xml");
    said(&["spif", "export", &by_hand, "--out", &spif]);

    let schemes = folder.path().join("schemes");
    fs::create_dir(&schemes).unwrap();
    let toml = path(&schemes, "norway.toml");
    said(&["spif", "import", &spif, "--as", "NOR", "--out", &toml]);
    fs::write(schemes.join("norway.cases.toml"), part("norway.cases.toml")).unwrap();
    let answer = said(&[
        "parse",
        "strengt hemmelig",
        "--country",
        "NOR",
        "--schemes",
        schemes.to_str().unwrap(),
    ]);
    assert!(answer.starts_with("STRENGT HEMMELIG"), "{answer}");
    assert!(answer.contains("TS-UE"), "{answer}");
}

#[test]
fn json_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let spif = path(folder.path(), "example.xml");
    fs::write(&spif, EXAMPLE).unwrap();
    let answer: Value =
        serde_json::from_str(&said(&["spif", "import", &spif, "--as", "EUX", "--json"])).unwrap();
    assert_eq!(answer["scheme"]["scheme"], "EUX");
    assert_eq!(answer["scheme"]["policy"]["name"], "EUCI-EXAMPLE");
    assert_eq!(answer["file"], Value::Null);
    let answer: Value = serde_json::from_str(&said(&["spif", "export", "EU", "--json"])).unwrap();
    assert_eq!(answer["scheme"], "EU");
    assert!(answer["spif"].as_str().unwrap().starts_with("<spif:SPIF "));
}

#[test]
fn a_bad_policy_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let out = path(folder.path(), "out.toml");
    let name = path(folder.path(), "bad.xml");
    for (from, to, what) in [
        (
            "schemaVersion=\"2.1\"",
            "schemaVersion=\"3.0\"",
            "not version 2.1 of the schema at SPIF, byte ",
        ),
        (
            "tagType=\"restrictive\"",
            "tagType=\"notApplicable\"",
            "a tag type that decides nothing at securityCategoryTag, byte ",
        ),
        (
            "name=\"SECRET UE/EU SECRET\"",
            "name=\"VERY SECRET\"",
            "no equivalence with the EU policy: add one at equivalentClassification, byte ",
        ),
        (
            "lacv=\"578\"",
            "lacv=\"579\"",
            "whose number is not that of ISO 3166-1 at tagCategory, byte ",
        ),
        ("<spif:SPIF ", "<!DOCTYPE x><spif:SPIF ", "byte "),
        ("</spif:SPIF>", "", "byte "),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        fs::write(&name, EXAMPLE.replacen(from, to, 1)).unwrap();
        let told = refused(&["spif", "import", &name, "--as", "EUX", "--out", &out], 1);
        assert!(told.contains(&name) && told.contains(what), "{told}");
        assert!(!Path::new(&out).exists(), "{to}");
    }
    fs::write(&name, b"\xff\xfe").unwrap();
    assert!(refused(&["spif", "import", &name], 1).contains("is not UTF-8 text"));
}

#[test]
fn what_cannot_be_done_says_what_can() {
    let folder = tempfile::tempdir().unwrap();
    let kept = path(folder.path(), "kept.toml");
    fs::write(&kept, "mine").unwrap();
    let spif = path(folder.path(), "example.xml");
    fs::write(&spif, EXAMPLE).unwrap();
    refused(&["spif", "import", &spif, "--as", "EUX", "--out", &kept], 1);
    refused(&["spif", "export", "EU", "--out", &kept], 1);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");

    let told = refused(
        &["spif", "import", &spif, "--as", "EUX", "--out", "x.xml"],
        2,
    );
    assert!(told.contains("ends in .toml"), "{told}");
    let told = refused(&["spif", "import", &spif, "--as", "no such id"], 2);
    assert!(told.contains("alpha-3"), "{told}");
    let told = refused(&["spif", "export", "NOWHERE"], 1);
    assert!(told.contains("DEU") && told.contains("--schemes"), "{told}");
    let told = refused(&["spif", "export", "TLP"], 1);
    assert!(told.contains("no security policy at policy"), "{told}");
    let told = refused(&["spif", "export", "EU", "--key-identifier", "xyz"], 2);
    assert!(told.contains("hexadecimal"), "{told}");
    refused(&["spif", "export", "EU", "--policy-version", "0"], 2);
}
