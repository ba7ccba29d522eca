//! ASCII armor: one block, nothing around it. A part with text beside its
//! block could show a reader more than was protected.

use std::io::Read as _;

use sequoia_openpgp::armor::{Kind, Reader, ReaderMode};

use crate::content::fault::{Fault, Read};

/// The octets in a part that is one armored block of that kind.
pub(crate) fn open(text: &[u8], kind: Kind) -> Read<Vec<u8>> {
    let (begin, end): (&[u8], &[u8]) = match kind {
        Kind::Message => (b"-----BEGIN PGP MESSAGE-----", b"-----END PGP MESSAGE-----"),
        _ => (
            b"-----BEGIN PGP SIGNATURE-----",
            b"-----END PGP SIGNATURE-----",
        ),
    };
    let bad = || {
        Fault::malformed(
            "the OpenPGP part is not one armored block",
            "RFC 3156 section 4",
        )
    };
    let trimmed = text.trim_ascii();
    let marks = text
        .split(|&octet| octet == b'\n')
        .filter(|line| line.starts_with(b"-----"))
        .count();
    if !trimmed.starts_with(begin) || !trimmed.ends_with(end) || marks != 2 {
        return Err(bad());
    }
    let mut reader = Reader::from_bytes(trimmed, ReaderMode::Tolerant(Some(kind)));
    let mut octets = Vec::with_capacity(trimmed.len() / 4 * 3);
    reader.read_to_end(&mut octets).map_err(|_| bad())?;
    // Armored armor is not unwrapped again.
    if octets.first().is_none_or(|first| first & 0x80 == 0) {
        return Err(bad());
    }
    Ok(octets)
}
