//! Markings as text: reading, refusing, writing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use chancery_label::{Caveat, Fault, HandlingCode, Label, Level, Pap, ReadOptions, Tlp, marking};
use time::macros::date;

const NOW: ReadOptions = ReadOptions {
    country: None,
    on: date!(2026 - 01 - 01),
};

#[test]
fn one_text_with_everything() {
    let text = "RESTREINT UE/EU RESTRICTED RELEASABLE TO EU, NOR TLP:AMBER H0 H2";
    let label = marking::parse(text, &NOW).unwrap();
    assert_eq!(label.level, Level::Restricted);
    assert_eq!(label.tlp, Some(Tlp::Amber));
    assert_eq!(label.handling, [HandlingCode::H0, HandlingCode::H2].into());
    assert_eq!(
        label.releasable_to,
        ["EU".parse().unwrap(), "NOR".parse().unwrap()].into()
    );
    assert_eq!(marking::format(&label), text);
}

#[test]
fn order_separators_and_case_do_not_matter() {
    let wanted = marking::parse(
        "SECRET UE/EU SECRET CRYPTO LIMITE RELEASABLE TO EU, NOR TLP:RED PAP:AMBER H1",
        &NOW,
    )
    .unwrap();
    assert!(wanted.caveats.contains(&Caveat::Crypto));
    assert_eq!(wanted.pap, Some(Pap::Amber));
    for text in [
        "secret ue/eu secret//rel to nor and eu//tlp:red; pap:amber, h1, crypto, limite",
        "S-UE, REL TO EU, NOR, H1, LIMITE, CRYPTO, PAP:AMBER, TLP:RED",
        "Secret UE / EU Secret ORCON H1 TLP:RED PAP:AMBER LIMITE CRYPTO RELEASABLE TO NOR, EU",
    ] {
        let mut read = marking::parse(text, &NOW).unwrap();
        read.caveats.remove(&Caveat::Orcon);
        assert_eq!(read, wanted, "{text}");
    }
}

#[test]
fn levels_in_every_writing() {
    for level in Level::ALL {
        let mut texts = vec![level.code().to_owned()];
        texts.extend(level.marking().map(str::to_owned));
        texts.extend(level.portion().map(str::to_owned));
        texts.extend(level.portion().map(|mark| format!("({mark})")));
        for text in texts {
            for text in [text.clone(), text.to_lowercase()] {
                assert_eq!(
                    marking::parse(&text, &NOW).unwrap(),
                    Label::of(level),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn nothing_is_guessed() {
    for (text, fault) in [
        ("", Fault::Empty),
        ("  ,", Fault::Unknown),
        ("SECRET UE/EU SECRET FOO", Fault::Unknown),
        ("FOO SECRET UE/EU SECRET", Fault::Unknown),
        ("SECRET UE/EU SECRET H4", Fault::Unknown),
        ("SECRET UE/EU SECRET H2 H2", Fault::Conflict),
        (
            "SECRET UE/EU SECRET CONFIDENTIEL UE/EU CONFIDENTIAL",
            Fault::Conflict,
        ),
        ("RELEASABLE TO EU", Fault::Missing),
        ("CRYPTO", Fault::Missing),
        ("UNCLASSIFIED CRYPTO", Fault::Combination),
        ("R-UE RELEASABLE TO EU, EU", Fault::Conflict),
        ("R-UE RELEASABLE TO EU,", Fault::Missing),
        ("R-UE RELEASABLE TO EU NOR", Fault::Unknown),
        ("R-UE TLP: RED", Fault::Unknown),
        ("R-UE TLP:ÁMBER", Fault::Unknown),
        ("R-UE\u{7}", Fault::Malformed),
        ("R-UE [DEU", Fault::Malformed),
        ("R\u{200D}-UE", Fault::Suspicious),
        ("EU SЕCRET", Fault::Suspicious),
    ] {
        let error = marking::parse(text, &NOW).unwrap_err();
        assert_eq!(error.fault, fault, "{text:?}: {error}");
        let said = error.to_string();
        assert!(!said.contains("FOO") && said.contains(" at "), "{said}");
    }
    let long = "R-UE ".repeat(1000);
    assert_eq!(
        marking::parse(&long, &NOW).unwrap_err().fault,
        Fault::TooLarge
    );
}
