//! Ports: opened before the sandbox, served in bounded numbers.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcp};
use std::os::unix::net::UnixListener as StdUnix;
use std::path::Path;
use std::sync::Arc;

use chancery_ipc::Links;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::start::{Failure, failed};

/// A stream from a peer.
pub(crate) type Stream = chancery_mail::wire::BoxStream;

/// A port that is open already.
pub(crate) enum Port {
    Tcp(StdTcp),
    Unix(StdUnix),
}

impl Port {
    /// A TCP port: the one that systemd opened under that name, or a new one.
    pub(crate) fn tcp(links: &Links, name: &str, address: SocketAddr) -> Result<Self, Failure> {
        let listener = match links.port(name) {
            Some(listener) => listener,
            None => StdTcp::bind(address).map_err(failed(&format!("port {address}")))?,
        };
        listener.set_nonblocking(true).map_err(failed("a port"))?;
        Ok(Self::Tcp(listener))
    }

    /// A Unix socket, for a mail server of the same machine.
    pub(crate) fn unix(path: &Path) -> Result<Self, Failure> {
        if path.exists() {
            std::fs::remove_file(path).map_err(failed(&path.display().to_string()))?;
        }
        let listener = StdUnix::bind(path).map_err(failed(&path.display().to_string()))?;
        listener.set_nonblocking(true).map_err(failed("a socket"))?;
        Ok(Self::Unix(listener))
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn new(port: Port) -> io::Result<Self> {
        match port {
            Port::Tcp(listener) => TcpListener::from_std(listener).map(Self::Tcp),
            Port::Unix(listener) => UnixListener::from_std(listener).map(Self::Unix),
        }
    }

    async fn accept(&self) -> io::Result<(Stream, String)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), address.to_string()))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), "local".to_owned()))
            }
        }
    }
}

/// What serves the door's ports.
#[derive(Default)]
pub(crate) struct Serving {
    tasks: JoinSet<()>,
}

impl Serving {
    pub(crate) fn add(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits until all have ended.
    pub(crate) async fn ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Accepts connections, at most `most` at one time, until the door closes.
pub(crate) async fn accept<F, C>(
    port: Port,
    most: u32,
    mut closing: watch::Receiver<bool>,
    mut serve: F,
) where
    F: FnMut(Stream, String) -> C + Send + 'static,
    C: Future<Output = ()> + Send + 'static,
{
    let listener = match Listener::new(port) {
        Ok(listener) => listener,
        Err(error) => {
            error!(%error, "a port cannot be served");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(512).max(1)));
    let mut connections = JoinSet::new();
    loop {
        // A slot first: who cannot be served waits in the kernel's queue.
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let Ok(slot) = slot else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let connection = serve(stream, address);
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                warn!(%error, "a connection was not accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
}
