//! Checkpoints as signed notes (C2SP tlog-checkpoint and signed-note) with
//! ECDSA P-256 (signature type 0x02).
//!
//! The signature is the ASN.1 form of ECDSA over the SHA-256 of the text; the
//! key id is the first four bytes of SHA-256(name, 0x0A, 0x02, key), the key
//! being its SubjectPublicKeyInfo.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, Signature, VerifyingKey};
use signed_note::{Note, Verifier};

/// C2SP signed-note: ECDSA.
const SIGNATURE_TYPE: u8 = 0x02;

/// The SubjectPublicKeyInfo of a P-256 key, up to the point (RFC 5480 section 2).
const P256_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Longest origin line.
const MAX_ORIGIN: usize = 128;

/// True for a line that can be a log's origin and its key's name: 1 to 128
/// visible ASCII characters without `+`.
#[must_use]
pub fn is_origin(origin: &str) -> bool {
    (1..=MAX_ORIGIN).contains(&origin.len())
        && origin
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

/// The text of a checkpoint (C2SP tlog-checkpoint): origin, size, root.
#[must_use]
pub fn checkpoint_text(origin: &str, size: u64, root: &[u8; 32]) -> String {
    format!("{origin}\n{size}\n{}\n", BASE64_STANDARD.encode(root))
}

/// The key id of a P-256 key (`point` uncompressed, 65 bytes) under that name.
#[must_use]
pub fn key_id(name: &str, point: &[u8]) -> u32 {
    signed_note::key_id(name, &typed_key(point))
}

/// The verifier key, for those who check checkpoints: `name+id+key`.
#[must_use]
pub fn verifier_key(name: &str, point: &[u8]) -> String {
    format!(
        "{name}+{:08x}+{}",
        key_id(name, point),
        BASE64_STANDARD.encode(typed_key(point))
    )
}

/// The note with its one signature line; none if `signature` (r and s, 64
/// bytes) is no signature.
#[must_use]
pub fn assemble(name: &str, point: &[u8], text: &str, signature: &[u8; 64]) -> Option<String> {
    let der = Signature::from_slice(signature).ok()?.to_der();
    let line = signed_note::Signature::new(
        name.to_owned(),
        key_id(name, point),
        der.as_bytes().to_vec(),
    )
    .ok()?;
    let note = Note::new(text.as_bytes(), &[line]).ok()?;
    String::from_utf8(note.to_bytes()).ok()
}

fn typed_key(point: &[u8]) -> Vec<u8> {
    let mut key = vec![SIGNATURE_TYPE];
    key.extend_from_slice(&P256_INFO);
    key.extend_from_slice(point);
    key
}

/// Checks the signatures of one key, for `signed_note`.
#[derive(Clone, Debug)]
pub struct NoteVerifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl NoteVerifier {
    /// The key with that name and point; none if the point is on no curve.
    #[must_use]
    pub fn new(name: &str, point: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_sec1_bytes(point).ok()?;
        Some(Self {
            name: name.to_owned(),
            id: key_id(name, point),
            key,
        })
    }
}

impl Verifier for NoteVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        DerSignature::from_bytes(signature)
            .is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_the_specification() {
        let text = checkpoint_text("example.com/log", 3, &[0; 32]);
        assert_eq!(
            text,
            "example.com/log\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        );
        let parsed = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(parsed.size(), 3);
    }

    #[test]
    fn origins_are_one_visible_line() {
        for good in ["chancery/node-1", "example.com/log"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "é", &"x".repeat(129)] {
            assert!(!is_origin(bad), "{bad:?}");
        }
    }
}
