//! Answers: every outcome in XML, valid by the published schema.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod schema;

use chancery_label::{Caveat, HandlingCode, Label, Level, NationalMarking, Tlp};
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
use chancery_siena::content::{Fault, fault, reply};
use proptest::prelude::*;

fn at() -> Timestamp {
    Timestamp::parse("2026-06-01T12:00:00Z").unwrap()
}

fn body(reply: &Reply) -> String {
    match &reply.body {
        ReplyBody::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
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

/// Every outcome, its status and its root element.
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
        (Outcome::Consents(vec![asked]), 200, "consents"),
        (consented, 200, "consented"),
        (Outcome::Accepted(verdicts("2026/17")), 202, "verdicts"),
        (Outcome::Checked(verdicts("2026/17")), 200, "verdicts"),
        (quarantined, 202, "quarantined"),
        (refused, 422, "fault"),
        (uploaded, 201, "upload"),
        (Outcome::Recipients(vec![card]), 200, "directory"),
        (Outcome::Inbox(vec![entry]), 200, "inbox"),
        (Outcome::Delivery(Box::new(view())), 200, "delivery"),
        (acknowledged, 200, "acknowledged"),
        (Outcome::Status(status()), 200, "status"),
        (Outcome::Withdrawn(status()), 200, "status"),
    ]
}

fn full_label() -> Label {
    Label {
        level: Level::Secret,
        caveats: Caveat::ALL.into_iter().collect(),
        releasable_to: ["FRA", "DEU"]
            .into_iter()
            .map(|code| code.parse().unwrap())
            .collect(),
        tlp: Some(Tlp::AmberStrict),
        pap: Some(chancery_label::Pap::Red),
        handling: HandlingCode::ALL.into_iter().collect(),
        national: Some(NationalMarking {
            country: "DEU".to_owned(),
            marking: "GEHEIM".to_owned(),
        }),
    }
}

#[test]
fn every_outcome_is_valid_by_the_schema() {
    for (outcome, status, root) in outcomes() {
        let reply = reply(&outcome, false);
        assert_eq!(reply.status, status, "{root}");
        assert_eq!(reply.content_type, "application/xml; charset=utf-8");
        let document = body(&reply);
        assert!(
            document.contains(&format!("<{root} xmlns=\"urn:chancery:siena-style:1\"")),
            "{document}"
        );
        schema::valid(&document);
    }
    let mut labelled = view();
    labelled.label = full_label();
    labelled.siena = None;
    labelled.attachments = Vec::new();
    labelled.obligations = Vec::new();
    schema::valid(&body(&reply(&Outcome::Delivery(Box::new(labelled)), false)));
    schema::valid(&body(&reply(&Outcome::Inbox(Vec::new()), false)));
    schema::valid(&body(&reply(&Outcome::Recipients(Vec::new()), false)));
}

#[test]
fn a_delivery_shows_all_that_its_recipient_may_see() {
    let document = body(&reply(&Outcome::Delivery(Box::new(view())), false));
    for piece in [
        "<marking>RESTREINT UE/EU RESTRICTED</marking>",
        "<closingMarking>RESTREINT UE/EU RESTRICTED</closingMarking>",
        "<registration>2026/17</registration>",
        "<subject>&lt;script&gt;&quot;quoted&quot;&lt;/script&gt;</subject>",
        "<label level=\"R-UE\">",
        "<urgency ground=\"life-or-integrity\"/>",
        "<recipient role=\"copy\" name=\"The intcen\">intcen</recipient>",
        "<evaluation source=\"A\" information=\"1\"/>",
        "<sentAt>2026-06-01T12:00:00Z</sentAt>",
        "<text>line\nline</text>",
    ] {
        assert!(document.contains(piece), "{piece} is not in {document}");
    }
    assert!(document.contains(&format!("sha256=\"{}\"", "ab".repeat(32))));
    assert!(
        !document.contains("secret@example.org"),
        "addresses are not part of it"
    );
}

#[test]
fn a_private_caller_gets_no_counter() {
    let opaque = "0123456789abcdef0123456789abcdef";
    let accepted = |text: &str, private| body(&reply(&Outcome::Accepted(verdicts(text)), private));
    assert!(accepted("2026/17", false).contains("2026/17"));
    assert!(accepted(opaque, true).contains(opaque));
    assert!(!accepted("2026/17", true).contains("registration"));
    for outcome in [
        Outcome::Status(status()),
        Outcome::Delivery(Box::new(view())),
    ] {
        assert!(!body(&reply(&outcome, true)).contains("registration"));
    }
}

#[test]
fn faults_are_stable_and_distinct() {
    let mut names = std::collections::BTreeSet::new();
    for kind in Fault::all() {
        let document = body(&fault(kind, "what is <wrong>", Some("urn:x")));
        assert!(
            document.contains(&format!("code=\"{}\"", kind.name())),
            "{document}"
        );
        assert!(names.insert(kind.name()), "{}", kind.name());
        schema::valid(&document);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever stands in a message, the document stays one and well-formed.
    #[test]
    fn any_text_is_rendered_as_text(subject in any::<String>(), text in any::<String>(), name in any::<String>()) {
        let mut delivery = view();
        delivery.subject = Text::new(subject);
        delivery.body = Text::new(text);
        delivery.attachments[0].name = Text::new(name.clone());
        delivery.from.name = name;
        schema::valid(&body(&reply(&Outcome::Delivery(Box::new(delivery)), false)));
    }
}
