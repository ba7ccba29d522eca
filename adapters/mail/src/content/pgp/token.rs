//! Sequoia's `Signer` and `Decryptor` over the token's operations.

use std::sync::{Arc, Mutex, PoisonError};

use chancery_hsm_api::{KeyError, PgpDecryption, PgpSigning};
use sequoia_openpgp::crypto::mpi::{Ciphertext, MPI, Signature};
use sequoia_openpgp::crypto::{Decryptor, SessionKey, Signer, ecdh, mem::Protected};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{PublicParts, UnspecifiedRole};
use sequoia_openpgp::types::HashAlgorithm;
use sequoia_openpgp::{Error, Result};

/// A public key of any role.
pub(crate) type PublicKey = Key<PublicParts, UnspecifiedRole>;

/// What the token last failed with: sequoia drops it on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<KeyError>>>);

impl Trouble {
    fn keep(&self, error: KeyError) -> Error {
        let text = error.to_string();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Error::InvalidOperation(text)
    }

    pub(crate) fn take(&self) -> Option<KeyError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Signs with the gateway's OpenPGP key.
pub(crate) struct TokenSigner<'a> {
    pub(crate) key: PublicKey,
    pub(crate) token: &'a dyn PgpSigning,
    pub(crate) trouble: Trouble,
}

impl Signer for TokenSigner<'_> {
    fn public(&self) -> &PublicKey {
        &self.key
    }

    fn acceptable_hashes(&self) -> &[HashAlgorithm] {
        &[
            HashAlgorithm::SHA256,
            HashAlgorithm::SHA384,
            HashAlgorithm::SHA512,
        ]
    }

    fn sign(&mut self, _hash: HashAlgorithm, digest: &[u8]) -> Result<Signature> {
        let signature = self
            .token
            .pgp_sign(digest)
            .map_err(|error| self.trouble.keep(error))?;
        let (r, s) = signature.split_at(32);
        Ok(Signature::ECDSA {
            r: MPI::new(r),
            s: MPI::new(s),
        })
    }
}

/// Decrypts with the gateway's OpenPGP encryption subkey.
pub(crate) struct TokenDecryptor<'a> {
    pub(crate) key: PublicKey,
    pub(crate) token: &'a dyn PgpDecryption,
    pub(crate) trouble: Trouble,
}

impl Decryptor for TokenDecryptor<'_> {
    fn public(&self) -> &PublicKey {
        &self.key
    }

    fn decrypt(&mut self, ciphertext: &Ciphertext, length: Option<usize>) -> Result<SessionKey> {
        let Ciphertext::ECDH { e, .. } = ciphertext else {
            return Err(Error::InvalidArgument("not for this key".to_owned()).into());
        };
        let shared = self
            .token
            .pgp_agree(e.value())
            .map_err(|error| self.trouble.keep(error))?;
        let shared = Protected::from(shared.expose());
        ecdh::decrypt_unwrap(&self.key, &shared, ciphertext, length)
    }
}
