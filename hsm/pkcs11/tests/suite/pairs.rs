//! Signatures and key agreement, checked by another implementation.

use chancery_hsm_api::{
    DoorZone, KeyErrorKind, KeyRole, NoteSigning as _, PgpDecryption as _, PgpSigning as _,
    PublicKeys as _, TlsSigning as _,
};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;

use super::World;

fn key(point: &[u8]) -> VerifyingKey {
    VerifyingKey::from_sec1_bytes(point).unwrap()
}

pub(crate) fn signatures_verify_outside_the_token(world: &World) {
    let (_module, token) = world.token();
    let pgp = key(&token.public_key(&KeyRole::PgpSign).unwrap());
    let note = key(&token.public_key(&KeyRole::AuditCheckpoint).unwrap());
    assert_ne!(pgp, note);
    for length in [32, 48, 64] {
        let digest: Vec<u8> = (0..length).collect();
        let signature = Signature::from_slice(&token.pgp_sign(&digest).unwrap()).unwrap();
        pgp.verify_prehash(&digest, &signature).unwrap();
        note.verify_prehash(&digest, &signature).unwrap_err();
    }
    for length in [0, 20, 31, 33, 65] {
        let error = token.pgp_sign(&vec![1; length]).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Data);
    }
    let text = b"chancery/test\n1\nroot\n";
    let signature = Signature::from_slice(&token.sign_note(text).unwrap()).unwrap();
    note.verify(text, &signature).unwrap();
}

pub(crate) fn handshakes_are_signed_and_nothing_else(world: &World) {
    let (_module, token) = world.token();
    let rest = key(&token.public_key(&KeyRole::Tls(DoorZone::Rest)).unwrap());
    let mail = key(&token.public_key(&KeyRole::Tls(DoorZone::Mail)).unwrap());
    for hash in [32, 48] {
        let mut message = vec![0x20; 64];
        message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
        message.extend(std::iter::repeat_n(7, hash));
        let signature = token.tls_sign(DoorZone::Rest, &message).unwrap();
        let signature = Signature::from_slice(&signature).unwrap();
        rest.verify(&message, &signature).unwrap();
        mail.verify(&message, &signature).unwrap_err();
    }
    for bad in [&b""[..], &[7; 32], &[0x20; 130]] {
        let error = token.tls_sign(DoorZone::Rest, bad).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Denied);
    }
    let missing = token
        .public_key(&KeyRole::Tls(DoorZone::Siena))
        .unwrap_err();
    assert_eq!(missing.kind, KeyErrorKind::Unknown);
}

pub(crate) fn key_agreement_is_that_of_the_curve(world: &World) {
    let (_module, token) = world.token();
    let theirs = token.public_key(&KeyRole::PgpDecrypt).unwrap();
    let theirs = p256::PublicKey::from_sec1_bytes(&theirs).unwrap();
    for seed in 1..20 {
        let ours = p256::SecretKey::from_slice(&[seed; 32]).unwrap();
        let point = ours.public_key().to_encoded_point(false);
        let agreed = token.pgp_agree(point.as_bytes()).unwrap();
        let expected = p256::ecdh::diffie_hellman(ours.to_nonzero_scalar(), theirs.as_affine());
        assert_eq!(agreed.expose(), expected.raw_secret_bytes().as_slice());
    }
    let good = p256::SecretKey::from_slice(&[9; 32]).unwrap().public_key();
    let point = good.to_encoded_point(false).as_bytes().to_vec();
    let mut off = point.clone();
    off[40] ^= 1;
    let compressed = good.to_encoded_point(true).as_bytes().to_vec();
    for bad in [
        off,
        compressed,
        point[..64].to_vec(),
        vec![0; 65],
        vec![0],
        Vec::new(),
    ] {
        assert_eq!(token.pgp_agree(&bad).unwrap_err().kind, KeyErrorKind::Data);
    }
}
