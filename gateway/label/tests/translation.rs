//! Translation between schemes, and portion marks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use chancery_label::schemes::{self, Kind};
use chancery_label::translate::{Translation, translate};
use chancery_label::{
    Country, Fault, Label, LabelError, Level, ReadOptions, Tlp, marking, portions,
};
use time::macros::date;

const NOW: time::Date = date!(2026 - 01 - 01);

fn run(text: &str, country: Option<&str>, to: &str) -> Result<Translation, LabelError> {
    let options = ReadOptions {
        country: country.map(|c| c.parse::<Country>().unwrap()),
        on: NOW,
    };
    translate(
        schemes::shipped()?,
        &marking::read(text, &options)?,
        to,
        NOW,
    )
}

#[test]
fn to_eu_and_back_for_every_state() {
    let mut states = 0;
    for scheme in schemes::shipped()
        .unwrap()
        .all()
        .iter()
        .filter(|s| s.kind == Kind::National)
    {
        states += 1;
        for grade in scheme.grades_on(NOW).filter(|grade| grade.classified) {
            for text in grade.marking.values() {
                let there = run(text, Some(&scheme.id), "EU").unwrap();
                assert_eq!(
                    (there.scheme.as_str(), there.eu, there.lossy),
                    ("EU", grade.eu, false)
                );
                assert_eq!(there.marking, grade.eu.marking().unwrap());
                assert_eq!(
                    there.label.national.as_ref().unwrap().marking,
                    *text,
                    "it stays"
                );
                let back = run(&there.marking, None, &scheme.id).unwrap();
                assert_eq!(back.grade, grade.code, "{} {text}", scheme.id);
                assert!(back.markings.iter().any(|(_, marking)| marking == text));
                assert_eq!(back.label.national.as_ref().unwrap().country, scheme.id);
            }
        }
    }
    assert_eq!(states, 27);
}

#[test]
fn what_would_lose_meaning_is_refused() {
    for (text, country, to) in [
        ("R-UE", None, "FRA"),
        ("UNCLASSIFIED", None, "DEU"),
        ("TLP:RED", None, "EU"),
        ("TLP:AMBER", None, "DEU"),
        ("SECRET UE/EU SECRET", None, "TLP"),
        ("SECRET UE/EU SECRET", None, "PAP"),
        ("DIFFUSION RESTREINTE", Some("FRA"), "EU"),
        ("EUROPOL BPL", None, "EU"),
        ("H2", None, "EU"),
    ] {
        assert_eq!(
            run(text, country, to).unwrap_err().fault,
            Fault::Lossy,
            "{text} to {to}"
        );
    }
    assert_eq!(run("R-UE", None, "USA").unwrap_err().fault, Fault::Unknown);
}

#[test]
fn a_scheme_may_say_that_a_grade_stands_for_a_level() {
    let found = run("C-UE", None, "FRA").unwrap();
    assert_eq!(
        (found.marking.as_str(), found.lossy, found.eu),
        ("SECRET", true, Level::Confidential)
    );
    assert_eq!(
        found.label,
        Label::of(Level::Confidential),
        "the label does not rise by it"
    );
}

#[test]
fn tlp_stands_beside_and_stays() {
    let found = run("GEHEIM TLP:AMBER RELEASABLE TO EU", Some("DEU"), "FIN").unwrap();
    assert_eq!(found.marking, "SALAINEN");
    let languages: Vec<_> = found
        .markings
        .iter()
        .map(|(language, text)| format!("{language} {text}"))
        .collect();
    assert_eq!(languages, ["fi SALAINEN", "sv HEMLIG"]);
    assert_eq!(found.label.tlp, Some(Tlp::Amber));
    assert_eq!(found.label.national.unwrap().country, "DEU");
}

#[test]
fn portion_marks() {
    let options = ReadOptions {
        country: None,
        on: NOW,
    };
    let text = "Title\n\n(R-UE/EU-R) One.\nstill one (S-UE)\n\n(a) Two is unmarked.\n\n(C-UE/EU-C TLP:RED) Three.\n";
    let read = portions::read(text, &options).unwrap();
    let seen: Vec<_> = read
        .iter()
        .map(|p| (p.line, p.label.level, p.label.tlp))
        .collect();
    assert_eq!(
        seen,
        [
            (3, Level::Restricted, None),
            (8, Level::Confidential, Some(Tlp::Red))
        ]
    );
    let labels = || read.iter().map(|p| &p.label);
    let own = Label::of(Level::Restricted);
    assert!(!portions::covers(&own, labels()));
    let whole = portions::whole(&own, labels()).unwrap();
    assert_eq!(
        (whole.level, whole.tlp),
        (Level::Confidential, Some(Tlp::Red))
    );
    assert!(portions::covers(&whole, labels()));
    let error = portions::read("(R-UE FOO) text", &options).unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
    assert_eq!(
        portions::read("(S-UЕ) text", &options).unwrap_err().fault,
        Fault::Suspicious
    );
}
