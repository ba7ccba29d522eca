//! The names under which the cryptographic policy knows OpenPGP's algorithms.
//! What has no name there is told by a name that no policy allows.

use sequoia_openpgp::crypto::mpi::{self, Ciphertext, MPI};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::PKESK;
use sequoia_openpgp::packet::key::{KeyParts, KeyRole};
use sequoia_openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm, SymmetricAlgorithm};

/// Of a key.
pub(crate) fn key<P: KeyParts, R: KeyRole>(key: &Key<P, R>) -> String {
    match key.mpis() {
        mpi::PublicKey::RSA { n, .. } => rsa(n.bits()),
        mpi::PublicKey::ECDSA { curve: on, .. }
        | mpi::PublicKey::ECDH { curve: on, .. }
        | mpi::PublicKey::EdDSA { curve: on, .. } => curve(on),
        _ => algorithm(key.pk_algo()),
    }
}

/// Of the key that a session key is encrypted to, as far as the ciphertext
/// tells it.
pub(crate) fn recipient(session_key: &PKESK) -> String {
    match session_key.esk() {
        // A ciphertext is as long as the modulus, or by chance a little less.
        Ciphertext::RSA { c } => rsa(c.bits().div_ceil(512) * 512),
        Ciphertext::ECDH { e, .. } => point(e),
        _ => algorithm(session_key.pk_algo()),
    }
}

/// Of a cipher.
pub(crate) fn cipher(algorithm: SymmetricAlgorithm) -> String {
    match algorithm {
        SymmetricAlgorithm::AES128 => "aes128".to_owned(),
        SymmetricAlgorithm::AES192 => "aes192".to_owned(),
        SymmetricAlgorithm::AES256 => "aes256".to_owned(),
        other => format!("cipher-{}", u8::from(other)),
    }
}

/// Of a digest.
pub(crate) fn hash(algorithm: HashAlgorithm) -> String {
    match algorithm {
        HashAlgorithm::SHA256 => "sha256".to_owned(),
        HashAlgorithm::SHA384 => "sha384".to_owned(),
        HashAlgorithm::SHA512 => "sha512".to_owned(),
        HashAlgorithm::SHA3_256 => "sha3-256".to_owned(),
        HashAlgorithm::SHA3_512 => "sha3-512".to_owned(),
        other => format!("digest-{}", u8::from(other)),
    }
}

/// RSA by the greatest size with a name that it has at least. What has 3000
/// bits counts as 3072 (BSI TR-02102-1 asks for 3000).
fn rsa(bits: usize) -> String {
    match bits {
        4096.. => "rsa4096".to_owned(),
        3000.. => "rsa3072".to_owned(),
        2048.. => "rsa2048".to_owned(),
        _ => format!("rsa{bits}"),
    }
}

fn curve(curve: &Curve) -> String {
    match curve {
        Curve::NistP256 => "p256".to_owned(),
        Curve::NistP384 => "p384".to_owned(),
        Curve::NistP521 => "p521".to_owned(),
        Curve::Ed25519 => "ed25519".to_owned(),
        Curve::Cv25519 => "cv25519".to_owned(),
        other => format!("curve-{}", hex(other.oid())),
    }
}

/// The curve of an ephemeral point. Other curves of the same length are not
/// told apart; our own key is on P-256.
fn point(e: &MPI) -> String {
    match (e.value().first(), e.value().len()) {
        (Some(0x40), 33) => "cv25519".to_owned(),
        (Some(4), 65) => "p256".to_owned(),
        (Some(4), 97) => "p384".to_owned(),
        (Some(4), 133) => "p521".to_owned(),
        (_, length) => format!("ecdh-{length}"),
    }
}

fn algorithm(algorithm: PublicKeyAlgorithm) -> String {
    match algorithm {
        PublicKeyAlgorithm::X25519 => "x25519".to_owned(),
        PublicKeyAlgorithm::X448 => "x448".to_owned(),
        PublicKeyAlgorithm::Ed25519 => "ed25519".to_owned(),
        PublicKeyAlgorithm::Ed448 => "ed448".to_owned(),
        PublicKeyAlgorithm::MLKEM768_X25519 => "mlkem768-x25519".to_owned(),
        PublicKeyAlgorithm::MLKEM1024_X448 => "mlkem1024-x448".to_owned(),
        PublicKeyAlgorithm::MLDSA65_Ed25519 => "mldsa65-ed25519".to_owned(),
        PublicKeyAlgorithm::MLDSA87_Ed448 => "mldsa87-ed448".to_owned(),
        other => format!("algorithm-{}", u8::from(other)),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
