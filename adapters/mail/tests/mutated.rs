//! Mails changed at random: nothing panics, and nothing changed is believed.
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

use chancery_message::{Parsed, SignatureEvidence};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sequoia_openpgp::serialize::SerializeInto as _;
use support::mail::{INNER, OUTER, World, encrypted_mail, mail, sealed, signed_mail};
use support::packets::{armored, binary, enclosed, made};

/// `MAIL_CASES` asks for more (or fewer) than a test run has time for.
fn runner(cases: u32) -> TestRunner {
    let asked = std::env::var("MAIL_CASES").ok();
    TestRunner::new(ProptestConfig {
        cases: asked.and_then(|text| text.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
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
    let mut runner = runner(400);
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
    let mut runner = runner(600);
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

/// The same below the armor: packets that are not what they say.
#[test]
fn changed_packets_are_never_good() {
    let (world, alice) = World::with_alice("ed25519");
    let octets = binary(&sealed(&alice, INNER.as_bytes())).to_vec().unwrap();
    let mut runner = runner(600);
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..10u8), 1..4);
    runner
        .run(&edits, |edits| {
            let changed = edited(&octets, edits);
            let raw = encrypted_mail(OUTER, &armored(&changed));
            if let Parsed::Whole(read) = world.try_read(&raw).unwrap() {
                prop_assert_eq!(read.body.expose(), "The text.\n");
            }
            Ok(())
        })
        .unwrap();
}

/// The same inside the encryption: anybody can encrypt to the gateway.
#[test]
fn changed_inner_packets_are_never_good() {
    let (world, alice) = World::with_alice("ed25519");
    let kinds: Vec<Vec<u8>> = ["0", "6"]
        .iter()
        .map(|level| alice.must(&["--compress-level", level, "--sign"], INNER.as_bytes()))
        .collect();
    for kind in &kinds {
        let read = world.whole(&encrypted_mail(OUTER, &enclosed(&world, kind)));
        assert!(matches!(read.signature, SignatureEvidence::Good { .. }));
    }
    let mut runner = runner(1500);
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..10u8), 1..4);
    runner
        .run(&(edits, any::<bool>()), |(edits, compressed)| {
            let changed = edited(&kinds[usize::from(compressed)], edits);
            let raw = encrypted_mail(OUTER, &enclosed(&world, &changed));
            if let Parsed::Whole(read) = world.try_read(&raw).unwrap()
                && matches!(read.signature, SignatureEvidence::Good { .. })
            {
                prop_assert_eq!(read.body.expose(), "The text.\n");
            }
            Ok(())
        })
        .unwrap();
}
