//! A person's own signing key in that person's own token: a smart card, a USB
//! key, a software token. An officer signs approvals and orders with it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chancery_hsm_api::{KeyError, KeyErrorKind};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::fault::told;
use crate::keys::raw_point;
use crate::pool::check_flags;
use crate::template::P256;
use crate::{Module, Pin};

const WHAT: &str = "open a person's own key";
const SIGN: &str = "sign with a person's own key";

/// The key, its token logged in to. One per process, as modules are.
#[derive(Debug)]
pub struct PersonalKey {
    session: Mutex<Session>,
    key: ObjectHandle,
    /// The public half, where the token shows it.
    public: Option<VerifyingKey>,
    _module: Module,
}

impl PersonalKey {
    /// Opens the private key with the label `object` on the token with that
    /// label (and serial number). The PIN is tried once.
    ///
    /// # Errors
    /// [`KeyErrorKind::Config`]: no such module, token or key, a key that may
    /// leave its token, a PIN that was refused or is close to being locked.
    pub fn open(
        module: &Path,
        label: &str,
        serial: Option<&str>,
        object: &str,
        pin: &Pin,
    ) -> Result<Self, KeyError> {
        let fail = |error: Error| told(WHAT, &error);
        let module = Module::load(module, None)?;
        let (slot, info) = module.find(label, serial)?;
        check_flags(&info)?;
        let session = module.context().open_ro_session(slot).map_err(fail)?;
        match session.login(UserType::User, Some(pin.auth())) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid,
                _,
            )) => return Err(wrong("the token refused the PIN: a few more and it locks")),
            Err(error) => return Err(fail(error)),
        }
        let key = the_one(&session, ObjectClass::PRIVATE_KEY, object)?
            .ok_or_else(|| wrong("the token has no private key of that name"))?;
        let wanted = [
            Attribute::KeyType(KeyType::EC),
            Attribute::EcParams(P256.to_vec()),
            Attribute::Sign(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
        ];
        let kinds: Vec<AttributeType> = wanted.iter().map(Attribute::attribute_type).collect();
        let found = session.get_attributes(key, &kinds).map_err(fail)?;
        if let Some(missing) = wanted.iter().find(|one| !found.contains(one)) {
            let detail = format!(
                "the key is no signing key of P-256 that stays in its token: {:?}",
                missing.attribute_type()
            );
            return Err(wrong(&detail));
        }
        let public = match the_one(&session, ObjectClass::PUBLIC_KEY, object)? {
            None => None,
            Some(half) => {
                let told = session
                    .get_attributes(half, &[AttributeType::EcPoint])
                    .map_err(fail)?;
                match told.first() {
                    Some(Attribute::EcPoint(bytes)) => {
                        raw_point(bytes).and_then(|point| VerifyingKey::from_sec1_bytes(point).ok())
                    }
                    _ => None,
                }
            }
        };
        Ok(Self {
            session: Mutex::new(session),
            key,
            public,
            _module: module,
        })
    }

    /// ECDSA P-256 over the SHA-256 of `message`: `r || s`, 64 bytes.
    ///
    /// # Errors
    /// Those of the token; a signature that does not verify is its fault.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let digest = Sha256::digest(message);
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = session
            .sign(&Mechanism::Ecdsa, self.key, &digest)
            .map_err(|error| told(SIGN, &error))?;
        drop(session);
        let bytes: Option<[u8; 64]> = signature.try_into().ok();
        let good = bytes.filter(|bytes| {
            Signature::from_slice(bytes).is_ok_and(|signature| {
                self.public
                    .is_none_or(|key| key.verify_prehash(&digest, &signature).is_ok())
            })
        });
        good.ok_or_else(|| {
            let detail = "the token's signature is none of this key";
            KeyError::new(KeyErrorKind::DeviceLost, SIGN, detail)
        })
    }
}

fn the_one(
    session: &Session,
    class: ObjectClass,
    label: &str,
) -> Result<Option<ObjectHandle>, KeyError> {
    let template = [
        Attribute::Class(class),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let found = session
        .find_objects(&template)
        .map_err(|error| told(WHAT, &error))?;
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(wrong("two keys of the token have that name")),
    }
}

fn wrong(why: &str) -> KeyError {
    KeyError::new(KeyErrorKind::Config, WHAT, why)
}
