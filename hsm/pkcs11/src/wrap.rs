//! The schemes by which content keys are wrapped, each in its own few lines.
//!
//! AES key wrap (RFC 3394, RFC 5649) carries its own check value; the content
//! key is in the token as a session object for the length of one call. AES-GCM
//! authenticates with the KEK's name beside it. RSA-OAEP is for tokens that have
//! nothing else. WARNING: its public half is no secret, so it keeps content keys
//! secret but does not say who wrapped them; rows are authenticated apart.

use chancery_hsm_api::{ContentKey, KeyError, KeyErrorKind, WrapScheme};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use zeroize::{Zeroize as _, Zeroizing};

use crate::Quirks;
use crate::fault::Fault;
use crate::pool::Call;
use crate::random::Watch;
use crate::template::{RSA_BYTES, content_key};

const WRAP: &str = "wrap a content key";
const UNWRAP: &str = "unwrap a content key";

/// Bytes of a nonce of AES-GCM.
const NONCE: usize = 12;
/// Bytes of its tag.
const TAG: usize = 16;

/// What stands beside a key under AES-GCM, before the KEK's label.
const DOMAIN: &str = "chancery-wrap-v1\0";

/// A key-encryption key as it is in the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kek {
    /// How it wraps.
    pub(crate) scheme: WrapScheme,
    /// What wraps: the key itself, or its public half.
    pub(crate) wraps: ObjectHandle,
    /// What unwraps: the key itself, or its private half.
    pub(crate) unwraps: ObjectHandle,
}

/// Bytes of a wrapped key of 32 bytes.
pub(crate) const fn wrapped_length(scheme: WrapScheme) -> usize {
    match scheme {
        WrapScheme::AesKw | WrapScheme::AesKwp => 40,
        WrapScheme::AesGcm => NONCE + 32 + TAG,
        WrapScheme::RsaOaepSha1 => RSA_BYTES,
    }
}

impl Kek {
    /// Wraps `bytes`; `label` is the KEK's own.
    pub(crate) fn wrap(
        &self,
        call: &Call<'_>,
        randomness: &Watch,
        label: &str,
        bytes: &[u8; 32],
    ) -> Result<Vec<u8>, Fault> {
        let blob = match self.scheme {
            WrapScheme::AesKw | WrapScheme::AesKwp => {
                let object = bring_in(call, bytes)?;
                call.with_object(object, |session| self.wrap_object(session, object))?
            }
            WrapScheme::AesGcm => {
                let mut nonce = [0; NONCE];
                randomness.fill(call.session()?, &mut nonce)?;
                let mut blob = nonce.to_vec();
                let sealed = with_gcm(&mut nonce, label, |mechanism| {
                    Ok(call.session()?.encrypt(mechanism, self.wraps, bytes)?)
                })?;
                // Some tokens choose the nonce themselves and put it there.
                blob.copy_from_slice(&nonce);
                blob.extend_from_slice(&sealed);
                blob
            }
            WrapScheme::RsaOaepSha1 => call.session()?.encrypt(&oaep(), self.wraps, bytes)?,
        };
        if blob.len() == wrapped_length(self.scheme) {
            Ok(blob)
        } else {
            let detail = "the token wraps 32 bytes into another number than it should";
            Err(KeyError::new(KeyErrorKind::Unsupported, WRAP, detail).into())
        }
    }

    /// The content key inside.
    pub(crate) fn unwrap(
        &self,
        call: &Call<'_>,
        quirks: Quirks,
        label: &str,
        blob: &[u8],
    ) -> Result<ContentKey, Fault> {
        let value = match self.scheme {
            WrapScheme::AesKw | WrapScheme::AesKwp => {
                let object = self.unwrap_object(call, quirks, blob, false)?;
                return call.with_object(object, |session| value_of(session, object));
            }
            WrapScheme::AesGcm => {
                let Some((nonce, sealed)) = blob.split_first_chunk::<NONCE>() else {
                    return Err(no_key().into());
                };
                let mut nonce = *nonce;
                with_gcm(&mut nonce, label, |mechanism| {
                    Ok(call.session()?.decrypt(mechanism, self.unwraps, sealed)?)
                })?
            }
            WrapScheme::RsaOaepSha1 => call.session()?.decrypt(&oaep(), self.unwraps, blob)?,
        };
        let value = Zeroizing::new(value);
        match <[u8; 32]>::try_from(value.as_slice()) {
            Ok(bytes) => Ok(ContentKey::new(bytes)),
            Err(_) => Err(no_key().into()),
        }
    }

    /// True if a content key can move between them without leaving the token.
    pub(crate) const fn moves_inside(&self, to: &Self) -> bool {
        self.unwraps_to_object() && to.unwraps_to_object()
    }

    const fn unwraps_to_object(&self) -> bool {
        matches!(self.scheme, WrapScheme::AesKw | WrapScheme::AesKwp)
    }

    /// Wraps a key that is in the token.
    pub(crate) fn wrap_object(
        &self,
        session: &Session,
        object: ObjectHandle,
    ) -> Result<Vec<u8>, Fault> {
        Ok(session.wrap_key(&self.key_wrap(), self.wraps, object)?)
    }

    /// Brings what is inside into the token.
    pub(crate) fn unwrap_object(
        &self,
        call: &Call<'_>,
        quirks: Quirks,
        blob: &[u8],
        sensitive: bool,
    ) -> Result<ObjectHandle, Fault> {
        let mut template = content_key(None);
        for attribute in &mut template {
            if let Attribute::Sensitive(value) = attribute {
                *value = sensitive;
            }
        }
        if quirks.unwrap_value_len {
            template.push(Attribute::ValueLen(32.into()));
        }
        Ok(call
            .session()?
            .unwrap_key(&self.key_wrap(), self.unwraps, blob, &template)?)
    }

    const fn key_wrap(&self) -> Mechanism<'static> {
        match self.scheme {
            WrapScheme::AesKwp => Mechanism::AesKeyWrapPad,
            WrapScheme::AesKw | WrapScheme::AesGcm | WrapScheme::RsaOaepSha1 => {
                Mechanism::AesKeyWrap
            }
        }
    }
}

/// Brings key bytes into the token for the length of one wrap.
fn bring_in(call: &Call<'_>, bytes: &[u8; 32]) -> Result<ObjectHandle, Fault> {
    let mut template = content_key([Attribute::Value(bytes.to_vec())]);
    let created = call.session()?.create_object(&template);
    for attribute in &mut template {
        if let Attribute::Value(value) = attribute {
            value.zeroize();
        }
    }
    Ok(created?)
}

/// The bytes of an unwrapped key.
fn value_of(session: &Session, object: ObjectHandle) -> Result<ContentKey, Fault> {
    let found = session
        .get_attributes(object, &[AttributeType::Value])?
        .pop();
    if let Some(Attribute::Value(value)) = found {
        let value = Zeroizing::new(value);
        if let Ok(bytes) = <[u8; 32]>::try_from(value.as_slice()) {
            return Ok(ContentKey::new(bytes));
        }
    }
    Err(no_key().into())
}

fn with_gcm<T>(
    nonce: &mut [u8; NONCE],
    label: &str,
    f: impl FnOnce(&Mechanism<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let beside = [DOMAIN.as_bytes(), label.as_bytes()].concat();
    f(&Mechanism::AesGcm(GcmParams::new(
        nonce,
        &beside,
        128.into(),
    )?))
}

fn oaep() -> Mechanism<'static> {
    Mechanism::RsaPkcsOaep(PkcsOaepParams::new(
        MechanismType::SHA1,
        PkcsMgfType::MGF1_SHA1,
        PkcsOaepSource::empty(),
    ))
}

fn no_key() -> KeyError {
    KeyError::new(KeyErrorKind::Data, UNWRAP, "it is no key of 32 bytes")
}
