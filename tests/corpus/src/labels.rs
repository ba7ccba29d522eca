//! Markings as people write them, and the files of labels and schemes.

use chancery_label::schemes::{self, Schemes};
use chancery_label::{Country, Label, ReadOptions, desk, found, marking, portions, translate};
use time::macros::date;

/// The options of every reader here: no country, a fixed day.
pub(crate) const NOW: ReadOptions = ReadOptions {
    country: None,
    on: date!(2026 - 01 - 01),
};

/// The schemes in force.
pub(crate) fn all() -> &'static Schemes {
    schemes::shipped().unwrap()
}

/// The first byte chooses the country (0: none) and the day, the rest is text.
fn split(bytes: &[u8]) -> Option<(ReadOptions, &str)> {
    let (first, rest) = bytes.split_first()?;
    let text = std::str::from_utf8(rest).ok()?;
    let country = match first % 64 {
        0 => None,
        number => Country::all().nth(usize::from(number) - 1),
    };
    let on = if first & 0x80 == 0 {
        NOW.on
    } else {
        date!(2019 - 03 - 31)
    };
    Some((ReadOptions { country, on }, text))
}

/// Any text is a marking or an error with a place, as a whole, as a subject
/// and a body, in portions, and on the command line.
pub fn label_parse_never_panics(bytes: &[u8]) {
    let Some((options, text)) = split(bytes) else {
        return;
    };
    match marking::read(text, &options) {
        Ok(reading) => {
            for target in ["EU", "NATO", "EUROPOL", "DEU", "FRA", "TLP"] {
                let _either = translate::translate(all(), &reading, target, options.on);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let seen = found::scan(text);
    let _level = (found::highest(&seen), found::strictest_tlp(&seen));
    let _subject = found::scan_subject(text);
    if let Some(Ok(label)) = found::first_line(text, &options) {
        // A marking that was read as the label is not above the label.
        assert!(label.dominates(&label));
        let _conflict = found::conflicts(&label, &seen);
    }
    let _portions = portions::read(text, &options);
    answers(&desk::parse_line(text, &options));
}

/// An answer has all its fields, and either a level or an error.
fn answers(answer: &serde_json::Value) {
    for field in ["input", "scheme", "level", "eu_level", "canonical", "error"] {
        assert!(answer.get(field).is_some(), "{field}: {answer}");
    }
    let is_error = !answer["error"].is_null();
    assert_eq!(answer["canonical"].is_null(), is_error, "{answer}");
}

/// Whatever reads as a label is written as a marking that reads as the same.
pub fn parse_format_roundtrip(bytes: &[u8]) {
    let Some((options, text)) = split(bytes) else {
        return;
    };
    let Ok(label) = marking::parse(text, &options) else {
        return;
    };
    same(&label);
    // And joins with itself to itself.
    assert_eq!(label.join(&label), Ok(label));
}

/// The canonical text of a label means the label, without its country.
pub(crate) fn same(label: &Label) {
    let text = marking::format(label);
    assert_eq!(marking::parse(&text, &NOW).as_ref(), Ok(label), "{text}");
}

/// Any file is answered, in whichever syntax it is.
pub fn label_file_answers(bytes: &[u8]) {
    answers(&desk::parse_file("a file", bytes, &NOW));
}

/// Any text is a scheme that can be checked, or an error with a place.
pub fn scheme_file_is_checked(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(scheme) = schemes::parse_scheme("a.toml", text) {
        let problems = schemes::check_schemes(&[("a.toml".to_owned(), scheme.clone())]);
        if problems.is_empty() {
            // What is put in force reads text without panicking.
            let alone = Schemes::new(vec![scheme]);
            let _either = marking::read_with(&alone, "SECRET RELEASABLE TO EU", &NOW);
            let _seen = found::scan_with(&alone, "SECRET\n\n(S) text");
        }
    }
    let _cases = schemes::parse_cases("a.cases.toml", text);
}
