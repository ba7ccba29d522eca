//! `chancery label`, the real command: every marking of the tables, there and
//! back, the example files, what it writes against its own schemas, bindings.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

const DATA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../gateway/label/tests/data"
);
const SCHEMAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/schemas");

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .arg("label")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A command that does not read its input may be gone before it is written.
    drop(writing.join());
    output
}

fn said(arguments: &[&str]) -> String {
    let output = run(arguments, "");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The answers to these questions, one for one.
fn lines(questions: &[Value], more: &[&str]) -> Vec<Value> {
    let all: Vec<&str> = ["parse", "--lines"].iter().chain(more).copied().collect();
    let input: String = questions.iter().map(|one| format!("{one}\n")).collect();
    let output = run(&all, &input);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// Rows of a table; fields may be quoted.
fn table(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(format!("{DATA}/{name}")).unwrap();
    let row = |line: &str| {
        let (mut fields, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                c => fields.last_mut().unwrap().push(c),
            }
        }
        fields
    };
    text.lines().skip(1).map(row).collect()
}

/// Country, level and every language form of the equivalence table.
fn forms() -> Vec<(String, &'static str, String)> {
    let mut all = Vec::new();
    for row in table("euci-equivalence.csv") {
        for (cell, level) in row[2..6].iter().zip(["TS-UE", "S-UE", "C-UE", "R-UE"]) {
            for form in cell.split('|').map(str::trim) {
                if !form.starts_with('(') {
                    let form = form.trim_end_matches(" (before 1.7.2021)");
                    all.push((row[0].clone(), level, form.to_owned()));
                }
            }
        }
    }
    all
}

#[test]
fn every_marking_of_the_table_is_read_in_every_spelling() {
    let (mut questions, mut wanted) = (Vec::new(), Vec::new());
    for (country, level, form) in forms() {
        let bare: String = form.nfd().filter(|c| !is_combining_mark(*c)).collect();
        for text in [form, bare] {
            for text in [text.clone(), text.to_uppercase(), text.to_lowercase()] {
                questions.push(json!({ "input": text, "country": country }));
                wanted.push(level);
            }
        }
    }
    assert!(questions.len() > 700, "{}", questions.len());
    let answers = lines(&questions, &["--on", "2026-01-01"]);
    for ((question, answer), level) in questions.iter().zip(&answers).zip(wanted) {
        assert_eq!(answer["eu_level"], level, "{question}: {answer}");
        assert_eq!(answer["error"], Value::Null);
    }
}

#[test]
fn a_false_friend_needs_its_country() {
    for row in table("marking-false-friends.csv") {
        let word = row[0].as_str();
        let answer = &lines(&[json!({ "input": word })], &[])[0];
        // Two of the rows warn of words that one State alone has.
        if ["strict secret", "riservatissimo"].contains(&word) {
            assert_eq!(answer["error"], Value::Null, "{answer}");
            continue;
        }
        assert_eq!(answer["error"]["fault"], "ambiguous", "{word}: {answer}");
        let what = answer["error"]["what"].as_str().unwrap();
        assert!(what.contains("country"), "{what}");
        assert_eq!(run(&["parse", word], "").status.code(), Some(1));
        for pair in row[1].split("; ") {
            let Some((country, level)) = pair.split_once('=') else {
                continue;
            };
            let asked = json!({ "input": word, "country": country });
            let answer = &lines(&[asked], &[])[0];
            if level.len() <= 5 && level.contains("UE") && answer["error"].is_null() {
                assert_eq!(answer["eu_level"], level, "{word} {country}: {answer}");
            }
        }
    }
}

#[test]
fn there_and_back_for_every_state() {
    let mut tried = BTreeSet::new();
    for (country, level, form) in forms() {
        // One form of each level of each State: a run for each is long.
        if !tried.insert((country.clone(), level)) {
            continue;
        }
        let there = said(&[
            "translate",
            &form,
            "--from",
            &country,
            "--to",
            "EU",
            "--json",
        ]);
        let there: Value = serde_json::from_str(&there).unwrap();
        assert_eq!(there["eu_level"], level, "{country} {form}: {there}");
        let eu = there["canonical"].as_str().unwrap();
        let back = said(&["translate", eu, "--from", "EU", "--to", &country, "--json"]);
        let back: Value = serde_json::from_str(&back).unwrap();
        assert_eq!(back["eu_level"], level, "{country} {eu}: {back}");
    }
    let states: BTreeSet<_> = tried.iter().map(|(country, _)| country).collect();
    assert_eq!(states.len(), 27);
}

#[test]
fn the_examples_are_read_and_each_bad_one_has_its_reason() {
    let label = "RESTREINT UE/EU RESTRICTED RELEASABLE TO EU, NOR TLP:AMBER H2";
    let mut reasons = BTreeSet::new();
    let mut seen = 0;
    for entry in fs::read_dir(DATA).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_label = [".4774.xml", ".4778.xml", ".eml"]
            .iter()
            .any(|ending| name.ends_with(ending));
        if !is_label {
            continue;
        }
        seen += 1;
        let file = format!("{DATA}/{name}");
        if name.starts_with("bad-") {
            let output = run(&["parse", "--file", &file], "");
            assert_eq!(output.status.code(), Some(1), "{name}");
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(reasons.insert(said.clone()), "{name}: {said}");
        } else {
            let answer: Value =
                serde_json::from_str(&said(&["parse", "--file", &file, "--json"])).unwrap();
            assert_eq!(answer["canonical"], label, "{name}: {answer}");
        }
    }
    assert_eq!((seen, reasons.len()), (7, 4));
}

fn is_valid(schema: &str, file: &Path) -> bool {
    Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(format!("{SCHEMAS}/{schema}"))
        .arg(file)
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn what_is_written_is_valid_and_bindings_hold_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    for marking in [
        "S-UE TLP:RED H1",
        "VS-NfD REL TO EU",
        "R-UE LIMITE PAP:AMBER",
    ] {
        let made = said(&["format", marking, "--to", "4774", "--country", "DEU"]);
        fs::write(path("label.xml"), made).unwrap();
        assert!(is_valid("label-4774.xsd", &path("label.xml")), "{marking}");
    }

    let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let pem = secret.to_pkcs8_pem(LineEnding::LF).unwrap();
    fs::write(path("key.pem"), pem.as_bytes()).unwrap();
    let public = secret.public_key();
    fs::write(
        path("public.pem"),
        public.to_public_key_pem(LineEnding::LF).unwrap(),
    )
    .unwrap();
    fs::write(path("report.txt"), "Fictitious report.\n").unwrap();
    let (file, key) = (text("report.txt"), text("key.pem"));
    let made = said(&["bind", "S-UE TLP:RED", "--file", &file, "--key", &key]);
    fs::write(path("made.xml"), &made).unwrap();
    assert!(is_valid("binding-4778.xsd", &path("made.xml")));
    let (bound, trusted) = (text("made.xml"), text("public.pem"));
    let verify = ["verify", &bound, "--file", &file, "--key", &trusted];
    assert!(said(&verify).starts_with("holds: SECRET UE/EU SECRET TLP:RED"));

    // One bit of label, content or signature; the library's tests try every one.
    let refused = |what: &str| {
        let output = run(&verify, "");
        assert_eq!(output.status.code(), Some(1), "{what}");
    };
    for (what, at) in [
        ("label", made.find("SECRET UE").unwrap()),
        ("category", made.find("TLP:RED").unwrap() + 6),
        ("digest", made.find("DigestValue>").unwrap() + 14),
        ("signature", made.find("SignatureValue>").unwrap() + 20),
        (
            "key",
            made.find("X509Certificate")
                .or(made.find("PublicKey>"))
                .unwrap()
                + 20,
        ),
    ] {
        let mut bytes = made.clone().into_bytes();
        bytes[at] ^= 1;
        fs::write(path("made.xml"), bytes).unwrap();
        refused(what);
    }
    fs::write(path("made.xml"), &made).unwrap();
    let mut content = fs::read(path("report.txt")).unwrap();
    content[3] ^= 1;
    fs::write(path("report.txt"), content).unwrap();
    refused("content");
}
