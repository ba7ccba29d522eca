//! Reading certificates: chains from PEM, evidence from a peer's, what is too weak.

use chancery_message::{CertificateEvidence, Timestamp};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;

use crate::TlsError;
use crate::error::WeakCertificate;

/// Longest chain that a door shows, and most certificates in a CA file.
const MAX_CERTIFICATES: usize = 32;
/// Fewest bits of an RSA key (BSI TR-02102-1 asks for 3000 from 2024; what is
/// refused here is what nobody accepts any more).
const MIN_RSA_BITS: usize = 2048;

/// All certificates of a PEM text.
pub(crate) fn chain(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError::unusable(what, "it is not PEM"))?;
    if certificates.is_empty() {
        return Err(TlsError::unusable(what, "there is no certificate in it"));
    }
    if certificates.len() > MAX_CERTIFICATES {
        return Err(TlsError::unusable(
            what,
            format!("more than {MAX_CERTIFICATES} certificates"),
        ));
    }
    for certificate in &certificates {
        parse(certificate)
            .ok_or_else(|| TlsError::unusable(what, "a certificate in it cannot be read"))?;
    }
    Ok(certificates)
}

/// All revocation lists of a PEM text, each with its next update.
pub(crate) fn revocation_lists(
    pem: &[u8],
) -> Result<
    (
        Vec<CertificateRevocationListDer<'static>>,
        Option<Timestamp>,
    ),
    TlsError,
> {
    const WHAT: &str = "revocation list";
    let lists = CertificateRevocationListDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError::unusable(WHAT, "it is not PEM"))?;
    if lists.is_empty() {
        return Err(TlsError::unusable(
            WHAT,
            "there is no revocation list in it",
        ));
    }
    let mut next = None;
    for list in &lists {
        let (_, parsed) = CertificateRevocationList::from_der(list.as_ref())
            .map_err(|_| TlsError::unusable(WHAT, "it cannot be read"))?;
        let until = parsed.next_update().ok_or_else(|| {
            TlsError::unusable(WHAT, "it names no next update: issue it with one")
        })?;
        let until = timestamp(&until);
        next = Some(next.map_or(until, |next: Timestamp| next.min(until)));
    }
    Ok((lists, next))
}

/// One certificate, read whole.
pub(crate) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    match X509Certificate::from_der(certificate.as_ref()) {
        Ok(([], parsed)) => Some(parsed),
        _ => None,
    }
}

/// What a verified peer certificate proves.
pub(crate) fn evidence(certificate: &CertificateDer<'_>) -> Option<CertificateEvidence> {
    let parsed = parse(certificate)?;
    Some(CertificateEvidence {
        fingerprint: Sha256::digest(certificate.as_ref()).into(),
        spki: Sha256::digest(parsed.tbs_certificate.subject_pki.raw).into(),
        not_after: timestamp(&parsed.validity().not_after),
        key: key_name(&parsed),
    })
}

/// The signature that a certificate's key makes in TLS 1.3, of RSA with the
/// size of the key rounded down to the next that is commonly named.
fn key_name(certificate: &X509Certificate<'_>) -> String {
    let key = certificate.public_key();
    if key.algorithm.algorithm == oid::OID_SIG_ED25519 {
        return "ed25519".to_owned();
    }
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => match rsa.key_size() {
            4096.. => "rsa_pss-4096".to_owned(),
            // 3072 bits, and the 3000 of BSI TR-02102-1.
            3000.. => "rsa_pss-3072".to_owned(),
            2048.. => "rsa_pss-2048".to_owned(),
            bits => format!("rsa_pss-{bits}"),
        },
        Ok(PublicKey::EC(point)) => match point.key_size() {
            256 => "ecdsa_secp256r1_sha256".to_owned(),
            384 => "ecdsa_secp384r1_sha384".to_owned(),
            // The size of a point of P-521, as x509-parser counts it.
            521 | 528 => "ecdsa_secp521r1_sha512".to_owned(),
            bits => format!("ecdsa-{bits}"),
        },
        _ => "unknown".to_owned(),
    }
}

/// Refuses what is too weak, whatever its issuer says (BSI TR-02102-2
/// section 3.5): RSA below 2048 bits, curves below P-256, SHA-1 and MD5.
pub(crate) fn strong(certificate: &CertificateDer<'_>) -> Result<(), WeakCertificate> {
    let weak = |why: &str| WeakCertificate(why.to_owned());
    let parsed = parse(certificate).ok_or_else(|| weak("it cannot be read"))?;
    let signed_with = &parsed.signature_algorithm.algorithm;
    let good_signature = [
        oid::OID_PKCS1_SHA256WITHRSA,
        oid::OID_PKCS1_SHA384WITHRSA,
        oid::OID_PKCS1_SHA512WITHRSA,
        oid::OID_PKCS1_RSASSAPSS,
        oid::OID_SIG_ECDSA_WITH_SHA256,
        oid::OID_SIG_ECDSA_WITH_SHA384,
        oid::OID_SIG_ECDSA_WITH_SHA512,
        oid::OID_SIG_ED25519,
    ];
    if !good_signature.contains(signed_with) {
        return Err(weak(
            "its signature algorithm is not accepted: use ECDSA, RSA or Ed25519 with SHA-256 or better",
        ));
    }
    let key = parsed.public_key();
    if key.algorithm.algorithm == oid::OID_SIG_ED25519 {
        return Ok(());
    }
    match key.parsed() {
        // The modulus is unsigned: a leading zero byte is not part of its size.
        Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= MIN_RSA_BITS => Ok(()),
        Ok(PublicKey::RSA(_)) => Err(weak("its RSA key is shorter than 2048 bits")),
        Ok(PublicKey::EC(point)) if point.key_size() >= 256 => Ok(()),
        Ok(PublicKey::EC(_)) => Err(weak("its curve is weaker than P-256")),
        _ => Err(weak("its key is of a kind that is not accepted")),
    }
}

/// The uncompressed P-256 point of a certificate's key.
pub(crate) fn p256_point(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    let spki = &certificate.tbs_certificate.subject_pki;
    let curve = spki.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let is_p256 =
        spki.algorithm.algorithm == oid::OID_KEY_TYPE_EC_PUBLIC_KEY && curve == oid::OID_EC_P256;
    let point = spki.subject_public_key.data.as_ref();
    (is_p256 && point.len() == 65).then(|| point.to_vec())
}

pub(crate) fn timestamp(time: &ASN1Time) -> Timestamp {
    Timestamp::from_micros(time.timestamp().saturating_mul(1_000_000))
}
