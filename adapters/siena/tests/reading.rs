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
mod schema;

use std::fmt::Write;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_label::{HandlingCode, Level, Tlp};
use chancery_message::{
    AssertedLabel, AttachmentContent, Inbound, Intent, LabelSource, Operation, Parsed, Precedence,
    Purpose, RecipientRole, SienaKind, Submission, UrgencyGround,
};
use chancery_siena::content::read;
use proptest::prelude::*;
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

fn whole(document: &str) -> Submission {
    match parse(Operation::Send, document.as_bytes()) {
        Parsed::Whole(submission) => *submission,
        other => panic!("{other:?} from {document}"),
    }
}

fn refusal(raw: &[u8]) -> String {
    match parse(Operation::Send, raw) {
        Parsed::Malformed(malformed) => malformed.to_string(),
        other => panic!(
            "accepted: {other:?} from {:.300}",
            String::from_utf8_lossy(raw)
        ),
    }
}

/// Everything that a message may have, in the order of the schema.
const FULL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<message xmlns="urn:chancery:siena-style:1" version="1">
  <id>EC3-2026-0001</id>
  <kind>request</kind>
  <urgency ground="life-or-integrity"/>
  <directlyAccessible>true</directlyAccessible>
  <caseReference>OP ÉCLAIR &amp; co</caseReference>
  <classification>RESTREINT UE/EU RESTRICTED TLP:AMBER</classification>
  <handlingCodes><code>H1</code><code>H2</code></handlingCodes>
  <evaluation source="B" information="2"/>
  <purpose>law-enforcement</purpose>
  <personalData>true</personalData>
  <precedence>flash</precedence>
  <originator>europol-ec3</originator>
  <derivedFrom><source>m-1</source><source>REF/2</source></derivedFrom>
  <recipients europolInCopy="true">
    <recipient role="to">cert-eu</recipient>
    <recipient role="copy">intcen</recipient>
  </recipients>
  <reference>our/1</reference>
  <inReplyTo>their/2</inReplyTo>
  <subject>5 &lt; 6 &#x1F600; {{7*7}}</subject>
  <text>line
	line
</text>
  <attachments>
    <attachment name="a.bin"><content>AA
EC</content></attachment>
    <attachment name="b.pdf" mediaType="application/pdf"><classification country="DEU">GEHEIM TLP:AMBER</classification><uploaded>0197a3f0-0000-7000-8000-000000000001</uploaded></attachment>
  </attachments>
</message>
"#;

/// The least that a message has.
const LEAST: &str = r#"<message xmlns="urn:chancery:siena-style:1" version="1"><kind>information</kind><classification>UNCLASSIFIED</classification><handlingCodes><code>H0</code></handlingCodes><recipients><recipient role="to">cert-eu</recipient></recipients><subject>s</subject><text>t</text></message>"#;

/// LEAST with one piece replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(LEAST.contains(from), "{from}");
    LEAST.replacen(from, to, 1)
}

#[test]
fn every_field_arrives() {
    let submission = whole(FULL);
    assert_eq!(submission.intent, Intent::Send);
    assert_eq!(
        submission.external_id.as_ref().unwrap().expose(),
        "EC3-2026-0001"
    );
    let siena = submission.siena.as_ref().unwrap();
    assert_eq!(
        (siena.kind, siena.urgency),
        (SienaKind::Request, Some(UrgencyGround::LifeOrIntegrity))
    );
    assert!(siena.directly_accessible && siena.europol_in_copy);
    assert_eq!(
        siena.case_reference.as_ref().unwrap().expose(),
        "OP ÉCLAIR & co"
    );
    let AssertedLabel::Valid { label, source } = &submission.label else {
        panic!()
    };
    assert_eq!(
        (label.level, *source),
        (Level::Restricted, LabelSource::Field)
    );
    assert!(
        label
            .handling
            .iter()
            .eq(&[HandlingCode::H1, HandlingCode::H2])
    );
    assert_eq!(submission.evaluation.unwrap().to_string(), "B2");
    assert_eq!(submission.purpose, Some(Purpose::LawEnforcement));
    assert_eq!(submission.personal_data, Some(true));
    assert_eq!(submission.precedence, Precedence::Flash);
    assert_eq!(submission.originator.as_deref(), Some("europol-ec3"));
    assert_eq!(submission.derived_from.len(), 2);
    let names: Vec<_> = submission
        .recipients
        .iter()
        .map(|one| (one.name.as_str(), one.role))
        .collect();
    assert_eq!(
        names,
        [
            ("cert-eu", RecipientRole::To),
            ("intcen", RecipientRole::Copy)
        ]
    );
    assert_eq!(submission.reference.as_ref().unwrap().expose(), "our/1");
    assert_eq!(submission.in_reply_to.as_ref().unwrap().expose(), "their/2");
    assert_eq!(submission.subject.expose(), "5 < 6 \u{1F600} {{7*7}}");
    assert_eq!(submission.body.expose(), "line\n\tline\n");
    assert!(
        matches!(&submission.attachments[0].content, AttachmentContent::Inline(bytes) if bytes.expose() == [0, 1, 2])
    );
    assert!(
        matches!(&submission.attachments[1].content, AttachmentContent::Uploaded(id) if id.starts_with("0197"))
    );
    assert_eq!(submission.attachments[0].label, AssertedLabel::Absent);
    let AssertedLabel::Valid { label, source } = &submission.attachments[1].label else {
        panic!("{:?}", submission.attachments[1].label)
    };
    assert_eq!(
        (label.level, label.tlp, *source),
        (Level::Secret, Some(Tlp::Amber), LabelSource::Field)
    );
    assert!(submission.claimed_sender.is_none());
    schema::valid(FULL);
    schema::valid(LEAST);
    whole(LEAST);
}

/// White space, attribute order, prefixes, quotes and ways of escaping say
/// nothing: the typed message is the same.
#[test]
fn spelling_hides_nothing() {
    let prefixed = LEAST
        .replace("xmlns=", "xmlns:p=")
        .replace("</", "</p:")
        .replace('<', "<p:")
        .replace("<p:/p:", "</p:");
    let variants = [
        format!("<?xml version='1.0' encoding='utf-8' standalone='yes'?>{LEAST}\n\n"),
        LEAST.replace('"', "'"),
        LEAST.replace("><", ">\r\n\t <"),
        LEAST.replace("version=\"1\"", "  version = \"&#49;\" "),
        LEAST.replace("<subject>s<", "<subject>&#x73;<"),
        prefixed,
    ];
    for variant in variants {
        assert_eq!(whole(&variant), whole(LEAST), "{variant}");
    }
}

#[test]
fn without_codes_an_officer_looks_and_without_classification_there_is_no_label() {
    let codes = "<handlingCodes><code>H0</code></handlingCodes>";
    let document = changed(codes, "");
    schema::valid(&document);
    assert!(matches!(
        parse(Operation::Send, document.as_bytes()),
        Parsed::Suspicious(_)
    ));
    let forward = Operation::Forward {
        of: "d-1".to_owned(),
    };
    assert!(matches!(
        parse(forward, document.as_bytes()),
        Parsed::Whole(_)
    ));
    let unlabelled = changed("<classification>UNCLASSIFIED</classification>", "");
    assert_eq!(whole(&unlabelled).label, AssertedLabel::Absent);
    for bad in ["EYES ONLY secretword", "RESTREINT", "<", ""] {
        let document = changed(">UNCLASSIFIED<", &format!(">{}<", bad.replace('<', "&lt;")));
        let AssertedLabel::Invalid { reason, .. } = whole(&document).label else {
            panic!("{bad}")
        };
        assert!(!reason.contains("secretword"), "{reason}");
    }
}

#[test]
fn bombs_and_tricks_of_xml_are_refused_quickly() {
    let root = |inside: &str| changed("<subject>s</subject>", inside);
    let laughs = {
        let mut dtd = "<!DOCTYPE m [<!ENTITY a0 \"ha\">".to_owned();
        for n in 1..10 {
            write!(
                dtd,
                "<!ENTITY a{n} \"{}\">",
                format!("&a{};", n - 1).repeat(10)
            )
            .unwrap();
        }
        format!("{dtd}]>{}", root("<subject>&a9;</subject>"))
    };
    let quadratic = format!(
        "<!DOCTYPE m [<!ENTITY a \"{}\">]>{LEAST}",
        "a".repeat(100_000)
    );
    let xmlns = |n: usize, uri: &str| {
        (0..n)
            .map(|n| format!(" xmlns:p{n}=\"{uri}\""))
            .collect::<String>()
    };
    let own = "urn:chancery:siena-style:1";
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("billion laughs", laughs.into_bytes()),
        ("quadratic blow-up", quadratic.into_bytes()),
        ("external entity", format!("<!DOCTYPE m [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{LEAST}").into_bytes()),
        ("external DTD", format!("<!DOCTYPE m SYSTEM \"http://169.254.169.254/\">{LEAST}").into_bytes()),
        ("unknown entity", root("<subject>&x;</subject>").into_bytes()),
        ("unknown entity in an attribute", changed("version=\"1\"", "version=\"&x;\"").into_bytes()),
        ("style sheet", format!("<?xml-stylesheet href=\"http://x/\"?>{LEAST}").into_bytes()),
        ("instruction inside", root("<subject>s<?php x?></subject>").into_bytes()),
        ("XInclude", root("<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/>").into_bytes()),
        ("schema location", changed(" version", " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"a http://x/\" version").into_bytes()),
        ("comment in an identity", changed(">cert-eu<", ">cert<!-- -->-eu<").into_bytes()),
        ("comment outside", format!("<!-- x -->{LEAST}").into_bytes()),
        ("CDATA", root("<subject><![CDATA[s]]></subject>").into_bytes()),
        ("CDATA's end in text", root("<subject>a]]>b</subject>").into_bytes()),
        ("many namespaces", changed(" version", &format!("{} version", xmlns(60_000, "u"))).into_bytes()),
        ("many namespaces of ours", changed(" version", &format!("{} version", xmlns(40_000, own))).into_bytes()),
        ("many attributes", changed(" version", &format!("{} version", (0..200_000).map(|n| format!(" a{n}=\"\"")).collect::<String>())).into_bytes()),
        ("depth", format!("<message xmlns=\"{own}\" version=\"1\">{}", "<a>".repeat(100_000)).into_bytes()),
        ("many elements", root(&"<subject/>".repeat(100_000)).into_bytes()),
        ("another namespace", LEAST.replace(own, "urn:chancery:siena-style:2").into_bytes()),
        ("no namespace", LEAST.replace(&format!(" xmlns=\"{own}\""), "").into_bytes()),
        ("namespace taken back", root("<subject xmlns=\"\">s</subject>").into_bytes()),
        ("prefix of another namespace", root("<q:subject xmlns:q=\"urn:q\">s</q:subject>").into_bytes()),
        ("attribute with a prefix", changed(" version", " xml:lang=\"en\" version").into_bytes()),
        ("unknown prefix", root("<q:subject>s</q:subject>").into_bytes()),
        ("NUL reference", root("<subject>a&#0;b</subject>").into_bytes()),
        ("noncharacter reference", root("<subject>a&#xFFFE;b</subject>").into_bytes()),
        ("surrogate reference", root("<subject>a&#xD800;b</subject>").into_bytes()),
        ("control character", root("<subject>a\u{1}b</subject>").into_bytes()),
        ("UTF-16", LEAST.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16 with mark", std::iter::once(0xFEFF).chain(LEAST.encode_utf16()).flat_map(u16::to_be_bytes).collect()),
        ("UTF-32", LEAST.chars().flat_map(|c| (c as u32).to_be_bytes()).collect()),
        ("UTF-7 said", format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?>{LEAST}").into_bytes()),
        ("latin-1 said", format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{LEAST}").into_bytes()),
        ("XML 1.1", format!("<?xml version=\"1.1\"?>{LEAST}").into_bytes()),
        ("byte order mark", format!("\u{FEFF}{LEAST}").into_bytes()),
        ("declaration late", format!(" <?xml version=\"1.0\"?>{LEAST}").into_bytes()),
        ("two declarations", format!("<?xml version=\"1.0\"?><?xml version=\"1.0\"?>{LEAST}").into_bytes()),
        ("not UTF-8", [LEAST.as_bytes(), b"\xff"].concat()),
        ("two roots", format!("{LEAST}{LEAST}").into_bytes()),
        ("text after the root", format!("{LEAST}x").into_bytes()),
        ("end missing", LEAST.replace("</message>", "").into_bytes()),
        ("end of another", LEAST.replace("</message>", "</massage>").into_bytes()),
        ("attribute twice", changed("version=\"1\"", "version=\"1\" version=\"1\"").into_bytes()),
        ("attributes without space", changed("role=\"to\"", "role=\"to\"x=\"\"").into_bytes()),
        ("attribute without quotes", changed("version=\"1\"", "version=1").into_bytes()),
        ("attribute with <", changed("version=\"1\"", "version=\"<\"").into_bytes()),
        ("too large", format!("{LEAST}{}", " ".repeat(2 * 1024 * 1024)).into_bytes()),
        ("empty", Vec::new()),
        ("text alone", b"hello".to_vec()),
    ];
    for (what, raw) in cases {
        let begun = Instant::now();
        assert!(!refusal(&raw).is_empty(), "{what}");
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{what}: {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn what_is_not_in_the_schema_is_refused() {
    let subject = |text: &str| changed("<subject>s<", &format!("<subject>{text}<"));
    let attachment = |text: &str| {
        changed(
            "<text>t</text>",
            &format!("<text>t</text><attachments>{text}</attachments>"),
        )
    };
    let after_kind = |text: &str| changed("<classification>", &format!("{text}<classification>"));
    let after_codes = |text: &str| changed("<recipients>", &format!("{text}<recipients>"));
    let inline = |bytes: usize| {
        format!(
            "<attachment name=\"a\"><content>{}</content></attachment>",
            STANDARD.encode(vec![0u8; bytes])
        )
    };
    let recipient = "<recipient role=\"to\">cert-eu</recipient>";
    let cases = [
        ("another root", LEAST.replace("message", "massage")),
        ("another version", changed("version=\"1\"", "version=\"2\"")),
        ("no version", changed(" version=\"1\"", "")),
        (
            "an attribute more",
            changed("version=\"1\"", "version=\"1\" state=\"RELEASED\""),
        ),
        (
            "an element more",
            changed(
                "<text>t</text>",
                "<text>t</text><approvedBy>me</approvedBy>",
            ),
        ),
        ("an extension", changed("<kind>", "<extension/><kind>")),
        (
            "out of order",
            changed(
                "<subject>s</subject><text>t</text>",
                "<text>t</text><subject>s</subject>",
            ),
        ),
        (
            "twice",
            changed(
                "<subject>s</subject>",
                "<subject>s</subject><subject>s</subject>",
            ),
        ),
        (
            "two classifications",
            after_kind("<classification>UNCLASSIFIED</classification>"),
        ),
        ("missing", changed("<text>t</text>", "")),
        ("text between", changed("<kind>", "x<kind>")),
        ("elements in text", subject("<b>s</b>")),
        (
            "an attribute on text",
            changed("<subject>", "<subject lang=\"en\">"),
        ),
        (
            "white space around a word",
            changed(">information<", "> information <"),
        ),
        ("a kind", changed(">information<", ">gossip<")),
        ("a ground", after_kind("<urgency ground=\"now\"/>")),
        (
            "a ground twice",
            after_kind(
                "<urgency ground=\"public-security\"/><urgency ground=\"public-security\"/>",
            ),
        ),
        (
            "a number for a flag",
            after_kind("<directlyAccessible>1</directlyAccessible>"),
        ),
        (
            "a flag like +1e400",
            after_codes("<personalData>1e400</personalData>"),
        ),
        (
            "an evaluation",
            after_codes("<evaluation source=\"F\" information=\"6\"/>"),
        ),
        (
            "an evaluation of half",
            after_codes("<evaluation source=\"A\"/>"),
        ),
        (
            "a number",
            after_codes("<evaluation source=\"A\" information=\"+1\"/>"),
        ),
        ("a purpose", after_codes("<purpose>fun</purpose>")),
        ("a precedence", after_codes("<precedence>now</precedence>")),
        ("an originator", after_codes("<originator>A/B</originator>")),
        ("no source", after_codes("<derivedFrom/>")),
        ("a code", changed(">H0<", ">H9<")),
        (
            "a code twice",
            changed("<code>H0</code>", "<code>H0</code><code>H0</code>"),
        ),
        ("no code", changed("<code>H0</code>", "")),
        ("no recipient", changed(recipient, "")),
        (
            "a recipient twice",
            changed(recipient, &recipient.repeat(2)),
        ),
        (
            "a recipient that is no id",
            changed(">cert-eu<", ">CERT EU<"),
        ),
        ("a role", changed("role=\"to\"", "role=\"bcc\"")),
        ("no role", changed(" role=\"to\"", "")),
        (
            "a flag",
            changed("<recipients>", "<recipients europolInCopy=\"yes\">"),
        ),
        (
            "recipients, too many",
            changed(
                recipient,
                &(0..101)
                    .map(|n| format!("<recipient role=\"to\">p{n}</recipient>"))
                    .collect::<String>(),
            ),
        ),
        (
            "a country",
            changed("<classification>", "<classification country=\"Germany\">"),
        ),
        ("a subject of two lines", subject("a\nb")),
        ("a subject with CR", subject("a&#13;b")),
        ("a subject that turns", subject("a&#x202E;b")),
        ("a subject, too long", subject(&"a".repeat(999))),
        ("a text with CR", changed(">t<", ">a&#13;&#10;b<")),
        (
            "a text, too long",
            changed(">t<", &format!(">{}<", "a".repeat(1024 * 1024 + 1))),
        ),
        (
            "an empty reference",
            changed("<subject>", "<reference></reference><subject>"),
        ),
        ("no attachment", attachment("")),
        (
            "a label after the bytes",
            attachment(
                "<attachment name=\"a\"><content/><classification>R-UE</classification></attachment>",
            ),
        ),
        (
            "two labels of one attachment",
            attachment(
                "<attachment name=\"a\"><classification>R-UE</classification><classification>R-UE</classification><content/></attachment>",
            ),
        ),
        (
            "an attachment by address",
            attachment("<attachment name=\"a\" href=\"http://127.0.0.1/\"/>"),
        ),
        (
            "an address as id",
            attachment(
                "<attachment name=\"a\"><uploaded>http://127.0.0.1/</uploaded></attachment>",
            ),
        ),
        (
            "a path as id",
            attachment("<attachment name=\"a\"><uploaded>../etc/passwd</uploaded></attachment>"),
        ),
        (
            "an attachment with both",
            attachment("<attachment name=\"a\"><content/><uploaded>x</uploaded></attachment>"),
        ),
        (
            "an attachment with nothing",
            attachment("<attachment name=\"a\"/>"),
        ),
        (
            "a name with a path",
            attachment("<attachment name=\"../a\"><uploaded>x</uploaded></attachment>"),
        ),
        (
            "no name",
            attachment("<attachment><uploaded>x</uploaded></attachment>"),
        ),
        (
            "a media type",
            attachment(
                "<attachment name=\"a\" mediaType=\"TEXT\"><uploaded>x</uploaded></attachment>",
            ),
        ),
        (
            "base64",
            attachment("<attachment name=\"a\"><content>A</content></attachment>"),
        ),
        (
            "an inline attachment, too large",
            attachment(&inline(256 * 1024 + 1)),
        ),
        (
            "attachments, too many",
            attachment(&"<attachment name=\"a\"><uploaded>x</uploaded></attachment>".repeat(65)),
        ),
    ];
    for (what, document) in cases {
        assert!(!refusal(document.as_bytes()).is_empty(), "{what}");
    }
    whole(&attachment(&inline(256 * 1024)));
    schema::valid(&attachment(&inline(1024)));
}

/// A refusal goes into the log: it must not carry the peer's text.
#[test]
fn refusals_never_quote() {
    for document in [
        changed("<kind>", "<canary/><kind>"),
        changed("version=\"1\"", "version=\"canary\""),
        changed("version=\"1\"", "version=\"1\" canary=\"canary\""),
        changed(">information<", ">canary<"),
        changed(">cert-eu<", ">canary canary<"),
        changed("<subject>s<", "<subject>&canary;<"),
        changed("<kind>", "canary<kind>"),
        changed("<kind>", "<kind><canary>"),
    ] {
        let said = refusal(document.as_bytes());
        assert!(!said.contains("canary"), "{said}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(raw in proptest::collection::vec(any::<u8>(), 0..600)) {
        drop(parse(Operation::Send, &raw));
    }

    #[test]
    fn a_changed_document_gives_an_answer(at in 0usize..FULL.len(), byte in any::<u8>(), cut in 0usize..FULL.len()) {
        let mut raw = FULL.as_bytes().to_vec();
        raw[at] = byte;
        drop(parse(Operation::Send, &raw));
        raw.truncate(cut);
        drop(parse(Operation::Reply { to: String::new() }, &raw));
    }

    #[test]
    fn pieces_of_xml_give_an_answer(pieces in proptest::collection::vec(prop_oneof![
        Just("<message xmlns=\"urn:chancery:siena-style:1\" version=\"1\">"), Just("</message>"), Just("<kind>"),
        Just("</kind>"), Just("<a/>"), Just("&amp;"), Just("&#x"), Just("&lt"), Just("\""), Just("<!"), Just("<?"),
        Just("]]>"), Just("xmlns:p=\""), Just("<p:"), Just(" "), Just("information"), Just("<![CDATA["), Just("-->"),
    ], 0..24)) {
        drop(parse(Operation::Send, pieces.concat().as_bytes()));
    }
}
