//! Hostile OpenPGP, by its ids in the list of bad inputs.
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

use std::sync::atomic::Ordering;

use chancery_mail::content::certificate::{CertificateError, inspect, read_file};
use chancery_message::SignatureEvidence;
use sequoia_openpgp::packet::prelude::*;
use sequoia_openpgp::packet::{Body, Tag};
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::{Packet, PacketPile};
use support::gpg::Gpg;
use support::mail::{ALICE, INNER, OUTER, World, crlf, encrypted_mail, sealed, signed_mail};
use support::packets::{armored, binary, made};
use support::soft::{GATEWAY, now};

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
    let pile = binary(&sealed(&alice, INNER.as_bytes()));
    let octets = pile.to_vec().unwrap();
    // The encrypted container follows the one session key; its first octet is
    // tag 18 in the new format.
    let session_key = pile.children().next().unwrap().clone();
    let at = PacketPile::from(vec![session_key]).to_vec().unwrap().len();
    assert_eq!(octets[at], 0xd2);
    let retagged = |tag: u8| {
        let mut octets = octets.clone();
        octets[at] = 0xc0 | tag;
        encrypted_mail(OUTER, &armored(&octets))
    };
    world.whole(&retagged(18));
    assert!(world.malformed(&retagged(9)).contains("without integrity"));
    assert!(world.malformed(&retagged(20)).contains("authenticated"));
    assert_eq!(
        world.keys.agreements.load(Ordering::Relaxed),
        1,
        "the token is not asked for them"
    );
    // PGP-032: a session key of the old format without a length.
    let mut endless = vec![0x87];
    endless.extend_from_slice(&octets[2..]);
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
    assert!(
        world
            .malformed(&encrypted_mail(OUTER, &symmetric))
            .contains("password")
    );
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
