//! Starts the daemons of a node, wires them together, restarts what dies.
//!
//! Every daemon gets a control socket as its standard input, and over it one
//! end of a socket pair for every link to a process that runs. When a process
//! dies it is started again after a pause, with new pairs to all its
//! neighbours; nobody else restarts. A daemon whose control socket closes ends
//! itself, so nothing outlives the supervisor, even one that was killed.

mod backoff;
mod node;
mod plan;
mod process;
mod run;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::links::{Command, Tag};

pub use node::{Programs, node};
pub use plan::PlanError;

/// A daemon to run.
#[derive(Clone, Debug)]
pub struct Child {
    /// The process's name, for example `door-mail`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Lower stages start first and stop last. A stage starts when all of the
    /// one before are ready.
    pub stage: u8,
    /// The links on which this process asks.
    pub asks: Vec<Ask>,
}

/// A link on which a process asks another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The name of the process that answers.
    pub server: String,
    /// The link's name, the same at both ends.
    pub tag: Tag,
}

/// How patient the supervisor is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Pause before the first restart; doubled with every death.
    pub first_pause: Duration,
    /// Longest pause before a restart.
    pub longest_pause: Duration,
    /// Who lived so long starts again with the first pause.
    pub settled: Duration,
    /// How long a process may take until it is ready.
    pub ready: Duration,
    /// How long a stage may take to stop before it is killed.
    pub stop: Duration,
}

impl Default for Timing {
    /// 100 ms to 10 s, settled after 60 s, ready within 60 s, stopped within 10 s.
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            settled: Duration::from_secs(60),
            ready: Duration::from_secs(60),
            stop: Duration::from_secs(10),
        }
    }
}

/// What happened to the node's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A process was started.
    Started {
        /// Which.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// It says that it serves.
    Ready {
        /// Which.
        name: String,
    },
    /// All processes serve, for the first time.
    AllReady,
    /// A process ended that should not have.
    Died {
        /// Which.
        name: String,
        /// How.
        status: ExitStatus,
        /// How long it had lived.
        lived: Duration,
    },
    /// It could not be started at all, and will be tried again.
    CannotStart {
        /// Which.
        name: String,
        /// Why.
        error: String,
    },
    /// It will be started again.
    Restarting {
        /// Which.
        name: String,
        /// After this pause.
        after: Duration,
    },
    /// All were told to read again what may be read again.
    Reloading,
    /// The orderly stop began.
    Stopping,
    /// A process did not stop, did not become ready or did not read its
    /// control socket in time, and is killed.
    Killing {
        /// Which.
        name: String,
    },
    /// A process ended as it should.
    Stopped {
        /// Which.
        name: String,
        /// How.
        status: ExitStatus,
    },
}

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// A process ended by itself before it was ready for the first time; the
    /// others were stopped again.
    #[error("{name} did not start ({how}): it says why above")]
    DidNotStart {
        /// Which.
        name: String,
        /// How it ended.
        how: String,
    },
    /// The signals could not be taken over.
    #[error("the signals cannot be taken over: {0}")]
    Signals(#[source] io::Error),
}

/// Runs the processes of one node.
#[derive(Debug)]
pub struct Supervisor {
    children: Vec<Child>,
    timing: Timing,
}

// === impl Supervisor ===

impl Supervisor {
    /// A supervisor for these processes.
    ///
    /// # Errors
    /// When two have the same name, a link goes to nobody or to the process
    /// itself, or two processes ask under the same name (authority is the
    /// socket: a name belongs to one client).
    pub fn new(children: Vec<Child>) -> Result<Self, PlanError> {
        plan::check(&children)?;
        Ok(Self {
            children,
            timing: Timing::default(),
        })
    }

    /// The same with another patience.
    #[must_use]
    pub const fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Runs until [`Command::Stop`] came (or all senders of `orders` are gone)
    /// and all processes have ended. A second stop kills them at once. Dropping
    /// the future kills them too.
    ///
    /// # Errors
    /// When a process ends by itself before it was ready for the first time.
    pub async fn run(
        self,
        orders: mpsc::Receiver<Command>,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<(), SuperviseError> {
        run::Run::new(self.children, self.timing, on_event)
            .until_stopped(orders)
            .await
    }

    /// As [`Supervisor::run`], with the signals TERM and INT as stop and HUP as reload.
    ///
    /// # Errors
    /// As [`Supervisor::run`], and when the signals cannot be taken over.
    pub async fn run_with_signals(
        self,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<(), SuperviseError> {
        let take = |kind| signal(kind).map_err(SuperviseError::Signals);
        let mut term = take(SignalKind::terminate())?;
        let mut int = take(SignalKind::interrupt())?;
        let mut hup = take(SignalKind::hangup())?;
        let (send, orders) = mpsc::channel(8);
        let forward = async move {
            loop {
                let order = tokio::select! {
                    _ = term.recv() => Command::Stop,
                    _ = int.recv() => Command::Stop,
                    _ = hup.recv() => Command::Reload,
                };
                if send.send(order).await.is_err() {
                    // The node has stopped.
                    return std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            result = self.run(orders, on_event) => result,
            () = forward => Ok(()),
        }
    }
}
