//! The door's end of TLS: its key is in the token.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chancery_hsm_api::{DoorZone, PublicKeys, TlsSigning};
use chancery_machine::SystemClock;
use chancery_mail::wire::{BoxStream, Upgrade};
use chancery_message::{Channel, PeerEvidence, TransportEvidence};
use chancery_pipeline::ports::{BoxFuture, DoorRefusal, Gate as _};
use chancery_settings::Settings;
use chancery_transport::{Clients, HandshakeError, Handshakes, ServerProfile, ServerTls};

use crate::channels::Means;
use crate::gate::DoorGate;
use crate::listen::Stream;
use crate::start::{Failure, failed};

/// The door's TLS, checked whole: the certificate is for the token's key.
pub(crate) async fn server(
    settings: &Settings,
    zone: DoorZone,
    certificate: &[u8],
    client_ca: Option<&[u8]>,
    crl: Option<&[u8]>,
    means: &Means,
) -> Result<Arc<ServerTls>, Failure> {
    let profile = profile(zone, certificate, client_ca, crl);
    let at_once = usize::try_from(settings.limits.handshakes)
        .unwrap_or(16)
        .max(1);
    let handshakes = Handshakes {
        at_once,
        pending: at_once.saturating_mul(16),
        deadline: Duration::from_secs(10),
        ..Handshakes::default()
    };
    let custody = Arc::clone(&means.custody);
    tokio::task::spawn_blocking(move || {
        let signing: Arc<dyn TlsSigning> =
            Arc::<chancery_hsm_custodian::CustodyClient>::clone(&custody);
        let keys: &dyn PublicKeys = custody.as_ref();
        ServerTls::new(&profile, handshakes, keys, signing, Arc::new(SystemClock)).map(Arc::new)
    })
    .await
    .map_err(failed("TLS"))?
    .map_err(failed("TLS"))
}

fn profile(
    zone: DoorZone,
    certificate: &[u8],
    client_ca: Option<&[u8]>,
    crl: Option<&[u8]>,
) -> ServerProfile {
    ServerProfile {
        zone,
        certificate_chain: certificate.to_vec(),
        clients: client_ca.map_or(Clients::NotAsked, |ca| Clients::Required {
            ca: ca.to_vec(),
            crl: crl.map(<[u8]>::to_vec),
        }),
        alpn: match zone {
            DoorZone::Mail => Vec::new(),
            DoorZone::Siena => vec!["http/1.1"],
            DoorZone::Rest => vec!["h2", "http/1.1"],
        },
    }
}

/// Puts the door's files as they are now in force for connections that come.
/// Where anything is wrong with them those before stay.
pub(crate) async fn reload(
    tls: &Arc<ServerTls>,
    zone: DoorZone,
    gate: &DoorGate,
    custody: &Arc<chancery_hsm_custodian::CustodyClient>,
) -> Result<(), String> {
    let files = gate.files().await?;
    let profile = profile(
        zone,
        &files.certificate,
        files.client_ca.as_deref(),
        files.crl.as_deref(),
    );
    let (tls, custody) = (Arc::clone(tls), Arc::clone(custody));
    tokio::task::spawn_blocking(move || tls.reload(&profile, custody.as_ref()))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

/// A handshake in which the peer must prove a certificate. Who does not is
/// recorded once and gone.
pub(crate) async fn mutual(
    tls: &ServerTls,
    stream: Stream,
    channel: Channel,
    address: String,
    gate: &DoorGate,
) -> Option<(BoxStream, PeerEvidence, Option<String>)> {
    match tls.accept(stream).await {
        Ok(accepted) => {
            let evidence = PeerEvidence {
                channel,
                transport: accepted.evidence,
                address,
            };
            Some((Box::new(accepted.stream), evidence, accepted.server_name))
        }
        Err(error) => {
            tracing::debug!(%error, "a handshake failed");
            // Who only knocks and goes leaves no record; who shows no good
            // certificate leaves one.
            if matches!(
                error,
                HandshakeError::NoCertificate | HandshakeError::Certificate(_)
            ) {
                gate.refused(DoorRefusal {
                    peer: PeerEvidence {
                        channel,
                        transport: TransportEvidence::ServerTls {
                            group: String::new(),
                        },
                        address,
                    },
                    reason: error.reason().to_owned(),
                })
                .await;
            }
            None
        }
    }
}

/// STARTTLS.
pub(crate) struct StartTls(pub(crate) Arc<ServerTls>);

impl Upgrade for StartTls {
    fn upgrade(
        &self,
        stream: BoxStream,
    ) -> BoxFuture<'_, io::Result<(BoxStream, TransportEvidence)>> {
        Box::pin(async move {
            let accepted = self.0.accept(stream).await.map_err(io::Error::other)?;
            let stream: BoxStream = Box::new(accepted.stream);
            Ok((stream, accepted.evidence))
        })
    }
}
