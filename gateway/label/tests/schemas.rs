//! What the writers write validates against our own XSDs, and the XSDs refuse
//! what the readers refuse.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

mod support;

use std::path::Path;
use std::process::Command;

use chancery_label::binding::{self, Content, SoftSigner};
use chancery_label::codec::spif;
use chancery_label::codec::stanag4774::{self, ConfidentialityLabel};
use chancery_label::schemes;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use time::macros::datetime;

fn schema(name: &str) -> String {
    format!("{}/../../config/schemas/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn data(name: &str) -> String {
    format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Validates these files; the files that are invalid.
fn invalid(schema: &str, files: &[String]) -> Vec<String> {
    let out = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema", schema])
        .args(files)
        .output()
        .expect("xmllint is needed to judge the XML that is written: install libxml2-utils");
    let said = String::from_utf8(out.stderr).unwrap();
    files
        .iter()
        .filter(|file| {
            assert!(
                said.contains(&format!("{file} validates"))
                    || said.contains(&format!("{file} fails to validate")),
                "no verdict on {file}: {said}"
            );
            !said.contains(&format!("{file} validates"))
        })
        .cloned()
        .collect()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn generated_labels_and_bindings_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    let (mut labels, mut bindings) = (Vec::new(), Vec::new());
    let signer = SoftSigner::from_secret("a key", &[9; 32]).unwrap();
    for number in 0..40 {
        let label = support::labels().new_tree(&mut runner).unwrap().current();
        let at = datetime!(2026-11-22 09:00 UTC);
        let mut label = ConfidentialityLabel::of(&label, at, Some(at), None).unwrap();
        label.id = Some(format!("l{number}"));
        if number % 2 == 0 {
            label.succession = Some(Box::new(stanag4774::Succession {
                at,
                successor: label.information.clone(),
            }));
        }
        labels.push(write(
            folder.path(),
            &format!("{number}.4774.xml"),
            &stanag4774::write(&label).unwrap(),
        ));
        let content = [
            Content::Embedded {
                content_type: "text/plain",
                bytes: b"text",
            },
            Content::Detached {
                uri: "cid:a@b",
                content_type: "application/pdf",
                digest: [1; 48],
            },
        ];
        let content = &content[number % 2..=number % 2];
        let made = binding::bind(&[label], content, &signer).unwrap();
        bindings.push(write(folder.path(), &format!("{number}.4778.xml"), &made));
    }
    assert_eq!(invalid(&schema("label-4774.xsd"), &labels), [""; 0]);
    assert_eq!(invalid(&schema("binding-4778.xsd"), &bindings), [""; 0]);
}

#[test]
fn examples_are_judged_as_the_readers_judge_them() {
    let good = [data("label-r-ue.4774.xml")];
    let bad = [
        data("bad-lowercase-type.4774.xml"),
        data("bad-no-creation.4774.xml"),
        data("bad-no-tagname.4774.xml"),
    ];
    assert_eq!(invalid(&schema("label-4774.xsd"), &good), [""; 0]);
    assert_eq!(invalid(&schema("label-4774.xsd"), &bad), bad);
    assert_eq!(
        invalid(&schema("binding-4778.xsd"), &[data("binding.4778.xml")]),
        [""; 0]
    );
    let bad = [data("bad-two-labels.4778.xml")];
    assert_eq!(invalid(&schema("binding-4778.xsd"), &bad), bad);
}

#[test]
fn exported_policies_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let schemes = schemes::shipped().unwrap();
    let header = spif::Header {
        version: 1,
        created: datetime!(2026-11-22 09:00 UTC),
        originator_dn: "CN=Policy & Authority,C=XX".to_owned(),
        key_identifier: "00".to_owned(),
    };
    let mut files = vec![data("euci-example.spif.xml")];
    for scheme in schemes.all() {
        match spif::export(schemes, scheme, &header) {
            Ok(text) => files.push(write(
                folder.path(),
                &format!("{}.spif.xml", scheme.id),
                &text,
            )),
            Err(e) => assert!(
                ["TLP", "PAP"].contains(&scheme.id.as_str()),
                "{}: {e}",
                scheme.id
            ),
        }
    }
    assert_eq!(files.len(), 31);
    assert_eq!(invalid(&schema("spif-2.1.xsd"), &files), [""; 0]);
}
