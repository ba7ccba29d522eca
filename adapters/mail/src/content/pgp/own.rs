//! The gateway's own certificate.

use chancery_hsm_api::{KeyRole, PgpSigning, PublicKeys};
use chancery_message::Timestamp;
use sequoia_openpgp::crypto::mpi::{self, MPI};
use sequoia_openpgp::packet::key::{Key4, PublicParts, SubordinateRole};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Key, UserID};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{
    Curve, Features, HashAlgorithm, KeyFlags, PublicKeyAlgorithm, SignatureType, SymmetricAlgorithm,
};
use sequoia_openpgp::{Cert, Packet};

use super::policy::system_time;
use super::registered::CertificateError;
use super::token::{PublicKey, TokenSigner, Trouble};

/// The gateway's certificate, parsed: kept by whoever reads or renders.
#[derive(Clone, Debug)]
pub struct OwnCertificate {
    cert: Cert,
    signing: PublicKey,
    encryption: PublicKey,
}

impl OwnCertificate {
    /// Reads what [`build`] made.
    ///
    /// # Errors
    /// When it is not one certificate with an ECDSA primary key and an ECDH
    /// subkey, both P-256.
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let cert = Cert::from_bytes(bytes).map_err(CertificateError::unreadable)?;
        let signing = cert.primary_key().key().clone().role_into_unspecified();
        let curve = |key: &PublicKey| match key.mpis() {
            mpi::PublicKey::ECDSA { curve, .. } | mpi::PublicKey::ECDH { curve, .. } => {
                *curve == Curve::NistP256
            }
            _ => false,
        };
        let encryption = cert
            .keys()
            .subkeys()
            .map(|subkey| subkey.key().clone().role_into_unspecified())
            .find(|key| key.pk_algo() == PublicKeyAlgorithm::ECDH && curve(key))
            .ok_or(CertificateError::NotOurs)?;
        if signing.pk_algo() != PublicKeyAlgorithm::ECDSA || !curve(&signing) {
            return Err(CertificateError::NotOurs);
        }
        Ok(Self {
            cert,
            signing,
            encryption,
        })
    }

    /// Fingerprint of the primary key, upper-case hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.cert.fingerprint().to_hex()
    }

    pub(crate) const fn cert(&self) -> &Cert {
        &self.cert
    }

    pub(crate) const fn signing(&self) -> &PublicKey {
        &self.signing
    }

    pub(crate) const fn encryption(&self) -> &PublicKey {
        &self.encryption
    }
}

/// Makes the gateway's certificate (OpenPGP v4): the token's signing key as
/// primary, its ECDH key as encryption subkey, one user id, all signed by the
/// token. `now` becomes the keys' creation time and thereby part of the
/// fingerprint: it is made once and kept. It advertises SEIPDv1 alone, which
/// GnuPG 2.2 reads and writes.
///
/// # Errors
/// When the token fails, or `user_id` is not `Name <address>`.
pub fn build(
    signer: &dyn PgpSigning,
    keys: &dyn PublicKeys,
    user_id: &str,
    now: Timestamp,
) -> Result<Vec<u8>, CertificateError> {
    let address = user_id
        .split_once('<')
        .and_then(|(_, rest)| rest.strip_suffix('>'))
        .and_then(|address| crate::Address::parse(address, false).ok());
    if address.is_none() || user_id.chars().any(char::is_control) || user_id.len() > 255 {
        return Err(CertificateError::UserId);
    }
    let point = |role: &KeyRole| keys.public_key(role).map_err(CertificateError::Token);
    let sign_point = point(&KeyRole::PgpSign)?;
    let decrypt_point = point(&KeyRole::PgpDecrypt)?;
    let trouble = Trouble::default();
    assemble(signer, &sign_point, &decrypt_point, user_id, now, &trouble).map_err(|error| {
        trouble.take().map_or_else(
            || CertificateError::unreadable(error),
            CertificateError::Token,
        )
    })
}

fn assemble(
    token: &dyn PgpSigning,
    sign_point: &[u8],
    decrypt_point: &[u8],
    user_id: &str,
    now: Timestamp,
    trouble: &Trouble,
) -> sequoia_openpgp::Result<Vec<u8>> {
    let at = system_time(now);
    let primary = Key4::new(
        at,
        PublicKeyAlgorithm::ECDSA,
        mpi::PublicKey::ECDSA {
            curve: Curve::NistP256,
            q: MPI::new(sign_point),
        },
    )?;
    let subkey: Key<PublicParts, SubordinateRole> = Key4::new(
        at,
        PublicKeyAlgorithm::ECDH,
        mpi::PublicKey::ECDH {
            curve: Curve::NistP256,
            q: MPI::new(decrypt_point),
            hash: HashAlgorithm::SHA256,
            sym: SymmetricAlgorithm::AES256,
        },
    )?
    .into();
    let primary = Key::from(primary);
    let mut signer = TokenSigner {
        key: primary.clone().role_into_unspecified(),
        token,
        trouble: trouble.clone(),
    };
    let cert = Cert::try_from(vec![Packet::PublicKey(primary)])?;
    let user_id = UserID::from(user_id);
    let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(HashAlgorithm::SHA256)
        .set_signature_creation_time(at)?
        .set_key_flags(KeyFlags::empty().set_certification().set_signing())?
        .set_features(Features::empty().set_seipdv1())?
        .set_preferred_symmetric_algorithms(vec![SymmetricAlgorithm::AES256])?
        .set_preferred_hash_algorithms(vec![HashAlgorithm::SHA256, HashAlgorithm::SHA512])?;
    let user_binding = user_id.bind(&mut signer, &cert, binding)?;
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_hash_algo(HashAlgorithm::SHA256)
        .set_signature_creation_time(at)?
        .set_key_flags(
            KeyFlags::empty()
                .set_transport_encryption()
                .set_storage_encryption(),
        )?;
    let subkey_binding = subkey.bind(&mut signer, &cert, binding)?;
    let (cert, _) = cert.insert_packets(vec![
        Packet::from(user_id),
        Packet::from(user_binding),
        Packet::PublicSubkey(subkey),
        Packet::from(subkey_binding),
    ])?;
    cert.to_vec()
}
