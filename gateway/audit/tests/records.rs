//! One form for each record, whatever was put into it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a helper that fails is a failed test"
)]

mod support;

use chancery_audit::{
    Actor, Event, EventKind, Key, LogId, MAX_RECORD_BYTES, PeerId, Record, RecordError, Value,
    leaf_hash,
};
use chancery_message::{DeliveryId, MessageId, Timestamp};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn log_id() -> LogId {
    "chancery/node-1".parse().expect("a log id")
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..600).prop_map(|bytes| Value::bytes(&bytes)),
        proptest::collection::vec(any::<String>(), 0..20).prop_map(Value::from),
        any::<[u8; 32]>().prop_map(|hash| Value::hash(&hash)),
    ]
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        Just(Actor::System),
        "[a-z0-9][a-z0-9.-]{0,30}[a-z0-9]".prop_map(|name| Actor::process(&name)),
        "[a-z0-9][a-z0-9.-]{0,30}[a-z0-9]"
            .prop_map(|id| Actor::Participant(id.parse().expect("an id"))),
        "[a-z0-9][a-z0-9.-]{0,30}[a-z0-9]"
            .prop_map(|id| Actor::Officer(id.parse().expect("an id"))),
        any::<[u8; 32]>().prop_map(|hash| Actor::Peer(PeerId::Certificate(hash))),
        Just(Actor::Peer(PeerId::Unauthenticated)),
    ]
}

prop_compose! {
    fn record()(
        kind in proptest::sample::select(EventKind::ALL),
        seq in any::<u64>(),
        at in any::<i64>(),
        actor in actor(),
        message in any::<Option<[u8; 16]>>(),
        delivery in any::<Option<[u8; 16]>>(),
        values in proptest::collection::vec(value(), 0..14),
    ) -> Record {
        let mut event = Event::new(kind, Timestamp::from_micros(at), actor);
        event.message = message.map(MessageId::from_bytes);
        event.delivery = delivery.map(DeliveryId::from_bytes);
        for (key, value) in kind.keys().iter().chain(Key::ANY).zip(values) {
            event = event.detail(*key, value);
        }
        Record::new(&log_id(), seq, event)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_record_is_read_back_from_one_short_line(record in record()) {
        let bytes = record.encode();
        prop_assert!(bytes.len() <= MAX_RECORD_BYTES);
        prop_assert_eq!(Record::parse(&bytes), Ok(record.clone()));
        let text = std::str::from_utf8(&bytes).expect("text");
        prop_assert!(!text.chars().any(char::is_control));
        prop_assert!(text.chars().all(|c| c < '\u{180}'), "nothing that turns, hides or resembles");
        prop_assert_eq!(record.leaf_hash(), leaf_hash(&bytes));
        prop_assert_eq!(leaf_hash(&bytes), <[u8; 32]>::from(Sha256::digest([&[0], &bytes[..]].concat())));
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(record) = Record::parse(&bytes) {
            prop_assert_eq!(record.encode(), bytes);
        }
    }

    #[test]
    fn changed_records_are_refused_or_canonical(record in record(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = record.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Record::parse(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }
}

const GOOD: &str = r#"{"v":1,"log":"chancery/node-1","seq":7,"at":1764000000000000,"kind":"release.refused","actor":"system","message":null,"delivery":null,"details":{"gates":["G04","G11"],"reason":"no \"agreement\""}}"#;

#[test]
fn the_form_is_this_one() {
    let event = Event::new(
        EventKind::ReleaseRefused,
        Timestamp::from_micros(1_764_000_000_000_000),
        Actor::System,
    )
    .detail(Key::Reason, "no \"agreement\"")
    .detail(Key::Gates, ["G04", "G11"]);
    let record = Record::new(&log_id(), 7, event);
    assert_eq!(String::from_utf8(record.encode()).expect("text"), GOOD);
}

#[test]
fn other_forms_of_the_same_are_refused() {
    let table = [
        (
            GOOD.replace(",\"seq\"", ", \"seq\""),
            RecordError::NotCanonical,
        ),
        (
            GOOD.replace("\"seq\":7", "\"seq\":07"),
            RecordError::Malformed,
        ),
        (
            GOOD.replace("\"seq\":7", "\"seq\":7.0"),
            RecordError::Malformed,
        ),
        (
            GOOD.replace("\"seq\":7", "\"seq\":-7"),
            RecordError::Malformed,
        ),
        (
            GOOD.replace("\"seq\":7", "\"seq\":7,\"seq\":7"),
            RecordError::Malformed,
        ),
        (GOOD.replace("\"seq\":7,", ""), RecordError::Malformed),
        (
            GOOD.replace("\"seq\":7", "\"seq\":7,\"note\":1"),
            RecordError::Malformed,
        ),
        (GOOD.replace("\"v\":1", "\"v\":2"), RecordError::Version(2)),
        (
            GOOD.replace("release.refused", "release.eaten"),
            RecordError::Field("kind"),
        ),
        (
            GOOD.replace("\"system\"", "\"System\""),
            RecordError::Field("actor"),
        ),
        (
            GOOD.replace("chancery/node-1", "chancery node"),
            RecordError::Field("log"),
        ),
        (
            GOOD.replace("\"gates\"", "\"gate\""),
            RecordError::Field("details"),
        ),
        (
            GOOD.replace("no \\\"", "no\\u0020\\\""),
            RecordError::NotCanonical,
        ),
        (
            GOOD.replace("no \\\"", "n\\n\\\""),
            RecordError::Field("details"),
        ),
        (
            GOOD.replace("no ", "n\u{202e} "),
            RecordError::Field("details"),
        ),
        (
            GOOD.replace("[\"G04\",\"G11\"]", "1.5"),
            RecordError::Malformed,
        ),
        (
            GOOD.replace("[\"G04\",\"G11\"]", "null"),
            RecordError::Malformed,
        ),
        (
            GOOD.replace("[\"G04\",\"G11\"]", "[[\"G04\"]]"),
            RecordError::Malformed,
        ),
        (
            GOOD.replace("\"details\":{", "\"details\":{\"reason\":\"x\","),
            RecordError::NotCanonical,
        ),
        (
            GOOD.replace(
                "\"message\":null",
                "\"message\":\"01890000000070008000000000000000\"",
            ),
            RecordError::Field("message"),
        ),
        (format!("{GOOD}\n"), RecordError::NotCanonical),
        (format!("{GOOD}x"), RecordError::Malformed),
        (format!("[{}", "[".repeat(1000)), RecordError::Malformed),
        ("x".repeat(MAX_RECORD_BYTES + 1), RecordError::TooLong),
        (String::new(), RecordError::Malformed),
    ];
    Record::parse(GOOD.as_bytes()).expect("the good one");
    for (text, expected) in table {
        assert_eq!(
            Record::parse(text.as_bytes()),
            Err(expected),
            "{}",
            text.get(..300).unwrap_or(&text)
        );
    }
}

#[test]
fn attackers_words_make_one_line_of_bounded_size() {
    let hostile = [
        "\r\n{\"v\":1,\"log\":\"forged\"}\r\n".to_owned(),
        "\u{1b}]0;owned\u{7}\u{1b}[2J".to_owned(),
        "\u{202e}gnp.exe\u{2066}".to_owned(),
        "=cmd|' /C calc'!A0".to_owned(),
        "x".repeat(256 * 1024),
        "\u{10ffff}".repeat(10_000),
        "\\\"".repeat(5000),
    ];
    for word in &hostile {
        let mut event = Event::new(
            EventKind::ReleaseOpened,
            Timestamp::from_micros(0),
            Actor::System,
        );
        for key in EventKind::ReleaseOpened.keys().iter().chain(Key::ANY) {
            let times = if word.len() < 100 { 1000 } else { 3 };
            event = event.detail(*key, vec![word.as_str(); times]);
        }
        let bytes = Record::new(&log_id(), u64::MAX, event.detail(Key::Reason, word)).encode();
        assert!(bytes.len() <= MAX_RECORD_BYTES, "{}", bytes.len());
        assert!(!bytes.iter().any(|byte| byte.is_ascii_control()));
        Record::parse(&bytes).expect("canonical");
    }
    // What was cut leaves the hash of the whole.
    let long = "x".repeat(1000);
    let event = Event::new(
        EventKind::DoorRefused,
        Timestamp::from_micros(0),
        Actor::System,
    )
    .detail(Key::Rule, &long);
    let text = String::from_utf8(Record::new(&log_id(), 0, event).encode()).expect("text");
    assert!(text.contains(&hex::encode(Sha256::digest(long))) && text.contains("\"of\":1000"));
}
