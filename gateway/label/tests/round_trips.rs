//! Every syntax gives back what was put in, and no reader panics.
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

use chancery_label::codec::sio_label::{self, SioLabel};
use chancery_label::codec::stanag4774::{
    self, ConfidentialityLabel, IdType, LabelKind, Originator, Succession,
};
use chancery_label::codec::xep0258::{self, Content, SecurityLabel};
use chancery_label::codec::{ess, json, misp, spif, stix};
use chancery_label::schemes::{self, Kind, Schemes};
use chancery_label::{Country, ReadOptions, binding, found, marking, portions};
use proptest::prelude::*;
use support::labels;
use time::OffsetDateTime;
use time::macros::{date, datetime};

const NOW: ReadOptions = ReadOptions {
    country: None,
    on: date!(2026 - 01 - 01),
};

fn all() -> &'static Schemes {
    schemes::shipped().unwrap()
}

fn moments() -> impl Strategy<Value = OffsetDateTime> {
    (0i64..4_000_000_000).prop_map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap())
}

fn line() -> impl Strategy<Value = String> {
    "[!-~é€ΑЯ]([ -~é€ΑЯ]{0,30}[!-~é€ΑЯ])?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn text(label in labels()) {
        let text = marking::format(&label);
        prop_assert_eq!(marking::parse(&text, &NOW), Ok(label.clone()), "{}", text);
        prop_assert_eq!(marking::parse(&text.to_lowercase(), &NOW), Ok(label), "{}", text);
    }

    #[test]
    fn a_marking_is_found_where_it_stands(label in labels()) {
        let text = marking::format(&label);
        let seen = found::scan(&format!("Dear all\n\n{text}\n\nend"));
        prop_assert!(!found::conflicts(&label, &seen), "{} {:?}", text, seen);
        if label.level > chancery_label::Level::Nc {
            prop_assert_eq!(found::highest(&seen), Some(label.level));
        }
    }

    #[test]
    fn json_form(label in labels()) {
        prop_assert_eq!(json::read(&json::write(&label), &NOW), Ok(label.clone()));
        let value = serde_json::to_value(&label).unwrap();
        prop_assert_eq!(json::read_value(&value, &NOW), Ok(label.clone()));
        let text = serde_json::Value::String(marking::format(&label));
        prop_assert_eq!(json::read_value(&text, &NOW), Ok(label));
    }

    #[test]
    fn stanag_4774(
        label in labels(),
        created in moments(),
        review in proptest::option::of(moments()),
        originator in proptest::option::of(line()),
        kind in 0usize..3,
        succession in proptest::option::of((moments(), labels())),
    ) {
        let originator = originator.map(|value| Originator { id_type: Some(IdType::Jid), value });
        let mut it = ConfidentialityLabel::of(&label, created, review, originator).unwrap();
        it.kind = [LabelKind::Originator, LabelKind::Alternative, LabelKind::Metadata][kind];
        it.succession = succession.map(|(at, to)| Box::new(Succession {
            at,
            successor: ConfidentialityLabel::of(&to, created, None, None).unwrap().information,
        }));
        let text = stanag4774::write(&it).unwrap();
        let read = stanag4774::read(&text).unwrap();
        prop_assert_eq!(&read, &it);
        prop_assert_eq!(read.label(), Ok(label));
    }

    #[test]
    fn sio_label_header(label in labels(), language in proptest::option::of("[a-z]{2}")) {
        let it = ConfidentialityLabel::of(&label, datetime!(2026-11-22 09:00 UTC), None, None).unwrap();
        let mut header = SioLabel::of(&it).unwrap();
        header.language = language;
        header.fgcolor = Some("black".to_owned());
        let text = sio_label::write(&header);
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 78 && line.is_ascii()), "{}", text);
        let read = sio_label::read(&text).unwrap();
        prop_assert_eq!(&read, &header);
        prop_assert_eq!(read.label(&NOW), Ok(label));
    }

    #[test]
    fn ess_der(label in labels()) {
        let it = ess::from_label(all(), &label).unwrap();
        let bytes = ess::write(&it).unwrap();
        let read = ess::read(&bytes).unwrap();
        prop_assert_eq!(ess::write(&read), Ok(bytes));
        prop_assert_eq!(ess::to_label(all(), &read), Ok(label));
    }

    #[test]
    fn xmpp(label in labels()) {
        let mut it = SecurityLabel::of(&label).unwrap();
        let stanag = ConfidentialityLabel::of(&label, datetime!(2026-11-22 09:00 UTC), None, None).unwrap();
        it.equivalents.push(Content::Stanag(Box::new(stanag)));
        let read = xep0258::read(&xep0258::write(&it).unwrap()).unwrap();
        prop_assert_eq!(read.label(), Ok(label));
        prop_assert_eq!(read.display, it.display);
        prop_assert_eq!(read.equivalents, it.equivalents);
    }

    #[test]
    fn stix_markings(label in labels()) {
        let made = stix::write(all(), &label, datetime!(2026-11-22 09:00 UTC)).unwrap();
        let refs: Vec<_> = made.refs.iter().map(String::as_str).collect();
        prop_assert_eq!(stix::read(all(), &refs, &made.definitions, &NOW), Ok(Some(label)));
    }

    #[test]
    fn misp_tags(label in labels()) {
        let tags = misp::write(all(), &label);
        prop_assert_eq!(misp::read(all(), tags.iter().map(String::as_str), &NOW), Ok(Some(label)), "{:?}", tags);
    }

    #[test]
    fn readers_never_panic(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let country = Some("DEU".parse::<Country>().unwrap());
        let here = ReadOptions { country, on: NOW.on };
        let lossy = String::from_utf8_lossy(&bytes);
        for text in [text.as_str(), &lossy] {
            let _ = marking::read(text, &NOW);
            let _ = marking::read(text, &here);
            let _ = found::scan_message(text, text);
            let _ = found::first_line(text, &NOW);
            let _ = portions::read(text, &NOW);
            let _ = json::read(text, &NOW);
            let _ = stanag4774::read(text);
            let _ = sio_label::read(text);
            let _ = xep0258::read(text);
            let _ = binding::read(text);
            let _ = misp::read(all(), [text], &NOW);
            let _ = stix::read(all(), &[text], &[], &NOW);
            let _ = spif::import(all(), text, "X", Kind::National);
        }
        let _ = ess::read(&bytes);
    }

    /// Words of markings in any order: near misses instead of noise.
    #[test]
    fn near_misses_never_panic(words in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..12)) {
        let text = words.join(" ");
        if let Ok(reading) = marking::read(&text, &NOW) {
            let again = marking::parse(&marking::format(&reading.label), &NOW);
            prop_assert_eq!(again, Ok(reading.label), "{}", text);
        }
        let _ = found::scan(&text);
        let _ = portions::read(&format!("({text}) text"), &NOW);
    }

    #[test]
    fn broken_labels_never_panic(label in labels(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let it = ConfidentialityLabel::of(&label, datetime!(2026-11-22 09:00 UTC), None, None).unwrap();
        let header = sio_label::write(&SioLabel::of(&it).unwrap());
        let xml = stanag4774::write(&it).unwrap();
        let der = ess::write(&ess::from_label(all(), &label).unwrap()).unwrap();
        for whole in [header.as_bytes(), xml.as_bytes(), &der] {
            let mut bytes = whole.to_vec();
            let place = at.index(bytes.len());
            bytes[place] = to;
            let _ = ess::read(&bytes).and_then(|label| ess::to_label(all(), &label));
            if let Ok(text) = String::from_utf8(bytes) {
                let _ = sio_label::read(&text).and_then(|header| header.label(&NOW));
                let _ = stanag4774::read(&text).and_then(|label| label.label());
            }
        }
    }
}

const WORDS: [&str; 40] = [
    "SECRET",
    "UE/EU",
    "UE",
    "/",
    "EU",
    "RESTREINT",
    "R-UE",
    "(R-UE)",
    "(",
    ")",
    "[",
    "]",
    "[DEU",
    "GEHEIM]",
    "DEU",
    "GEHEIM",
    "RELEASABLE",
    "TO",
    "REL",
    "NOR",
    "AND",
    ",",
    ";",
    "//",
    "TLP:RED",
    "TLP:",
    "PAP:RED",
    "H0",
    "H2",
    "LIMITE",
    "CRYPTO",
    "ORCON",
    "NATO",
    "COSMIC",
    "TOP",
    "UNCLASSIFIED",
    "NC",
    "Très",
    "-",
    "S\u{415}CRET",
];

#[test]
fn published_ess_labels_decode() {
    use base64::Engine as _;
    let decode = |text: &str| {
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap()
    };
    for text in ["MQYGASkCAQM=", "MQYCAQMGASk="] {
        let label = ess::read(&decode(text)).unwrap();
        assert_eq!(
            (label.policy.as_str(), label.classification),
            ("1.1", Some(3)),
            "either order"
        );
        assert_eq!(
            ess::write(&label).unwrap(),
            decode("MQYCAQMGASk="),
            "DER puts the integer first"
        );
        assert!(
            ess::to_label(all(), &label).is_err(),
            "a policy that no scheme has"
        );
    }
    let text = "MUgCAQIGFGmCv8bBjpm/jK3mwqfgpqXsip9DMS0wK4AKYIZIAWUCAQgDAqEdMBsGFWmCv8bBjpm/jK3mwqfgpqXsip9DAgMCBWA=";
    let label = ess::to_label(all(), &ess::read(&decode(text)).unwrap()).unwrap();
    assert_eq!(
        marking::format(&label),
        "RESTREINT UE/EU RESTRICTED RELEASABLE TO EU, NATO"
    );
}

#[test]
fn bad_ess_labels_are_refused() {
    let label = marking::parse("R-UE RELEASABLE TO EU H2 TLP:RED", &NOW).unwrap();
    let good = ess::write(&ess::from_label(all(), &label).unwrap()).unwrap();
    for cut in 0..good.len() {
        assert!(ess::read(&good[..cut]).is_err(), "cut at {cut}");
    }
    for bytes in [
        &[0x31, 0x03, 0x02, 0x01, 0x03][..],               // no policy
        &[0x31, 0x06, 0x06, 0x01, 0x29, 0x06, 0x01, 0x29], // two policies
        &[0x31, 0x80, 0x06, 0x01, 0x29, 0x00, 0x00],       // indefinite length
        &[0x31, 0x81, 0x03, 0x06, 0x01, 0x29],             // length not minimal
        &[0x31, 0x07, 0x06, 0x01, 0x29, 0x02, 0x02, 0x00, 0x03], // integer not minimal
        &[0x31, 0x06, 0x06, 0x01, 0x29, 0x02, 0x01, 0xFF], // negative
        &[0x31, 0x04, 0x06, 0x02, 0x80, 0x01],             // arc with leading zero
        &[0x31, 0x07, 0x06, 0x01, 0x29, 0x02, 0x02, 0x01, 0x01], // 257
        &[0x31, 0x03, 0x06, 0x01, 0x29, 0x00],             // trailing byte
        &[0x30, 0x03, 0x06, 0x01, 0x29],                   // not a SET
        &[0x31, 0x05, 0x06, 0x01, 0x29, 0x31, 0x00],       // no categories in the set
        &[0x31, 0x05, 0x06, 0x01, 0x29, 0x05, 0x00],       // a NULL
    ] {
        assert!(ess::read(bytes).is_err(), "{bytes:02x?}");
    }
}

#[test]
fn stix_identifiers_are_exact() {
    let read = |id: &str| stix::read(all(), &[id], &[], &NOW);
    for (id, tlp) in [
        (
            "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
            "TLP:AMBER+STRICT",
        ),
        (
            "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
            "TLP:AMBER",
        ),
        (
            "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
            "TLP:AMBER",
        ),
        (
            "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
            "TLP:CLEAR",
        ),
        (
            "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
            "TLP:RED",
        ),
        (
            "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
            "TLP:RED",
        ),
    ] {
        assert_eq!(marking::format(&read(id).unwrap().unwrap()), tlp);
    }
    // Misprints that circulate.
    assert!(read("marking-definition--bab4a63c-aed9-4b5f-a869-dfca5abac2bb").is_err());
    assert!(read("marking-definition--939a9414-2ddd-4d32-b0cd-375ea402b003").is_err());
    assert_eq!(stix::read(all(), &[], &[], &NOW), Ok(None));
    // A version 2 identifier with a version 1 body.
    let id = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421";
    let body = serde_json::json!({ "type": "marking-definition", "id": id, "definition_type": "tlp", "definition": { "tlp": "amber" } });
    assert!(stix::read(all(), &[id], &[body], &NOW).is_err());
    let two = [
        id,
        "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    ];
    assert!(
        stix::read(all(), &two, &[], &NOW).is_err(),
        "two TLP labels"
    );
}

#[test]
fn misp_tags_as_the_taxonomies_write_them() {
    let read = |tags: &[&str]| misp::read(all(), tags.iter().copied(), &NOW);
    let text = |tags: &[&str]| marking::format(&read(tags).unwrap().unwrap());
    assert_eq!(
        text(&["tlp:amber+strict", "PAP:RED", "type:OSINT"]),
        "TLP:AMBER+STRICT PAP:RED"
    );
    assert_eq!(text(&["tlp:white"]), "TLP:CLEAR");
    assert_eq!(
        text(&["euci:R-UE/EU-R", "tlp:red"]),
        "RESTREINT UE/EU RESTRICTED TLP:RED"
    );
    assert_eq!(
        text(&["nato:classification=\"NR\""]),
        "RESTREINT UE/EU RESTRICTED [NATO NATO RESTRICTED]"
    );
    assert_eq!(read(&["type:OSINT"]), Ok(None));
    for (tags, fault) in [
        (&["tlp:unclear"][..], chancery_label::Fault::Unknown),
        (&["tlp:ex:chr"], chancery_label::Fault::Unknown),
        (&["tlp:red", "tlp:green"], chancery_label::Fault::Conflict),
        (
            &["euci:R-UE/EU-R", "euci:S-UE/EU-S"],
            chancery_label::Fault::Conflict,
        ),
        (&["tlp:\u{441}lear"], chancery_label::Fault::Unknown),
        (&["t\u{200B}lp:clear"], chancery_label::Fault::Suspicious),
        (&["\u{442}lp:clear"], chancery_label::Fault::Suspicious),
        (
            &["chancery:marking=\"R-UE\"", "tlp:red"],
            chancery_label::Fault::Conflict,
        ),
    ] {
        assert_eq!(read(tags).unwrap_err().fault, fault, "{tags:?}");
    }
}

#[test]
fn policies_come_back_from_spif() {
    let header = spif::Header {
        version: 3,
        created: datetime!(2026-11-22 09:00 UTC),
        originator_dn: "CN=x".to_owned(),
        key_identifier: "00".to_owned(),
    };
    for scheme in all()
        .all()
        .iter()
        .filter(|scheme| scheme.kind != Kind::Codes)
    {
        let text = spif::export(all(), scheme, &header).unwrap();
        let back = spif::import(all(), &text, &scheme.id, scheme.kind).unwrap();
        assert_eq!(back.policy, scheme.policy, "{}", scheme.id);
        for grade in scheme
            .grades
            .iter()
            .filter(|grade| grade.classified && grade.until.is_none())
        {
            let found = back
                .grades
                .iter()
                .find(|other| other.lacv == grade.lacv && other.note.is_none())
                .unwrap();
            assert_eq!(
                (found.eu, found.hierarchy),
                (grade.eu, grade.hierarchy),
                "{}",
                scheme.id
            );
            assert_eq!(found.marking, grade.marking, "{}", scheme.id);
        }
        let numbered = scheme
            .categories
            .iter()
            .filter(|category| category.oid.is_some());
        for (category, found) in numbered.zip(&back.categories) {
            assert_eq!(
                (&found.tag, found.kind, &found.oid),
                (&category.tag, category.kind, &category.oid)
            );
            assert_eq!(found.values.len(), category.values.len());
            assert_eq!(found.release.first(), category.release.first());
        }
        // What came back reads labels of that policy.
        assert_eq!(schemes::check_schemes(&[("back".to_owned(), back)]), []);
    }
}

#[test]
fn the_example_policy_imports() {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/euci-example.spif.xml"
    ))
    .unwrap();
    let scheme = spif::import(all(), &text, "EUX", Kind::Eu).unwrap();
    let codes: Vec<_> = scheme
        .grades
        .iter()
        .map(|grade| grade.code.as_str())
        .collect();
    assert_eq!(codes, ["NC", "R-UE", "C-UE", "S-UE", "TS-UE"]);
    assert_eq!(scheme.grades[1].portion, ["R-UE/EU-R"]);
    let tags: Vec<_> = scheme
        .categories
        .iter()
        .map(|category| category.tag.as_str())
        .collect();
    assert_eq!(tags, ["Handling", "Releasable To", "Distribution"]);
    assert_eq!(scheme.categories[0].values[0].not_with, ["NC"]);
    assert_eq!(scheme.categories[1].release, ["RELEASABLE TO"]);
    assert_eq!(scheme.categories[1].recipients.len(), 4);
    for (from, to) in [
        ("schemaVersion=\"2.1\"", "schemaVersion=\"3.0\""),
        ("tagType=\"restrictive\"", "tagType=\"notApplicable\""),
        ("lacv=\"578\"", "lacv=\"579\""),
        ("name=\"SECRET UE/EU SECRET\"", "name=\"VERY SECRET\""),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(
            spif::import(all(), &text.replacen(from, to, 1), "EUX", Kind::Eu).is_err(),
            "{to}"
        );
    }
}
