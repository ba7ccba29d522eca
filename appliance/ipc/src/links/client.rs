//! The newest connection of a link, renewed when the process at its other end
//! was restarted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::connection::{Caller, connection};
use crate::error::Error;
use crate::exchange::Exchange;
use crate::limits::{Limits, Side};
use crate::links::{Links, Tag};

/// Asks one server. Cheap to clone; the connection is kept while a clone lives.
///
/// When the server dies, exchanges under way fail with [`Error::Gone`], and new
/// ones wait for its successor up to their deadline.
#[derive(Clone, Debug)]
pub struct Client {
    tag: Tag,
    current: watch::Receiver<Option<Caller>>,
    _task: Arc<Task>,
}

#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl Client ===

impl Client {
    /// The live connection; waits for one up to `deadline`.
    ///
    /// # Errors
    /// [`Error::NotConnected`] when none came up by then.
    pub async fn caller(&self, deadline: Duration) -> Result<Caller, Error> {
        tokio::time::timeout(deadline, self.live())
            .await
            .unwrap_or_else(|_| Err(Error::NotConnected(self.tag.to_string())))
    }

    /// A request without a body and its answer without a body. `deadline`
    /// counts from now and covers the wait for a connection.
    ///
    /// # Errors
    /// As [`Client::caller`] and [`Caller::call`].
    pub async fn call<Req, Resp>(&self, request: &Req, deadline: Duration) -> Result<Resp, Error>
    where
        Req: Serialize + ?Sized + Sync,
        Resp: DeserializeOwned,
    {
        let request = crate::codec::encode(request)?.into();
        let answer = tokio::time::timeout(deadline, self.ask(request))
            .await
            .unwrap_or_else(|_| {
                Err(if self.is_connected() {
                    Error::Deadline(deadline)
                } else {
                    Error::NotConnected(self.tag.to_string())
                })
            })?;
        crate::codec::decode(&answer)
    }

    /// Opens an exchange; waits up to `deadline` for a connection and for room
    /// on it. What follows on the exchange has no deadline.
    ///
    /// # Errors
    /// As [`Client::caller`] and [`Caller::open`]; [`Error::Deadline`] when
    /// there was no room by then.
    pub async fn open<T: Serialize + ?Sized + Sync>(
        &self,
        header: &T,
        deadline: Duration,
    ) -> Result<Exchange, Error> {
        let header: Bytes = crate::codec::encode(header)?.into();
        let open = async { self.live().await?.open_bytes(header).await };
        tokio::time::timeout(deadline, open)
            .await
            .unwrap_or_else(|_| {
                Err(if self.is_connected() {
                    Error::Deadline(deadline)
                } else {
                    Error::NotConnected(self.tag.to_string())
                })
            })
    }

    /// Whether there is a live connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        is_live(self.current.borrow().as_ref())
    }

    /// A request and its answer as bytes; waits for a connection for ever, so
    /// the user sets the deadline.
    pub(crate) async fn ask(&self, request: Bytes) -> Result<Bytes, Error> {
        self.live().await?.ask(request).await
    }

    async fn live(&self) -> Result<Caller, Error> {
        let mut current = self.current.clone();
        let found = current.wait_for(|caller| is_live(caller.as_ref())).await;
        match found {
            Ok(caller) => (*caller).clone().ok_or(Error::Closed),
            // The runtime that kept the connection was shut down.
            Err(_) => Err(Error::Closed),
        }
    }
}

fn is_live(caller: Option<&Caller>) -> bool {
    caller.is_some_and(|caller| caller.ended().is_none())
}

// === impl Links (clients) ===

impl Links {
    /// The client of a link: connects as soon as there is somebody to connect
    /// to, and again whenever that process was restarted. Needs a runtime.
    ///
    /// What the server opens on such a connection is refused: a process that
    /// serves does so on a link of its own.
    #[must_use]
    pub fn client(&self, tag: Tag, limits: Limits) -> Client {
        let (publish, current) = watch::channel(None);
        let links = self.clone();
        let named = tag.clone();
        let task = tokio::spawn(async move { links.renew(&named, limits, &publish).await });
        Client {
            tag,
            current,
            _task: Arc::new(Task(task.abort_handle())),
        }
    }

    async fn renew(&self, tag: &Tag, limits: Limits, publish: &watch::Sender<Option<Caller>>) {
        let mut stream = self.connect(tag).await;
        loop {
            let caller = match stream {
                Ok(socket) => connection(socket, Side::Client, limits).0,
                Err(error) => {
                    tracing::warn!(%tag, %error, "a link could not be connected");
                    tokio::time::sleep(super::inherited::PAUSE).await;
                    stream = self.connect(tag).await;
                    continue;
                }
            };
            tracing::debug!(%tag, "link connected");
            publish.send_replace(Some(caller.clone()));
            stream = self.successor(tag, &caller).await;
        }
    }

    /// The next connection after `caller`: a newer one, or one after its end.
    async fn successor(
        &self,
        tag: &Tag,
        caller: &Caller,
    ) -> std::io::Result<tokio::net::UnixStream> {
        if self.connects_by_path() {
            let why = caller.until_ended().await;
            tracing::info!(%tag, %why, "link lost");
            // A server that closes at once must not be asked in a tight loop.
            tokio::time::sleep(super::inherited::PAUSE).await;
        }
        self.connect(tag).await
    }
}
