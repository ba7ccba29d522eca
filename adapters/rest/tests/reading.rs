//! Submissions: what is read, and the many that are not.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod double;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_label::{HandlingCode, Level, Tlp};
use chancery_message::{
    AssertedLabel, AttachmentContent, Inbound, Intent, LabelSource, Operation, Parsed, Precedence,
    Purpose, RecipientRole, Submission,
};
use chancery_rest::content::read;
use proptest::prelude::*;
use serde_json::{Value, json};
use time::macros::date;

fn inbound(operation: Operation) -> Inbound {
    Inbound {
        peer: double::peer().evidence,
        operation,
        idempotency_key: None,
        envelope_to: Vec::new(),
        envelope_from: None,
    }
}

fn parse(operation: Operation, raw: &[u8]) -> Parsed {
    read(&inbound(operation), raw, date!(2026 - 06 - 01))
}

fn whole(document: &Value) -> Submission {
    match parse(Operation::Send, document.to_string().as_bytes()) {
        Parsed::Whole(submission) => *submission,
        other => panic!("{other:?}"),
    }
}

fn refusal(raw: &[u8]) -> String {
    match parse(Operation::Send, raw) {
        Parsed::Malformed(malformed) => malformed.to_string(),
        other => panic!(
            "accepted: {other:?} from {:.200}",
            String::from_utf8_lossy(raw)
        ),
    }
}

fn plain() -> Value {
    json!({"to": ["cert-eu"], "label": "RESTREINT UE/EU RESTRICTED", "subject": "s", "body": "b"})
}

fn with(field: &str, value: Value) -> Value {
    let mut document = plain();
    document[field] = value;
    document
}

#[test]
fn every_field_arrives() {
    let submission = whole(&json!({
        "to": ["cert-eu", "europol-ec3"],
        "cc": ["intcen"],
        "label": "RESTREINT UE/EU RESTRICTED TLP:AMBER H1",
        "precedence": "immediate",
        "subject": "Früh {{7*7}} <%= %>",
        "body": "line\n\tline\n",
        "attachments": [
            {"name": "a.bin", "content_base64": "AAEC"},
            {"name": "b.pdf", "media_type": "application/pdf", "id": "0197a3f0-0000-7000-8000-000000000001"}
        ],
        "purpose": "law-enforcement",
        "personal_data": true,
        "originator": "europol-ec3",
        "derived_from": ["m-1", "REF/2"],
        "reference": "our/1",
        "in_reply_to": "their/2",
        "evaluation": "B2"
    }));
    assert_eq!(submission.intent, Intent::Send);
    let names: Vec<_> = submission
        .recipients
        .iter()
        .map(|one| (one.name.as_str(), one.role))
        .collect();
    assert_eq!(
        names,
        [
            ("cert-eu", RecipientRole::To),
            ("europol-ec3", RecipientRole::To),
            ("intcen", RecipientRole::Copy)
        ]
    );
    let AssertedLabel::Valid { label, source } = submission.label else {
        panic!()
    };
    assert_eq!(source, LabelSource::Field);
    assert_eq!(
        (label.level, label.tlp),
        (Level::Restricted, Some(Tlp::Amber))
    );
    assert!(label.handling.contains(&HandlingCode::H1));
    assert_eq!(submission.precedence, Precedence::Immediate);
    assert_eq!(submission.subject.expose(), "Früh {{7*7}} <%= %>");
    assert_eq!(submission.body.expose(), "line\n\tline\n");
    let contents: Vec<_> = submission
        .attachments
        .iter()
        .map(|one| &one.content)
        .collect();
    assert!(matches!(contents[0], AttachmentContent::Inline(bytes) if bytes.expose() == [0, 1, 2]));
    assert!(matches!(contents[1], AttachmentContent::Uploaded(id) if id.starts_with("0197a3f0")));
    assert_eq!(
        submission.attachments[0].media_type,
        "application/octet-stream"
    );
    assert_eq!(submission.purpose, Some(Purpose::LawEnforcement));
    assert_eq!(submission.personal_data, Some(true));
    assert_eq!(submission.originator.as_deref(), Some("europol-ec3"));
    assert_eq!(submission.derived_from.len(), 2);
    assert_eq!(submission.reference.unwrap().expose(), "our/1");
    assert_eq!(submission.in_reply_to.unwrap().expose(), "their/2");
    assert_eq!(submission.evaluation.unwrap().to_string(), "B2");
    assert!(
        submission.claimed_sender.is_none()
            && submission.siena.is_none()
            && submission.external_id.is_none()
    );
}

#[test]
fn an_attachment_may_have_a_label_of_its_own() {
    let submission = whole(&with(
        "attachments",
        json!([
            {"name": "a.bin", "content_base64": "AAEC"},
            {"name": "b.bin", "content_base64": "AAEC", "label": "C-UE TLP:AMBER"},
            {"name": "c.bin", "id": "x", "label": {"level": "S-UE", "releasable_to": ["FRA"]}},
            {"name": "d.bin", "id": "x", "label": "EYES ONLY"},
        ]),
    ));
    let labels: Vec<_> = submission.attachments.iter().map(|a| &a.label).collect();
    assert_eq!(labels[0], &AssertedLabel::Absent);
    let valid = |at: usize| match labels[at] {
        AssertedLabel::Valid { label, .. } => label,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (valid(1).level, valid(1).tlp),
        (Level::Confidential, Some(Tlp::Amber))
    );
    assert_eq!(
        (valid(2).level, valid(2).releasable_to.len()),
        (Level::Secret, 1)
    );
    let AssertedLabel::Invalid { reason, .. } = labels[3] else {
        panic!("{:?}", labels[3])
    };
    assert!(!reason.contains("EYES"), "{reason}");
    let number = with("attachments", json!([{"name": "a", "id": "x", "label": 5}]));
    let why = refusal(number.to_string().as_bytes());
    assert!(why.contains("`attachments.label`"), "{why}");
}

#[test]
fn labels_come_as_text_as_object_or_not_at_all() {
    let object =
        json!({"level": "C-UE", "handling": ["H0", "H2"], "releasable_to": ["FRA", "DEU"]});
    let AssertedLabel::Valid { label, .. } = whole(&with("label", object)).label else {
        panic!()
    };
    assert_eq!(
        (label.level, label.handling.len(), label.releasable_to.len()),
        (Level::Confidential, 2, 2)
    );
    let mut without = plain();
    without.as_object_mut().unwrap().remove("label");
    assert_eq!(whole(&without).label, AssertedLabel::Absent);
    assert_eq!(
        whole(&with("label", Value::Null)).label,
        AssertedLabel::Absent
    );
    for bad in [
        json!(""),
        json!("EYES ONLY"),
        json!("restreint ue TLP:PURPLE secretword"),
        json!({"level": "TOP"}),
        json!({"level": "NC", "colour": "blue"}),
        json!({}),
    ] {
        let AssertedLabel::Invalid { reason, .. } = whole(&with("label", bad.clone())).label else {
            panic!("{bad}")
        };
        assert!(
            !reason.is_empty() && !reason.contains("secretword"),
            "{reason}"
        );
    }
    for bad in [json!(5), json!(["R-UE"]), json!(true)] {
        assert!(
            refusal(with("label", bad).to_string().as_bytes())
                .contains("neither text nor an object")
        );
    }
}

#[test]
fn replies_and_forwards_may_leave_out_what_the_message_has() {
    let reply = Operation::Reply {
        to: "d-1".to_owned(),
    };
    let Parsed::Whole(submission) = parse(reply, br#"{"body":"thanks","label":"UNCLASSIFIED"}"#)
    else {
        panic!()
    };
    assert_eq!(
        submission.intent,
        Intent::Reply {
            to: "d-1".to_owned()
        }
    );
    assert!(submission.recipients.is_empty());
    let forward = Operation::Forward {
        of: "d-1".to_owned(),
    };
    let Parsed::Whole(submission) = parse(forward.clone(), br#"{"to":["cert-eu"]}"#) else {
        panic!()
    };
    assert_eq!(submission.label, AssertedLabel::Absent);
    assert!(matches!(parse(forward, b"{}"), Parsed::Malformed(_)));
    assert!(
        matches!(parse(Operation::Check, plain().to_string().as_bytes()), Parsed::Whole(one) if one.intent == Intent::Check)
    );
}

#[test]
fn what_is_not_in_the_schema_is_refused() {
    let inline = |bytes: usize| STANDARD.encode(vec![0u8; bytes]);
    let attachment = |value: Value| with("attachments", json!([value]));
    let many = |n: usize| (0..n).map(|n| format!("p-{n}")).collect::<Vec<_>>();
    let cases = [
        ("an unknown field", with("state", json!("RELEASED"))),
        ("a server's field", with("approved_by", json!("me"))),
        ("an id", with("id", json!("x"))),
        (
            "a callback",
            with("callback", json!("http://169.254.169.254/")),
        ),
        ("no recipient", with("to", json!([]))),
        ("a recipient that is no id", with("to", json!(["CERT EU"]))),
        ("a recipient that is a number", with("to", json!([1]))),
        ("a recipient twice", with("cc", json!(["cert-eu"]))),
        ("recipients, too many", with("to", json!(many(101)))),
        ("a text for a list", with("to", json!("cert-eu"))),
        ("a subject with a line end", with("subject", json!("a\nb"))),
        ("a subject that turns", with("subject", json!("a\u{202E}b"))),
        ("a subject with NUL", with("subject", json!("a\u{0}b"))),
        (
            "a subject, too long",
            with("subject", json!("a".repeat(999))),
        ),
        ("no subject", with("subject", Value::Null)),
        ("a body with CR", with("body", json!("a\r\nb"))),
        ("a body with an escape", with("body", json!("\u{1b}[2J"))),
        (
            "a body, too long",
            with("body", json!("a".repeat(1024 * 1024 + 1))),
        ),
        ("a precedence", with("precedence", json!("now"))),
        ("a purpose", with("purpose", json!("fun"))),
        ("a bool as text", with("personal_data", json!("false"))),
        ("a bool as number", with("personal_data", json!(0))),
        ("an evaluation", with("evaluation", json!("F6"))),
        ("an originator", with("originator", json!("a/b"))),
        ("an empty reference", with("reference", json!(""))),
        ("sources, too many", with("derived_from", json!(many(33)))),
        (
            "an attachment with both",
            attachment(json!({"name": "a", "content_base64": "", "id": "x"})),
        ),
        (
            "an attachment with neither",
            attachment(json!({"name": "a"})),
        ),
        (
            "an attachment with a URL",
            attachment(json!({"name": "a", "url": "http://127.0.0.1/"})),
        ),
        (
            "an attachment with a path as id",
            attachment(json!({"name": "a", "id": "../../etc/passwd"})),
        ),
        (
            "a name with a path",
            attachment(json!({"name": "../a", "id": "x"})),
        ),
        (
            "a name that turns",
            attachment(json!({"name": "a\u{202E}fdp.exe", "id": "x"})),
        ),
        (
            "a media type",
            attachment(json!({"name": "a", "id": "x", "media_type": "Text/HTML; x"})),
        ),
        (
            "base64 without padding",
            attachment(json!({"name": "a", "content_base64": "AA"})),
        ),
        (
            "base64 with bits left over",
            attachment(json!({"name": "a", "content_base64": "AB=="})),
        ),
        (
            "base64 with a line end",
            attachment(json!({"name": "a", "content_base64": "AAEC\n"})),
        ),
        (
            "an inline attachment, too large",
            attachment(json!({"name": "a", "content_base64": inline(256 * 1024 + 1)})),
        ),
        (
            "attachments, too many",
            with(
                "attachments",
                json!(vec![json!({"name": "a", "id": "x"}); 65]),
            ),
        ),
    ];
    for (what, document) in cases {
        let said = refusal(document.to_string().as_bytes());
        assert!(!said.is_empty(), "{what}");
    }
    whole(&attachment(
        json!({"name": "a", "content_base64": inline(256 * 1024)}),
    ));
}

#[test]
fn bombs_and_ambiguities_are_refused_before_they_are_read() {
    let cases: [(&str, Vec<u8>); 8] = [
        (
            "names twice",
            br#"{"to":["a"],"label":"R","label":"U","subject":"","body":""}"#.to_vec(),
        ),
        ("depth", "[".repeat(100_000).into_bytes()),
        (
            "depth in a field",
            format!("{{\"label\":{}", "{\"a\":".repeat(100_000)).into_bytes(),
        ),
        (
            "a million names",
            format!(
                "{{{}}}",
                (0..150_000)
                    .map(|n| format!("\"{n}\":0"))
                    .collect::<Vec<_>>()
                    .join(",")
            )
            .into_bytes(),
        ),
        ("too large", vec![b' '; 2 * 1024 * 1024 + 1]),
        (
            "two documents",
            [plain().to_string(), plain().to_string()]
                .concat()
                .into_bytes(),
        ),
        ("not UTF-8", b"{\"subject\":\"\xff\"}".to_vec()),
        (
            "UTF-16",
            "{}".encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
    ];
    for (what, raw) in cases {
        assert!(!refusal(&raw).is_empty(), "{what}");
    }
}

/// A refusal goes into the log: it must not carry the peer's text.
#[test]
fn refusals_never_quote() {
    for document in [
        with("canaryfield", json!(1)),
        with("subject", json!(["canary"])),
        with("precedence", json!("canary, expected canary")),
        with("to", json!({"canary": "canary"})),
        with("personal_data", json!("canary at line 1")),
        with("evaluation", json!("canary")),
        with("originator", json!("canary canary")),
        with("attachments", json!([{"name": "canary/", "id": "canary"}])),
    ] {
        let said = refusal(document.to_string().as_bytes());
        assert!(!said.contains("canary"), "{said}");
    }
    assert!(!refusal(b"{\"canary\":1,\"canary\":2}").contains("canary"));
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(raw in proptest::collection::vec(any::<u8>(), 0..600)) {
        drop(parse(Operation::Send, &raw));
    }

    #[test]
    fn a_changed_document_gives_an_answer(at in 0usize..400, byte in any::<u8>(), cut in 0usize..400) {
        let mut raw = with("attachments", json!([{"name": "a", "content_base64": "AAEC"}])).to_string().into_bytes();
        let at = at % raw.len();
        raw[at] = byte;
        drop(parse(Operation::Send, &raw));
        raw.truncate(cut % raw.len());
        drop(parse(Operation::Reply { to: String::new() }, &raw));
    }

    #[test]
    fn any_text_arrives_unchanged_or_not_at_all(subject in ".*", body in "(?s).*") {
        let mut document = with("subject", json!(subject));
        document["body"] = json!(body);
        if let Parsed::Whole(submission) = parse(Operation::Send, document.to_string().as_bytes()) {
            prop_assert_eq!(submission.subject.expose(), subject);
            prop_assert_eq!(submission.body.expose(), body);
        }
    }
}
