//! Other people's certificates: read for the directory, judged when used.

use chancery_hsm_api::KeyError;
use chancery_message::{ContentProtection, Timestamp};
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{HashAlgorithm, RevocationStatus, SymmetricAlgorithm};
use sequoia_openpgp::{Cert, cert::CertParser};

use super::algorithm;
use super::policy::{policy, system_time, timestamp};

/// Largest certificate that is read, bytes.
pub const MAX_CERTIFICATE: usize = 256 * 1024;
/// Most subkeys of a certificate.
const MAX_SUBKEYS: usize = 64;
/// Most keys that a message is encrypted to.
const MAX_ENCRYPTION_KEYS: usize = 8;

/// A certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a certificate.
    #[error("not an OpenPGP certificate: {0}")]
    Unreadable(String),
    /// Other than exactly one certificate.
    #[error("the file has not exactly one certificate; give one file for each")]
    NotOne,
    /// A private key.
    #[error("the file has a private key; export the public certificate alone")]
    Secret,
    /// Flooded.
    #[error("the certificate is larger than 256 KiB or has more than 64 subkeys; strip it first")]
    TooLarge,
    /// Not valid now: expired, revoked, weak or not bound.
    #[error("the certificate is not valid now: {0}")]
    NotValid(&'static str),
    /// No key that may encrypt, or sign.
    #[error("the certificate has no valid key to {0} with")]
    NoKey(&'static str),
    /// Not the gateway's own.
    #[error("not a certificate of this gateway: it has other keys than the token's roles")]
    NotOurs,
    /// The user id.
    #[error("the user id must be `Name <address>`")]
    UserId,
    /// The token failed.
    #[error(transparent)]
    Token(KeyError),
}

impl CertificateError {
    #[allow(
        clippy::needless_pass_by_value,
        reason = "the error type is not named here and is passed on by map_err"
    )]
    pub(crate) fn unreadable(error: impl ToString) -> Self {
        Self::Unreadable(
            error
                .to_string()
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect(),
        )
    }
}

/// What a certificate says, for the directory and its forecasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Fingerprint of the primary key, upper-case hexadecimal.
    pub fingerprint: String,
    /// Its addresses, lower case.
    pub addresses: Vec<String>,
    /// When it ends; none if it says no end.
    pub expires_at: Option<Timestamp>,
    /// Whether mail can be encrypted to it now.
    pub can_encrypt: bool,
    /// Whether it can sign now.
    pub can_sign: bool,
}

/// Reads a file with exactly one public certificate, armored or binary, for
/// the directory. Answers its binary form.
///
/// # Errors
/// [`CertificateError`], which says what to do.
pub fn read_file(file: &[u8]) -> Result<Vec<u8>, CertificateError> {
    if file.len() > MAX_CERTIFICATE * 2 {
        return Err(CertificateError::TooLarge);
    }
    let mut certs = CertParser::from_bytes(file).map_err(CertificateError::unreadable)?;
    let cert = match (certs.next(), certs.next()) {
        (Some(cert), None) => cert.map_err(CertificateError::unreadable)?,
        _ => return Err(CertificateError::NotOne),
    };
    if cert.is_tsk() {
        return Err(CertificateError::Secret);
    }
    let binary = cert.to_vec().map_err(CertificateError::unreadable)?;
    parse(&binary)?;
    Ok(binary)
}

/// The armored form, to be handed to partners.
///
/// # Errors
/// When it is no certificate.
pub fn armored(bytes: &[u8]) -> Result<String, CertificateError> {
    let cert = parse(bytes)?;
    let text = cert
        .armored()
        .to_vec()
        .map_err(CertificateError::unreadable)?;
    String::from_utf8(text).map_err(CertificateError::unreadable)
}

/// What a certificate says as of `now`.
///
/// # Errors
/// When it is not valid: expired, revoked, or with algorithms that are too weak.
pub fn inspect(bytes: &[u8], now: Timestamp) -> Result<CertificateInfo, CertificateError> {
    let cert = parse(bytes)?;
    let policy = policy(now);
    let at = system_time(now);
    check(&cert, now)?;
    let valid = cert
        .with_policy(&policy, at)
        .map_err(|_| CertificateError::NotValid(UNBOUND))?;
    let keys = || valid.keys().supported().alive().revoked(false);
    Ok(CertificateInfo {
        fingerprint: cert.fingerprint().to_hex(),
        addresses: valid
            .userids()
            .filter_map(|user| user.userid().email().ok().flatten().map(str::to_lowercase))
            .collect(),
        expires_at: valid.primary_key().key_expiration_time().map(timestamp),
        can_encrypt: keys().for_transport_encryption().next().is_some(),
        can_sign: keys().for_signing().next().is_some(),
    })
}

/// By which algorithms a mail to this certificate would be protected now.
///
/// # Errors
/// When nothing can be encrypted to it now.
pub fn algorithms(bytes: &[u8], now: Timestamp) -> Result<ContentProtection, CertificateError> {
    let cert = parse(bytes)?;
    let places = encryption_keys(&cert, now)?;
    let all: Vec<_> = cert.keys().collect();
    Ok(ContentProtection {
        encryption: places
            .iter()
            .filter_map(|place| all.get(*place))
            .map(|one| algorithm::key(one.key()))
            .collect(),
        // What the renderer makes: see `render`.
        signing: vec![OWN_KEY.to_owned()],
        symmetric: Some(algorithm::cipher(CIPHER)),
        hash: Some(algorithm::hash(DIGEST)),
    })
}

/// The gateway's own keys are on this curve.
const OWN_KEY: &str = "p256";
/// The cipher of mail that goes out.
pub(crate) const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;
/// The digest of its signature.
pub(crate) const DIGEST: HashAlgorithm = HashAlgorithm::SHA256;

pub(crate) const UNBOUND: &str = "it is not bound by a signature that is strong enough";

/// Reads a certificate within the limits.
pub(crate) fn parse(bytes: &[u8]) -> Result<Cert, CertificateError> {
    if bytes.len() > MAX_CERTIFICATE {
        return Err(CertificateError::TooLarge);
    }
    let cert = Cert::from_bytes(bytes).map_err(CertificateError::unreadable)?;
    if cert.keys().subkeys().count() > MAX_SUBKEYS {
        return Err(CertificateError::TooLarge);
    }
    Ok(cert)
}

/// Whether a certificate is valid as of `now`.
pub(crate) fn check(cert: &Cert, now: Timestamp) -> Result<(), CertificateError> {
    let policy = policy(now);
    let valid = cert
        .with_policy(&policy, system_time(now))
        .map_err(|_| CertificateError::NotValid(UNBOUND))?;
    if matches!(valid.revocation_status(), RevocationStatus::Revoked(_)) {
        return Err(CertificateError::NotValid("it is revoked"));
    }
    if valid.alive().is_err() {
        return Err(CertificateError::NotValid(
            "it is expired, or not valid yet",
        ));
    }
    Ok(())
}

/// The places (among all keys of the certificate) of those that mail is
/// encrypted to.
pub(crate) fn encryption_keys(cert: &Cert, now: Timestamp) -> Result<Vec<usize>, CertificateError> {
    check(cert, now)?;
    let policy = policy(now);
    let at = system_time(now);
    let mut places = Vec::new();
    for (place, key) in cert.keys().enumerate() {
        let Ok(valid) = key.with_policy(&policy, at) else {
            continue;
        };
        let good = valid.key().pk_algo().is_supported()
            && valid.alive().is_ok()
            && !matches!(valid.revocation_status(), RevocationStatus::Revoked(_))
            && valid.for_transport_encryption();
        if good && places.len() < MAX_ENCRYPTION_KEYS {
            places.push(place);
        }
    }
    if places.is_empty() {
        return Err(CertificateError::NoKey("encrypt"));
    }
    Ok(places)
}
