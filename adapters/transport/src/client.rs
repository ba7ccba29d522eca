//! The other end: for the command line, and for tests.

use std::fmt;
use std::sync::Arc;

use chancery_message::Clock;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::provider::{ClockTime, provider};
use crate::{HandshakeError, TlsError, certificate};

/// Whom a client trusts and what it shows. Files are read by the caller.
#[derive(Clone)]
pub struct ClientProfile {
    /// The CA of the gateway, PEM: nothing else is trusted, the system's
    /// roots neither.
    pub ca: Vec<u8>,
    /// The client's certificate chain, leaf first, PEM.
    pub certificate_chain: Vec<u8>,
    /// Its private key, PEM (PKCS#8, SEC 1 or PKCS#1, not encrypted).
    pub key: Vec<u8>,
    /// Application protocols in the order of preference.
    pub alpn: Vec<&'static str>,
}

impl fmt::Debug for ClientProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientProfile")
            .field("alpn", &self.alpn)
            .finish_non_exhaustive()
    }
}

/// A client's end of mutual TLS 1.3.
#[derive(Clone)]
pub struct ClientTls {
    connector: TlsConnector,
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

impl ClientTls {
    /// Checks the profile whole.
    ///
    /// # Errors
    /// [`TlsError`] when a file is unusable or key and certificate do not
    /// belong together.
    pub fn new(profile: &ClientProfile, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        const CA: &str = "gateway's CA";
        const KEY: &str = "client key";
        let provider = provider();
        let mut roots = RootCertStore::empty();
        for root in certificate::chain(CA, &profile.ca)? {
            roots
                .add(root)
                .map_err(|error| TlsError::unusable(CA, error))?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| TlsError::unusable(CA, error))?;
        let chain = certificate::chain("client certificate", &profile.certificate_chain)?;
        let key = PrivateKeyDer::from_pem_slice(&profile.key)
            .map_err(|_| TlsError::unusable(KEY, "there is no unencrypted private key in it"))?;
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(ClockTime(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| TlsError::unusable(KEY, error))?
            .with_webpki_verifier(verifier)
            .with_client_auth_cert(chain, key)
            .map_err(|error| TlsError::unusable(KEY, error))?;
        config.alpn_protocols = profile
            .alpn
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Does the handshake with the host of that name (or address).
    ///
    /// # Errors
    /// [`HandshakeError`]. A refusal of this client's certificate shows only
    /// when the stream is first read (TLS 1.3: the server answers last).
    pub async fn connect<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            HandshakeError::Protocol("the gateway's host name is not a valid name".to_owned())
        })?;
        self.connector
            .connect(name, stream)
            .await
            .map_err(|error| HandshakeError::from(&error))
    }

    /// For libraries that connect themselves.
    #[must_use]
    pub fn connector(&self) -> TlsConnector {
        self.connector.clone()
    }
}
