//! Why a profile cannot be used, and why a handshake failed.

use std::fmt;
use std::sync::Arc;

use chancery_hsm_api::KeyError;
use chancery_message::Timestamp;
use rustls::{CertificateError, Error, PeerIncompatible};

/// A TLS profile cannot be used. Said at start and at reload; a reload that
/// fails leaves the profile before it in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error("the {what} cannot be used: {why}")]
    Unusable {
        /// Which: `certificate chain`, `client CA`, `revocation list`, `client key`.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate is not for the key that the token holds.
    #[error(
        "the certificate's public key is not that of {role} in the token: issue a certificate for the token's key"
    )]
    OtherKey {
        /// The role of the key.
        role: String,
    },
    /// The certificate's validity has ended or not begun.
    #[error("the {what} is not valid now: it is valid from {from} to {to}")]
    NotValidNow {
        /// Which.
        what: &'static str,
        /// From when.
        from: Timestamp,
        /// To when.
        to: Timestamp,
    },
    /// The token could not be asked.
    #[error("the token could not be asked for the TLS key: {0}")]
    Key(#[from] KeyError),
}

impl TlsError {
    pub(crate) fn unusable(what: &'static str, why: impl fmt::Display) -> Self {
        Self::Unusable {
            what,
            why: why.to_string(),
        }
    }
}

/// A handshake came to nothing. [`HandshakeError::reason`] is the fixed word
/// for the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Too many handshakes wait already.
    #[error("too many handshakes at once")]
    Busy,
    /// The peer took too long.
    #[error("the peer did not finish the handshake in time")]
    TooSlow,
    /// The peer showed no certificate.
    #[error("the peer showed no certificate")]
    NoCertificate,
    /// The peer's certificate was refused.
    #[error("the peer's certificate was refused: {0}")]
    Certificate(Refused),
    /// Our own key could not sign.
    #[error("the door's key could not sign: {0}")]
    Key(String),
    /// The peer does not speak what this profile speaks.
    #[error("no TLS 1.3 with this peer: {0}")]
    Protocol(String),
    /// The connection broke.
    #[error("the connection broke during the handshake")]
    Lost,
}

/// Why a client certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not issued under the door's client CA.
    #[error("unknown issuer")]
    UnknownIssuer,
    /// On the revocation list.
    #[error("revoked")]
    Revoked,
    /// No revocation list covers it.
    #[error("its revocation status is unknown")]
    RevocationUnknown,
    /// The revocation list is out of date: nobody gets in before a new one is loaded.
    #[error("the revocation list has expired")]
    RevocationListExpired,
    /// Expired or not valid yet.
    #[error("not valid now")]
    NotValidNow,
    /// A key or signature algorithm that is too weak.
    #[error("its key or signature is too weak")]
    Weak,
    /// Anything else.
    #[error("not a valid client certificate")]
    Invalid,
}

impl HandshakeError {
    /// A fixed word for audit records and counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Busy => "handshake-busy",
            Self::TooSlow => "handshake-too-slow",
            Self::NoCertificate => "no-certificate",
            Self::Certificate(Refused::UnknownIssuer) => "certificate-unknown-issuer",
            Self::Certificate(Refused::Revoked) => "certificate-revoked",
            Self::Certificate(Refused::RevocationUnknown) => "certificate-revocation-unknown",
            Self::Certificate(Refused::RevocationListExpired) => "revocation-list-expired",
            Self::Certificate(Refused::NotValidNow) => "certificate-not-valid-now",
            Self::Certificate(Refused::Weak) => "certificate-weak",
            Self::Certificate(Refused::Invalid) => "certificate-invalid",
            Self::Key(_) => "tls-key",
            Self::Protocol(_) => "tls-protocol",
            Self::Lost => "connection-lost",
        }
    }
}

impl From<&std::io::Error> for HandshakeError {
    fn from(error: &std::io::Error) -> Self {
        match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>())
        {
            Some(error) => error.into(),
            None if error.kind() == std::io::ErrorKind::TimedOut => Self::TooSlow,
            None => Self::Lost,
        }
    }
}

impl From<&Error> for HandshakeError {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(error) => Self::Certificate(error.into()),
            Error::General(text) => Self::Key(text.clone()),
            // A peer without a common signature algorithm has no usable key for us.
            Error::PeerIncompatible(
                PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
            ) => Self::Certificate(Refused::Weak),
            other => Self::Protocol(other.to_string()),
        }
    }
}

impl From<&CertificateError> for Refused {
    fn from(error: &CertificateError) -> Self {
        match error {
            // A bad signature: another CA of the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnknownRevocationStatus => Self::RevocationUnknown,
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::RevocationListExpired,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::NotValidNow,
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::Weak
            }
            CertificateError::Other(other) if other.0.is::<WeakCertificate>() => Self::Weak,
            _ => Self::Invalid,
        }
    }
}

/// What the strict verifier answers to rustls for a weak leaf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WeakCertificate(pub(crate) String);

impl From<WeakCertificate> for Error {
    fn from(weak: WeakCertificate) -> Self {
        Self::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(weak))))
    }
}
