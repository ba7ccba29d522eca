//! The one form of bytes that a TLS key signs.

/// The context strings of RFC 8446 section 4.4.3.
const CONTEXTS: [&[u8]; 2] = [
    b"TLS 1.3, server CertificateVerify",
    b"TLS 1.3, client CertificateVerify",
];

/// True if `message` is the content of a TLS 1.3 CertificateVerify (RFC 8446
/// section 4.4.3): 64 spaces, a context string, a zero byte, and the
/// transcript hash of a suite with SHA-256 (32 bytes) or SHA-384 (48 bytes).
///
/// A key that signs nothing else cannot be led to sign a certificate, a mail
/// or a TLS 1.2 key exchange.
#[must_use]
pub fn is_certificate_verify(message: &[u8]) -> bool {
    let Some((padding, rest)) = message.split_at_checked(64) else {
        return false;
    };
    padding.iter().all(|byte| *byte == 0x20)
        && CONTEXTS.iter().any(|context| {
            rest.strip_prefix(*context)
                .and_then(|rest| rest.strip_prefix(&[0]))
                .is_some_and(|hash| hash.len() == 32 || hash.len() == 48)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(spaces: usize, context: &str, separator: u8, hash: usize) -> Vec<u8> {
        let mut bytes = vec![0x20; spaces];
        bytes.extend_from_slice(context.as_bytes());
        bytes.push(separator);
        bytes.extend(std::iter::repeat_n(0xa5, hash));
        bytes
    }

    const SERVER: &str = "TLS 1.3, server CertificateVerify";
    const CLIENT: &str = "TLS 1.3, client CertificateVerify";

    #[test]
    fn both_contexts_and_both_hashes_are_signed() {
        for context in [SERVER, CLIENT] {
            for hash in [32, 48] {
                assert!(is_certificate_verify(&message(64, context, 0, hash)));
            }
        }
    }

    #[test]
    fn nothing_else_is() {
        for bad in [
            Vec::new(),
            vec![0x20; 64],
            message(63, SERVER, 0, 32),
            message(65, SERVER, 0, 32),
            message(64, SERVER, 1, 32),
            message(64, SERVER, 0, 0),
            message(64, SERVER, 0, 31),
            message(64, SERVER, 0, 33),
            message(64, SERVER, 0, 64),
            message(64, "TLS 1.3, server CertificateVerifY", 0, 32),
            message(64, "TLS 1.2, server CertificateVerify", 0, 32),
            message(64, "", 0, 32),
            vec![0xa5; 130],
        ] {
            assert!(!is_certificate_verify(&bad), "{bad:?}");
        }
    }
}
