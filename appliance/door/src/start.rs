//! The order in which a door starts: settings, files and ports, links, sandbox,
//! and only then threads.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery_hsm_api::DoorZone;
use chancery_hsm_custodian::CustodyClient;
use chancery_ipc::{Command, Limits, Links, Tag, blocking::Channel};
use chancery_sandbox::{Grants, Profile};
use chancery_settings::Settings;
use tokio::sync::watch;
use tracing::{error, info};

use crate::channels::{self, Files, Means};
use crate::gate::DoorGate;
use crate::peers::Peers;
use crate::tls;

/// Why a door does not start, or stops.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

/// Says what could not be done, and why.
pub(crate) fn failed<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Failure + '_ {
    move |error| Failure(format!("{what}: {error}"))
}

/// What a door has when it begins to serve: where another program made of this
/// library may look in (the tests' own; the shipped one does not).
#[allow(missing_debug_implementations, reason = "it is looked through, not at")]
pub struct Inside<'a> {
    /// Its zone.
    pub zone: DoorZone,
    /// The node's settings.
    pub settings: &'a Settings,
    /// Its sockets.
    pub links: &'a Links,
    /// Its way to the custodian.
    pub custody: &'a CustodyClient,
}

/// How long a signature of the token may take.
const SIGNATURE: Duration = Duration::from_secs(5);
/// How long requests under way may take when the door closes.
const CLOSING: Duration = Duration::from_secs(8);

/// Opens the door and serves until it is stopped.
pub(crate) fn run(
    config: &Path,
    zone: DoorZone,
    begins: impl FnOnce(&Inside<'_>),
) -> Result<(), Failure> {
    let settings = Settings::load(config).map_err(failed("the settings"))?;
    let links = Links::from_process(&settings.node.run).map_err(failed("the links"))?;
    let files = Files::open(&settings, zone, &links)?;
    let profile = if zone == DoorZone::Mail {
        &Profile::DOOR_OUT
    } else {
        &Profile::DOOR
    };
    let grants = Grants {
        connect: files.relay_port().into_iter().collect(),
        unix: links.connects_by_path(),
        ..Grants::default()
    };
    let grants = if zone == DoorZone::Mail {
        grants.and_resolver()
    } else {
        grants
    };
    let hardening = match settings.node.hardening {
        chancery_settings::Hardening::Required => chancery_sandbox::Hardening::Required,
        chancery_settings::Hardening::BestEffort => chancery_sandbox::Hardening::BestEffort,
    };
    let report =
        chancery_sandbox::apply(profile, &grants, hardening).map_err(failed("the sandbox"))?;
    info!(%report, %zone, "sandboxed");
    links.start().map_err(failed("the links"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(failed("the runtime"))?;
    let done = runtime.block_on(serve(&settings, zone, &links, files, begins));
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn serve(
    settings: &Settings,
    zone: DoorZone,
    links: &Links,
    files: Files,
    begins: impl FnOnce(&Inside<'_>),
) -> Result<(), Failure> {
    let tag = |name: String| Tag::new(name).map_err(failed("a link's name"));
    let core = links.client(tag(format!("core.door-{zone}"))?, Limits::default());
    let reader = links.client(
        tag(format!("reader-{zone}.door-{zone}"))?,
        Limits::default(),
    );
    let custodian = Channel::new(
        links,
        tag(format!("custodian.door-{zone}"))?,
        Limits::secret(),
    )
    .map_err(failed("the custodian's link"))?;
    let custody = Arc::new(CustodyClient::new(move |request| {
        custodian.roundtrip(request, SIGNATURE)
    }));
    tokio::task::block_in_place(|| {
        begins(&Inside {
            zone,
            settings,
            links,
            custody: custody.as_ref(),
        });
    });
    let reading = Duration::from_secs(u64::from(settings.limits.reading_s));
    let (close, closing) = watch::channel(false);
    let (renew, renewed) = watch::channel(0);
    let limits = &settings.limits;
    let peers = Arc::new(Peers::new(
        limits.connections_per_peer,
        limits.requests_per_minute,
    ));
    let means = Means {
        gate: Arc::new(DoorGate::new(core, reader, reading, Arc::clone(&peers))),
        peers,
        custody: Arc::clone(&custody),
        closing,
        renewed,
    };
    let gate = Arc::clone(&means.gate);
    let (serving, tls) = channels::open(settings, zone, links, files, means).await?;
    links
        .ready()
        .map_err(failed("saying that the door is open"))?;
    info!(%zone, "the door is open");
    let mut commands = links.commands();
    loop {
        match commands.next().await {
            Command::Stop => break,
            Command::Reload => match tls::reload(&tls, zone, &gate, &custody).await {
                Ok(()) => {
                    renew.send_modify(|count: &mut u64| *count += 1);
                    info!(%zone, "certificate, client authority and revocation lists were read again");
                }
                Err(error) => error!(
                    %zone, error,
                    "certificate, client authority and revocation lists were not read again: those in force stay"
                ),
            },
        }
    }
    close.send_replace(true);
    // Connections under way end by themselves, or with the runtime.
    let _ended = tokio::time::timeout(CLOSING, serving.ended()).await;
    Ok(())
}
