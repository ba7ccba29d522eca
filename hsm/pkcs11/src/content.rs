//! Content keys: made, wrapped and unwrapped under KEKs that stay in the token.

use chancery_hsm_api::{
    ContentKey, ContentKeys, KekId, KeyError, KeyErrorKind, KeyRole, WrappedKey,
};
use zeroize::Zeroizing;

use crate::Token;
use crate::fault::Fault;
use crate::names;
use crate::pool::Call;
use crate::wrap::{Kek, wrapped_length};

const MAKE: &str = "make a content key";
const UNWRAP: &str = "unwrap a content key";
const REWRAP: &str = "rewrap a content key";

impl ContentKeys for Token {
    fn new_content_key(&self, kek: &KekId) -> Result<(ContentKey, WrappedKey), KeyError> {
        let role = KeyRole::Kek(kek.clone());
        let generation = self.keys.newest(&role);
        let label = names::label(&role, generation);
        self.pool.run(MAKE, |call| {
            let key = self.keys.kek(call, &role, generation)?;
            let bytes = self.random_key(call)?;
            let blob = key.wrap(call, &self.randomness, &label, &bytes)?;
            // What is sealed under a key that does not come back is lost.
            if key.unwrap(call, self.quirks(), &label, &blob)?.expose() != &*bytes {
                return Err(wrong_answer(&label).into());
            }
            let wrapped = WrappedKey {
                kek: kek.clone(),
                generation,
                scheme: key.scheme,
                blob,
            };
            Ok((ContentKey::new(*bytes), wrapped))
        })
    }

    fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, KeyError> {
        check(wrapped, UNWRAP)?;
        let role = KeyRole::Kek(wrapped.kek.clone());
        let unwrap = |call: &Call<'_>| {
            let kek = self.kek_of(call, &role, wrapped, UNWRAP)?;
            self.value_in(call, &kek, &role, wrapped)
        };
        let known = |call: &Call<'_>| self.try_kek(call, &role, wrapped.generation);
        self.pool.run_settled(UNWRAP, unwrap, Some(&known))
    }

    fn rewrap_key(&self, wrapped: &WrappedKey, to: &KekId) -> Result<WrappedKey, KeyError> {
        check(wrapped, REWRAP)?;
        let role = KeyRole::Kek(wrapped.kek.clone());
        let target = KeyRole::Kek(to.clone());
        let generation = self.keys.newest(&target);
        let label = names::label(&target, generation);
        let rewrap = |call: &Call<'_>| {
            let from = self.kek_of(call, &role, wrapped, REWRAP)?;
            let kek = self.keys.kek(call, &target, generation)?;
            let blob = if from.moves_inside(&kek) {
                // Sensitive: not even this process sees it.
                let object = from.unwrap_object(call, self.quirks(), &wrapped.blob, true)?;
                call.with_object(object, |session| kek.wrap_object(session, object))?
            } else {
                let key = self.value_in(call, &from, &role, wrapped)?;
                kek.wrap(call, &self.randomness, &label, key.expose())?
            };
            Ok(WrappedKey {
                kek: to.clone(),
                generation,
                scheme: kek.scheme,
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
        let kek = self.keys.kek(call, role, generation)?;
        self.try_wrapping(call, &kek, &names::label(role, generation))
    }

    /// The same with a KEK that need not have a role.
    pub(crate) fn try_wrapping(
        &self,
        call: &Call<'_>,
        kek: &Kek,
        label: &str,
    ) -> Result<(), Fault> {
        let bytes = self.random_key(call)?;
        let blob = kek.wrap(call, &self.randomness, label, &bytes)?;
        if kek.unwrap(call, self.quirks(), label, &blob)?.expose() == &*bytes {
            Ok(())
        } else {
            Err(wrong_answer(label).into())
        }
    }

    /// The KEK of a wrapped key, if it wraps as the wrapped key says.
    fn kek_of(
        &self,
        call: &Call<'_>,
        role: &KeyRole,
        wrapped: &WrappedKey,
        what: &str,
    ) -> Result<Kek, Fault> {
        let kek = self.keys.kek(call, role, wrapped.generation)?;
        if kek.scheme == wrapped.scheme {
            Ok(kek)
        } else {
            let detail = format!("its key-encryption key wraps by {}", kek.scheme);
            Err(KeyError::new(KeyErrorKind::Data, what, detail).into())
        }
    }

    fn value_in(
        &self,
        call: &Call<'_>,
        kek: &Kek,
        role: &KeyRole,
        wrapped: &WrappedKey,
    ) -> Result<ContentKey, Fault> {
        let label = names::label(role, wrapped.generation);
        kek.unwrap(call, self.quirks(), &label, &wrapped.blob)
    }

    /// Bytes of a new key: the token's randomness and the system's.
    fn random_key(&self, call: &Call<'_>) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.randomness.fill(call.session()?, &mut *bytes)?;
        Ok(bytes)
    }
}

fn wrong_answer(label: &str) -> KeyError {
    let detail = format!("{label} does not give back what it wrapped");
    KeyError::new(KeyErrorKind::DeviceLost, "try a key", detail)
}

fn check(wrapped: &WrappedKey, what: &str) -> Result<(), KeyError> {
    let length = wrapped_length(wrapped.scheme);
    if wrapped.blob.len() == length {
        return Ok(());
    }
    let detail = format!("a key wrapped by {} has {length} bytes", wrapped.scheme);
    Err(KeyError::new(KeyErrorKind::Data, what, detail))
}
