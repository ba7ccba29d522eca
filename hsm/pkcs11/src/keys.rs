//! Where the keys are: handles found by label, checked, and kept for one login.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use chancery_hsm_api::{KeyError, KeyErrorKind, KeyInfo, KeyRole, WrapScheme};
use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::Quirks;
use crate::fault::Fault;
use crate::names;
use crate::pool::{Call, is_user};
use crate::template::{Purpose, what_is_wrong};
use crate::wrap::Kek;

/// The keys of the token that were used since the last login.
#[derive(Debug)]
pub(crate) struct Keys {
    quirks: Quirks,
    /// By label; each with the login in which it was found.
    hidden: RwLock<HashMap<String, (u64, ObjectHandle)>>,
    keks: RwLock<HashMap<String, (u64, Kek)>>,
    public: RwLock<HashMap<String, (u64, Vec<u8>)>>,
    /// The newest generation of each role.
    newest: RwLock<BTreeMap<KeyRole, u32>>,
    /// The generation that was chosen to make new things with.
    chosen: RwLock<BTreeMap<KeyRole, u32>>,
}

impl Keys {
    pub(crate) fn new(quirks: Quirks) -> Self {
        Self {
            quirks,
            hidden: RwLock::default(),
            keks: RwLock::default(),
            public: RwLock::default(),
            newest: RwLock::default(),
            chosen: RwLock::default(),
        }
    }

    /// The generation that new things are made with: the chosen one, else the
    /// newest; 1 for a role never seen.
    pub(crate) fn newest(&self, role: &KeyRole) -> u32 {
        let chosen = self.chosen.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(generation) = chosen.get(role) {
            return *generation;
        }
        drop(chosen);
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        newest.get(role).copied().unwrap_or(1)
    }

    /// New things of that role are made with that generation from now on.
    pub(crate) fn choose(&self, role: &KeyRole, generation: u32) {
        let mut chosen = self.chosen.write().unwrap_or_else(PoisonError::into_inner);
        chosen.insert(role.clone(), generation);
    }

    /// A key of that label is no more.
    pub(crate) fn forget(&self, label: &str) {
        let mut hidden = self.hidden.write().unwrap_or_else(PoisonError::into_inner);
        hidden.remove(label);
        drop(hidden);
        let mut keks = self.keks.write().unwrap_or_else(PoisonError::into_inner);
        keks.remove(label);
        drop(keks);
        let mut public = self.public.write().unwrap_or_else(PoisonError::into_inner);
        public.remove(label);
    }

    /// The private or secret key of a role that does not wrap.
    pub(crate) fn hidden(
        &self,
        call: &Call<'_>,
        role: &KeyRole,
        generation: u32,
    ) -> Result<ObjectHandle, Fault> {
        let label = names::label(role, generation);
        let known = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((epoch, handle)) = known.get(&label)
            && *epoch == call.epoch
        {
            return Ok(*handle);
        }
        drop(known);
        // The scheme is for KEKs, which are looked up by `kek`.
        let purpose = Purpose::of(role, WrapScheme::AesKw);
        let session = call.session()?;
        let handle = find_hidden(session, &label, purpose, self.quirks)?;
        let mut known = self.hidden.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(label, (call.epoch, handle));
        Ok(handle)
    }

    /// The key-encryption key of a role, and how it wraps: that is settled when
    /// it is made, and may differ from one generation to the next.
    pub(crate) fn kek(
        &self,
        call: &Call<'_>,
        role: &KeyRole,
        generation: u32,
    ) -> Result<Kek, Fault> {
        let label = names::label(role, generation);
        let known = self.keks.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((epoch, kek)) = known.get(&label)
            && *epoch == call.epoch
        {
            return Ok(*kek);
        }
        drop(known);
        let kek = find_kek(call.session()?, &label, self.quirks)?;
        let mut known = self.keks.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(label, (call.epoch, kek));
        Ok(kek)
    }

    /// The public key of a role: the uncompressed point.
    pub(crate) fn public(
        &self,
        call: &Call<'_>,
        role: &KeyRole,
        generation: u32,
    ) -> Result<Vec<u8>, Fault> {
        if !role.is_key_pair() {
            let detail = format!("{role} has no public half");
            return Err(KeyError::new(KeyErrorKind::Unknown, WHAT, detail).into());
        }
        let label = names::label(role, generation);
        let known = self.public.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((epoch, point)) = known.get(&label)
            && *epoch == call.epoch
        {
            return Ok(point.clone());
        }
        drop(known);
        let point = find_public(call.session()?, &label)?;
        let mut known = self.public.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(label, (call.epoch, point.clone()));
        Ok(point)
    }

    /// Looks at every key of the token; what has a role here is told, with its
    /// public half. Two private or secret keys of one label, or a key that may
    /// do more than its role, are refused.
    pub(crate) fn inventory(&self, call: &Call<'_>) -> Result<Vec<KeyInfo>, Fault> {
        let session = call.session()?;
        must_be_logged_in(session)?;
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for class in [ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY] {
            let template = [Attribute::Class(class), Attribute::Token(true)];
            for handle in session.find_objects(&template)? {
                let Some(label) = label_of(session, handle)? else {
                    continue;
                };
                let Some((role, generation)) = names::parse(&label) else {
                    tracing::debug!("the token has a key that has no role here");
                    continue;
                };
                if !seen.insert(label.clone()) {
                    return Err(twice(&label).into());
                }
                if matches!(role, KeyRole::Kek(_)) {
                    self.kek(call, &role, generation)?;
                } else {
                    self.hidden(call, &role, generation)?;
                }
                let public = if role.is_key_pair() {
                    Some(self.public(call, &role, generation)?)
                } else {
                    None
                };
                found.push(KeyInfo {
                    role,
                    generation,
                    public,
                });
            }
        }
        // A login that was lost in between hides keys.
        must_be_logged_in(session)?;
        found.sort_by(|a, b| (&a.role, a.generation).cmp(&(&b.role, b.generation)));
        let newest = found
            .iter()
            .map(|key| (key.role.clone(), key.generation))
            .collect();
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = newest;
        Ok(found)
    }
}

const WHAT: &str = "look up a key";

/// The one private or secret key with that label, if it is as it should be.
pub(crate) fn find_hidden(
    session: &Session,
    label: &str,
    purpose: Purpose,
    quirks: Quirks,
) -> Result<ObjectHandle, Fault> {
    let template = [
        Attribute::Class(purpose.class()),
        Attribute::Token(true),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let found = session.find_objects(&template)?;
    let handle = match found.as_slice() {
        [] => return Err(not_there(session, label)),
        [one] => *one,
        _ => return Err(twice(label).into()),
    };
    let id = session.get_attributes(handle, &[AttributeType::Id])?;
    if id != [Attribute::Id(names::id(label))] {
        return Err(refused(label, "it has another CKA_ID than this role's keys").into());
    }
    if let Some(wrong) = what_is_wrong(session, handle, purpose, quirks)? {
        return Err(refused(label, &wrong).into());
    }
    Ok(handle)
}

/// The KEK with that label, if it is as a KEK of its scheme should be.
pub(crate) fn find_kek(session: &Session, label: &str, quirks: Quirks) -> Result<Kek, Fault> {
    let scheme = scheme_of(session, label)?;
    let unwraps = find_hidden(session, label, Purpose::Wrap(scheme), quirks)?;
    let wraps = match scheme {
        WrapScheme::RsaOaepSha1 => public_half(session, label)?,
        WrapScheme::AesKw | WrapScheme::AesKwp | WrapScheme::AesGcm => unwraps,
    };
    Ok(Kek {
        scheme,
        wraps,
        unwraps,
    })
}

/// What a KEK looks like; whether it is that in full is checked afterwards.
fn scheme_of(session: &Session, label: &str) -> Result<WrapScheme, Fault> {
    let of_class = |class| {
        session.find_objects(&[
            Attribute::Class(class),
            Attribute::Token(true),
            Attribute::Label(label.as_bytes().to_vec()),
        ])
    };
    let secret = of_class(ObjectClass::SECRET_KEY)?;
    let private = of_class(ObjectClass::PRIVATE_KEY)?;
    let key = match (secret.as_slice(), private.as_slice()) {
        ([one], []) => *one,
        ([], [_]) => return Ok(WrapScheme::RsaOaepSha1),
        ([], []) => return Err(not_there(session, label)),
        _ => return Err(twice(label).into()),
    };
    let kinds = [
        AttributeType::Wrap,
        AttributeType::Encrypt,
        AttributeType::AllowedMechanisms,
    ];
    let told = session.get_attributes(key, &kinds)?;
    let pads = Attribute::AllowedMechanisms(vec![Purpose::Wrap(WrapScheme::AesKwp).mechanism()]);
    Ok(
        if told.contains(&Attribute::Encrypt(true)) && told.contains(&Attribute::Wrap(false)) {
            WrapScheme::AesGcm
        } else if told.contains(&pads) {
            WrapScheme::AesKwp
        } else {
            WrapScheme::AesKw
        },
    )
}

fn public_half(session: &Session, label: &str) -> Result<ObjectHandle, Fault> {
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Token(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(names::id(label)),
    ];
    let found = session.find_objects(&template)?;
    match found.as_slice() {
        [] => Err(no_public_half(session, label)),
        [one] => Ok(*one),
        _ => Err(refused(label, "two public keys have this label").into()),
    }
}

fn find_public(session: &Session, label: &str) -> Result<Vec<u8>, Fault> {
    let handle = public_half(session, label)?;
    let point = match session
        .get_attributes(handle, &[AttributeType::EcPoint])?
        .pop()
    {
        Some(Attribute::EcPoint(bytes)) => raw_point(&bytes).map(<[u8]>::to_vec),
        _ => None,
    };
    point.ok_or_else(|| refused(label, "its public key is no point of P-256").into())
}

/// Whether the pair is missing, or half of it.
fn no_public_half(session: &Session, label: &str) -> Fault {
    let private = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Token(true),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    match session.find_objects(&private) {
        Err(error) => error.into(),
        Ok(found) if found.is_empty() => not_there(session, label),
        Ok(_) => refused(
            label,
            "its public half is missing: if its making was interrupted, destroy the private key \
             with the token's own tool and provision again",
        )
        .into(),
    }
}

/// A key was not found: it is not there, or nobody is logged in, which hides it.
fn not_there(session: &Session, label: &str) -> Fault {
    if let Err(fault) = must_be_logged_in(session) {
        return fault;
    }
    let detail = format!("the token has no key {label}: provision it");
    KeyError::new(KeyErrorKind::Unknown, WHAT, detail).into()
}

/// Private objects are not shown to a session whose login was lost, and no
/// token calls that an error.
fn must_be_logged_in(session: &Session) -> Result<(), Fault> {
    if is_user(session.get_session_info()?.session_state()) {
        Ok(())
    } else {
        Err(Error::Pkcs11(RvError::UserNotLoggedIn, Function::FindObjects).into())
    }
}

/// The point itself: some tokens give it as it is, others as an OCTET STRING
/// in DER, as PKCS#11 2.40 says.
pub(crate) fn raw_point(bytes: &[u8]) -> Option<&[u8]> {
    let point = match bytes.strip_prefix(&[0x04, 0x41]) {
        Some(inner) if inner.len() == 65 => inner,
        _ => bytes,
    };
    p256::PublicKey::from_sec1_bytes(point).ok()?;
    (point.len() == 65).then_some(point)
}

fn label_of(session: &Session, handle: ObjectHandle) -> Result<Option<String>, Fault> {
    Ok(
        match session
            .get_attributes(handle, &[AttributeType::Label])?
            .pop()
        {
            Some(Attribute::Label(bytes)) => String::from_utf8(bytes).ok(),
            _ => None,
        },
    )
}

fn twice(label: &str) -> KeyError {
    refused(
        label,
        "two private or secret keys have this label: one was put there by someone else",
    )
}

fn refused(label: &str, why: &str) -> KeyError {
    KeyError::new(
        KeyErrorKind::Config,
        WHAT,
        format!("the key {label} is refused: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use p256::elliptic_curve::sec1::ToEncodedPoint as _;

    use super::*;

    #[test]
    fn both_forms_of_a_point_are_read_and_nothing_else() {
        let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
        let point = secret
            .public_key()
            .to_encoded_point(false)
            .as_bytes()
            .to_vec();
        let mut der = vec![0x04, 0x41];
        der.extend_from_slice(&point);
        assert_eq!(raw_point(&point), Some(point.as_slice()));
        assert_eq!(raw_point(&der), Some(point.as_slice()));
        let mut off = point.clone();
        off[64] ^= 1;
        for bad in [&off[..], &point[..64], &der[..66], &[]] {
            assert_eq!(raw_point(bad), None);
        }
        let short = secret.public_key().to_encoded_point(true);
        assert_eq!(raw_point(short.as_bytes()), None);
    }
}
