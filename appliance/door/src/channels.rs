//! One place for a channel's door: what it opens before the sandbox, and what
//! serves its connections.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_hsm_api::DoorZone;
use chancery_hsm_custodian::CustodyClient;
use chancery_ipc::{Limits as LinkLimits, Links, Tag};
use chancery_machine::SystemEntropy;
use chancery_mail::wire as mail;
use chancery_message::{PeerEvidence, TransportEvidence};
use chancery_pipeline::ports::{DoorRefusal, Gate};
use chancery_settings::{Door, Listen, MailDoor, Settings};
use chancery_transport::ServerTls;
use tokio::sync::watch;

use crate::condition;
use crate::gate::DoorGate;
use crate::listen::{Port, Serving, accept};
use crate::outbound;
use crate::peers::{Crowded, Peers};
use crate::start::{Failure, failed};
use crate::tls::{self, StartTls};

/// What a door works with.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) gate: Arc<DoorGate>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) custody: Arc<CustodyClient>,
    pub(crate) closing: watch::Receiver<bool>,
    /// Counts up whenever other certificates are in force: connections from
    /// before end when what they are at is done, and their peers prove
    /// themselves anew.
    pub(crate) renewed: watch::Receiver<u64>,
}

/// How long a peer with too many connections has to hear it.
const TURNED_AWAY: Duration = Duration::from_secs(2);

impl Means {
    /// The gate for peers with too many connections.
    fn crowded(&self) -> Arc<dyn Gate> {
        Arc::new(Crowded {
            gate: Arc::clone(&self.gate),
            peers: Arc::clone(&self.peers),
        })
    }
}

/// What a door opens before the sandbox: files and ports.
pub(crate) struct Files {
    certificate: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    crl: Option<Vec<u8>>,
    relay_ca: Vec<u8>,
    relay_port: Option<u16>,
    ports: Vec<(&'static str, Port)>,
    condition: Option<Port>,
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(failed(&path.display().to_string()))
}

impl Files {
    pub(crate) fn open(
        settings: &Settings,
        zone: DoorZone,
        links: &Links,
    ) -> Result<Self, Failure> {
        let mut files = match zone {
            DoorZone::Mail => {
                let door = settings.doors.mail.as_ref().ok_or_else(|| closed(zone))?;
                Self::mail(door, links)
            }
            DoorZone::Siena => Self::mutual(settings.doors.siena.as_ref(), zone, links),
            DoorZone::Rest => Self::mutual(settings.doors.rest.as_ref(), zone, links),
        }?;
        if let Some(address) = settings.metrics.listen
            && condition::tells(settings, zone)
        {
            files.condition = Some(Port::tcp(links, "metrics", address)?);
        }
        Ok(files)
    }

    fn mutual(door: Option<&Door>, zone: DoorZone, links: &Links) -> Result<Self, Failure> {
        let door = door.ok_or_else(|| closed(zone))?;
        Ok(Self {
            certificate: read(&door.certificate)?,
            client_ca: Some(read(&door.client_ca)?),
            crl: door.crl.as_deref().map(read).transpose()?,
            relay_ca: Vec::new(),
            relay_port: None,
            ports: vec![("tls", Port::tcp(links, zone.name(), door.listen)?)],
            condition: None,
        })
    }

    fn mail(door: &MailDoor, links: &Links) -> Result<Self, Failure> {
        let mut ports = Vec::new();
        if let Some(address) = door.smtp {
            ports.push(("smtp", Port::tcp(links, "smtp", address)?));
        }
        match &door.lmtp {
            Some(Listen::Tcp(address)) => ports.push(("lmtp", Port::tcp(links, "lmtp", *address)?)),
            Some(Listen::Unix(path)) => ports.push(("lmtp", Port::unix(path)?)),
            None => {}
        }
        Ok(Self {
            certificate: read(&door.certificate)?,
            client_ca: None,
            crl: None,
            relay_ca: door
                .relay_ca
                .as_deref()
                .map(read)
                .transpose()?
                .unwrap_or_default(),
            relay_port: Some(door.relay_port),
            ports,
            condition: None,
        })
    }

    pub(crate) const fn relay_port(&self) -> Option<u16> {
        self.relay_port
    }
}

fn closed(zone: DoorZone) -> Failure {
    Failure(format!("there is no [doors.{zone}] in the settings"))
}

/// Serves the zone's ports in the background.
pub(crate) async fn open(
    settings: &Settings,
    zone: DoorZone,
    links: &Links,
    mut files: Files,
    means: Means,
) -> Result<(Serving, Arc<ServerTls>), Failure> {
    let ports = std::mem::take(&mut files.ports);
    let tls = tls::server(
        settings,
        zone,
        &files.certificate,
        files.client_ca.as_deref(),
        files.crl.as_deref(),
        &means,
    )
    .await?;
    let mut serving = Serving::default();
    if let Some(port) = files.condition.take() {
        let gate = Arc::clone(&means.gate);
        serving.add(condition::serve(port, gate, means.closing.clone()));
    }
    match zone {
        DoorZone::Mail => {
            let door = settings.doors.mail.as_ref().ok_or_else(|| closed(zone))?;
            let sender = outbound::sender(door, &files.relay_ca)?;
            let tag = Tag::fixed("door-mail.core");
            serving.add(outbound::serve(
                links.clone(),
                tag,
                LinkLimits::default(),
                sender,
            ));
            for (name, port) in ports {
                let smtp = name == "smtp";
                let shared = Arc::new(mail::Door {
                    settings: mail_settings(settings, door, smtp),
                    gate: Arc::clone(&means.gate) as Arc<dyn Gate>,
                    upgrade: smtp
                        .then(|| Arc::new(StartTls(Arc::clone(&tls))) as Arc<dyn mail::Upgrade>),
                });
                let closing = means.closing.clone();
                let (peers, gate) = (Arc::clone(&means.peers), Arc::clone(&means.gate));
                serving.add(accept(
                    port,
                    settings.limits.connections,
                    means.closing.clone(),
                    move |stream, address| {
                        let connection = mail::Connection {
                            door: Arc::clone(&shared),
                            address,
                            transport: (!smtp).then_some(TransportEvidence::Local),
                            shutdown: closing.clone(),
                        };
                        let (peers, gate) = (Arc::clone(&peers), Arc::clone(&gate));
                        async move {
                            // Who has too many is told so before the greeting.
                            let counted = if smtp {
                                peers.connect_from(&connection.address)
                            } else {
                                peers.connect_from("local")
                            };
                            let Some(_counted) = counted else {
                                turned_away(&peers, &gate, &connection.address).await;
                                mail::turn_away(stream).await;
                                return;
                            };
                            let ended = mail::serve_connection(stream, connection).await;
                            tracing::debug!(?ended, "a mail connection ended");
                        }
                    },
                ));
            }
        }
        DoorZone::Siena => {
            let limits = chancery_siena::wire::Limits::default();
            let over =
                |gate| chancery_siena::wire::Siena::new(gate, Arc::new(SystemEntropy), limits);
            let siena = over(Arc::clone(&means.gate) as Arc<dyn Gate>);
            let crowded = over(means.crowded());
            for (_, port) in ports {
                let (siena, tls, closing) =
                    (siena.clone(), Arc::clone(&tls), means.closing.clone());
                let renewed = means.renewed.clone();
                let (gate, peers) = (Arc::clone(&means.gate), Arc::clone(&means.peers));
                let crowded = crowded.clone();
                serving.add(accept(
                    port,
                    settings.limits.connections,
                    means.closing.clone(),
                    move |stream, address| {
                        let (siena, crowded) = (siena.clone(), crowded.clone());
                        let (tls, gate) = (Arc::clone(&tls), Arc::clone(&gate));
                        let peers = Arc::clone(&peers);
                        let closing = closed_by(closing.clone(), renewed.clone());
                        async move {
                            if let Some((stream, evidence, server_name)) = tls::mutual(
                                &tls,
                                stream,
                                chancery_message::Channel::Siena,
                                address,
                                gate.as_ref(),
                            )
                            .await
                            {
                                let peer = chancery_siena::wire::Peer {
                                    evidence,
                                    server_name,
                                };
                                let counted = peers.connect(&peer.evidence);
                                let served = if counted.is_some() {
                                    siena.serve(stream, peer, closing).await
                                } else {
                                    let soon = tokio::time::sleep(TURNED_AWAY);
                                    crowded.serve(stream, peer, soon).await
                                };
                                drop(counted);
                                if let Err(error) = served {
                                    tracing::debug!(error, "a connection ended");
                                }
                            }
                        }
                    },
                ));
            }
        }
        DoorZone::Rest => {
            let limits = chancery_rest::wire::Limits::default();
            let over = |gate| chancery_rest::wire::Rest::new(gate, Arc::new(SystemEntropy), limits);
            let rest = over(Arc::clone(&means.gate) as Arc<dyn Gate>);
            let crowded = over(means.crowded());
            for (_, port) in ports {
                let (rest, tls, closing) = (rest.clone(), Arc::clone(&tls), means.closing.clone());
                let renewed = means.renewed.clone();
                let (gate, peers) = (Arc::clone(&means.gate), Arc::clone(&means.peers));
                let crowded = crowded.clone();
                serving.add(accept(
                    port,
                    settings.limits.connections,
                    means.closing.clone(),
                    move |stream, address| {
                        let (rest, crowded) = (rest.clone(), crowded.clone());
                        let (tls, gate) = (Arc::clone(&tls), Arc::clone(&gate));
                        let peers = Arc::clone(&peers);
                        let closing = closed_by(closing.clone(), renewed.clone());
                        async move {
                            if let Some((stream, evidence, server_name)) = tls::mutual(
                                &tls,
                                stream,
                                chancery_message::Channel::Rest,
                                address,
                                gate.as_ref(),
                            )
                            .await
                            {
                                let peer = chancery_rest::wire::Peer {
                                    evidence,
                                    server_name,
                                };
                                let counted = peers.connect(&peer.evidence);
                                let served = if counted.is_some() {
                                    rest.serve(stream, peer, closing).await
                                } else {
                                    let soon = tokio::time::sleep(TURNED_AWAY);
                                    crowded.serve(stream, peer, soon).await
                                };
                                drop(counted);
                                if let Err(error) = served {
                                    tracing::debug!(error, "a connection ended");
                                }
                            }
                        }
                    },
                ));
            }
        }
    }
    Ok((serving, tls))
}

/// The one record, in a minute, of a mail client with too many connections.
async fn turned_away(peers: &Peers, gate: &DoorGate, address: &str) {
    let peer = PeerEvidence {
        channel: chancery_message::Channel::Mail,
        transport: TransportEvidence::Local,
        address: address.to_owned(),
    };
    if peers.crowded(&peer, Instant::now()).first {
        gate.refused(DoorRefusal {
            peer,
            reason: "too-many-connections".to_owned(),
        })
        .await;
    }
}

/// Resolves when the door closes, or shows and asks for other certificates.
async fn closed_by(mut closing: watch::Receiver<bool>, mut renewed: watch::Receiver<u64>) {
    renewed.mark_unchanged();
    // A sender that is gone means closing too.
    tokio::select! {
        _ = closing.wait_for(|closing| *closing) => {}
        _ = renewed.changed() => {}
    }
}

fn mail_settings(settings: &Settings, door: &MailDoor, smtp: bool) -> mail::Settings {
    mail::Settings {
        protocol: if smtp {
            mail::Protocol::Smtp
        } else {
            mail::Protocol::Lmtp
        },
        hostname: door.hostname.clone(),
        domains: door
            .domains
            .iter()
            .map(|domain| domain.to_lowercase())
            .collect(),
        limits: mail::Limits {
            message_bytes: usize::try_from(settings.limits.message_bytes).unwrap_or(usize::MAX),
            // Two readings, and what core needs. A mail client waits ten minutes
            // (RFC 5321 section 4.5.3.2.6).
            submit: Duration::from_secs(60)
                + Duration::from_secs(u64::from(settings.limits.reading_s)).saturating_mul(2),
            ..mail::Limits::default()
        },
    }
}
