//! STANAG 4778 bindings: whatever changes is detected.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use chancery_label::binding::{self, BindingSigner, Content, Object, SoftSigner, Trust};
use chancery_label::codec::stanag4774::{ConfidentialityLabel, IdType, Originator};
use chancery_label::{Fault, ReadOptions, marking};
use time::macros::{date, datetime};

const TEXT: &[u8] = b"Fictitious text of a report.\n";

fn data(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn label(text: &str) -> ConfidentialityLabel {
    let options = ReadOptions {
        country: None,
        on: date!(2026 - 01 - 01),
    };
    let originator = Originator {
        id_type: Some(IdType::Rfc822Name),
        value: "registry@agency.example".to_owned(),
    };
    let at = datetime!(2026-11-22 09:00 UTC);
    ConfidentialityLabel::of(
        &marking::parse(text, &options).unwrap(),
        at,
        None,
        Some(originator),
    )
    .unwrap()
}

fn signer() -> SoftSigner {
    SoftSigner::from_secret("desk 1", &[7; 32]).unwrap()
}

fn detached(text: &str) -> String {
    let content = Content::Detached {
        uri: "report.txt",
        content_type: "text/plain",
        digest: binding::digest(TEXT),
    };
    binding::bind(&[label(text)], &[content], &signer()).unwrap()
}

fn embedded(text: &str) -> String {
    let content = Content::Embedded {
        content_type: "text/plain",
        bytes: TEXT,
    };
    binding::bind(&[label(text)], &[content], &signer()).unwrap()
}

fn fetch(bytes: &[u8]) -> impl Fn(&str) -> Option<[u8; 48]> {
    let digest = binding::digest(bytes);
    move |uri| (uri == "report.txt").then_some(digest)
}

const NOBODY: fn(&str) -> Option<[u8; 48]> = |_| None;

#[test]
fn bound_and_verified() {
    let made = detached("RESTREINT UE/EU RESTRICTED RELEASABLE TO EU");
    let key = signer().public_key();
    let found = binding::verify(&made, &fetch(TEXT), Trust::Key(&key)).unwrap();
    assert!(found.trusted);
    assert_eq!(found.key_name, "desk 1");
    assert_eq!(
        found.labels,
        [label("RESTREINT UE/EU RESTRICTED RELEASABLE TO EU")]
    );
    let found = binding::verify(&embedded("R-UE"), &NOBODY, Trust::Embedded).unwrap();
    assert!(!found.trusted, "the file's own key proves no signer");
    assert!(matches!(&found.objects[..], [Object::Embedded { bytes, .. }] if bytes == TEXT));
}

#[test]
fn any_one_bit_change_is_detected() {
    for (made, is_detached) in [(detached("R-UE"), true), (embedded("R-UE"), false)] {
        let key = signer().public_key();
        assert!(binding::verify(&made, &fetch(TEXT), Trust::Embedded).is_ok());
        let mut tried = 0;
        for byte in 0..made.len() {
            for bit in 0..8 {
                let mut bytes = made.clone().into_bytes();
                bytes[byte] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(bytes) else {
                    continue;
                };
                tried += 1;
                // The weaker trust: with a trusted key even less passes.
                let answer = binding::verify(&changed, &fetch(TEXT), Trust::Embedded);
                assert!(
                    answer.is_err(),
                    "bit {bit} of byte {byte}: {}",
                    &made[byte.saturating_sub(30)..=byte]
                );
            }
        }
        assert!(tried > 10_000, "{tried}");
        if is_detached {
            for byte in 0..TEXT.len() {
                for bit in 0..8 {
                    let mut content = TEXT.to_vec();
                    content[byte] ^= 1 << bit;
                    let error =
                        binding::verify(&made, &fetch(&content), Trust::Key(&key)).unwrap_err();
                    assert_eq!(error.fault, Fault::Binding);
                    assert!(error.what.contains("content"), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_label_moved_to_other_content_is_detected() {
    let (low, high) = (detached("R-UE"), detached("SECRET UE/EU SECRET"));
    let part = |text: &str| {
        let from = text.find("<mb:MetadataBindingContainer>").unwrap();
        (text[..from].to_owned(), text[from..].to_owned())
    };
    let mixed = part(&high).0 + &part(&low).1;
    let error = binding::verify(&mixed, &fetch(TEXT), Trust::Embedded).unwrap_err();
    assert!(error.what.contains("label"), "{error}");
    let error = binding::verify(&low, &fetch(b"other text"), Trust::Embedded).unwrap_err();
    assert!(error.what.contains("content"), "{error}");
    assert_eq!(
        binding::verify(&low, &NOBODY, Trust::Embedded)
            .unwrap_err()
            .fault,
        Fault::Missing
    );
}

#[test]
fn another_key_is_not_the_trusted_one() {
    let other = SoftSigner::from_secret("desk 1", &[8; 32]).unwrap();
    let error = binding::verify(
        &detached("R-UE"),
        &fetch(TEXT),
        Trust::Key(&other.public_key()),
    )
    .unwrap_err();
    assert_eq!(error.fault, Fault::Binding);
    assert!(error.what.contains("another key"), "{error}");
}

#[test]
fn the_example_reads_and_proves_nothing() {
    let example = data("binding.4778.xml");
    let read = binding::read(&example).unwrap();
    assert!(!read.signed);
    assert_eq!(read.labels.len(), 1);
    assert!(
        matches!(&read.objects[..], [Object::Reference { uri, .. }] if uri == "cid:report-1@agency.example")
    );
    let error = binding::verify(&example, &fetch(TEXT), Trust::Embedded).unwrap_err();
    assert_eq!(error.fault, Fault::Missing);
    assert!(error.what.contains("no signature"));
}

#[test]
fn two_labels_in_one_metadata_are_refused() {
    let error = binding::read(&data("bad-two-labels.4778.xml")).unwrap_err();
    assert_eq!(error.fault, Fault::Conflict);
    assert!(
        error.to_string().contains("two labels in one Metadata"),
        "{error}"
    );
}

#[test]
fn nothing_can_be_wrapped_around_what_is_signed() {
    let made = detached("R-UE");
    let from = made.find("<mb:MetadataBinding Id").unwrap();
    let to = made.find("</mb:MetadataBindingContainer>").unwrap();
    let binding_element = made[from..to].to_owned();
    let signature = &made
        [made.find("<ds:Signature").unwrap()..made.find("<mb:MetadataBindingContainer").unwrap()];
    for (what, changed) in [
        (
            "a second binding",
            made.replacen(
                "</mb:MetadataBindingContainer>",
                &format!("{binding_element}</mb:MetadataBindingContainer>"),
                1,
            ),
        ),
        (
            "a second container",
            made.replacen(
                "</mb:BindingInformation>",
                "<mb:MetadataBindingContainer/></mb:BindingInformation>",
                1,
            ),
        ),
        (
            "a second signature",
            made.replacen(
                "<mb:MetadataBindingContainer>",
                &format!("{signature}<mb:MetadataBindingContainer>"),
                1,
            ),
        ),
        (
            "a foreign element",
            made.replacen(
                "</mb:BindingInformation>",
                "<x xmlns=\"urn:x\"/></mb:BindingInformation>",
                1,
            ),
        ),
        (
            "another object",
            made.replacen(
                "</mb:MetadataBinding>",
                "<mb:DataReference URI=\"x\"/></mb:MetadataBinding>",
                1,
            ),
        ),
        ("SHA-1", made.replace("xmldsig-more#sha384", "sha1")),
        ("no references", {
            let (a, b) = (
                made.find("<ds:Reference").unwrap(),
                made.find("</ds:SignedInfo>").unwrap(),
            );
            made[..a].to_owned() + &made[b..]
        }),
    ] {
        assert!(
            binding::verify(&changed, &fetch(TEXT), Trust::Embedded).is_err(),
            "{what}"
        );
    }
}

#[test]
fn what_cannot_be_bound_is_refused() {
    let content = |uri| Content::Detached {
        uri,
        content_type: "text/plain",
        digest: [0; 48],
    };
    let labels = [label("R-UE")];
    for contents in [
        vec![],
        vec![content("#b1")],
        vec![content("")],
        vec![content("a"), content("a")],
    ] {
        assert!(
            binding::bind(&labels, &contents, &signer()).is_err(),
            "{contents:?}"
        );
    }
    assert!(binding::bind(&[], &[content("a")], &signer()).is_err());
    let odd = Content::Embedded {
        content_type: "text",
        bytes: TEXT,
    };
    assert!(binding::bind(&labels, &[odd], &signer()).is_err());
    assert!(SoftSigner::from_pem("x", "-----BEGIN PRIVATE KEY-----\n").is_err());
    assert!(SoftSigner::from_secret("x", &[0; 32]).is_err());
}

/// The canonical form is the one that libxml2 computes.
#[test]
fn canonical_form_agrees_with_xmllint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("binding.xml");
    // Made by hand: prefixes out of order, default namespace, white space.
    let odd = "<a xmlns=\"urn:a\" xmlns:z=\"urn:z\" xmlns:b=\"urn:b\" z:k='1' b:k=\"&lt;&#10;2\" c=\"&quot;\">\n  <z:d>&amp;&gt;</z:d> <e xmlns=\"\" xmlns:u=\"urn:u\"><f/></e>\n</a>";
    for text in [
        detached("R-UE TLP:AMBER"),
        embedded("SECRET UE/EU SECRET [DEU GEHEIM]"),
        odd.to_owned(),
    ] {
        std::fs::write(&path, &text).unwrap();
        let out = std::process::Command::new("xmllint")
            .args(["--nonet", "--exc-c14n"])
            .arg(&path)
            .output()
            .expect("xmllint is needed: install libxml2-utils");
        assert!(out.status.success());
        assert_eq!(
            binding::canonical(&text).unwrap(),
            String::from_utf8(out.stdout).unwrap()
        );
    }
}
