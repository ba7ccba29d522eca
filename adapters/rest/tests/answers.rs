//! Answers: every outcome in JSON, described by the OpenAPI document.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use chancery_label::{Label, Level, Tlp};
use chancery_message::{
    DeliveryId, MessageId, Precedence, Purpose, RecipientRole, SienaFields, SienaKind, Text,
    Timestamp, UrgencyGround,
};
use chancery_pipeline::outcome::{
    ConsentCard, InboxEntry, Outcome, RecipientCard, RecipientStatus, RecipientVerdict, Refusal,
    RefusalKind, StatusView, Verdict, Verdicts,
};
use chancery_pipeline::ports::{Reply, ReplyBody};
use chancery_pipeline::rows::DeliveryState;
use chancery_pipeline::view::{AttachmentView, DeliveryView, Party};
use chancery_rest::content::{OPENAPI, Problem, openapi, problem, reply};
use serde_json::{Value, json};

fn at() -> Timestamp {
    Timestamp::parse("2026-06-01T12:00:00Z").unwrap()
}

fn body(reply: &Reply) -> Value {
    match &reply.body {
        ReplyBody::Whole(bytes) => serde_json::from_slice(bytes).unwrap(),
        ReplyBody::Stream { .. } => panic!("a stream"),
    }
}

fn message() -> MessageId {
    MessageId::from_bytes([1; 16])
}

fn delivery() -> DeliveryId {
    DeliveryId::from_bytes([2; 16])
}

fn verdicts(registration: &str) -> Verdicts {
    Verdicts {
        message: Some(message()),
        registration: Some(registration.to_owned()),
        label: Label::of(Level::Restricted),
        recipients: vec![
            RecipientVerdict {
                recipient: "cert-eu".to_owned(),
                verdict: Verdict::Permit,
                reason: String::new(),
                hints: Vec::new(),
                due_at: None,
            },
            RecipientVerdict {
                recipient: "acme".to_owned(),
                verdict: Verdict::Review,
                reason: "an officer looks at it".to_owned(),
                hints: vec!["ask for a contract".to_owned()],
                due_at: Some(at()),
            },
        ],
        repeated: false,
    }
}

fn party(id: &str) -> Party {
    Party {
        id: id.parse().unwrap(),
        name: format!("The {id}"),
        address: Some("secret@example.org".to_owned()),
    }
}

fn view() -> DeliveryView {
    DeliveryView {
        delivery: delivery(),
        message: message(),
        registration: "2026/17".to_owned(),
        from: party("europol-ec3"),
        recipients: vec![
            (party("cert-eu"), RecipientRole::To),
            (party("intcen"), RecipientRole::Copy),
        ],
        originator: Some(party("bka")),
        label: Label::of(Level::Restricted),
        marking: "RESTREINT UE/EU RESTRICTED".to_owned(),
        obligations: vec!["not for use in court".to_owned()],
        precedence: Precedence::Priority,
        purpose: Purpose::LawEnforcement,
        personal_data: true,
        evaluation: Some("A1".parse().unwrap()),
        sent_at: at(),
        due_at: Some(at()),
        reference: Some(Text::new("ref")),
        in_reply_to: None,
        siena: Some(SienaFields {
            kind: SienaKind::Request,
            urgency: Some(UrgencyGround::LifeOrIntegrity),
            directly_accessible: true,
            case_reference: Some(Text::new("case")),
            europol_in_copy: true,
        }),
        subject: Text::new("<script>\"quoted\"</script>"),
        body: Text::new("line\nline"),
        attachments: vec![
            AttachmentView {
                index: 0,
                name: Text::new("a.pdf"),
                media_type: "application/pdf".to_owned(),
                label: None,
                size: 3,
                sha256: [0xab; 32],
                content: None,
            },
            AttachmentView {
                index: 1,
                name: Text::new("b.pdf"),
                media_type: "application/pdf".to_owned(),
                label: Some(Label {
                    tlp: Some(Tlp::Amber),
                    ..Label::of(Level::Restricted)
                }),
                size: 4,
                sha256: [0xcd; 32],
                content: None,
            },
        ],
    }
}

fn status() -> StatusView {
    StatusView {
        message: message(),
        registration: "2026/17".to_owned(),
        marking: None,
        received_at: at(),
        recipients: vec![RecipientStatus {
            recipient: "cert-eu".parse().unwrap(),
            state: DeliveryState::Completed,
            reason: String::new(),
            since: at(),
        }],
    }
}

/// Every outcome, its status and the schema that describes it.
fn outcomes() -> Vec<(Outcome, u16, &'static str)> {
    let entry = InboxEntry {
        delivery: delivery(),
        from: "europol-ec3".parse().unwrap(),
        marking: "UNCLASSIFIED".to_owned(),
        precedence: Precedence::Flash,
        role: RecipientRole::Copy,
        sent_at: at(),
        due_at: None,
        subject: Text::new("s"),
        attachment_bytes: 5,
        opened: true,
        receipt: Some(chancery_pipeline::outcome::Receipt::Reminded),
    };
    let card = RecipientCard {
        id: "cert-eu".parse().unwrap(),
        name: "CERT-EU".to_owned(),
        community: "civilian".to_owned(),
        country: "EU".to_owned(),
        ceiling: Level::Restricted,
        contact: None,
    };
    let uploaded = Outcome::Uploaded {
        id: "x".to_owned(),
        sha256: [1; 32],
        size: 5,
        expires_at: at(),
    };
    let quarantined = Outcome::Quarantined {
        message: message(),
        reason: "no label".to_owned(),
    };
    let refused = Outcome::Refused(Refusal::new(RefusalKind::NoLabel, "there is no label"));
    let acknowledged = Outcome::Acknowledged {
        delivery: delivery(),
        at: at(),
    };
    let asked = ConsentCard {
        request: "ab".repeat(32),
        message: message(),
        recipient: "europol-ec3".parse().unwrap(),
        level: Level::Restricted,
        asked_at: at(),
        answer_by: at(),
    };
    let consented = Outcome::Consented {
        request: asked.clone(),
        granted: true,
    };
    vec![
        (Outcome::Consents(vec![asked]), 200, "Consents"),
        (consented, 200, "Consent"),
        (Outcome::Accepted(verdicts("2026/17")), 202, "Verdicts"),
        (Outcome::Checked(verdicts("2026/17")), 200, "Verdicts"),
        (quarantined, 202, "Quarantined"),
        (refused, 422, "Problem"),
        (uploaded, 201, "Upload"),
        (Outcome::Recipients(vec![card]), 200, "Recipients"),
        (Outcome::Inbox(vec![entry]), 200, "Inbox"),
        (Outcome::Delivery(Box::new(view())), 200, "Delivery"),
        (acknowledged, 200, "Acknowledged"),
        (Outcome::Status(status()), 200, "Status"),
        (Outcome::Withdrawn(status()), 200, "Status"),
    ]
}

/// Enough of JSON Schema for what the document uses: types, names, words,
/// required and unknown fields.
fn conforms(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        return conforms(
            document,
            &document["components"]["schemas"][name],
            value,
            place,
        );
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(
            words.contains(value),
            "{place}: {value} is not among {words:?}"
        );
    }
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let one_of = schema["oneOf"].as_array();
    assert!(
        kinds.contains(&kind) || one_of.is_some(),
        "{place}: {value} is not {kinds:?} of {schema}"
    );
    if let Some(forms) = one_of {
        let form = forms
            .iter()
            .find(|form| (form["type"] == "null") == value.is_null())
            .unwrap();
        return conforms(document, form, value, place);
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(document, &schema["items"], item, place);
    }
    if let Some(object) = value.as_object() {
        for (name, field) in object {
            let schema = &schema["properties"][name];
            assert!(!schema.is_null(), "{place}: `{name}` is not described");
            conforms(document, schema, field, &format!("{place}.{name}"));
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(
                object.contains_key(name.as_str().unwrap()),
                "{place}: {name} is missing"
            );
        }
    }
}

#[test]
fn every_outcome_is_as_described() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    for (outcome, status, schema) in outcomes() {
        let reply = reply(&outcome, false);
        assert_eq!(reply.status, status, "{schema}");
        let kind = if status < 400 {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(reply.content_type, kind);
        let value = body(&reply);
        conforms(
            &document,
            &json!({"$ref": format!("#/components/schemas/{schema}")}),
            &value,
            schema,
        );
    }
}

#[test]
fn a_delivery_shows_all_that_its_recipient_may_see() {
    let value = body(&reply(&Outcome::Delivery(Box::new(view())), false));
    assert_eq!(value["marking"], "RESTREINT UE/EU RESTRICTED");
    assert_eq!(value["closing_marking"], value["marking"]);
    assert_eq!(value["registration"], "2026/17");
    assert_eq!(value["subject"], "<script>\"quoted\"</script>");
    assert_eq!(value["label"]["level"], "R-UE");
    assert_eq!(value["siena"]["urgency"], "life-or-integrity");
    assert_eq!(
        value["recipients"][1],
        json!({"id": "intcen", "name": "The intcen", "role": "copy"})
    );
    assert_eq!(value["attachments"][0]["sha256"], "ab".repeat(32));
    assert_eq!(value["sent_at"], "2026-06-01T12:00:00Z");
    assert!(
        !value.to_string().contains("secret@example.org"),
        "addresses are not part of it"
    );
}

#[test]
fn a_private_caller_gets_no_counter() {
    let opaque = "0123456789abcdef0123456789abcdef";
    let registration = |text: &str, private| {
        body(&reply(&Outcome::Accepted(verdicts(text)), private))["registration"].clone()
    };
    assert_eq!(registration("2026/17", false), "2026/17");
    assert_eq!(registration(opaque, true), opaque);
    assert_eq!(registration("2026/17", true), Value::Null);
    for outcome in [
        Outcome::Status(status()),
        Outcome::Delivery(Box::new(view())),
    ] {
        assert_eq!(body(&reply(&outcome, true))["registration"], Value::Null);
    }
}

#[test]
fn problems_are_stable_and_distinct() {
    let mut names = std::collections::BTreeSet::new();
    for kind in Problem::all() {
        let reply = problem(kind, "what is wrong", None);
        let value = body(&reply);
        assert_eq!(
            value["type"],
            format!("urn:chancery:problem:{}", kind.name())
        );
        assert_eq!(
            (value["status"].as_u64(), value["detail"].as_str()),
            (Some(u64::from(reply.status)), Some("what is wrong"))
        );
        assert!(!value["title"].as_str().unwrap().is_empty());
        assert!(names.insert(kind.name()), "{}", kind.name());
    }
}

#[test]
fn the_committed_document_is_what_the_types_say() {
    if OPENAPI != openapi() {
        let copy = concat!(env!("CARGO_TARGET_TMPDIR"), "/openapi.json");
        std::fs::write(copy, openapi()).unwrap();
        panic!("the interface changed: review it, then copy {copy} to adapters/rest/openapi.json");
    }
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["components"]["schemas"]["Submission"]["additionalProperties"],
        false
    );
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 16);
    for (path, item) in paths {
        for operation in item.as_object().unwrap().values() {
            assert!(
                operation["summary"].is_string() || operation["description"].is_string(),
                "{path} is not explained"
            );
        }
    }
}
