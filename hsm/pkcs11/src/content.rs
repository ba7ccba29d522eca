//! Content keys: made, wrapped and unwrapped under KEKs that stay in the token.
//!
//! AES key wrap (RFC 3394) carries its own check value, so a changed blob or
//! one of another KEK does not unwrap. The content key is in the token as a
//! session object for the length of one call.

use chancery_hsm_api::{
    ContentKey, ContentKeys, KekId, KeyError, KeyErrorKind, KeyRole, WrapScheme, WrappedKey,
};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use zeroize::{Zeroize as _, Zeroizing};

use crate::Token;
use crate::fault::Fault;
use crate::pool::Call;
use crate::template::content_key;

/// 32 bytes and the check value.
const WRAPPED_LENGTH: usize = 40;

const MAKE: &str = "make a content key";
const UNWRAP: &str = "unwrap a content key";
const REWRAP: &str = "rewrap a content key";

impl ContentKeys for Token {
    fn new_content_key(&self, kek: &KekId) -> Result<(ContentKey, WrappedKey), KeyError> {
        let role = KeyRole::Kek(kek.clone());
        let generation = self.keys.newest(&role);
        self.pool.run(MAKE, |call| {
            let handle = self.keys.hidden(call, &role, generation)?;
            let bytes = self.random_key(call)?;
            let blob = wrap_bytes(call, handle, &bytes)?;
            let wrapped = WrappedKey {
                kek: kek.clone(),
                generation,
                scheme: WrapScheme::AesKw,
                blob,
            };
            Ok((ContentKey::new(*bytes), wrapped))
        })
    }

    fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, KeyError> {
        check(wrapped, UNWRAP)?;
        let role = KeyRole::Kek(wrapped.kek.clone());
        let unwrap = |call: &Call<'_>| {
            let kek = self.keys.hidden(call, &role, wrapped.generation)?;
            let object = self.unwrap_into(call, kek, &wrapped.blob, false)?;
            call.with_object(object, |session| value_of(session, object))
        };
        let known = |call: &Call<'_>| self.try_kek(call, &role, wrapped.generation);
        self.pool.run_settled(UNWRAP, unwrap, Some(&known))
    }

    fn rewrap_key(&self, wrapped: &WrappedKey, to: &KekId) -> Result<WrappedKey, KeyError> {
        check(wrapped, REWRAP)?;
        let role = KeyRole::Kek(wrapped.kek.clone());
        let target = KeyRole::Kek(to.clone());
        let generation = self.keys.newest(&target);
        let rewrap = |call: &Call<'_>| {
            let from = self.keys.hidden(call, &role, wrapped.generation)?;
            let kek = self.keys.hidden(call, &target, generation)?;
            // Sensitive: not even this process sees it.
            let object = self.unwrap_into(call, from, &wrapped.blob, true)?;
            let blob = call.with_object(object, |session| wrap_object(session, kek, object))?;
            Ok(WrappedKey {
                kek: to.clone(),
                generation,
                scheme: WrapScheme::AesKw,
                blob,
            })
        };
        let known = |call: &Call<'_>| self.try_kek(call, &role, wrapped.generation);
        self.pool.run_settled(REWRAP, rewrap, Some(&known))
    }
}

impl Token {
    /// Wraps and unwraps a key that is thrown away: whether a KEK works.
    pub(crate) fn try_kek(
        &self,
        call: &Call<'_>,
        role: &KeyRole,
        generation: u32,
    ) -> Result<(), Fault> {
        let kek = self.keys.hidden(call, role, generation)?;
        let bytes = self.random_key(call)?;
        let blob = wrap_bytes(call, kek, &bytes)?;
        let object = self.unwrap_into(call, kek, &blob, false)?;
        if call
            .with_object(object, |session| value_of(session, object))?
            .expose()
            == &*bytes
        {
            Ok(())
        } else {
            let detail = format!("{role} does not give back what it wrapped");
            Err(KeyError::new(KeyErrorKind::DeviceLost, "try a key", detail).into())
        }
    }

    fn unwrap_into(
        &self,
        call: &Call<'_>,
        kek: ObjectHandle,
        blob: &[u8],
        sensitive: bool,
    ) -> Result<ObjectHandle, Fault> {
        let mut template = content_key(None);
        for attribute in &mut template {
            if let Attribute::Sensitive(value) = attribute {
                *value = sensitive;
            }
        }
        if self.pool.config().quirks.unwrap_value_len {
            template.push(Attribute::ValueLen(32.into()));
        }
        Ok(call
            .session()?
            .unwrap_key(&Mechanism::AesKeyWrap, kek, blob, &template)?)
    }

    /// Bytes of a new key: the token's randomness and the system's.
    fn random_key(&self, call: &Call<'_>) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.randomness.fill(call.session()?, &mut *bytes)?;
        Ok(bytes)
    }
}

/// Brings key bytes into the token for the length of one wrap.
fn wrap_bytes(call: &Call<'_>, kek: ObjectHandle, bytes: &[u8; 32]) -> Result<Vec<u8>, Fault> {
    let mut template = content_key([Attribute::Value(bytes.to_vec())]);
    let created = call.session()?.create_object(&template);
    for attribute in &mut template {
        if let Attribute::Value(value) = attribute {
            value.zeroize();
        }
    }
    let object = created?;
    call.with_object(object, |session| wrap_object(session, kek, object))
}

fn wrap_object(
    session: &Session,
    kek: ObjectHandle,
    object: ObjectHandle,
) -> Result<Vec<u8>, Fault> {
    let blob = session.wrap_key(&Mechanism::AesKeyWrap, kek, object)?;
    if blob.len() == WRAPPED_LENGTH {
        Ok(blob)
    } else {
        let detail = "the token wraps 32 bytes into another number than 40";
        Err(KeyError::new(KeyErrorKind::Unsupported, "wrap a content key", detail).into())
    }
}

/// The bytes of an unwrapped key.
pub(crate) fn value_of(session: &Session, object: ObjectHandle) -> Result<ContentKey, Fault> {
    let found = session
        .get_attributes(object, &[AttributeType::Value])?
        .pop();
    if let Some(Attribute::Value(value)) = found {
        let value = Zeroizing::new(value);
        if let Ok(bytes) = <[u8; 32]>::try_from(value.as_slice()) {
            return Ok(ContentKey::new(bytes));
        }
    }
    Err(KeyError::new(KeyErrorKind::Data, UNWRAP, "it is no key of 32 bytes").into())
}

fn check(wrapped: &WrappedKey, what: &str) -> Result<(), KeyError> {
    if wrapped.scheme != WrapScheme::AesKw {
        let detail = format!(
            "the scheme {:?} is not served by this token",
            wrapped.scheme
        );
        return Err(KeyError::new(KeyErrorKind::Unsupported, what, detail));
    }
    if wrapped.blob.len() != WRAPPED_LENGTH {
        let detail = "a wrapped key has 40 bytes";
        return Err(KeyError::new(KeyErrorKind::Data, what, detail));
    }
    Ok(())
}
