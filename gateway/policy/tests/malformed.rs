//! Facts that are not well-formed: G00, and nothing is guessed.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test that fails ends the test"
)]

use std::sync::OnceLock;

use chancery_policy::engine::Engine;

const GOOD: &str = r#"{"id":"M1","label_state":"valid","classification":"R-UE","personal_data":false,"purpose":"cyber-crisis","sender_community":"civilian","recipient_community":"civilian","sender_kind":"agency","recipient_kind":"agency","recipient_country":"EU","recipient_clearance":"S-UE","channel_accreditation":"S-UE","crypto_approval":"S-UE","mou_ceiling":"NC","holder_is_originator":true,"addressed":true,"relation":"community","mou":"none"}"#;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::shipped().unwrap())
}

fn answer(line: &str) -> serde_json::Value {
    serde_json::from_str(&engine().decide_line(line)).unwrap()
}

/// `GOOD` with one field set to another JSON value, or left out.
fn changed(field: &str, value: Option<&str>) -> String {
    let mut facts: serde_json::Map<String, serde_json::Value> = serde_json::from_str(GOOD).unwrap();
    match value {
        Some(text) => {
            facts.insert(field.to_owned(), serde_json::from_str(text).unwrap());
        }
        None => {
            assert!(facts.remove(field).is_some(), "{field}");
        }
    }
    serde_json::to_string(&facts).unwrap()
}

#[test]
fn the_good_line_is_decided_and_defaults_hold() {
    assert_eq!(answer(GOOD)["verdict"], "permit");
    for (field, default) in [
        ("caveats", "[]"),
        ("releasable_to", "[]"),
        ("tlp", "null"),
        ("handling_codes", "[]"),
        ("channel_public", "false"),
        ("consent", "\"n/a\""),
        ("external_agreement", "\"n/a\""),
        ("article_25_basis", "\"n/a\""),
        ("review_flags", "[]"),
    ] {
        assert_eq!(
            answer(&changed(field, Some(default))),
            answer(GOOD),
            "{field}"
        );
    }
}

#[test]
fn a_missing_required_field_is_g00() {
    let facts: serde_json::Map<String, serde_json::Value> = serde_json::from_str(GOOD).unwrap();
    for field in facts.keys() {
        let answer = answer(&changed(field, None));
        assert_eq!(answer["gates"], serde_json::json!(["G00"]), "{field}");
        assert_eq!(answer["verdict"], "deny", "{field}");
        let id = if field == "id" {
            serde_json::Value::Null
        } else {
            "M1".into()
        };
        assert_eq!(answer["id"], id, "{field}");
    }
}

#[test]
fn a_wrong_value_is_g00() {
    let wrong = [
        ("id", "7"),
        ("id", "null"),
        ("id", "[\"M1\"]"),
        ("label_state", "\"VALID\""),
        ("label_state", "\"\""),
        ("label_state", "{\"valid\":null}"),
        ("label_state", "null"),
        ("classification", "\"R-UE \""),
        ("classification", "\"r-ue\""),
        ("classification", "\"RESTREINT UE/EU RESTRICTED\""),
        ("classification", "\"R\""),
        ("classification", "1"),
        ("classification", "{\"R-UE\":null}"),
        ("classification", "[\"R-UE\"]"),
        ("caveats", "null"),
        ("caveats", "\"LIMITE\""),
        ("caveats", "[\"limite\"]"),
        ("caveats", "[null]"),
        ("caveats", "[[\"LIMITE\"]]"),
        ("caveats", "{\"LIMITE\":true}"),
        ("caveats", "[\"NOFORN\"]"),
        ("releasable_to", "[\"FR\"]"),
        ("releasable_to", "[\"fra\"]"),
        ("releasable_to", "[\"FRANCE\"]"),
        ("releasable_to", "[\"\"]"),
        ("releasable_to", "\"FRA\""),
        ("releasable_to", "[\"FR\\u0410\"]"),
        ("releasable_to", "[250]"),
        ("tlp", "\"WHITE\""),
        ("tlp", "\"TLP:RED\""),
        ("tlp", "\"red\""),
        ("tlp", "\"AMBER STRICT\""),
        ("tlp", "\"none\""),
        ("tlp", "false"),
        ("tlp", "{\"RED\":null}"),
        ("handling_codes", "[\"H4\"]"),
        ("handling_codes", "[\"h1\"]"),
        ("handling_codes", "[1]"),
        ("personal_data", "\"false\""),
        ("personal_data", "0"),
        ("personal_data", "null"),
        ("purpose", "\"cyber crisis\""),
        ("purpose", "\"research\""),
        ("sender_community", "\"police\""),
        ("recipient_community", "\"Private\""),
        ("sender_kind", "\"company\""),
        ("recipient_kind", "\"third_state\""),
        ("recipient_kind", "\"InternationalOrganisation\""),
        ("recipient_country", "\"DE\""),
        ("recipient_country", "\"UNITED\""),
        ("recipient_country", "\"nato\""),
        ("recipient_country", "\"ABC\""),
        ("recipient_country", "\"DDR\""),
        ("recipient_country", "null"),
        ("recipient_country", "[\"EU\"]"),
        ("recipient_clearance", "\"none\""),
        ("recipient_clearance", "4"),
        ("channel_accreditation", "\"NATO SECRET\""),
        ("crypto_approval", "true"),
        ("mou_ceiling", "null"),
        ("channel_public", "null"),
        ("channel_public", "\"no\""),
        ("holder_is_originator", "1"),
        ("consent", "null"),
        ("consent", "\"yes\""),
        ("consent", "\"pending\""),
        ("addressed", "\"true\""),
        ("relation", "\"same_org\""),
        ("relation", "\"none\""),
        ("mou", "null"),
        ("mou", "\"signed\""),
        ("external_agreement", "\"sia\""),
        ("external_agreement", "null"),
        ("article_25_basis", "\"pre2017\""),
        ("article_25_basis", "[]"),
        ("review_flags", "[\"level_drop\"]"),
        ("review_flags", "\"aggregate\""),
        ("surprise", "1"),
        ("Classification", "\"NC\""),
        ("recipient", "\"cert-eu\""),
    ];
    for (field, value) in wrong {
        let answer = answer(&changed(field, Some(value)));
        assert_eq!(answer["verdict"], "deny", "{field} = {value}");
        assert_eq!(
            answer["gates"],
            serde_json::json!(["G00"]),
            "{field} = {value}"
        );
        assert!(answer["error"].is_string(), "{field} = {value}");
        if field != "id" {
            assert_eq!(answer["id"], "M1", "{field} = {value}");
        }
    }
}

#[test]
fn a_line_that_is_no_object_is_g00() {
    let values: Vec<serde_json::Value> = serde_json::from_str::<serde_json::Map<_, _>>(GOOD)
        .unwrap()
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    let in_order = serde_json::to_string(&values).unwrap();
    let twice = GOOD.replacen('{', r#"{"mou":"none","#, 1);
    let escaped_twice = GOOD.replacen('{', r#"{"m\u006fu":"active","#, 1);
    let two = format!("{GOOD}{GOOD}");
    let deep = "[".repeat(10_000);
    let lone = GOOD.replacen("M1", r"\ud800", 1);
    let lines = [
        "",
        " ",
        "null",
        "7",
        "\"text\"",
        "[]",
        "{}",
        "{",
        "}{",
        "{\"id\":\"x\"}",
        "not json",
        "{'id':'x'}",
        "\u{feff}{}",
        "{\"id\":\"x\",}",
        "// comment",
        &in_order,
        &twice,
        &escaped_twice,
        &two,
        &deep,
        &lone,
    ];
    for line in lines {
        let answer = answer(line);
        assert_eq!(answer["gates"], serde_json::json!(["G00"]), "{line:.60}");
        assert_eq!(answer["verdict"], "deny", "{line:.60}");
    }
    assert_eq!(answer("{\"id\":\"x\"}")["id"], "x");
    assert_eq!(answer(&two)["id"], serde_json::Value::Null);
}

#[test]
fn bytes_that_are_not_utf8_are_g00() {
    let mut line = GOOD.as_bytes().to_vec();
    line[8] = 0xff;
    let answer: serde_json::Value = serde_json::from_str(&engine().decide_bytes(&line)).unwrap();
    assert_eq!(answer["gates"], serde_json::json!(["G00"]));
    let good = engine().decide_bytes(GOOD.as_bytes());
    assert!(good.contains("permit"), "{good}");
}

#[test]
fn any_text_is_echoed_as_id() {
    for id in ["", "ä\u{202e}\n\"\\", "D01", &"x".repeat(10_000)] {
        let line = changed("id", Some(&serde_json::to_string(id).unwrap()));
        assert_eq!(answer(&line)["id"], id);
    }
}

#[test]
fn an_answer_is_one_line() {
    let line = engine().decide_line(&changed("id", Some(r#""a\nb""#)));
    assert!(!line.contains('\n'));
}
