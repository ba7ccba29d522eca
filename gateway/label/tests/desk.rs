//! What `chancery label` answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use chancery_label::ReadOptions;
use chancery_label::binding::{self, BindingSigner as _, SoftSigner};
use chancery_label::codec::stanag4774::{IdType, Originator};
use chancery_label::desk::{self, Binder, Issue, Syntax};
use serde_json::{Value, json};
use time::macros::{date, datetime};

const NOW: ReadOptions = ReadOptions {
    country: None,
    on: date!(2026 - 01 - 01),
};

fn issue() -> Issue {
    Issue {
        created: datetime!(2026-11-22 09:00 UTC),
        review: Some(datetime!(2031-11-22 00:00 UTC)),
        originator: Some(Originator {
            id_type: Some(IdType::Rfc822Name),
            value: "registry@agency.example".to_owned(),
        }),
    }
}

fn within(country: &str) -> ReadOptions {
    ReadOptions {
        country: Some(desk::country(country).unwrap()),
        ..NOW
    }
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn has_every_field(answer: &Value) {
    for key in [
        "input",
        "scheme",
        "level",
        "eu_level",
        "categories",
        "canonical",
        "error",
    ] {
        assert!(answer.get(key).is_some(), "{key}: {answer}");
    }
}

#[test]
fn a_line_is_answered_with_every_field() {
    let text = "restreint ue/eu restricted rel to eu, nor tlp:amber h2";
    let answer = desk::parse_line(text, &NOW);
    has_every_field(&answer);
    assert_eq!(answer["input"], text);
    assert_eq!(answer["scheme"], "EU");
    assert_eq!(answer["level"], "R-UE");
    assert_eq!(answer["eu_level"], "R-UE");
    assert_eq!(answer["error"], Value::Null);
    assert_eq!(
        answer["canonical"],
        "RESTREINT UE/EU RESTRICTED RELEASABLE TO EU, NOR TLP:AMBER H2"
    );
    assert_eq!(
        answer["categories"],
        json!([
            { "type": "RESTRICTIVE", "tag": "Handling", "values": ["H2"] },
            { "type": "PERMISSIVE", "tag": "Releasable To", "values": ["EU", "NOR"] },
            { "type": "INFORMATIVE", "tag": "Distribution", "values": ["TLP:AMBER"] },
        ])
    );
}

#[test]
fn national_words_and_codes() {
    let answer = desk::parse_line("vs-nfd", &within("DE"));
    assert_eq!(
        (&answer["scheme"], &answer["eu_level"]),
        (&json!("DEU"), &json!("R-UE"))
    );
    assert_eq!(answer["level"], "VS - NUR FÜR DEN DIENSTGEBRAUCH");
    assert_eq!(answer["canonical"], "VS - NUR FÜR DEN DIENSTGEBRAUCH");
    assert_eq!(
        answer["marking"],
        "RESTREINT UE/EU RESTRICTED [DEU VS - NUR FÜR DEN DIENSTGEBRAUCH]"
    );
    // TLP is never a level.
    let answer = desk::parse_line("tlp:red", &NOW);
    assert_eq!(
        (&answer["scheme"], &answer["eu_level"]),
        (&json!("TLP"), &Value::Null)
    );
    assert_eq!(answer["level"], "TLP:RED");
    assert_eq!(answer["protect_as"], "NC");
    let answer = desk::parse_line("LIMITE", &NOW);
    assert_eq!(
        (&answer["scheme"], &answer["eu_level"]),
        (&json!("EU"), &json!("NC"))
    );
    let answer = desk::parse_line("H1", &NOW);
    assert_eq!(
        (&answer["scheme"], &answer["eu_level"]),
        (&json!("EUROPOL"), &Value::Null)
    );
    let answer = desk::parse_line("DIFFUSION RESTREINTE", &within("fra"));
    assert_eq!(
        (&answer["eu_level"], &answer["protect_as"]),
        (&json!("NC"), &json!("R-UE"))
    );
    assert_eq!(answer["classified"], false);
}

#[test]
fn what_is_refused_says_what_where_and_which_rule() {
    for (text, fault) in [
        ("SECRET", "ambiguous"),
        ("SEKRET", "unknown"),
        ("", "empty"),
        ("TLP: RED", "unknown"),
    ] {
        let answer = desk::parse_line(text, &NOW);
        has_every_field(&answer);
        assert_eq!(answer["eu_level"], Value::Null);
        let error = &answer["error"];
        assert_eq!(error["fault"], fault, "{answer}");
        for key in ["what", "where", "rule"] {
            assert!(
                error[key].as_str().is_some_and(|text| !text.is_empty()),
                "{answer}"
            );
        }
    }
    assert!(
        desk::parse_line("SECRET", &NOW)["error"]["what"]
            .as_str()
            .unwrap()
            .contains("ROU (C-UE)")
    );
}

#[test]
fn lines_are_answered_one_for_one() {
    let lines = [
        "R-UE\r",
        "",
        "{\"input\": \"GEHEIM\", \"country\": \"DEU\"}",
        "{\"input\": \"HEMLIG\", \"country\": \"SWE\", \"on\": \"2018-01-01\"}",
        "{\"level\": \"S-UE\", \"tlp\": \"RED\"}",
        "{\"input\": \"GEHEIM\", \"country\": \"Germany\"}",
        "{\"foo\": 1}",
    ];
    let answers: Vec<_> = desk::parse_lines(lines, NOW).collect();
    let seen: Vec<_> = answers
        .iter()
        .map(|answer| {
            answer["canonical"]
                .as_str()
                .or(answer["error"]["fault"].as_str())
                .unwrap()
        })
        .collect();
    assert_eq!(
        seen,
        [
            "RESTREINT UE/EU RESTRICTED",
            "empty",
            "GEHEIM",
            "ambiguous",
            "SECRET UE/EU SECRET TLP:RED",
            "unknown",
            "malformed"
        ]
    );
    assert!(answers.iter().all(|answer| answer["input"].is_string()));
}

#[test]
fn files_of_every_syntax() {
    let wanted = "RESTREINT UE/EU RESTRICTED RELEASABLE TO EU, NOR TLP:AMBER H2";
    for (name, syntax) in [
        ("label-r-ue.4774.xml", "4774"),
        ("binding.4778.xml", "4778"),
        ("sio-label.eml", "sio-label"),
    ] {
        let answer = desk::parse_file(name, &data(name), &NOW);
        has_every_field(&answer);
        assert_eq!(
            (answer["canonical"].as_str(), answer["syntax"].as_str()),
            (Some(wanted), Some(syntax)),
            "{answer}"
        );
        assert_eq!(answer["input"], name);
    }
    let answer = desk::parse_file("iep", &data("iep2-amber.json"), &NOW);
    has_every_field(&answer);
    assert_eq!(
        (&answer["canonical"], &answer["eu_level"], &answer["syntax"]),
        (&json!("TLP:AMBER"), &Value::Null, &json!("iep")),
        "{answer}"
    );
    assert_eq!(answer["notes"].as_array().unwrap().len(), 5, "{answer}");
    // A trace of former labels (RFC 7444, section 5) has no effect.
    let trace = "SIO-Label-History: marking=\"SECRET UE/EU SECRET\"; change=replace;\r\n \
        changed-by=a@b.example; changed-at=\"2026-01-01T00:00:00Z\"; new-marking=\"UNCLASSIFIED\"\r\n";
    let with_trace = [trace.as_bytes(), &data("sio-label.eml")].concat();
    let answer = desk::parse_file("trace.eml", &with_trace, &NOW);
    assert_eq!(answer["canonical"], wanted, "{answer}");
    let answer = desk::parse_file("trace.eml", trace.as_bytes(), &NOW);
    assert!(!answer["error"].is_null(), "{answer}");
    // What we write we find again.
    for syntax in Syntax::ALL {
        let text = desk::format(wanted, syntax, &issue(), &NOW).unwrap();
        let bytes = match syntax {
            Syntax::SioLabel => format!("From: a@b\r\nSIO-Label: {text}\r\n\r\nbody").into_bytes(),
            Syntax::Ess => {
                use base64::Engine as _;
                let answer = desk::parse_file("f", text.as_bytes(), &NOW);
                assert_eq!(answer["canonical"], wanted, "in base64: {answer}");
                base64::engine::general_purpose::STANDARD
                    .decode(text)
                    .unwrap()
            }
            _ => text.into_bytes(),
        };
        let answer = desk::parse_file("f", &bytes, &NOW);
        assert_eq!(answer["canonical"], wanted, "{syntax:?} {answer}");
        assert_eq!(Syntax::of(syntax.name()), Some(syntax));
    }
    let reasons = [
        "bad-lowercase-type.4774.xml",
        "bad-no-creation.4774.xml",
        "bad-no-tagname.4774.xml",
        "bad-two-labels.4778.xml",
    ]
    .map(|name| {
        desk::parse_file(name, &data(name), &NOW)["error"]["what"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    for (index, one) in reasons.iter().enumerate() {
        assert!(
            !reasons[..index].contains(one),
            "each has its own reason: {reasons:?}"
        );
    }
    for (text, fault) in [
        ("Subject: x\n\nSIO-Label: marking=R-UE", "missing"),
        (
            "SIO-Label: marking=\"R-UE\"\nSIO-Label: marking=\"NC\"\n\n",
            "conflict",
        ),
        ("<a/>", "unknown"),
        ("<!DOCTYPE a><a/>", "malformed"),
        ("\u{0}", "malformed"),
        ("[]", "missing"),
        ("[\"type:OSINT\"]", "missing"),
        ("[\"tlp:red\", 5]", "malformed"),
        ("{\"object_marking_refs\": []}", "missing"),
        ("{\"object_marking_refs\": [], \"x\": 1}", "malformed"),
        ("{\"iep_version\": 2.0}", "malformed"),
    ] {
        let answer = desk::parse_file("f", text.as_bytes(), &NOW);
        assert_eq!(answer["error"]["fault"], fault, "{text} {answer}");
    }
    assert_eq!(desk::parse_file("f", b"TLP:RED\n", &NOW)["scheme"], "TLP");
}

#[test]
fn translation_answers_about_what_came_out() {
    let answer = desk::translate("GEHEIM TLP:RED", Some("DEU"), "EU", NOW.on);
    has_every_field(&answer);
    assert_eq!(answer["canonical"], "SECRET UE/EU SECRET TLP:RED");
    assert_eq!(
        (&answer["scheme"], &answer["level"]),
        (&json!("EU"), &json!("S-UE"))
    );
    assert_eq!(
        answer["marking"],
        "SECRET UE/EU SECRET [DEU GEHEIM] TLP:RED"
    );
    let answer = desk::translate("SECRET UE/EU SECRET", Some("EU"), "EL", NOW.on);
    assert_eq!(
        (&answer["scheme"], &answer["level"]),
        (&json!("GRC"), &json!("Απόρρητο (ΑΠ)"))
    );
    for (text, from, to) in [
        ("TLP:RED", None, "EU"),
        ("SECRET UE/EU SECRET", Some("DEU"), "FRA"),
        ("R-UE", None, "FRA"),
        ("R-UE", None, "Utopia"),
    ] {
        let answer = desk::translate(text, from, to, NOW.on);
        has_every_field(&answer);
        assert!(answer["error"].is_object(), "{answer}");
    }
}

#[test]
fn comparing() {
    let relation = |a, b| {
        let answer = desk::compare(a, b, &NOW);
        (
            answer["relation"].as_str().map(str::to_owned),
            answer["join"].as_str().map(str::to_owned),
        )
    };
    let of =
        |relation: &str, join: Option<&str>| (Some(relation.to_owned()), join.map(str::to_owned));
    assert_eq!(
        relation("S-UE", "R-UE TLP:RED"),
        of("incomparable", Some("SECRET UE/EU SECRET TLP:RED"))
    );
    assert_eq!(
        relation("S-UE", "R-UE"),
        of("above", Some("SECRET UE/EU SECRET"))
    );
    assert_eq!(
        relation("R-UE", "S-UE"),
        of("below", Some("SECRET UE/EU SECRET"))
    );
    assert_eq!(
        relation("R-UE", "EU RESTRICTED"),
        of("equal", Some("RESTREINT UE/EU RESTRICTED"))
    );
    assert_eq!(
        relation("R-UE REL TO NOR", "R-UE REL TO CHE"),
        of("incomparable", None)
    );
    let answer = desk::compare("R-UE REL TO NOR", "R-UE REL TO CHE", &NOW);
    assert!(
        answer["refused"]
            .as_str()
            .unwrap()
            .contains("no common recipient")
    );
    assert!(desk::compare("R-UE", "FOO", &NOW)["error"].is_object());
}

#[test]
fn binding_and_verifying() {
    let signer = SoftSigner::from_secret("registry", &[5; 32]).unwrap();
    let content = b"Fictitious text.";
    for embedded in [false, true] {
        let binder = Binder {
            name: "report.txt",
            content_type: "text/plain",
            content,
            embedded,
            signer: &signer,
        };
        let made = desk::bind("SECRET UE/EU SECRET", &binder, &issue(), &NOW).unwrap();
        assert!(binding::read(&made).unwrap().signed);
        let key = signer.public_key();
        let answer = desk::verify(&made, Some(content), Some(&key));
        assert_eq!(
            (&answer["holds"], &answer["trusted"]),
            (&json!(true), &json!(true)),
            "{answer}"
        );
        assert_eq!(
            (&answer["canonical"], &answer["signer"]),
            (&json!("SECRET UE/EU SECRET"), &json!("registry"))
        );
        let answer = desk::verify(&made, Some(content), None);
        assert_eq!(
            (&answer["holds"], &answer["trusted"]),
            (&json!(true), &json!(false)),
            "{answer}"
        );
        let answer = desk::verify(
            &made.replace("SECRET UE", "SECRET UF"),
            Some(content),
            Some(&key),
        );
        assert_eq!(answer["holds"], false);
        assert!(
            answer["error"]["what"].as_str().unwrap().contains("label"),
            "{answer}"
        );
        if !embedded {
            assert_eq!(
                desk::verify(&made, Some(b"Other text."), None)["error"]["fault"],
                "binding"
            );
            assert_eq!(desk::verify(&made, None, None)["error"]["fault"], "missing");
        }
    }
}

#[test]
fn keys_in_pem() {
    use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
    let secret = p256::SecretKey::from_slice(&[6; 32]).unwrap();
    let pem = secret.to_pkcs8_pem(LineEnding::LF).unwrap();
    let signer = SoftSigner::from_pem("x", &pem).unwrap();
    let public = secret
        .public_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap();
    assert_eq!(binding::trusted_key(&public).unwrap(), signer.public_key());
    assert!(binding::trusted_key("no key").is_err());
}
