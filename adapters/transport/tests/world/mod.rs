//! A small PKI, a token made of software and a clock that stands still.
#![allow(dead_code, reason = "every test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use chancery_hsm_api::{
    DoorZone, KeyError, KeyErrorKind, KeyRole, PublicKeys, TlsSigning, is_certificate_verify,
};
use chancery_message::{Clock, Timestamp};
use chancery_transport::{ClientProfile, ClientTls, Clients, Handshakes, ServerProfile, ServerTls};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer;
use p256::pkcs8::DecodePrivateKey;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

pub(crate) struct Still(pub(crate) OffsetDateTime);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.unix_timestamp() * 1_000_000)
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(Still(NOW))
}

/// A token made of software, with the port's own refusal.
pub(crate) struct SoftToken {
    key: SigningKey,
    pub(crate) broken: bool,
}

impl SoftToken {
    /// The same key in a token that answers no signature.
    pub(crate) fn broken_copy(token: &Self) -> Self {
        Self {
            key: token.key.clone(),
            broken: true,
        }
    }
}

impl TlsSigning for SoftToken {
    fn tls_sign(&self, _: DoorZone, message: &[u8]) -> Result<[u8; 64], KeyError> {
        if self.broken {
            return Err(KeyError::new(
                KeyErrorKind::Busy,
                "sign a handshake",
                "too much at once",
            ));
        }
        if !is_certificate_verify(message) {
            return Err(KeyError::new(
                KeyErrorKind::Denied,
                "sign a handshake",
                "not a CertificateVerify",
            ));
        }
        let signature: p256::ecdsa::Signature = self.key.sign(message);
        Ok(signature.to_bytes().into())
    }
}

impl PublicKeys for SoftToken {
    fn public_key(&self, _: &KeyRole) -> Result<Vec<u8>, KeyError> {
        Ok(self
            .key
            .verifying_key()
            .to_encoded_point(false)
            .as_bytes()
            .to_vec())
    }
}

pub(crate) struct Ca {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: Certificate,
    pub(crate) key_pem: String,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let key_pem = key.serialize_pem();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
            key_pem,
        }
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.certificate.pem().into_bytes()
    }

    pub(crate) fn crl(&self, revoked: &[u64], next_update: OffsetDateTime) -> Vec<u8> {
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: datetime!(2026-05-01 00:00 UTC),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: datetime!(2026-05-01 00:00 UTC),
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer)
            .unwrap()
            .pem()
            .unwrap()
            .into_bytes()
    }

    /// A certificate for a client, and its key.
    pub(crate) fn client(&self, serial: u64) -> (Vec<u8>, Vec<u8>) {
        self.client_as(serial, |_| ())
    }

    pub(crate) fn client_as(
        &self,
        serial: u64,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<u8>, Vec<u8>) {
        let mut params = params("client");
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            certificate.pem().into_bytes(),
            key.serialize_pem().into_bytes(),
        )
    }
}

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = datetime!(2026-01-01 00:00 UTC);
    params.not_after = datetime!(2027-01-01 00:00 UTC);
    params
}

/// One gateway with its CA, and a CA of clients.
pub(crate) struct World {
    pub(crate) server_ca: Ca,
    pub(crate) client_ca: Ca,
    pub(crate) token: Arc<SoftToken>,
    pub(crate) chain: Vec<u8>,
}

impl World {
    pub(crate) fn new() -> Self {
        let server_ca = Ca::new("server CA");
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = datetime!(2026-01-01 00:00 UTC);
        params.not_after = datetime!(2027-01-01 00:00 UTC);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let chain = params
            .signed_by(&key, &server_ca.issuer)
            .unwrap()
            .pem()
            .into_bytes();
        let token = SoftToken {
            key: SigningKey::from_pkcs8_der(key.serialized_der()).unwrap(),
            broken: false,
        };
        Self {
            server_ca,
            client_ca: Ca::new("client CA"),
            token: Arc::new(token),
            chain,
        }
    }

    pub(crate) fn profile(&self, crl: Option<Vec<u8>>) -> ServerProfile {
        ServerProfile {
            zone: DoorZone::Rest,
            certificate_chain: self.chain.clone(),
            clients: Clients::Required {
                ca: self.client_ca.pem(),
                crl,
            },
            alpn: vec!["h2", "http/1.1"],
        }
    }

    pub(crate) fn server(&self, crl: Option<Vec<u8>>) -> Arc<ServerTls> {
        self.server_with(&self.profile(crl), Handshakes::default())
    }

    pub(crate) fn server_with(
        &self,
        profile: &ServerProfile,
        handshakes: Handshakes,
    ) -> Arc<ServerTls> {
        let signing = Arc::clone(&self.token);
        Arc::new(
            ServerTls::new(profile, handshakes, self.token.as_ref(), signing, clock()).unwrap(),
        )
    }

    pub(crate) fn client(&self, (certificate_chain, key): (Vec<u8>, Vec<u8>)) -> ClientTls {
        let profile = ClientProfile {
            ca: self.server_ca.pem(),
            certificate_chain,
            key,
            alpn: vec!["http/1.1"],
        };
        ClientTls::new(&profile, clock()).unwrap()
    }
}

pub(crate) fn quick() -> Handshakes {
    Handshakes {
        at_once: 2,
        pending: 4,
        deadline: Duration::from_millis(400),
        ..Handshakes::default()
    }
}
