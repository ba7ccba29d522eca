//! Signatures, key agreement and public keys of P-256 pairs.
//!
//! The token gets digests, never messages: many tokens lack hash-and-sign
//! mechanisms. What may be signed is checked before.

use chancery_hsm_api::{
    DoorZone, KeyError, KeyErrorKind, KeyRole, NoteSigning, PgpDecryption, PgpSigning, PublicKeys,
    SharedSecret, TlsSigning, is_certificate_verify,
};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::Token;
use crate::fault::Fault;
use crate::pool::Call;

const NOTE: &str = "sign a checkpoint";
const PGP_SIGN: &str = "sign for OpenPGP";
const PGP_AGREE: &str = "agree on a key for OpenPGP";
const TLS: &str = "sign a TLS handshake";
const PUBLIC: &str = "give a public key";

impl NoteSigning for Token {
    fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], KeyError> {
        self.sign(NOTE, &KeyRole::AuditCheckpoint, &Sha256::digest(text))
    }
}

impl PgpSigning for Token {
    fn pgp_sign(&self, digest: &[u8]) -> Result<[u8; 64], KeyError> {
        // SHA-256, SHA-384, SHA-512; the leftmost bits count (FIPS 186-5 section 6.4.1).
        let Some(left) = digest
            .get(..32)
            .filter(|_| matches!(digest.len(), 32 | 48 | 64))
        else {
            let detail = "a digest has 32, 48 or 64 bytes";
            return Err(KeyError::new(KeyErrorKind::Data, PGP_SIGN, detail));
        };
        // Peers would refuse a wrong signature long after the message is gone.
        let signature = self.sign(PGP_SIGN, &KeyRole::PgpSign, left)?;
        let point = self.public_key(&KeyRole::PgpSign)?;
        let verified = VerifyingKey::from_sec1_bytes(&point)
            .and_then(|key| key.verify_prehash(left, &Signature::from_slice(&signature)?));
        verified.map_err(|_| {
            let detail = "the token's signature does not verify under its own public key";
            KeyError::new(KeyErrorKind::DeviceLost, PGP_SIGN, detail)
        })?;
        Ok(signature)
    }
}

impl TlsSigning for Token {
    fn tls_sign(&self, zone: DoorZone, message: &[u8]) -> Result<[u8; 64], KeyError> {
        if !is_certificate_verify(message) {
            let detail = "the message is no TLS 1.3 CertificateVerify";
            return Err(KeyError::new(KeyErrorKind::Denied, TLS, detail));
        }
        self.sign(TLS, &KeyRole::Tls(zone), &Sha256::digest(message))
    }
}

impl PgpDecryption for Token {
    fn pgp_agree(&self, ephemeral: &[u8]) -> Result<SharedSecret, KeyError> {
        // Checked here, so that what the token then complains of is the token's.
        // A point off the curve would betray the private key bit by bit.
        if ephemeral.len() != 65 || p256::PublicKey::from_sec1_bytes(ephemeral).is_err() {
            let detail = "the ephemeral key is no point of P-256";
            return Err(KeyError::new(KeyErrorKind::Data, PGP_AGREE, detail));
        }
        let role = KeyRole::PgpDecrypt;
        let generation = self.keys.newest(&role);
        self.pool.run(PGP_AGREE, |call| {
            self.agree_with(call, &role, generation, ephemeral)
        })
    }
}

impl PublicKeys for Token {
    fn public_key(&self, role: &KeyRole) -> Result<Vec<u8>, KeyError> {
        let generation = self.keys.newest(role);
        self.pool
            .run(PUBLIC, |call| self.keys.public(call, role, generation))
    }
}

impl Token {
    fn sign(&self, what: &str, role: &KeyRole, digest: &[u8]) -> Result<[u8; 64], KeyError> {
        let generation = self.keys.newest(role);
        self.pool
            .run(what, |call| self.sign_with(call, role, generation, digest))
    }

    pub(crate) fn sign_with(
        &self,
        call: &Call<'_>,
        role: &KeyRole,
        generation: u32,
        digest: &[u8],
    ) -> Result<[u8; 64], Fault> {
        let key = self.keys.hidden(call, role, generation)?;
        self.sign_by(call.session()?, key, digest)
    }

    #[allow(clippy::unused_self, reason = "reads as what the token does")]
    pub(crate) fn sign_by(
        &self,
        session: &Session,
        key: ObjectHandle,
        digest: &[u8],
    ) -> Result<[u8; 64], Fault> {
        let signature = session.sign(&Mechanism::Ecdsa, key, digest)?;
        signature.try_into().map_err(|_| {
            let detail = "the token's signature has another length than 64 bytes";
            KeyError::new(KeyErrorKind::Unsupported, "sign", detail).into()
        })
    }

    pub(crate) fn agree_with(
        &self,
        call: &Call<'_>,
        role: &KeyRole,
        generation: u32,
        ephemeral: &[u8],
    ) -> Result<SharedSecret, Fault> {
        let key = self.keys.hidden(call, role, generation)?;
        self.agree_by(call, key, ephemeral)
    }

    #[allow(clippy::unused_self, reason = "reads as what the token does")]
    pub(crate) fn agree_by(
        &self,
        call: &Call<'_>,
        key: ObjectHandle,
        ephemeral: &[u8],
    ) -> Result<SharedSecret, Fault> {
        let params = Ecdh1DeriveParams::new(EcKdf::null(), ephemeral);
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::ValueLen(32.into()),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
        ];
        let session = call.session()?;
        let object = session.derive_key(&Mechanism::Ecdh1Derive(params), key, &template)?;
        call.with_object(object, |session| {
            match session
                .get_attributes(object, &[AttributeType::Value])?
                .pop()
            {
                Some(Attribute::Value(value)) if value.len() == 32 => Ok(SharedSecret::new(value)),
                _ => {
                    let detail = "the token does not give the agreed secret";
                    Err(KeyError::new(KeyErrorKind::Unsupported, PGP_AGREE, detail).into())
                }
            }
        })
    }
}
