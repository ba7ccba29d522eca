//! A server's certificate for `localhost`, its own authority.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Own {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Own {
    /// For `localhost` and 127.0.0.1.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)
            .unwrap()
            .self_signed(&key)
            .unwrap();
        Self { certificate, key }
    }

    /// Writes `ca.pem` into a folder; its path.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join("ca.pem");
        std::fs::write(&file, self.certificate.pem()).unwrap();
        file
    }

    /// Key and certificate, PEM.
    pub(crate) fn pem(&self) -> String {
        self.key.serialize_pem() + &self.certificate.pem()
    }

    /// For a TLS library.
    pub(crate) fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (
            vec![self.certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key),
        )
    }
}
