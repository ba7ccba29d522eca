//! Who may connect: client certificates of one CA, minus the revoked ones.

use std::sync::Arc;

use chancery_message::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{TlsError, certificate};

/// Whom a door asks for a certificate.
#[derive(Clone, Debug)]
pub enum Clients {
    /// Nobody (SMTP with STARTTLS): the connection is private, the peer has no identity.
    NotAsked,
    /// Everybody: who shows none, or none that is good, is refused.
    Required {
        /// The client CA's certificates, PEM.
        ca: Vec<u8>,
        /// The CA's revocation lists, PEM. With one, a certificate of unknown
        /// status is refused and an expired list refuses everybody. WARNING:
        /// without, a revoked certificate is good until it expires (the
        /// directory may still suspend its participant at once).
        crl: Option<Vec<u8>>,
    },
}

/// The verifier for these clients, and the revocation lists' next update.
pub(crate) type Verifier = (Option<Arc<dyn ClientCertVerifier>>, Option<Timestamp>);

impl Clients {
    pub(crate) fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Verifier, TlsError> {
        let Self::Required { ca, crl } = self else {
            return Ok((None, None));
        };
        const WHAT: &str = "client CA";
        let mut roots = RootCertStore::empty();
        for root in certificate::chain(WHAT, ca)? {
            certificate::strong(&root).map_err(|weak| TlsError::unusable(WHAT, weak))?;
            roots
                .add(root)
                .map_err(|error| TlsError::unusable(WHAT, error))?;
        }
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let mut next_update = None;
        if let Some(crl) = crl {
            let (lists, next) = certificate::revocation_lists(crl)?;
            next_update = next;
            // Whole chain checked, unknown status refused: rustls' defaults.
            builder = builder.with_crls(lists).enforce_revocation_expiration();
        }
        let inner = builder
            .build()
            .map_err(|error| TlsError::unusable("revocation list", error))?;
        Ok((Some(Arc::new(Strict(inner))), next_update))
    }
}

/// The verifier of rustls, and no weak leaf certificates on top.
#[derive(Debug)]
struct Strict(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Strict {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        certificate::strong(end_entity)?;
        self.0.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
