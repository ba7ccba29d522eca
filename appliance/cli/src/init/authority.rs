//! The node's own certification authority: certificates for its doors, whose
//! keys are in the token, and for the clients that are enrolled here.

use std::path::Path;

use chancery_machine::SystemClock;
use chancery_message::Clock as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use time::{Duration, OffsetDateTime};

use crate::failure::{Failure, failed};
use crate::files;

/// Days that a door's or client's certificate is good for.
const LEAF_DAYS: i64 = 397;
/// Days that the authority itself is.
const AUTHORITY_DAYS: i64 = 3650;

/// The authority, with its key.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A P-256 public key that somebody else holds: the uncompressed point.
pub(crate) struct Point(pub(crate) Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Server,
    Client,
}

impl Authority {
    /// A new one: certificate and key into `folder` (`ca.pem`, `ca.key`).
    pub(crate) fn make(folder: &Path, node: &str) -> Result<Self, Failure> {
        let mut params = params(&format!("Chancery {node} authority"), &[], AUTHORITY_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed("the authority's key"))?;
        let certificate = params
            .self_signed(&key)
            .map_err(failed("the authority's certificate"))?;
        files::create(
            &folder.join("ca.key"),
            0o400,
            key.serialize_pem().as_bytes(),
        )?;
        files::create(&folder.join("ca.pem"), 0o444, certificate.pem().as_bytes())?;
        Ok(Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// The one in `folder`.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let key = files::text(&folder.join("ca.key"), 1 << 16)?;
        let key = KeyPair::from_pem(&key).map_err(failed("the authority's key"))?;
        let pem = files::text(&folder.join("ca.pem"), 1 << 16)?;
        let issuer =
            Issuer::from_ca_cert_pem(&pem, key).map_err(failed("the authority's certificate"))?;
        Ok(Self { issuer, pem })
    }

    /// The authority's certificate, PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for this public key, PEM and DER.
    pub(crate) fn certify(
        &self,
        name: &str,
        hosts: &[String],
        usage: Use,
        key: &impl PublicKeyData,
    ) -> Result<(String, Vec<u8>), Failure> {
        let mut params = params(name, hosts, LEAF_DAYS)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match usage {
            Use::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Use::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let made = params
            .signed_by(key, &self.issuer)
            .map_err(failed(format!("the certificate of {name}")))?;
        Ok((made.pem(), made.der().to_vec()))
    }
}

/// A new P-256 key, PKCS#8 PEM beside it.
pub(crate) fn new_key() -> Result<(KeyPair, String), Failure> {
    let key = KeyPair::generate().map_err(failed("a new key"))?;
    let pem = key.serialize_pem();
    Ok((key, pem))
}

fn params(name: &str, hosts: &[String], days: i64) -> Result<CertificateParams, Failure> {
    let mut params =
        CertificateParams::new(hosts.to_vec()).map_err(failed("the names of a certificate"))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now =
        OffsetDateTime::from_unix_timestamp(SystemClock.now().as_micros().div_euclid(1_000_000))
            .map_err(failed("the clock"))?;
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(days);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
