//! One running process: its control socket, and the task that watches it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Instant;

use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::process::Command as Program;
use tokio::sync::{mpsc, oneshot};

use crate::links::{Notice, Order, Role, control_pair, receive, send};
use crate::supervise::Child;

/// Seen by the watching task.
#[derive(Debug)]
pub(super) enum Seen {
    /// It says that it serves.
    Ready,
    /// It ended.
    Ended(io::Result<ExitStatus>),
}

/// A process that was started.
#[derive(Debug)]
pub(super) struct Process {
    /// Told apart from earlier and later processes of the same name.
    pub(super) life: u64,
    pub(super) pid: u32,
    pub(super) born: Instant,
    pub(super) ready: bool,
    control: Arc<UnixDatagram>,
    kill: Option<oneshot::Sender<()>>,
}

// === impl Process ===

impl Process {
    /// Starts `child`; what is seen of it goes to `report` with `place` and `life`.
    pub(super) fn start(
        child: &Child,
        place: usize,
        life: u64,
        report: mpsc::UnboundedSender<(usize, u64, Seen)>,
    ) -> io::Result<Self> {
        let (ours, theirs) = control_pair()?;
        // A sequenced-packet socket waits and wakes as a datagram socket does.
        let ours = std::os::unix::net::UnixDatagram::from(ours);
        ours.set_nonblocking(true)?;
        let control = Arc::new(UnixDatagram::from_std(ours)?);
        let watched = Arc::clone(&control);
        let mut running = Program::new(&child.program)
            .args(&child.args)
            .env_clear()
            .envs(child.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(theirs))
            // A group of its own: an interrupt typed at the terminal reaches
            // the supervisor alone, which then stops in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (kill, mut killed) = oneshot::channel::<()>();
        let process = Self {
            life,
            pid: running.id().unwrap_or_default(),
            born: Instant::now(),
            ready: false,
            control,
            kill: Some(kill),
        };
        tokio::spawn(async move {
            let mut hears = true;
            let mut killable = true;
            loop {
                tokio::select! {
                    ended = running.wait() => {
                        // When the supervisor is gone nobody wants to know.
                        let _gone = report.send((place, life, Seen::Ended(ended)));
                        return;
                    }
                    asked = &mut killed, if killable => {
                        killable = false;
                        // Dropped without being asked: the supervisor is gone.
                        let _either_way = asked;
                        if let Err(error) = running.start_kill() {
                            tracing::error!(%error, "a process cannot be killed");
                        }
                    }
                    notice = hear(&watched), if hears => match notice {
                        Ok(Some(Notice::Ready)) => {
                            let _gone = report.send((place, life, Seen::Ready));
                        }
                        // Closed or broken: what counts is when it ends.
                        Ok(None) | Err(_) => hears = false,
                    },
                }
            }
        });
        Ok(process)
    }

    /// Gives the process one end of a link.
    pub(super) fn give(&self, tag: &str, role: Role, end: &OwnedFd) -> io::Result<()> {
        send(
            &self.control,
            &Order::Link {
                tag: tag.to_owned(),
                role,
            },
            Some(end.as_fd()),
        )
    }

    pub(super) fn order(&self, order: &Order) -> io::Result<()> {
        send(&self.control, order, None)
    }

    /// Whether it was not killed yet.
    pub(super) const fn can_be_killed(&self) -> bool {
        self.kill.is_some()
    }

    /// Kills it; true the first time.
    pub(super) fn kill(&mut self) -> bool {
        self.kill.take().is_some_and(|kill| kill.send(()).is_ok())
    }
}

async fn hear(control: &UnixDatagram) -> io::Result<Option<Notice>> {
    loop {
        control.readable().await?;
        match control.try_io(Interest::READABLE, || receive::<Notice>(control)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A descriptor that a daemon sends along is closed here.
            message => return Ok(message?.map(|(notice, _)| notice)),
        }
    }
}
