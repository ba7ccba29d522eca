//! Every marking of the national tables reads as the tables say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use chancery_label::{Country, Fault, Level, ReadOptions, marking};
use time::Date;
use time::macros::date;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

const NOW: Date = date!(2026 - 01 - 01);

/// Rows of a table: fields may be quoted.
fn table(name: &str) -> Vec<Vec<String>> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let (mut fields, mut quoted) = (vec![String::new()], false);
            for c in line.chars() {
                match c {
                    '"' => quoted = !quoted,
                    ',' if !quoted => fields.push(String::new()),
                    c => fields.last_mut().unwrap().push(c),
                }
            }
            fields
        })
        .collect()
}

fn options(country: &str, on: Date) -> ReadOptions {
    ReadOptions {
        country: Some(Country::from_any(country).unwrap()),
        on,
    }
}

fn without_accents(text: &str) -> String {
    text.nfd().filter(|c| !is_combining_mark(*c)).collect()
}

#[test]
fn every_cell_of_the_equivalence_table() {
    let rows = table("euci-equivalence.csv");
    assert_eq!(rows.len(), 27);
    let mut read = 0;
    for row in rows {
        for (cell, level) in row[2..6].iter().zip([
            Level::TopSecret,
            Level::Secret,
            Level::Confidential,
            Level::Restricted,
        ]) {
            for form in cell
                .split('|')
                .map(str::trim)
                .filter(|form| !form.starts_with('('))
            {
                let form = form.trim_end_matches(" (before 1.7.2021)");
                for text in [form.to_owned(), without_accents(form), form.nfd().collect()] {
                    for text in [text.clone(), text.to_uppercase(), text.to_lowercase()] {
                        let found = marking::read(&text, &options(&row[0], NOW))
                            .unwrap_or_else(|e| panic!("{} {text}: {e}", row[0]));
                        assert_eq!(found.eu_level(), level, "{} {text}", row[0]);
                        assert_eq!(found.marking, form, "{} {text}", row[0]);
                        read += 1;
                    }
                }
            }
        }
    }
    assert!(read > 1000, "{read}");
}

#[test]
fn false_friends_are_answered_as_the_table_says() {
    let rows = table("marking-false-friends.csv");
    let words: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(
        words,
        [
            "reservado",
            "secret",
            "secreto",
            "vertrouwelijk",
            "confidentiel",
            "hemlig",
            "diffusion restreinte",
            "strict secret",
            "riservatissimo",
            "top secret",
        ],
        "the table has a row that this test does not know"
    );
    let level = |text: &str, country: &str, on: Date| {
        marking::read(text, &options(country, on)).map(|it| it.eu_level())
    };
    // The rows of plain pairs, as they stand in the table.
    for row in &rows[..3] {
        for pair in row[1].split("; ") {
            let (country, code) = pair.split_once('=').unwrap();
            assert_eq!(
                level(&row[0], country, NOW).unwrap().code(),
                code,
                "{} {country}",
                row[0]
            );
        }
    }
    for (text, country, wanted) in [
        ("vertrouwelijk", "BEL", Level::Confidential),
        ("Dep. vertrouwelijk", "NLD", Level::Restricted),
        ("confidentiel", "BEL", Level::Confidential),
        ("confidentiel", "LUX", Level::Confidential),
        ("confidentiel défense", "FRA", Level::Confidential),
        ("hemlig", "FIN", Level::Secret),
        ("hemlig", "SWE", Level::Secret),
        ("strict secret", "ROU", Level::Secret),
        ("riservatissimo", "ITA", Level::Confidential),
        ("top secret", "IRL", Level::TopSecret),
        ("top secret", "MLT", Level::TopSecret),
    ] {
        assert_eq!(
            level(text, country, NOW).unwrap(),
            wanted,
            "{text} {country}"
        );
    }
    let error = level("confidentiel", "FRA", NOW).unwrap_err();
    assert!(error.what.contains("no such level"), "{error}");
    let error = level("hemlig", "SWE", date!(2018 - 06 - 01)).unwrap_err();
    assert_eq!(error.fault, Fault::Ambiguous);
    assert!(error.what.contains("R-UE, C-UE, S-UE"), "{error}");
    for (country, on) in [("FRA", NOW), ("BEL", date!(2023 - 12 - 30))] {
        let found = marking::read("diffusion restreinte", &options(country, on)).unwrap();
        assert!(!found.classified);
        assert_eq!(found.eu_level(), Level::Nc);
        assert_eq!(
            found.label.level,
            Level::Restricted,
            "it is protected no less than R-UE"
        );
    }
}

#[test]
fn an_ambiguous_word_without_its_country_says_so() {
    let none = ReadOptions {
        country: None,
        on: NOW,
    };
    for word in [
        "reservado",
        "secret",
        "secreto",
        "vertrouwelijk",
        "confidentiel",
        "hemlig",
        "diffusion restreinte",
        "top secret",
        "geheim",
    ] {
        let error = marking::parse(word, &none).unwrap_err();
        assert_eq!(error.fault, Fault::Ambiguous, "{word}: {error}");
        assert!(error.what.contains("country"), "{error}");
    }
    // One State alone has these words.
    for (word, country) in [("strict secret", "ROU"), ("riservatissimo", "ITA")] {
        let found = marking::read(word, &none).unwrap();
        assert_eq!(found.scheme, country);
    }
    // A third State's words are not read as a Member State's.
    let error = marking::parse("SECRET", &options("USA", NOW)).unwrap_err();
    assert_eq!(error.fault, Fault::Unknown);
}

#[test]
fn what_a_state_has_dropped_is_read_and_says_so() {
    let found = marking::read("SECRET DÉFENSE", &options("FR", NOW)).unwrap();
    assert_eq!(found.notes, ["no longer given since 2021-07-01"]);
    let found = marking::read("SECRET DÉFENSE", &options("FR", date!(2021 - 06 - 30))).unwrap();
    assert_eq!(found.notes, [""; 0]);
    let found = marking::read("Beperkt", &options("BE", date!(2023 - 12 - 30))).unwrap();
    assert_eq!(
        found.notes,
        ["not yet given on 2023-12-30: in use from 2023-12-31"]
    );
}

#[test]
fn the_national_marking_stays_beside_the_eu_level() {
    let label = marking::parse("vs-nfd releasable to EU", &options("DEU", NOW)).unwrap();
    let text = marking::format(&label);
    assert_eq!(
        text,
        "RESTREINT UE/EU RESTRICTED [DEU VS - NUR FÜR DEN DIENSTGEBRAUCH] RELEASABLE TO EU"
    );
    let none = ReadOptions {
        country: None,
        on: NOW,
    };
    assert_eq!(marking::parse(&text, &none).unwrap(), label);
    assert_eq!(
        marking::parse("GEHEIM SECRET UE/EU SECRET", &options("DEU", NOW)).unwrap(),
        marking::parse("SECRET UE/EU SECRET [DEU GEHEIM]", &none).unwrap()
    );
    for (text, fault) in [
        ("GEHEIM RESTREINT UE/EU RESTRICTED", Fault::Conflict),
        ("RESTREINT UE/EU RESTRICTED [DEU GEHEIM]", Fault::Conflict),
        ("SECRET UE/EU SECRET [FRA GEHEIM]", Fault::Unknown),
        ("[DEU GEHEIM]", Fault::Malformed),
    ] {
        assert_eq!(
            marking::parse(text, &options("DEU", NOW))
                .unwrap_err()
                .fault,
            fault,
            "{text}"
        );
    }
}
