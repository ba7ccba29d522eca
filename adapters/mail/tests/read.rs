//! Reading mails that the real GnuPG made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]
#![forbid(unsafe_code)]

mod support;

use chancery_label::{Label, Level, Tlp};
use chancery_message::{
    AssertedLabel, AttachmentContent, LabelSource, Parsed, Precedence, RecipientRole,
    SignatureEvidence,
};
use support::mail::{
    ALICE, INNER, OUTER, World, bad_reason, encrypted_mail, mail, sealed, signed_mail,
};
use support::soft::GATEWAY;

fn restricted(source: LabelSource) -> AssertedLabel {
    AssertedLabel::Valid {
        label: Label::of(Level::Restricted),
        source,
    }
}

#[test]
fn a_signed_and_encrypted_mail_is_whole() {
    let (world, alice) = World::with_alice("ed25519");
    let read = world.whole(&mail(&alice, INNER));
    assert_eq!(read.claimed_sender.as_deref(), Some(ALICE));
    assert_eq!(read.subject.expose(), "The real subject");
    assert_eq!(read.body.expose(), "The text.\n");
    assert_eq!(read.label, restricted(LabelSource::SioLabel));
    let SignatureEvidence::Good {
        fingerprint,
        signed_at,
    } = &read.signature
    else {
        panic!("{:?}", read.signature);
    };
    assert_eq!(*fingerprint, alice.fingerprint(ALICE));
    assert_eq!(signed_at.to_string(), "2026-11-22T09:29:00Z");
    assert_eq!(read.recipients.len(), 1);
    assert_eq!(read.recipients[0].name, "liaison@gateway.example");
    assert_eq!(read.precedence, Precedence::Routine);
    assert!(
        read.external_id
            .unwrap()
            .expose()
            .starts_with("signed-digest:")
    );
    assert!(read.attachments.is_empty());
}

/// GOOD-009: other algorithms.
#[test]
fn the_usual_algorithms_are_read() {
    for algorithm in ["rsa3072", "nistp384", "brainpoolP384r1"] {
        let (world, alice) = World::with_alice(algorithm);
        let armored = alice.must(
            &[
                "--armor",
                "-r",
                GATEWAY,
                "--encrypt",
                "--sign",
                "--digest-algo",
                "SHA512",
            ],
            INNER.as_bytes(),
        );
        let read = world.whole(&encrypted_mail(OUTER, &armored));
        assert!(
            matches!(read.signature, SignatureEvidence::Good { .. }),
            "{algorithm}: {:?}",
            read.signature
        );
    }
}

#[test]
fn texts_and_attachments_come_out_as_they_were() {
    let (world, alice) = World::with_alice("ed25519");
    let inner = "Content-Type: multipart/mixed; boundary=inner\r\n\
        Subject: =?utf-8?Q?=CE=98=CE=AD=CE=BC=CE=B1?=\r\n\
        MMHS-Primary-Precedence: immediate\r\n\
        MMHS-Originator-Reference: REF 1/2026\r\n\
        In-Reply-To: <before@gateway.example>\r\n\
        SIO-Label: marking=\"RESTREINT UE/EU RESTRICTED\"\r\n\
        To: liaison@gateway.example\r\n\
        Cc: Second <second@gateway.example>\r\n\
        Message-ID: <1@agency.example>\r\n\
        \r\n\
        --inner\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\
        \r\n\
        .\r\n\
        From the coast\r\n\
        =CE=95=CE=BB=CE=BB=CE=AC=CE=B4=CE=B1\r\n\
        --inner\r\n\
        Content-Type: application/pdf\r\n\
        Content-Transfer-Encoding: base64\r\n\
        SIO-Label: marking=\"CONFIDENTIEL UE/EU CONFIDENTIAL TLP:RED\"\r\n\
        Content-Disposition: attachment;\r\n filename*0*=utf-8''%CE%95;\r\n filename*1=\"xyz.pdf\"\r\n\
        \r\n\
        JVBERi0xLjcK\r\n\
        --inner\r\n\
        Content-Type: message/rfc822\r\n\
        \r\n\
        From: x@y.example\r\n\
        Content-Type: message/rfc822\r\n\
        \r\n\
        From: x@y.example\r\n\
        Content-Type: message/rfc822\r\n\
        \r\n\
        Subject: deepest\r\n\
        \r\n\
        text\r\n\
        --inner\r\n\
        Content-Type: application/octet-stream; name=\"../../etc/cron.d/x\"\r\n\
        \r\n\
        abc\r\n\
        --inner\r\n\
        Content-Type: application/pgp-keys\r\n\
        \r\n\
        a key\r\n\
        --inner--\r\n";
    let raw = mail(&alice, inner);
    let parsed = world
        .try_read_to(
            &[
                "liaison@gateway.example",
                "second@gateway.example",
                "Liaison@gateway.example",
            ],
            &raw,
        )
        .unwrap();
    let Parsed::Whole(read) = parsed else {
        panic!("{parsed:?}");
    };
    assert_eq!(read.subject.expose(), "Θέμα");
    assert_eq!(read.body.expose(), ".\nFrom the coast\nΕλλάδα");
    assert_eq!(read.precedence, Precedence::Immediate);
    assert_eq!(read.reference.as_ref().unwrap().expose(), "REF 1/2026");
    assert_eq!(
        read.in_reply_to.as_ref().unwrap().expose(),
        "<before@gateway.example>"
    );
    assert_eq!(
        read.external_id.as_ref().unwrap().expose(),
        "<1@agency.example>"
    );
    let roles: Vec<_> = read
        .recipients
        .iter()
        .map(|r| (r.name.as_str(), r.role))
        .collect();
    assert_eq!(
        roles,
        [
            ("liaison@gateway.example", RecipientRole::To),
            ("second@gateway.example", RecipientRole::Copy)
        ]
    );
    let names: Vec<_> = read
        .attachments
        .iter()
        .map(|a| (a.name.expose(), a.media_type.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("Εxyz.pdf", "application/pdf"),
            ("attachment-3.eml", "message/rfc822"),
            ("x", "application/octet-stream")
        ]
    );
    let AssertedLabel::Valid { label, source } = &read.attachments[0].label else {
        panic!("{:?}", read.attachments[0].label)
    };
    assert_eq!(
        (label.level, label.tlp, *source),
        (Level::Confidential, Some(Tlp::Red), LabelSource::SioLabel)
    );
    assert_eq!(read.attachments[1].label, AssertedLabel::Absent);
    let AttachmentContent::Inline(content) = &read.attachments[0].content else {
        panic!("inline content was expected");
    };
    assert_eq!(content.expose(), b"%PDF-1.7\n");
}

/// Only the protected part as a whole and attachments have labels.
#[test]
fn a_label_of_a_part_that_is_no_attachment_is_for_an_officer() {
    let (world, alice) = World::with_alice("ed25519");
    let field = "SIO-Label: marking=\"SECRET UE/EU SECRET\"\r\n";
    let inner = |of_text: &str, of_parts: &str, of_file: &str| {
        format!(
            "Content-Type: multipart/mixed; boundary=out\r\n\
             SIO-Label: marking=\"RESTREINT UE/EU RESTRICTED\"\r\n\r\n\
             --out\r\nContent-Type: multipart/mixed; boundary=in\r\n{of_parts}\r\n\
             --in\r\nContent-Type: text/plain\r\n{of_text}\r\nThe text.\r\n--in--\r\n\
             --out\r\nContent-Type: application/pdf; name=a.pdf\r\n{of_file}\r\n%PDF\r\n--out--\r\n"
        )
    };
    let read = world.whole(&mail(&alice, &inner("", "", field)));
    assert!(matches!(
        read.attachments[0].label,
        AssertedLabel::Valid { .. }
    ));
    for (of_text, of_parts) in [(field, ""), ("", field)] {
        let why = world.suspicious(&mail(&alice, &inner(of_text, of_parts, "")));
        assert!(why.contains("RFC 7444"), "{why}");
    }
    let read = world.whole(&mail(
        &alice,
        &inner("", "", "SIO-Label: marking=\"NONE SUCH\"\r\n"),
    ));
    assert!(matches!(
        read.attachments[0].label,
        AssertedLabel::Invalid { .. }
    ));
    let twice = format!("{field}{field}");
    assert!(
        world
            .malformed(&mail(&alice, &inner("", "", &twice)))
            .contains("RFC")
    );
}

/// What came unencrypted is public in all its parts.
#[test]
fn a_labelled_attachment_that_is_not_public_needs_encryption() {
    let (world, alice) = World::with_alice("ed25519");
    let content = |label: &str| {
        format!(
            "Content-Type: multipart/mixed; boundary=in\r\nSIO-Label: marking=\"UNCLASSIFIED\"\r\n\r\n\
             --in\r\nContent-Type: text/plain\r\n\r\nThe text.\r\n\
             --in\r\nContent-Type: application/pdf; name=a.pdf\r\nSIO-Label: marking=\"{label}\"\r\n\r\n%PDF\r\n--in--\r\n"
        )
    };
    let read = world.whole(&signed_mail(&alice, &content("UNCLASSIFIED")));
    assert_eq!(read.attachments.len(), 1);
    let why = world.suspicious(&signed_mail(&alice, &content("RESTREINT UE/EU RESTRICTED")));
    assert!(why.contains("unencrypted"), "{why}");
}

#[test]
fn the_first_line_may_be_the_label() {
    let (world, alice) = World::with_alice("ed25519");
    let text = |body: &str| {
        format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}"
        )
    };
    let read = world.whole(&mail(
        &alice,
        &text("RESTREINT UE/EU RESTRICTED\r\n\r\nThe text.\r\n\r\nRESTREINT UE/EU RESTRICTED\r\n"),
    ));
    assert_eq!(read.label, restricted(LabelSource::FirstLine));
    assert_eq!(read.body.expose(), "The text.\n");
    // The subject outside is the subject where the inside has none.
    assert_eq!(read.subject.expose(), "[...]");

    let read = world.whole(&mail(&alice, &text("LIMITE\r\n\r\nThe text.\r\n")));
    let AssertedLabel::Valid { label, .. } = &read.label else {
        panic!("{:?}", read.label)
    };
    assert_eq!(chancery_label::marking::format(label), "LIMITE");
    assert_eq!(read.body.expose(), "The text.\n");
    let read = world.whole(&mail(&alice, &text("Dear colleague,\r\n")));
    assert_eq!(read.label, AssertedLabel::Absent);
    let read = world.whole(&mail(&alice, &text("SECRET UE/EU SECRET BUT NOT SO\r\n")));
    assert!(
        matches!(read.label, AssertedLabel::Invalid { .. }),
        "{:?}",
        read.label
    );
    assert!(read.body.expose().starts_with("SECRET UE"));
}

#[test]
fn labels_outside_never_decide() {
    let (world, alice) = World::with_alice("ed25519");
    let sealed = sealed(&alice, INNER.as_bytes());
    let outer = |field: &str| encrypted_mail(&format!("{OUTER}{field}\r\n"), &sealed);
    // The same outside is no conflict.
    world.whole(&outer("SIO-Label: marking=\"RESTREINT UE/EU RESTRICTED\""));
    world.suspicious(&outer("SIO-Label: marking=\"SECRET UE/EU SECRET\""));
    world.suspicious(&outer("SIO-Label: marking=\"UNCLASSIFIED\""));
    let subject = OUTER.replace("[...]", "SECRET UE/EU SECRET: a matter");
    world.suspicious(&encrypted_mail(&subject, &sealed));
}

/// RFC 7444, section 5: a trace of what the label once was, and no more.
#[test]
fn former_labels_never_decide() {
    let (world, alice) = World::with_alice("ed25519");
    let trace = "SIO-Label-History: marking=\"SECRET UE/EU SECRET\"; change=replace;\r\n \
        changed-by=a@b.example; changed-at=\"2026-01-01T00:00:00Z\";\r\n \
        new-marking=\"UNCLASSIFIED\"\r\n";
    for inner in [format!("{trace}{INNER}"), format!("{trace}{trace}{INNER}")] {
        let read = world.whole(&mail(&alice, &inner));
        assert_eq!(read.label, restricted(LabelSource::SioLabel));
    }
    let sealed = sealed(&alice, INNER.as_bytes());
    let outside = world.whole(&encrypted_mail(&format!("{OUTER}{trace}"), &sealed));
    assert_eq!(outside.label, restricted(LabelSource::SioLabel));
    // Without a label it is none.
    let bare = INNER.replace(
        "SIO-Label: marking=\"RESTREINT UE/EU RESTRICTED\"\r\n",
        trace,
    );
    let read = world.whole(&mail(&alice, &bare));
    assert_eq!(read.label, AssertedLabel::Absent);
}

#[test]
fn unlabelled_and_unsigned_mail_is_whole_and_says_so() {
    let (world, alice) = World::with_alice("ed25519");
    let armored = alice.must(&["--armor", "-r", GATEWAY, "--encrypt"], INNER.as_bytes());
    let read = world.whole(&encrypted_mail(OUTER, &armored));
    assert_eq!(read.signature, SignatureEvidence::Absent);
    assert_eq!(read.external_id.unwrap().expose(), "<1@agency.example>");
}

#[test]
fn a_hidden_recipient_is_found_and_more_are_bounded() {
    let (world, alice) = World::with_alice("ed25519");
    let armored = alice.must(
        &["--armor", "-R", GATEWAY, "--encrypt", "--sign"],
        INNER.as_bytes(),
    );
    let read = world.whole(&encrypted_mail(OUTER, &armored));
    assert!(matches!(read.signature, SignatureEvidence::Good { .. }));
}

#[test]
fn a_message_for_another_gateway_is_not_for_this_one() {
    // PGP-045 with GnuPG, which says no intended recipient: the protected
    // header's recipients decide.
    let (world, alice) = World::with_alice("ed25519");
    let inner = format!("To: somebody@else.example\r\n{INNER}");
    world.suspicious(&mail(&alice, &inner));
    let inner = format!("To: liaison@gateway.example\r\n{INNER}");
    world.whole(&mail(&alice, &inner));
}

#[test]
fn the_protected_header_wins_or_the_mail_is_held() {
    let (world, alice) = World::with_alice("ed25519");
    let with = |field: &str| mail(&alice, &format!("{field}\r\n{INNER}"));
    world.whole(&with("From: \"Other name\" <alice@AGENCY.example>"));
    world.suspicious(&with("From: Alice <mallory@agency.example>"));
    world.suspicious(&with("Message-ID: <2@agency.example>"));
    world.malformed(&with("From: a@b.example, c@d.example"));
    world.malformed(&with("Subject: twice"));
    let hp = |value: &str| {
        let kind = format!("Content-Type: text/plain; hp=\"{value}\";");
        mail(&alice, &INNER.replace("Content-Type: text/plain;", &kind))
    };
    world.whole(&hp("cipher"));
    world.suspicious(&hp("clear"));
    // RFC 9788: lines for old readers are not the text.
    let legacy = INNER
        .replace(
            "charset=utf-8",
            "charset=utf-8; hp=\"cipher\"; hp-legacy-display=\"1\"",
        )
        .replace("\r\n\r\n", "\r\n\r\nSubject: The real subject\r\n\r\n");
    assert_eq!(
        world.whole(&mail(&alice, &legacy)).body.expose(),
        "The text.\n"
    );
    // The older way (Enigmail): a part for old readers before the text.
    let older = "Content-Type: multipart/mixed; boundary=inner; protected-headers=\"v1\"\r\n\
        Subject: Older\r\nFrom: alice@agency.example\r\n\r\n\
        --inner\r\nContent-Type: text/plain; protected-headers=\"v1\"\r\nContent-Disposition: inline\r\n\r\n\
        Subject: Older\r\n--inner\r\nContent-Type: text/plain\r\n\r\nThe text.\r\n--inner--\r\n";
    let read = world.whole(&mail(&alice, older));
    assert_eq!(
        (read.subject.expose(), read.body.expose()),
        ("Older", "The text.")
    );
}

#[test]
fn signed_mail_is_read_if_it_is_public() {
    let (world, alice) = World::with_alice("ed25519");
    let content = "Content-Type: text/plain\r\nSubject: x\r\n\r\nTLP:CLEAR\r\n\r\nThe text.";
    let raw = signed_mail(&alice, content);
    let read = world.whole(&raw);
    assert!(
        matches!(read.signature, SignatureEvidence::Good { .. }),
        "{:?}",
        read.signature
    );
    let changed = String::from_utf8(raw)
        .unwrap()
        .replace("The text", "The test");
    let read = world.whole(changed.as_bytes());
    assert_eq!(
        bad_reason(&read.signature),
        "the signature does not fit the content or this recipient"
    );
    for label in ["RESTREINT UE/EU RESTRICTED", "TLP:AMBER", "TLP:GREEN"] {
        let closed = signed_mail(&alice, &content.replace("TLP:CLEAR", label));
        assert!(world.suspicious(&closed).contains("unencrypted"), "{label}");
    }
}

#[test]
fn a_signed_part_inside_the_encrypted_one_counts() {
    let (world, alice) = World::with_alice("ed25519");
    let content = "Content-Type: text/plain\r\n\r\nRESTREINT UE/EU RESTRICTED\r\n\r\nThe text.";
    let signed = String::from_utf8(signed_mail(&alice, content)).unwrap();
    let inner = signed.replace(OUTER, "");
    let armored = alice.must(&["--armor", "-r", GATEWAY, "--encrypt"], inner.as_bytes());
    let read = world.whole(&encrypted_mail(OUTER, &armored));
    assert!(
        matches!(read.signature, SignatureEvidence::Good { .. }),
        "{:?}",
        read.signature
    );
    assert_eq!(read.label, restricted(LabelSource::FirstLine));
    // Signed again around it: which of the two is meant?
    world.suspicious(&mail(&alice, &inner));
}

#[test]
fn a_replay_has_the_same_id() {
    let (world, alice) = World::with_alice("ed25519");
    let sealed = sealed(&alice, INNER.as_bytes());
    let first = world.whole(&encrypted_mail(OUTER, &sealed));
    let outer = OUTER.replace("<1@agency.example>", "<2@agency.example>");
    let again = world.whole(&encrypted_mail(&outer, &sealed));
    assert_eq!(first.external_id, again.external_id);
}

#[test]
fn what_cannot_be_asked_is_not_judged() {
    let (mut world, alice) = World::with_alice("ed25519");
    let raw = mail(&alice, INNER);
    world.directory.broken = true;
    assert!(world.try_read(&raw).is_err());
    world.directory.broken = false;
    world.keys.broken = true;
    assert!(world.try_read(&raw).is_err());
    world.keys.broken = false;
    world.whole(&raw);
}
