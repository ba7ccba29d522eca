//! Who signs bindings.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};

use crate::binding::RULE;
use crate::error::{Fault, LabelError, Place};

/// Signs with ECDSA on P-256 and SHA-256. In the gateway it is the custodian;
/// the private key is nowhere else.
pub trait BindingSigner {
    /// The key's name, for people.
    fn key_name(&self) -> &str;

    /// The public key: 65 octets, uncompressed (SEC 1).
    fn public_key(&self) -> [u8; 65];

    /// `r || s` of the message.
    ///
    /// # Errors
    /// [`Fault::Binding`] if the key cannot be used now.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], LabelError>;
}

/// A key in a file, for people's own bindings and for tests.
pub struct SoftSigner {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for SoftSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoftSigner")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl SoftSigner {
    /// From a PKCS#8 key in PEM.
    ///
    /// # Errors
    /// [`Fault::Malformed`] for anything but an unencrypted P-256 key.
    pub fn from_pem(name: &str, pem: &str) -> Result<Self, LabelError> {
        let key = SigningKey::from_pkcs8_pem(pem)
            .map_err(|_| error("the key is no unencrypted P-256 private key in PKCS#8 PEM"))?;
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// From 32 secret octets.
    ///
    /// # Errors
    /// [`Fault::Malformed`] for the few values that are no key.
    pub fn from_secret(name: &str, secret: &[u8; 32]) -> Result<Self, LabelError> {
        let key =
            SigningKey::from_slice(secret).map_err(|_| error("the octets are no P-256 key"))?;
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }
}

fn error(what: &str) -> LabelError {
    LabelError::new(Fault::Malformed, what, Place::Field("key".to_owned()), RULE)
}

impl BindingSigner for SoftSigner {
    fn key_name(&self) -> &str {
        &self.name
    }

    fn public_key(&self) -> [u8; 65] {
        octets(self.key.verifying_key())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], LabelError> {
        let signature: Signature = self.key.sign(message);
        Ok(signature.to_bytes().into())
    }
}

/// A public key in PEM, to trust: 65 octets.
///
/// # Errors
/// [`Fault::Malformed`] for anything but a P-256 public key.
pub fn trusted_key(pem: &str) -> Result<[u8; 65], LabelError> {
    let key = VerifyingKey::from_public_key_pem(pem)
        .map_err(|_| error("the key is no P-256 public key in PEM"))?;
    Ok(octets(&key))
}

fn octets(key: &VerifyingKey) -> [u8; 65] {
    let mut out = [0; 65];
    for (to, from) in out.iter_mut().zip(key.to_encoded_point(false).as_bytes()) {
        *to = *from;
    }
    out
}
