//! A door's end of TLS.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chancery_hsm_api::{DoorZone, KeyRole, PublicKeys, TlsSigning};
use chancery_message::{Clock, Timestamp};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::CertificateDer;

use crate::TlsError;
use crate::accept::{Gauge, Handshakes};
use crate::certificate;
use crate::clients::Clients;
use crate::provider::{ClockTime, provider};
use crate::token_key::TokenKey;

/// What a door shows and whom it lets in. Files are read by the caller.
#[derive(Clone, Debug)]
pub struct ServerProfile {
    /// The door's zone: which key of the token signs.
    pub zone: DoorZone,
    /// The certificate for that key and its intermediates, leaf first, PEM.
    pub certificate_chain: Vec<u8>,
    /// Who may connect.
    pub clients: Clients,
    /// Application protocols in the order of preference, for example `h2`,
    /// `http/1.1`; none for SMTP.
    pub alpn: Vec<&'static str>,
}

/// When what a door relies on ends: for forecasts and alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// End of validity of the door's certificate.
    pub certificate: Timestamp,
    /// Next update of the earliest revocation list; after it nobody gets in.
    pub revocation_list: Option<Timestamp>,
}

/// A door's end of TLS: cheap to share, reloadable while connections live.
pub struct ServerTls {
    clock: Arc<dyn Clock>,
    signing: Arc<dyn TlsSigning>,
    in_force: RwLock<Loaded>,
    pub(crate) gauge: Gauge,
}

struct Loaded {
    config: Arc<ServerConfig>,
    expiry: Expiry,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("expiry", &self.expiry())
            .finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Checks the profile whole and puts it in force.
    ///
    /// # Errors
    /// [`TlsError`]: a file is unusable, the certificate is not for the
    /// token's key or not valid now, the token could not be asked.
    pub fn new(
        profile: &ServerProfile,
        handshakes: Handshakes,
        keys: &dyn PublicKeys,
        signing: Arc<dyn TlsSigning>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let loaded = load(profile, keys, &signing, &clock)?;
        Ok(Self {
            clock,
            signing,
            in_force: RwLock::new(loaded),
            gauge: Gauge::new(handshakes),
        })
    }

    /// Checks another profile whole and puts it in force for connections that
    /// come from now on; those that live stay as they are.
    ///
    /// # Errors
    /// As [`ServerTls::new`]; then the profile before stays in force.
    pub fn reload(&self, profile: &ServerProfile, keys: &dyn PublicKeys) -> Result<(), TlsError> {
        let loaded = load(profile, keys, &self.signing, &self.clock)?;
        *self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// When what is in force ends.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        self.in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .expiry
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(
            &self
                .in_force
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .config,
        )
    }
}

fn load(
    profile: &ServerProfile,
    keys: &dyn PublicKeys,
    signing: &Arc<dyn TlsSigning>,
    clock: &Arc<dyn Clock>,
) -> Result<Loaded, TlsError> {
    let provider = provider();
    let chain = certificate::chain(CHAIN, &profile.certificate_chain)?;
    let (key, certificate_until) = own_key(profile.zone, &chain, keys, signing, clock.now())?;
    let (verifier, revocation_list) = profile.clients.verifier(&provider)?;
    let config = config(provider, chain, key, verifier, clock)?;
    Ok(Loaded {
        config: Arc::new(with_alpn(config, &profile.alpn)),
        expiry: Expiry {
            certificate: certificate_until,
            revocation_list,
        },
    })
}

/// The token's key for this chain, after checking that they belong together.
fn own_key(
    zone: DoorZone,
    chain: &[CertificateDer<'static>],
    keys: &dyn PublicKeys,
    signing: &Arc<dyn TlsSigning>,
    now: Timestamp,
) -> Result<(TokenKey, Timestamp), TlsError> {
    let leaf = chain
        .first()
        .ok_or_else(|| TlsError::unusable(CHAIN, "it is empty"))?;
    certificate::strong(leaf).map_err(|weak| TlsError::unusable(CHAIN, weak))?;
    let parsed = chain
        .iter()
        .map(|certificate| certificate::parse(certificate))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| TlsError::unusable(CHAIN, "a certificate in it cannot be read"))?;
    let mut previous: Option<&x509_parser::certificate::X509Certificate<'_>> = None;
    for certificate in &parsed {
        if previous.is_some_and(|below| below.issuer().as_raw() != certificate.subject().as_raw()) {
            return Err(TlsError::unusable(
                CHAIN,
                "it is out of order: leaf first, then the issuer of each",
            ));
        }
        let from = certificate::timestamp(&certificate.validity().not_before);
        let to = certificate::timestamp(&certificate.validity().not_after);
        if now < from || now > to {
            return Err(TlsError::NotValidNow {
                what: CHAIN,
                from,
                to,
            });
        }
        previous = Some(certificate);
    }
    let first = parsed
        .first()
        .ok_or_else(|| TlsError::unusable(CHAIN, "it is empty"))?;
    let role = KeyRole::Tls(zone);
    let point = certificate::p256_point(first)
        .ok_or_else(|| TlsError::unusable(CHAIN, "its key is not of the curve P-256"))?;
    if point != keys.public_key(&role)? {
        return Err(TlsError::OtherKey {
            role: role.to_string(),
        });
    }
    let key = TokenKey {
        zone,
        signing: Arc::clone(signing),
        spki: first.tbs_certificate.subject_pki.raw.into(),
    };
    Ok((key, certificate::timestamp(&first.validity().not_after)))
}

fn config(
    provider: Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: TokenKey,
    verifier: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>,
    clock: &Arc<dyn Clock>,
) -> Result<ServerConfig, TlsError> {
    let builder =
        ServerConfig::builder_with_details(provider, Arc::new(ClockTime(Arc::clone(clock))))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| TlsError::unusable(CHAIN, error))?;
    let certified = CertifiedKey::new(chain, Arc::new(key));
    certified
        .keys_match()
        .map_err(|error| TlsError::unusable(CHAIN, error))?;
    let resolver = Arc::new(SingleCertAndKey::from(certified));
    let mut config = match verifier {
        Some(verifier) => builder
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(resolver),
        None => builder.with_no_client_auth().with_cert_resolver(resolver),
    };
    // A resumed session would not look at the revocation list again, and early
    // data can be replayed (RFC 8446 section 8).
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

fn with_alpn(mut config: ServerConfig, alpn: &[&'static str]) -> ServerConfig {
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

const CHAIN: &str = "certificate chain";
