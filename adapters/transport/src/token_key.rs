//! A TLS key that stays in the token.

use std::fmt;
use std::sync::Arc;

use chancery_hsm_api::{DoorZone, TlsSigning};
use p256::ecdsa::Signature;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use tokio::runtime::{Handle, RuntimeFlavor};

/// A door's key, as rustls sees it.
#[derive(Clone)]
pub(crate) struct TokenKey {
    pub(crate) zone: DoorZone,
    pub(crate) signing: Arc<dyn TlsSigning>,
    /// The SubjectPublicKeyInfo of the certificate, checked against the token.
    pub(crate) spki: Arc<[u8]>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({})", self.zone)
    }
}

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            .then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.spki.as_ref()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let ask = || self.signing.tls_sign(self.zone, message);
        // The token blocks: other tasks of this worker move elsewhere meanwhile.
        // (A current-thread runtime cannot do that; only tests use one.)
        let answer = match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(ask),
            _ => ask(),
        };
        let raw = answer.map_err(|error| Error::General(error.to_string()))?;
        // The token answers r || s (PKCS#11); TLS wants DER (RFC 8446 section 4.2.3).
        let signature = Signature::from_slice(&raw).map_err(|_| {
            Error::General("the token's answer is not an ECDSA signature".to_owned())
        })?;
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
