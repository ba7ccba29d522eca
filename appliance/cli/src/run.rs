//! `chancery run`: the daemons of a node, restarted when they die.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use chancery_ipc::Command;
use chancery_ipc::supervise::{Child, Event, Programs, SuperviseError, Supervisor, node};
use chancery_settings::Settings;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::failure::{Failure, failed};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The node's settings.
    #[arg(long, value_name = "FILE", default_value = "chancery.toml")]
    config: PathBuf,
    /// What the daemons log: a filter such as `info` or `chancery_core=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// The folder of the daemons' programs; without it, that of `chancery` itself.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Stops when standard input ends too: for who starts it and may die.
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    let folder = programs(args.programs.as_deref())?;
    let children = children(&args.config, &folder, &args.log)?;
    let supervisor = Supervisor::new(children).map_err(failed("the daemons"))?;
    let tell = |event: Event| {
        // Events go where the daemons' own lines go.
        let line = if json {
            as_json(&event).to_string()
        } else {
            as_words(&event)
        };
        // In one write: the daemons write their lines to the same place.
        let _told = std::io::stderr()
            .lock()
            .write_all(format!("{line}\n").as_bytes());
    };
    runtime()?
        .block_on(async {
            if args.until_input_ends {
                supervisor.run(until_input_ends()?, tell).await
            } else {
                supervisor.run_with_signals(tell).await
            }
        })
        .map_err(|error| Failure::new(error.to_string()))
}

/// Orders: stop when standard input ends, read again at SIGHUP.
fn until_input_ends() -> Result<mpsc::Receiver<Command>, SuperviseError> {
    let (send, orders) = mpsc::channel(1);
    let mut hup = signal(SignalKind::hangup()).map_err(SuperviseError::Signals)?;
    let again = send.clone();
    tokio::spawn(async move {
        while hup.recv().await.is_some() {
            if again.send(Command::Reload).await.is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        let _ended = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _told = send.blocking_send(Command::Stop);
        // A channel without senders would be a second order: to stop at once.
        loop {
            std::thread::park();
        }
    });
    Ok(orders)
}

/// The daemons of the node with these settings.
pub(crate) fn children(config: &Path, folder: &Path, log: &str) -> Result<Vec<Child>, Failure> {
    let settings = Settings::load(config).map_err(|error| Failure::new(error.to_string()))?;
    let zones = settings.doors.zones();
    if zones.is_empty() {
        return Err(Failure::new(format!(
            "no door is open: set one in {}, for example [doors.rest]",
            config.display()
        )));
    }
    let config = std::path::absolute(config).map_err(failed("the settings' path"))?;
    // The custodian reads the one, the others the other.
    let env: [(OsString, OsString); 2] = [
        ("RUST_LOG".into(), log.into()),
        ("CHANCERY_LOG".into(), log.into()),
    ];
    let programs = Programs {
        folder,
        config: &config,
        env: &env,
    };
    node(programs, &zones).map_err(failed("the daemons"))
}

/// Where the daemons' programs are.
pub(crate) fn programs(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = given {
        return std::path::absolute(folder).map_err(failed("--programs"));
    }
    let here = std::env::current_exe().map_err(failed("the folder of this program"))?;
    Ok(here.parent().unwrap_or(Path::new("/")).to_owned())
}

/// The runtime of a command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(failed("the runtime"))
}

pub(crate) fn as_words(event: &Event) -> String {
    match event {
        Event::Started { name, pid } => format!("{name}: started, process {pid}"),
        Event::Ready { name } => format!("{name}: serves"),
        Event::AllReady => "the node serves".to_owned(),
        Event::Died {
            name,
            status,
            lived,
        } => format!(
            "{name}: ended after {:.1} s ({status})",
            lived.as_secs_f64()
        ),
        Event::CannotStart { name, error } => format!("{name}: cannot be started: {error}"),
        Event::Restarting { name, after } => {
            format!("{name}: starts again in {:.1} s", after.as_secs_f64())
        }
        Event::Reloading => "the rules are read again".to_owned(),
        Event::Stopping => "the node stops".to_owned(),
        Event::Killing { name } => format!("{name}: did not answer in time and is killed"),
        Event::Stopped { name, status } => format!("{name}: stopped ({status})"),
    }
}

fn as_json(event: &Event) -> serde_json::Value {
    match event {
        Event::Started { name, pid } => json!({ "event": "started", "process": name, "pid": pid }),
        Event::Ready { name } => json!({ "event": "ready", "process": name }),
        Event::AllReady => json!({ "event": "all-ready" }),
        Event::Died {
            name,
            status,
            lived,
        } => {
            json!({ "event": "died", "process": name, "status": status.to_string(), "lived_s": lived.as_secs_f64() })
        }
        Event::CannotStart { name, error } => {
            json!({ "event": "cannot-start", "process": name, "error": error })
        }
        Event::Restarting { name, after } => {
            json!({ "event": "restarting", "process": name, "after_s": after.as_secs_f64() })
        }
        Event::Reloading => json!({ "event": "reloading" }),
        Event::Stopping => json!({ "event": "stopping" }),
        Event::Killing { name } => json!({ "event": "killing", "process": name }),
        Event::Stopped { name, status } => {
            json!({ "event": "stopped", "process": name, "status": status.to_string() })
        }
    }
}
