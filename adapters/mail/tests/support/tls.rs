//! A CA, a server's certificate, and STARTTLS with them.

use std::io;
use std::sync::Arc;

use chancery_mail::wire::{BoxStream, Upgrade};
use chancery_message::TransportEvidence;
use chancery_pipeline::ports::BoxFuture;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

pub(crate) struct Pki {
    pub(crate) ca_pem: Vec<u8>,
    pub(crate) server: Arc<ServerConfig>,
}

/// A server called `name` under a CA of its own.
pub(crate) fn pki(name: &str) -> Pki {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "test CA");
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    Pki {
        ca_pem: ca_certificate.pem().into_bytes(),
        server: Arc::new(server),
    }
}

/// STARTTLS with rustls.
pub(crate) struct Tls(pub(crate) Arc<ServerConfig>);

impl Upgrade for Tls {
    fn upgrade(
        &self,
        stream: BoxStream,
    ) -> BoxFuture<'_, io::Result<(BoxStream, TransportEvidence)>> {
        Box::pin(async move {
            let stream = TlsAcceptor::from(Arc::clone(&self.0))
                .accept(stream)
                .await?;
            let group = stream.get_ref().1.negotiated_key_exchange_group();
            let group = group
                .map(|group| format!("{:?}", group.name()))
                .unwrap_or_default();
            let stream: BoxStream = Box::new(stream);
            Ok((stream, TransportEvidence::ServerTls { group }))
        })
    }
}
