//! An archive sealed for the holder of a private key: what makes it (a running
//! node) cannot open it again.
//!
//! ```text
//! format line ‖ ephemeral point ‖ { length ‖ segment }…       (P-256, SEC 1; length: 4 bytes, big-endian)
//! content key = HKDF-SHA-256(ECDH(ephemeral, recipient), info = format ‖ ephemeral ‖ recipient)
//! ```
//!
//! Segments as everywhere: AES-256-GCM, with place and end in what is
//! authenticated, so that nothing is changed, moved or cut unseen. A body or
//! message of the gateway is never opened by this: its keys are derived for
//! another use.

use std::io::{Read, Write};

use chancery_hsm_api::ContentKey;
use chancery_message::Entropy;
use hkdf::Hkdf;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{PublicKey, SecretKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::cipher::{Cipher, Usage};
use crate::segment::SegmentSealer;
use crate::{SEGMENT_BYTES, TAG_BYTES};

/// The first bytes of an archive.
const FORMAT: &[u8] = b"chancery-archive-v1\n";
/// Bytes of an uncompressed point.
const POINT: usize = 65;

/// Why an archive was not made or opened.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Reading or writing failed.
    #[error("the archive: {0}")]
    Io(#[from] std::io::Error),
    /// It is not an archive of this version.
    #[error("this is no archive of this version")]
    Format,
    /// It was changed or cut, or is sealed for another key.
    #[error("the archive was changed or cut, or is sealed for another key")]
    Changed,
    /// No randomness, or the cipher refused.
    #[error("the archive cannot be sealed")]
    Cipher,
}

/// Seals what `plain` gives, for `recipient`. Holds one segment at a time.
///
/// # Errors
/// [`ArchiveError`].
pub fn seal_archive(
    recipient: &PublicKey,
    entropy: &dyn Entropy,
    mut plain: impl Read,
    mut out: impl Write,
) -> Result<(), ArchiveError> {
    let ephemeral = ephemeral(entropy)?;
    let point = ephemeral.public_key().to_encoded_point(false);
    let shared = p256::ecdh::diffie_hellman(ephemeral.to_nonzero_scalar(), recipient.as_affine());
    let cipher = cipher(
        shared.raw_secret_bytes().as_slice(),
        point.as_bytes(),
        recipient,
    )?;
    out.write_all(FORMAT)?;
    out.write_all(point.as_bytes())?;
    let mut sealer = SegmentSealer::new(cipher);
    let mut buffer = Zeroizing::new(vec![0; SEGMENT_BYTES]);
    loop {
        let count = plain.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let piece = buffer.get(..count).unwrap_or_default();
        for segment in sealer.push(piece).map_err(|_| ArchiveError::Cipher)? {
            put(&mut out, &segment.bytes)?;
        }
    }
    let (last, _) = sealer.finish().map_err(|_| ArchiveError::Cipher)?;
    put(&mut out, &last.bytes)?;
    out.flush()?;
    Ok(())
}

/// Opens an archive. What was written to `out` counts only when this returns well.
///
/// # Errors
/// [`ArchiveError`].
pub fn open_archive(
    secret: &SecretKey,
    mut sealed: impl Read,
    mut out: impl Write,
) -> Result<(), ArchiveError> {
    let mut format = [0; FORMAT.len()];
    let mut point = [0; POINT];
    read_whole(&mut sealed, &mut format)?;
    if format != FORMAT {
        return Err(ArchiveError::Format);
    }
    read_whole(&mut sealed, &mut point)?;
    let ephemeral = PublicKey::from_sec1_bytes(&point).map_err(|_| ArchiveError::Changed)?;
    let shared = p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), ephemeral.as_affine());
    let cipher = cipher(
        shared.raw_secret_bytes().as_slice(),
        &point,
        &secret.public_key(),
    )?;
    let mut index = 0;
    let mut next = take(&mut sealed)?.ok_or(ArchiveError::Changed)?;
    loop {
        let following = take(&mut sealed)?;
        let last = following.is_none();
        cipher
            .open(index, last, &mut next)
            .map_err(|_| ArchiveError::Changed)?;
        out.write_all(&next)?;
        match following {
            Some(segment) => next = segment,
            None => break,
        }
        index += 1;
    }
    out.flush()?;
    Ok(())
}

fn cipher(shared: &[u8], point: &[u8], recipient: &PublicKey) -> Result<Cipher, ArchiveError> {
    let theirs = recipient.to_encoded_point(false);
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, shared)
        .expand_multi_info(&[FORMAT, point, theirs.as_bytes()], key.as_mut())
        .map_err(|_| ArchiveError::Cipher)?;
    Cipher::new(&ContentKey::new(*key), Usage::Archive, &[0; 16], 0)
        .map_err(|_| ArchiveError::Cipher)
}

fn ephemeral(entropy: &dyn Entropy) -> Result<SecretKey, ArchiveError> {
    let mut seed = Zeroizing::new([0; 32]);
    // A random number is a private key but once in 2^32 times.
    for _ in 0..4 {
        entropy.fill(&mut *seed).map_err(|_| ArchiveError::Cipher)?;
        if let Ok(key) = SecretKey::from_slice(&*seed) {
            return Ok(key);
        }
    }
    Err(ArchiveError::Cipher)
}

fn put(out: &mut impl Write, segment: &[u8]) -> Result<(), ArchiveError> {
    let length = u32::try_from(segment.len()).map_err(|_| ArchiveError::Cipher)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(segment)?;
    Ok(())
}

/// The next segment; none at the end.
fn take(sealed: &mut impl Read) -> Result<Option<Zeroizing<Vec<u8>>>, ArchiveError> {
    let mut length = [0; 4];
    match sealed.read(&mut length)? {
        0 => return Ok(None),
        4 => {}
        count => read_whole(sealed, length.get_mut(count..).unwrap_or_default())?,
    }
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| ArchiveError::Changed)?;
    if length > SEGMENT_BYTES + TAG_BYTES {
        return Err(ArchiveError::Changed);
    }
    let mut segment = Zeroizing::new(vec![0; length]);
    read_whole(sealed, &mut segment)?;
    Ok(Some(segment))
}

fn read_whole(sealed: &mut impl Read, buffer: &mut [u8]) -> Result<(), ArchiveError> {
    sealed.read_exact(buffer).map_err(|error| {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            ArchiveError::Changed
        } else {
            error.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use chancery_message::EntropyError;

    use super::*;

    struct Counting(std::sync::Mutex<u8>);

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
            let mut next = self.0.lock().unwrap();
            *next += 1;
            buffer.fill(*next);
            Ok(())
        }
    }

    fn sealed(plain: &[u8]) -> (SecretKey, Vec<u8>) {
        let secret = SecretKey::from_slice(&[9; 32]).unwrap();
        let mut out = Vec::new();
        let entropy = Counting(std::sync::Mutex::new(0));
        seal_archive(&secret.public_key(), &entropy, plain, &mut out).unwrap();
        (secret, out)
    }

    fn opened(secret: &SecretKey, sealed: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let mut out = Vec::new();
        open_archive(secret, sealed, &mut out).map(|()| out)
    }

    #[test]
    fn archives_of_every_size_come_back() {
        for size in [
            0,
            1,
            SEGMENT_BYTES - 1,
            SEGMENT_BYTES,
            SEGMENT_BYTES + 1,
            300_000,
        ] {
            let plain: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let (secret, bytes) = sealed(&plain);
            assert_eq!(opened(&secret, &bytes).unwrap(), plain, "{size}");
            assert!(size < 16 || !bytes.windows(16).any(|part| part == &plain[..16]));
        }
    }

    #[test]
    fn a_changed_or_cut_archive_and_another_key_are_refused() {
        let plain = vec![5; 2 * SEGMENT_BYTES + 100];
        let (secret, bytes) = sealed(&plain);
        let header = FORMAT.len() + POINT;
        for place in (0..bytes.len()).step_by(997).chain(0..header + 8) {
            let mut bad = bytes.clone();
            bad[place] ^= 1;
            assert!(opened(&secret, &bad).is_err(), "{place}");
        }
        let segment = 4 + SEGMENT_BYTES + TAG_BYTES;
        for cut in [
            0,
            5,
            header,
            header + segment,
            header + 2 * segment,
            bytes.len() - 1,
        ] {
            assert!(opened(&secret, &bytes[..cut]).is_err(), "{cut}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(opened(&secret, &longer).is_err());
        let mut swapped = bytes.clone();
        swapped[header..header + 2 * segment].rotate_left(segment);
        assert!(opened(&secret, &swapped).is_err());
        let other = SecretKey::from_slice(&[8; 32]).unwrap();
        assert!(opened(&other, &bytes).is_err());
    }
}
