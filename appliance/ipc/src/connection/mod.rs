//! One socket, many exchanges.

mod shared;
mod stream;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::codec;
use crate::error::{Error, ResetCode};
use crate::exchange::Exchange;
use crate::limits::{Limits, Side};
use crate::wire::MAX_PAYLOAD;

pub(crate) use shared::Handle;
pub(crate) use stream::{Found, Stream};

/// Takes over one end of a Unix socket: the [`Caller`] opens exchanges, the
/// [`IncomingStream`] yields those that the other side opens.
///
/// Two tasks on the current runtime carry the frames. They end, and the socket
/// is closed, when the other side closes, when it breaks the protocol, or when
/// the last of the caller, its clones, the incoming stream and all exchanges is
/// dropped. What was queued by then is still sent.
///
/// A side that does not serve may drop its [`IncomingStream`]: what the other
/// side opens is then refused.
#[must_use]
pub fn connection(stream: UnixStream, side: Side, limits: Limits) -> (Caller, IncomingStream) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handle = Handle::new(side, limits.within(), sender);
    tasks::start(stream, &handle);
    (
        Caller {
            handle: Arc::clone(&handle),
        },
        IncomingStream {
            receiver,
            _handle: handle,
        },
    )
}

/// Opens exchanges on a connection. Cheap to clone, shared between threads.
#[derive(Clone, Debug)]
pub struct Caller {
    handle: Arc<Handle>,
}

// === impl Caller ===

impl Caller {
    /// Opens an exchange with `header`. Waits while as many as the other side
    /// grants are open.
    ///
    /// # Errors
    /// [`Error::HeaderTooLong`] above 64 KiB, [`Error::Encode`], or why the
    /// connection ended.
    pub async fn open<T: Serialize + ?Sized + Sync>(&self, header: &T) -> Result<Exchange, Error> {
        self.open_bytes(codec::encode(header)?.into()).await
    }

    /// As [`Caller::open`], with a header that is bytes already.
    ///
    /// # Errors
    /// As [`Caller::open`].
    pub async fn open_bytes(&self, header: Bytes) -> Result<Exchange, Error> {
        if header.len() > MAX_PAYLOAD {
            return Err(Error::HeaderTooLong(header.len()));
        }
        let stream = self.handle.shared().open(header).await?;
        Ok(Exchange::new(&self.handle, &stream))
    }

    /// A request without a body and its answer without a body.
    ///
    /// # Errors
    /// [`Error::Deadline`] when there is no answer by then (the other side is
    /// told to stop); [`Error::Decode`] when the answer is something else or
    /// has a body; others as [`Caller::open`] and the other side's reset.
    pub async fn call<Req, Resp>(&self, request: &Req, deadline: Duration) -> Result<Resp, Error>
    where
        Req: Serialize + ?Sized + Sync,
        Resp: DeserializeOwned,
    {
        let request = codec::encode(request)?.into();
        let answer = tokio::time::timeout(deadline, self.ask(request))
            .await
            .map_err(|_| Error::Deadline(deadline))??;
        codec::decode(&answer)
    }

    /// A request and its answer as bytes, neither with a body. Has no deadline
    /// of its own and needs no timer, so any executor can drive it.
    ///
    /// # Errors
    /// As [`Caller::call`], but for the deadline.
    pub async fn ask(&self, request: Bytes) -> Result<Bytes, Error> {
        let Exchange { send, mut receive } = self.open_bytes(request).await?;
        send.finish()?;
        let answer = receive.header_bytes().await?;
        match receive.next().await {
            None => Ok(answer),
            Some(Ok(_)) => Err(Error::Decode),
            Some(Err(error)) => Err(error),
        }
    }

    /// Closes the connection once what is queued has been sent. All exchanges
    /// on it fail with [`Error::Closed`].
    pub fn close(&self) {
        self.handle.shared().end(&Error::Closed);
    }

    /// Why the connection ended, when it has.
    #[must_use]
    pub fn ended(&self) -> Option<Error> {
        self.handle.shared().ended()
    }

    /// Waits until the connection ended and says why.
    pub async fn until_ended(&self) -> Error {
        self.handle.shared().until_ended().await
    }
}

/// The exchanges that the other side opens, in order.
#[derive(Debug)]
pub struct IncomingStream {
    receiver: mpsc::UnboundedReceiver<Incoming>,
    _handle: Arc<Handle>,
}

// === impl IncomingStream ===

impl IncomingStream {
    /// The next one; `None` when the connection ended. At most as many as
    /// [`Limits::streams`] wait here.
    pub async fn next(&mut self) -> Option<Incoming> {
        self.receiver.recv().await
    }
}

/// An exchange that the other side opened. Dropped without an answer it fails
/// there with [`ResetCode::Failed`].
#[derive(Debug)]
pub struct Incoming {
    /// The request, as bytes.
    pub header: Bytes,
    /// Its body, and where the answer goes.
    pub exchange: Exchange,
}

// === impl Incoming ===

impl Incoming {
    /// The request.
    ///
    /// # Errors
    /// [`Error::Decode`] when it is something else.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        codec::decode(&self.header)
    }

    /// Answers without a body. A body of the request that was not read is stopped.
    ///
    /// # Errors
    /// As [`crate::Sender::header`].
    pub fn reply<T: Serialize + ?Sized>(self, answer: &T) -> Result<(), Error> {
        self.reply_bytes(codec::encode(answer)?.into())
    }

    /// As [`Incoming::reply`], with an answer that is bytes already.
    ///
    /// # Errors
    /// As [`crate::Sender::header`].
    pub fn reply_bytes(self, answer: Bytes) -> Result<(), Error> {
        let mut send = self.exchange.send;
        send.header_bytes(answer)?;
        send.finish()
    }

    /// Gives it up with a reason instead of an answer.
    pub fn refuse(self, code: ResetCode) {
        self.exchange.send.reset(code);
    }
}
