//! Signatures that prove nothing, and why: made by the real GnuPG, or with
//! sequoia where GnuPG refuses to.
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

use chancery_message::SignatureEvidence;
use sequoia_openpgp::Cert;
use sequoia_openpgp::Packet;
use sequoia_openpgp::cert::{CertBuilder, CipherSuite};
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::serialize::stream::{
    Armorer, Encryptor, LiteralWriter, Message, Recipient, Signer,
};
use sequoia_openpgp::types::{Features, KeyFlags, SignatureType};
use support::gpg::Gpg;
use support::mail::{ALICE, INNER, OUTER, World, bad_reason, encrypted_mail, mail, sealed};
use support::soft::{GATEWAY, now};

#[test]
fn signatures_of_others_prove_nothing() {
    let (mut world, alice) = World::with_alice("ed25519");
    let mallory = Gpg::with_key(ALICE, "ed25519");
    mallory.import(&world.certificate_bytes);
    // PGP-017: the user id is Alice's; the key is not.
    let read = world.whole(&mail(&mallory, INNER));
    assert_eq!(
        bad_reason(&read.signature),
        "it was not made with a key registered for the sender"
    );
    // PGP-016: registered for another sender.
    world.register("mallory@agency.example", mallory.export(ALICE));
    let read = world.whole(&mail(&mallory, INNER));
    assert!(bad_reason(&read.signature).contains("registered for the sender"));
    // And Alice's, under another From.
    let outer = OUTER.replace("Alice@agency.example", "bob@agency.example");
    let read = world.whole(&encrypted_mail(&outer, &sealed(&alice, INNER.as_bytes())));
    assert_eq!(read.claimed_sender.as_deref(), Some("bob@agency.example"));
    assert!(bad_reason(&read.signature).contains("registered for the sender"));
}

#[test]
fn keys_and_signatures_out_of_time_prove_nothing() {
    let mut world = World::new();
    let alice = Gpg::new();
    alice.import(&world.certificate_bytes);
    alice.generate(ALICE, "ed25519", "2026-11-01");
    world.register(ALICE, alice.export(ALICE));
    let seal_at = |time: &str, more: &[&str]| {
        let mut arguments = vec!["--armor", "-r", GATEWAY, "--encrypt", "--sign"];
        arguments.splice(0..0, more.iter().copied());
        let answer = alice.run(time, &arguments, INNER.as_bytes());
        assert!(answer.good, "{}", answer.status);
        encrypted_mail(OUTER, &answer.output)
    };
    // PGP-022: expired since it signed.
    let read = world.whole(&seal_at("20261020T000000!", &[]));
    assert_eq!(
        bad_reason(&read.signature),
        "the sender's certificate is expired or revoked now"
    );

    let (world, alice) = World::with_alice("ed25519");
    let seal_at = |time: &str, more: &[&str]| {
        let mut arguments = more.to_vec();
        arguments.extend(["--armor", "-r", GATEWAY, "--encrypt", "--sign"]);
        let answer = alice.run(time, &arguments, INNER.as_bytes());
        assert!(answer.good, "{}", answer.status);
        encrypted_mail(OUTER, &answer.output)
    };
    // PGP-021: an hour ahead; a minute is a clock's difference.
    let read = world.whole(&seal_at("20261122T103000!", &[]));
    assert_eq!(
        bad_reason(&read.signature),
        "the signature is dated in the future"
    );
    let read = world.whole(&seal_at("20261122T093100!", &[]));
    assert!(
        matches!(read.signature, SignatureEvidence::Good { .. }),
        "{:?}",
        read.signature
    );
    // A signature that says its own end.
    let read = world.whole(&seal_at(
        "20261101T000000!",
        &["--default-sig-expire", "2026-11-10"],
    ));
    assert_eq!(bad_reason(&read.signature), "the signature is expired");
    let read = world.whole(&seal_at("20261122T092900!", &["--digest-algo", "SHA1"]));
    assert_eq!(
        bad_reason(&read.signature),
        "the signature's algorithms are too weak"
    );
}

#[test]
fn a_revoked_key_proves_nothing() {
    let (mut world, alice) = World::with_alice("ed25519");
    let raw = mail(&alice, INNER);
    let fingerprint = alice.fingerprint(ALICE);
    let path = alice.file("unused", b"");
    let revocation = std::fs::read_to_string(
        path.parent()
            .unwrap()
            .join("openpgp-revocs.d")
            .join(format!("{fingerprint}.rev")),
    )
    .unwrap();
    alice.import(revocation.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    world.directory.known.clear();
    world.register(ALICE, alice.export(ALICE));
    let read = world.whole(&raw);
    assert!(
        bad_reason(&read.signature).contains("revoked"),
        "{:?}",
        read.signature
    );
}

#[test]
fn weak_keys_prove_nothing() {
    for algorithm in ["rsa1024", "dsa2048"] {
        let mut world = World::new();
        let alice = Gpg::new();
        alice.import(&world.certificate_bytes);
        let made = alice.run(
            "20260601T000000!",
            &["--quick-generate-key", ALICE, algorithm, "sign", "never"],
            b"",
        );
        assert!(made.good, "{}", made.status);
        world.register(ALICE, alice.export(ALICE));
        let read = world.whole(&mail(&alice, INNER));
        bad_reason(&read.signature);
    }
}

#[test]
fn two_signatures_are_one_too_many() {
    let (mut world, alice) = World::with_alice("ed25519");
    alice.generate("second@agency.example", "ed25519", "never");
    world.register(ALICE, alice.export("second@agency.example"));
    let armored = alice.must(
        &[
            "--armor",
            "-r",
            GATEWAY,
            "-u",
            ALICE,
            "-u",
            "second@agency.example",
            "--encrypt",
            "--sign",
        ],
        INNER.as_bytes(),
    );
    let read = world.whole(&encrypted_mail(OUTER, &armored));
    assert_eq!(
        bad_reason(&read.signature),
        "there is more than one signature"
    );
}

/// Signs with that key and encrypts to the gateway.
fn made_by(world: &World, signer: KeyPair) -> Vec<u8> {
    let gateway = Cert::from_bytes(&world.certificate_bytes).unwrap();
    let key = gateway.keys().subkeys().next().unwrap().key().clone();
    let recipient = Recipient::new(Features::empty().set_seipdv1(), key.key_handle(), &key);
    let mut out = Vec::new();
    let message = Armorer::new(Message::new(&mut out)).build().unwrap();
    let message = Encryptor::for_recipients(message, vec![recipient])
        .build()
        .unwrap();
    let message = Signer::new(message, signer)
        .unwrap()
        .creation_time(made_at())
        .build()
        .unwrap();
    let mut message = LiteralWriter::new(message).build().unwrap();
    message.write_all(INNER.as_bytes()).unwrap();
    message.finalize().unwrap();
    encrypted_mail(OUTER, &out)
}

/// A little before now.
fn made_at() -> std::time::SystemTime {
    let micros = u64::try_from(now().as_micros()).unwrap();
    std::time::UNIX_EPOCH + std::time::Duration::from_micros(micros - 60_000_000)
}

/// The primary key, or the subkey that signs, or the one that does not.
fn pair(cert: &Cert, signs: Option<bool>) -> KeyPair {
    let policy = StandardPolicy::new();
    let key = cert
        .keys()
        .with_policy(&policy, made_at())
        .find(|key| {
            let primary = key.key().fingerprint() == cert.fingerprint();
            match signs {
                None => primary,
                Some(signs) => !primary && key.for_signing() == signs,
            }
        })
        .unwrap();
    let key = key.key().clone().role_into_unspecified();
    key.parts_into_secret().unwrap().into_keypair().unwrap()
}

/// PGP-018: RSA keys can do both, so that only the flags forbid it.
#[test]
fn pgp_018_a_key_for_encryption_may_not_sign() {
    let mut world = World::new();
    let (cert, _) = CertBuilder::new()
        .set_creation_time(made_at())
        .add_userid(ALICE)
        .set_cipher_suite(CipherSuite::RSA3k)
        .add_signing_subkey()
        .add_transport_encryption_subkey()
        .generate()
        .unwrap();
    world.register(
        ALICE,
        cert.clone().strip_secret_key_material().to_vec().unwrap(),
    );
    let read = world.whole(&made_by(&world, pair(&cert, Some(true))));
    assert!(
        matches!(read.signature, SignatureEvidence::Good { .. }),
        "{:?}",
        read.signature
    );
    let read = world.whole(&made_by(&world, pair(&cert, Some(false))));
    assert_eq!(bad_reason(&read.signature), "the key may not sign");
}

/// PGP-019, PGP-020: another's signing subkey, bound without its consent.
#[test]
fn pgp_019_and_020_an_adopted_subkey_proves_nothing() {
    let mut world = World::new();
    let certificate = |signs: bool| {
        let builder = CertBuilder::new()
            .set_creation_time(made_at())
            .add_userid(ALICE);
        let builder = if signs {
            builder.add_signing_subkey()
        } else {
            builder
        };
        builder.generate().unwrap().0
    };
    let (victim, thief) = (certificate(true), certificate(false));
    let subkey = victim.keys().subkeys().next().unwrap().key().clone();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(made_at())
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_signing())
        .unwrap();
    let binding = subkey
        .bind(&mut pair(&thief, None), &thief, binding)
        .unwrap();
    let (adopted, _) = thief
        .strip_secret_key_material()
        .insert_packets(vec![Packet::PublicSubkey(subkey), Packet::from(binding)])
        .unwrap();
    world.register(ALICE, adopted.to_vec().unwrap());
    let read = world.whole(&made_by(&world, pair(&victim, Some(true))));
    assert!(
        bad_reason(&read.signature).contains("not validly bound"),
        "{:?}",
        read.signature
    );
}
