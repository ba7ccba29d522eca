//! The gateway's keys in software, behind the custody's traits.

use std::sync::atomic::{AtomicUsize, Ordering};

use chancery_hsm_api::{
    KeyError, KeyErrorKind, KeyRole, PgpDecryption, PgpSigning, PublicKeys, SharedSecret,
};
use chancery_mail::content::certificate::{OwnCertificate, build};
use chancery_message::{Entropy, EntropyError, Timestamp};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;

/// When the tests happen.
pub(crate) const NOW: &str = "2026-11-22T09:30:00Z";
/// The gateway's address.
pub(crate) const GATEWAY: &str = "gateway@gateway.example";

pub(crate) fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

/// Keys made of a seed.
pub(crate) struct SoftKeys {
    signing: SigningKey,
    decryption: p256::SecretKey,
    /// Key agreements that were asked for.
    pub(crate) agreements: AtomicUsize,
    /// True: the token is gone.
    pub(crate) broken: bool,
}

impl SoftKeys {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            signing: SigningKey::from_slice(&[seed; 32]).unwrap(),
            decryption: p256::SecretKey::from_slice(&[seed.wrapping_add(1); 32]).unwrap(),
            agreements: AtomicUsize::new(0),
            broken: false,
        }
    }

    pub(crate) fn certificate_bytes(&self, address: &str) -> Vec<u8> {
        let made = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        build(self, self, &format!("Chancery <{address}>"), made).unwrap()
    }

    pub(crate) fn certificate(&self, address: &str) -> OwnCertificate {
        OwnCertificate::parse(&self.certificate_bytes(address)).unwrap()
    }

    fn gone(&self) -> Result<(), KeyError> {
        if self.broken {
            return Err(KeyError::new(
                KeyErrorKind::DeviceLost,
                "a test",
                "no token",
            ));
        }
        Ok(())
    }
}

impl PgpSigning for SoftKeys {
    fn pgp_sign(&self, digest: &[u8]) -> Result<[u8; 64], KeyError> {
        self.gone()?;
        let signature: p256::ecdsa::Signature = self.signing.sign_prehash(digest).unwrap();
        Ok(signature.to_bytes().into())
    }
}

impl PgpDecryption for SoftKeys {
    fn pgp_agree(&self, ephemeral: &[u8]) -> Result<SharedSecret, KeyError> {
        self.agreements.fetch_add(1, Ordering::Relaxed);
        self.gone()?;
        let point = p256::PublicKey::from_sec1_bytes(ephemeral)
            .map_err(|_| KeyError::new(KeyErrorKind::Data, "agree", "not on the curve"))?;
        let shared =
            p256::ecdh::diffie_hellman(self.decryption.to_nonzero_scalar(), point.as_affine());
        Ok(SharedSecret::new(shared.raw_secret_bytes().to_vec()))
    }
}

impl PublicKeys for SoftKeys {
    fn public_key(&self, role: &KeyRole) -> Result<Vec<u8>, KeyError> {
        match role {
            KeyRole::PgpSign => {
                let point = self.signing.verifying_key().to_encoded_point(false);
                Ok(point.as_bytes().to_vec())
            }
            KeyRole::PgpDecrypt => {
                let point = self.decryption.public_key().to_encoded_point(false);
                Ok(point.as_bytes().to_vec())
            }
            _ => Err(KeyError::new(
                KeyErrorKind::Unknown,
                "a test",
                "no such key",
            )),
        }
    }
}

/// Random bytes that are not: a counter.
#[derive(Default)]
pub(crate) struct Counting(AtomicUsize);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        for byte in buffer {
            let next = self.0.fetch_add(1, Ordering::Relaxed);
            *byte = u8::try_from(next % 251).unwrap();
        }
        Ok(())
    }
}
