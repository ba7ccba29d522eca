//! Where a daemon's sockets come from.
//!
//! Under `chancery run` a daemon's standard input is a control socket; the
//! supervisor sends every other socket over it and renews them when the process
//! at their other end was restarted. On an appliance with systemd the sockets to
//! serve are inherited (`LISTEN_FDS`, the link's name as
//! `FileDescriptorName=`), and those to ask are connected by path.
//!
//! A daemon calls, in this order: [`Links::from_process`] (opens what must be
//! open before the sandbox), the sandbox, [`Links::start`] (starts a thread),
//! its runtime, and [`Links::ready`] when it serves.

mod client;
mod commands;
mod control;
mod inherited;
mod tag;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::lock;

pub use client::Client;
pub use commands::{Command, Commands};
pub use control::Role;
pub(crate) use control::{Notice, Order, link_pair, pair as control_pair, receive, send};
pub use tag::{Tag, TagError};

/// Connections by path that may wait to be taken.
const MOST_WAITING: usize = 64;

/// Why a daemon has no links.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// Started by hand.
    #[error("this program is started by `chancery run` or by systemd, not by hand")]
    ByHand,
    /// The control socket or the inherited sockets are not usable.
    #[error("the sockets of this process cannot be taken over: {0}")]
    Io(#[from] io::Error),
    /// The user of a process that uses an inherited socket does not exist.
    #[error("there is no user `{0}` on this machine: install the node's users (systemd-sysusers)")]
    User(String),
    /// An inherited socket without a usable name.
    #[error("an inherited socket has no usable name: set FileDescriptorName= in its unit")]
    Name,
}

/// A daemon's sockets by name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Links {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    state: Mutex<State>,
    /// Counts up when something arrived.
    arrivals: watch::Sender<u64>,
    /// Whether to stop, and how many times to reload.
    orders: watch::Sender<(bool, u64)>,
}

#[derive(Debug)]
enum Source {
    /// The control socket.
    Supervisor(OwnedFd),
    /// The run directory, and where to say that the daemon is ready.
    Systemd {
        run: PathBuf,
        notify: Option<inherited::Notify>,
    },
    /// Put in by hand: tests that compose daemons in one process.
    Hand,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    /// The newest connection of each link on which this process asks.
    clients: HashMap<Tag, UnixStream>,
    /// Connections of each link that this process serves.
    servers: HashMap<Tag, VecDeque<UnixStream>>,
    /// Sockets to serve by path, until somebody accepts on them.
    listeners: HashMap<Tag, inherited::Listener>,
    ports: HashMap<String, TcpListener>,
}

// === impl Links ===

impl Links {
    /// Finds out how this process was started and takes over its sockets. Opens
    /// all that it needs, so that nothing has to be opened in the sandbox;
    /// starts no thread.
    ///
    /// `run` is the directory of the sockets under systemd.
    ///
    /// # Errors
    /// [`LinksError::ByHand`] when there is neither a supervisor nor systemd.
    pub fn from_process(run: &Path) -> Result<Self, LinksError> {
        let stdin = io::stdin();
        if control::is_control(stdin.as_fd()) {
            let control = stdin.as_fd().try_clone_to_owned()?;
            return Ok(Self::new(Source::Supervisor(control), State::default()));
        }
        let Some(taken) = inherited::take()? else {
            return Err(LinksError::ByHand);
        };
        let state = State {
            listeners: taken.listeners,
            ports: taken.ports,
            ..State::default()
        };
        let source = Source::Systemd {
            run: run.to_path_buf(),
            notify: taken.notify,
        };
        Ok(Self::new(source, state))
    }

    /// Links without sockets, for tests that compose daemons in one process:
    /// see [`Links::join`].
    #[must_use]
    pub fn by_hand() -> Self {
        Self::new(Source::Hand, State::default())
    }

    /// A new connection named `tag` on which `client` asks and `server`
    /// answers, as the supervisor makes it.
    ///
    /// # Errors
    /// When the system has no more sockets.
    pub fn join(server: &Self, client: &Self, tag: &Tag) -> io::Result<()> {
        let (a, b) = UnixStream::pair()?;
        server.arrived(tag.clone(), Role::Server, a);
        client.arrived(tag.clone(), Role::Client, b);
        Ok(())
    }

    /// Puts in a connection on which this process asks, for tests and measurements.
    pub fn give(&self, tag: &Tag, stream: UnixStream) {
        self.arrived(tag.clone(), Role::Client, stream);
    }

    fn new(source: Source, state: State) -> Self {
        Self {
            inner: Arc::new(Inner {
                source,
                state: Mutex::new(state),
                arrivals: watch::Sender::new(0),
                orders: watch::Sender::new((false, 0)),
            }),
        }
    }

    /// Starts to receive sockets and orders. Under the supervisor this starts
    /// a thread: call it inside the sandbox. The process ends when the
    /// supervisor does.
    ///
    /// # Errors
    /// When no thread can be started, or it was started before.
    pub fn start(&self) -> io::Result<()> {
        if std::mem::replace(&mut lock(&self.inner.state).started, true) {
            return Err(io::Error::other("the links were started before"));
        }
        if let Source::Supervisor(control) = &self.inner.source {
            let control = control.try_clone()?;
            let links = self.clone();
            std::thread::Builder::new()
                .name("links".into())
                .spawn(move || links.obey(&control))?;
        }
        Ok(())
    }

    /// Tells the supervisor, or systemd, that this process serves.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn ready(&self) -> io::Result<()> {
        match &self.inner.source {
            Source::Supervisor(control) => send(control, &Notice::Ready, None),
            Source::Systemd {
                notify: Some(notify),
                ..
            } => notify.ready(),
            Source::Systemd { notify: None, .. } | Source::Hand => Ok(()),
        }
    }

    /// Whether this process connects to its servers by path (under systemd), so
    /// that its sandbox must grant Unix sockets.
    #[must_use]
    pub fn connects_by_path(&self) -> bool {
        matches!(self.inner.source, Source::Systemd { .. })
    }

    /// A TCP listener that systemd opened, by its `FileDescriptorName=`. `None`
    /// under the supervisor: the door then binds the address of its settings.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<TcpListener> {
        lock(&self.inner.state).ports.remove(name)
    }

    /// The next connection on a link that this process serves. Waits.
    ///
    /// # Errors
    /// Under systemd, when no socket of that name was inherited.
    pub async fn accept(&self, tag: &Tag) -> io::Result<tokio::net::UnixStream> {
        self.listen(tag)?;
        let mut arrivals = self.inner.arrivals.subscribe();
        loop {
            arrivals.mark_unchanged();
            let waiting = lock(&self.inner.state)
                .servers
                .get_mut(tag)
                .and_then(VecDeque::pop_front);
            if let Some(stream) = waiting {
                return into_tokio(stream);
            }
            // INVARIANT: `self` holds the sending end.
            let _open = arrivals.changed().await;
        }
    }

    /// The next connection on a link on which this process asks, the newest
    /// first. Waits. [`Links::client`] does this and renews it.
    ///
    /// # Errors
    /// When the socket is not usable.
    pub async fn connect(&self, tag: &Tag) -> io::Result<tokio::net::UnixStream> {
        if let Source::Systemd { run, .. } = &self.inner.source {
            return inherited::connect(&run.join(format!("{tag}.sock"))).await;
        }
        let mut arrivals = self.inner.arrivals.subscribe();
        loop {
            arrivals.mark_unchanged();
            let newest = lock(&self.inner.state).clients.remove(tag);
            if let Some(stream) = newest {
                return into_tokio(stream);
            }
            // INVARIANT: `self` holds the sending end.
            let _open = arrivals.changed().await;
        }
    }

    /// Serves a link by path under the supervisor too (the officers' commands
    /// come from outside the node): binds a socket that its owner alone may use.
    /// Call it before the sandbox. Under systemd the inherited socket stays.
    ///
    /// # Errors
    /// When the path cannot be bound, or something that is not a socket is there.
    pub fn bind(&self, tag: &Tag, path: &Path) -> io::Result<()> {
        if lock(&self.inner.state).listeners.contains_key(tag) {
            return Ok(());
        }
        let listener = inherited::bind(path)?;
        lock(&self.inner.state)
            .listeners
            .insert(tag.clone(), listener);
        Ok(())
    }

    /// Starts to accept on a socket that is served by path, once.
    fn listen(&self, tag: &Tag) -> io::Result<()> {
        let listener = {
            let mut state = lock(&self.inner.state);
            let listener = state.listeners.remove(tag);
            let systemd = matches!(self.inner.source, Source::Systemd { .. });
            if listener.is_none() && systemd && !state.servers.contains_key(tag) {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!(
                        "no socket named `{tag}` was inherited: see FileDescriptorName= in its unit"
                    ),
                ));
            }
            state.servers.entry(tag.clone()).or_default();
            listener
        };
        if let Some(inherited::Listener { listener, uid }) = listener {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::UnixListener::from_std(listener)?;
            tokio::spawn(self.clone().serve(tag.clone(), listener, uid));
        }
        Ok(())
    }

    async fn serve(self, tag: Tag, listener: tokio::net::UnixListener, uid: Option<u32>) {
        loop {
            let waiting = lock(&self.inner.state)
                .servers
                .get(&tag)
                .map_or(0, VecDeque::len);
            if waiting >= MOST_WAITING {
                tokio::time::sleep(inherited::PAUSE).await;
                continue;
            }
            match listener
                .accept()
                .await
                .and_then(|(stream, _)| stream.into_std())
            {
                Ok(stream) => match (uid, crate::peer_uid(&stream)) {
                    (Some(expected), Ok(got)) if got != expected => {
                        tracing::error!(%tag, got, expected, "a connection by another user was refused");
                    }
                    (_, Ok(_)) => self.arrived(tag.clone(), Role::Server, stream),
                    (_, Err(error)) => tracing::error!(%tag, %error, "a connection was refused"),
                },
                Err(error) => {
                    tracing::warn!(%tag, %error, "a connection could not be accepted");
                    tokio::time::sleep(inherited::PAUSE).await;
                }
            }
        }
    }

    fn arrived(&self, tag: Tag, role: Role, stream: UnixStream) {
        {
            let mut state = lock(&self.inner.state);
            match role {
                // What was not taken yet has a dead process at its other end.
                Role::Client => {
                    state.clients.insert(tag, stream);
                }
                Role::Server => state.servers.entry(tag).or_default().push_back(stream),
            }
        }
        self.inner
            .arrivals
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A connection from the supervisor, which made both its ends.
    fn take(&self, tag: String, role: Role, stream: UnixStream) {
        let me = rustix::process::geteuid().as_raw();
        match (Tag::new(tag), crate::peer_uid(&stream)) {
            (Ok(tag), Ok(uid)) if uid == me => self.arrived(tag, role, stream),
            (Ok(tag), Ok(uid)) => {
                tracing::error!(%tag, uid, "a link made by another user was refused");
            }
            (Err(error), _) => tracing::error!(%error, "a link was not taken"),
            (_, Err(error)) => tracing::error!(%error, "a link was not taken"),
        }
    }

    /// The thread that receives from the supervisor.
    fn obey(&self, control: &OwnedFd) {
        loop {
            match receive::<Order>(control) {
                Ok(Some((Order::Link { tag, role }, Some(descriptor)))) => {
                    self.take(tag, role, UnixStream::from(descriptor));
                }
                Ok(Some((Order::Link { tag, .. }, None))) => {
                    tracing::error!(tag, "a link came without its socket");
                }
                Ok(Some((Order::Stop, _))) => {
                    self.inner.orders.send_modify(|(stop, _)| *stop = true);
                }
                Ok(Some((Order::Reload, _))) => {
                    self.inner
                        .orders
                        .send_modify(|(_, reloads)| *reloads = reloads.wrapping_add(1));
                }
                Ok(None) => {
                    // Nobody is left who would stop or restart this process.
                    tracing::error!("the supervisor is gone: ending");
                    std::process::exit(1);
                }
                Err(error) => {
                    tracing::error!(%error, "the control socket is broken: ending");
                    std::process::exit(1);
                }
            }
        }
    }
}

fn into_tokio(stream: UnixStream) -> io::Result<tokio::net::UnixStream> {
    stream.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(stream)
}
