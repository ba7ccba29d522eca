//! The order in which a reader starts: settings and certificate, links,
//! sandbox, and only then threads.

use std::path::Path;
use std::time::Duration;

use chancery_hsm_api::DoorZone;
use chancery_ipc::{Command, Limits, Links, Tag};
use chancery_sandbox::{Grants, Profile};
use chancery_settings::Settings;
use tracing::info;

use crate::besides::{Besides, Inside};
use crate::channels::{Channel, Files};
use crate::serve;
use crate::watch::Watch;

/// Why a reader does not start, or stops.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

/// Says what could not be done, and why.
pub(crate) fn failed<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Failure + '_ {
    move |error| Failure(format!("{what}: {error}"))
}

/// Reads until it is stopped.
pub(crate) fn run(config: &Path, zone: DoorZone, besides: &impl Besides) -> Result<(), Failure> {
    let settings = Settings::load(config).map_err(failed("the settings"))?;
    schemes(&settings)?;
    let links = Links::from_process(&settings.node.run).map_err(failed("the links"))?;
    let files = Files::open(&settings, zone)?;
    let hardening = match settings.node.hardening {
        chancery_settings::Hardening::Required => chancery_sandbox::Hardening::Required,
        chancery_settings::Hardening::BestEffort => chancery_sandbox::Hardening::BestEffort,
    };
    let grants = Grants {
        unix: links.connects_by_path(),
        ..Grants::default()
    };
    let report = chancery_sandbox::apply(&Profile::READER, &grants, hardening)
        .map_err(failed("the sandbox"))?;
    info!(%report, %zone, "sandboxed");
    links.start().map_err(failed("the links"))?;
    let longest = Duration::from_secs(u64::from(settings.limits.reading_s));
    let watch = Watch::start(longest).map_err(failed("the watch"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(failed("the runtime"))?;
    let done = runtime.block_on(read(&links, zone, &settings, files, &watch, besides));
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Puts the node's own label schemes in force, before the first label is read.
fn schemes(settings: &Settings) -> Result<(), Failure> {
    match chancery_label::schemes::install_own(&settings.rules.schemes) {
        Ok(Some(count)) => info!(count, "label schemes of the node's own are in force"),
        Ok(None) => {}
        Err(problems) => {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return Err(failed("the label schemes")(all.join("; ")));
        }
    }
    Ok(())
}

async fn read(
    links: &Links,
    zone: DoorZone,
    settings: &Settings,
    files: Files,
    watch: &Watch,
    besides: &impl Besides,
) -> Result<(), Failure> {
    let tag = |name: String| Tag::new(name).map_err(failed("a link's name"));
    let core = links.client(tag(format!("core.reader-{zone}"))?, Limits::default());
    let door = tag(format!("reader-{zone}.door-{zone}"))?;
    let channel = Channel::new(zone, settings, &files, links, &core)?;
    tokio::task::block_in_place(|| {
        besides.begins(&Inside {
            zone,
            settings,
            links,
            custody: channel.custody(),
        });
    });
    links
        .ready()
        .map_err(failed("saying that the reader is ready"))?;
    info!(%zone, "the reader reads");
    let mut commands = links.commands();
    let stopped = async {
        // A reader has nothing to read again: only a stop ends it.
        while commands.next().await != Command::Stop {}
    };
    let reading = serve::Reading {
        core: &core,
        channel: &channel,
        watch,
        besides,
    };
    tokio::select! {
        ended = serve::serve(links, &door, &reading) => ended.map_err(failed("the door's link")),
        () = stopped => Ok(()),
    }
}
