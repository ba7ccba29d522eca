//! The one place that names the cipher: AES-256-GCM under keys derived by
//! HKDF-SHA-256 (RFC 5869), used once.

use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use chancery_hsm_api::{ContentKey, wipe_stack};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{SealError, TAG_BYTES};

/// Version of the sealed format; in every associated data.
pub(crate) const FORMAT: u8 = 1;

/// What a derived key is for. The text is the beginning of HKDF's `info`.
#[derive(Clone, Copy)]
pub(crate) enum Usage {
    Part,
    Manifest,
    BodyStream,
    BodyFacts,
    Archive,
}

impl Usage {
    const fn info(self) -> &'static [u8] {
        match self {
            Self::Part => b"chancery-part-v1",
            Self::Manifest => b"chancery-manifest-v1",
            Self::BodyStream => b"chancery-body-v1",
            Self::BodyFacts => b"chancery-body-facts-v1",
            Self::Archive => b"chancery-archive-v1",
        }
    }
}

/// A derived key with the place it is for.
pub(crate) struct Cipher {
    aes: Aes256Gcm,
    /// Format, usage, id, part: the fixed beginning of the associated data.
    place: Vec<u8>,
}

/// The cipher refused: on sealing a mistake of ours, on opening a changed byte.
pub(crate) struct CipherError;

impl From<CipherError> for SealError {
    fn from(_: CipherError) -> Self {
        Self::Cipher
    }
}

impl Cipher {
    /// # Errors
    /// Never in practice: HKDF refuses only outputs over 8160 bytes.
    pub(crate) fn new(
        key: &ContentKey,
        usage: Usage,
        id: &[u8; 16],
        part: u32,
    ) -> Result<Self, CipherError> {
        let place = [&[FORMAT], usage.info(), &[0], id, &part.to_be_bytes()[..]].concat();
        let made = Self::derived(key, &[usage.info(), id, &part.to_be_bytes()], place);
        // The hash function leaves the key where it worked.
        wipe_stack();
        made
    }

    /// Apart, so that all that it leaves behind lies deeper than its caller.
    #[inline(never)]
    fn derived(key: &ContentKey, info: &[&[u8]], place: Vec<u8>) -> Result<Self, CipherError> {
        let mut derived = Zeroizing::new([0_u8; 32]);
        Hkdf::<Sha256>::new(None, key.expose())
            .expand_multi_info(info, derived.as_mut())
            .map_err(|_| CipherError)?;
        Ok(Self {
            aes: Aes256Gcm::new(derived.as_ref().into()),
            place,
        })
    }

    /// Seals `buffer` in place and appends the tag.
    pub(crate) fn seal(
        &self,
        index: u32,
        last: bool,
        buffer: &mut Vec<u8>,
    ) -> Result<[u8; TAG_BYTES], CipherError> {
        let tag: [u8; TAG_BYTES] = self
            .aes
            .encrypt_in_place_detached(&nonce(index), &self.data(index, last), buffer)
            .map_err(|_| CipherError)?
            .into();
        buffer.extend_from_slice(&tag);
        Ok(tag)
    }

    /// Verifies and opens `buffer` in place and takes the tag off. On an error
    /// it holds ciphertext still.
    pub(crate) fn open(
        &self,
        index: u32,
        last: bool,
        buffer: &mut Vec<u8>,
    ) -> Result<[u8; TAG_BYTES], CipherError> {
        let length = buffer.len().checked_sub(TAG_BYTES).ok_or(CipherError)?;
        let (text, tag) = buffer.split_at_mut_checked(length).ok_or(CipherError)?;
        let tag: [u8; TAG_BYTES] = (&*tag).try_into().map_err(|_| CipherError)?;
        self.aes
            .decrypt_in_place_detached(
                &nonce(index),
                &self.data(index, last),
                text,
                Tag::from_slice(&tag),
            )
            .map_err(|_| CipherError)?;
        buffer.truncate(length);
        Ok(tag)
    }

    fn data(&self, index: u32, last: bool) -> Vec<u8> {
        [&self.place, &index.to_be_bytes()[..], &[u8::from(last)]].concat()
    }
}

fn nonce(index: u32) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    let (_, counter) = nonce.split_at_mut(8);
    counter.copy_from_slice(&index.to_be_bytes());
    nonce.into()
}
