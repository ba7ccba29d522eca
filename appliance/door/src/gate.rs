//! The gateway as the adapters see it: the port [`Gate`] over the sockets to
//! reader and core.
//!
//! ```text
//! submit:  bytes ─Ingest→ core (seals them, answers a ticket)
//!          bytes + ticket ─Read→ reader ─Submit{ticket}→ core ─reply→ reader ─reply→ here
//! ```
//! The evidence of the peer goes to core alone; what a reader says of it counts for nothing.
//!
//! A reader that dies takes with it all that was on its way to it. Who of them
//! was the cause shows when each is read again, alone: what the reader then
//! dies on is set aside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chancery_ipc::{Client, Error, Exchange, Receiver, codec};
use chancery_message::{Inbound, PeerEvidence, Ticket};
use chancery_pipeline::ports::{
    Ask, BoxFuture, Chunks, DoorRefusal, Gate, GateError, Reply, ReplyBody, TooMany,
};
use chancery_pipeline::protocol::{Condition, CoreToDoor, DoorFiles, DoorToCore, Read, ReplyHead};
use tokio::sync::RwLock;

use crate::peers::Peers;

/// How long a door waits for core or its reader to come back before it answers "busy".
const RETURN: Duration = Duration::from_secs(10);
/// How long a door waits for the reader's successor: longer than the
/// supervisor's longest pause, or a message could kill readers for ever.
const SUCCESSOR: Duration = Duration::from_secs(30);
/// Replies up to this size are relayed in one piece.
const WHOLE: u64 = 1024 * 1024;
/// The files of a door, all together.
const MOST_FILES: usize = 64 * 1024 * 1024;

/// The door's way to reader and core.
#[derive(Clone, Debug)]
pub(crate) struct DoorGate {
    core: Client,
    reader: Client,
    /// Shared by messages that are read for the first time; held alone by one
    /// that is read again.
    turn: Arc<RwLock<()>>,
    /// How long a reader may take with all that waits before it.
    patience: Duration,
    /// What each peer may have.
    peers: Arc<Peers>,
}

/// What became of one try to have a message read.
enum Try {
    Answered(Reply),
    /// The reader died, or gave this message up.
    Died,
    /// It does not answer, or there is none.
    Busy,
}

impl DoorGate {
    /// `reading` is how long a reader may take for one message.
    pub(crate) fn new(core: Client, reader: Client, reading: Duration, peers: Arc<Peers>) -> Self {
        Self {
            core,
            reader,
            turn: Arc::default(),
            patience: reading.saturating_mul(2) + RETURN,
            peers,
        }
    }

    async fn submit_bytes(&self, inbound: Inbound, raw: Bytes) -> Result<Reply, GateError> {
        let ticket = match self.ingest(&inbound, raw.clone()).await? {
            Held::Ticket(ticket) => ticket,
            Held::Answered(reply) => return Ok(reply),
        };
        let read = Read { ticket, inbound };
        let first = {
            let _among_others = self.turn.read().await;
            self.try_read(&read, raw.clone(), RETURN).await
        };
        match first {
            Try::Answered(reply) => return Ok(reply),
            Try::Busy => return Err(GateError::Busy),
            Try::Died => tracing::warn!("a reader died: its message is read again, alone"),
        }
        let again = {
            let _alone = self.turn.write().await;
            self.try_read(&read, raw, SUCCESSOR).await
        };
        match again {
            Try::Answered(reply) => Ok(reply),
            Try::Busy => Err(GateError::Busy),
            Try::Died => self.abandon(ticket).await,
        }
    }

    async fn try_read(&self, read: &Read, raw: Bytes, back: Duration) -> Try {
        match self.read(read, raw, back).await {
            Ok(reply) => Try::Answered(reply),
            Err(Error::Gone | Error::Reset(_) | Error::Stopped) => Try::Died,
            Err(error) => {
                tracing::error!(%error, "the reader cannot be asked");
                Try::Busy
            }
        }
    }

    /// Core holds the bytes, or answers at once.
    async fn ingest(&self, inbound: &Inbound, raw: Bytes) -> Result<Held, GateError> {
        let mut exchange = self
            .core
            .open(&DoorToCore::Ingest(Box::new(inbound.clone())), RETURN)
            .await
            .map_err(busy)?;
        send_all(&mut exchange, raw).await.map_err(busy)?;
        let Exchange { send, mut receive } = exchange;
        send.finish().map_err(busy)?;
        match receive.header::<CoreToDoor>().await.map_err(busy)? {
            CoreToDoor::Held(ticket) => Ok(Held::Ticket(ticket)),
            CoreToDoor::Reply(head) => Ok(Held::Answered(relay(head, receive).await?)),
            CoreToDoor::Noted => Err(GateError::Busy),
        }
    }

    async fn read(&self, read: &Read, raw: Bytes, back: Duration) -> Result<Reply, Error> {
        let mut exchange = self.reader.open(read, back).await?;
        send_all(&mut exchange, raw).await?;
        let Exchange { send, mut receive } = exchange;
        send.finish()?;
        let head = tokio::time::timeout(self.patience, receive.header::<ReplyHead>())
            .await
            .map_err(|_| Error::Deadline(self.patience))??;
        relay(head, receive).await.map_err(|_| Error::Gone)
    }

    async fn abandon(&self, ticket: Ticket) -> Result<Reply, GateError> {
        tracing::error!("a message took its reader down twice: set aside");
        self.ask_core(&DoorToCore::Abandon(ticket)).await
    }

    /// How the node fares.
    pub(crate) async fn condition(&self, form: Condition) -> Result<Reply, GateError> {
        self.ask_core(&DoorToCore::Condition(form)).await
    }

    /// The door's own files as they are now, or why they cannot be had.
    pub(crate) async fn files(&self) -> Result<DoorFiles, String> {
        let cannot = || "core cannot be asked for the door's files".to_owned();
        let reply = self
            .ask_core(&DoorToCore::Files)
            .await
            .map_err(|_| cannot())?;
        let status = reply.status;
        let body = match reply.body {
            ReplyBody::Whole(body) => body,
            ReplyBody::Stream { mut chunks, .. } => {
                let mut all = Vec::new();
                while let Some(chunk) = chunks.next().await {
                    let chunk = chunk.map_err(|_| cannot())?;
                    if all.len() + chunk.len() > MOST_FILES {
                        return Err("the door's files are too large".to_owned());
                    }
                    all.extend_from_slice(&chunk);
                }
                all.into()
            }
        };
        if status != 200 {
            return Err(String::from_utf8_lossy(&body).into_owned());
        }
        codec::decode(&body).map_err(|_| cannot())
    }

    /// A request to core without a body, answered with a reply.
    async fn ask_core(&self, request: &DoorToCore) -> Result<Reply, GateError> {
        let Exchange { send, mut receive } = self.core.open(request, RETURN).await.map_err(busy)?;
        send.finish().map_err(busy)?;
        match receive.header::<CoreToDoor>().await.map_err(busy)? {
            CoreToDoor::Reply(head) => relay(head, receive).await,
            CoreToDoor::Held(_) | CoreToDoor::Noted => Err(GateError::Busy),
        }
    }

    async fn stream_up(
        &self,
        peer: PeerEvidence,
        media_type: String,
        declared_size: Option<u64>,
        body: &mut dyn Chunks,
    ) -> Result<Reply, GateError> {
        let request = DoorToCore::Upload {
            peer,
            media_type,
            declared_size,
        };
        let mut exchange = self.core.open(&request, RETURN).await.map_err(busy)?;
        while let Some(chunk) = body.next().await {
            // An early answer (too large, not allowed) stops the sending; it is read below.
            if exchange.send.data(chunk?).await.is_err() {
                break;
            }
        }
        let Exchange { send, mut receive } = exchange;
        // INVARIANT: where core stopped reading its answer is there already.
        let _stopped = send.finish();
        match receive.header::<CoreToDoor>().await.map_err(busy)? {
            CoreToDoor::Reply(head) => relay(head, receive).await,
            CoreToDoor::Held(_) | CoreToDoor::Noted => Err(GateError::Busy),
        }
    }
}

enum Held {
    Ticket(Ticket),
    Answered(Reply),
}

impl Gate for DoorGate {
    fn submit(&self, inbound: Inbound, raw: Bytes) -> BoxFuture<'_, Result<Reply, GateError>> {
        let gate = self.clone();
        Box::pin(async move {
            // A task of its own: a peer that goes away, or whose patience ends,
            // must not keep a message that kills readers from being set aside.
            let submitted = tokio::spawn(async move { gate.submit_bytes(inbound, raw).await });
            submitted.await.unwrap_or(Err(GateError::Busy))
        })
    }

    fn upload<'a>(
        &'a self,
        peer: PeerEvidence,
        media_type: String,
        declared_size: Option<u64>,
        body: &'a mut dyn Chunks,
    ) -> BoxFuture<'a, Result<Reply, GateError>> {
        Box::pin(self.stream_up(peer, media_type, declared_size, body))
    }

    fn ask(&self, peer: PeerEvidence, ask: Ask) -> BoxFuture<'_, Result<Reply, GateError>> {
        Box::pin(async move { self.ask_core(&DoorToCore::Ask { peer, ask }).await })
    }

    fn admit(&self, peer: &PeerEvidence) -> Result<(), TooMany> {
        self.peers.admit(peer, Instant::now())
    }

    fn refused(&self, refusal: DoorRefusal) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let noted = self
                .core
                .call::<_, CoreToDoor>(&DoorToCore::Refused(refusal), RETURN)
                .await;
            if let Err(error) = noted {
                tracing::error!(%error, "a refusal at the door could not be recorded");
            }
        })
    }
}

async fn send_all(exchange: &mut Exchange, bytes: Bytes) -> Result<(), Error> {
    match exchange.send.data(bytes).await {
        // The other side answered without reading all: its answer counts.
        Err(Error::Stopped) => Ok(()),
        other => other,
    }
}

/// Relays a reply: small bodies whole, large ones as they come.
async fn relay(head: ReplyHead, mut receive: Receiver) -> Result<Reply, GateError> {
    let body = if head.length <= WHOLE {
        let limit = usize::try_from(WHOLE).unwrap_or(usize::MAX);
        let bytes = receive.collect(limit).await.map_err(busy)?;
        if u64::try_from(bytes.len()) != Ok(head.length) {
            return Err(GateError::CutOff("the reply is not whole".to_owned()));
        }
        ReplyBody::Whole(bytes)
    } else {
        ReplyBody::Stream {
            length: head.length,
            chunks: Box::new(Relayed {
                receive,
                left: head.length,
            }),
        }
    };
    Ok(Reply {
        status: head.status,
        content_type: head.content_type,
        headers: head.headers,
        body,
        per_recipient: head.per_recipient,
    })
}

/// A reply's body as core sends it.
struct Relayed {
    receive: Receiver,
    left: u64,
}

impl Chunks for Relayed {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, GateError>>> {
        Box::pin(async move {
            let cut = || GateError::CutOff("the reply is not whole".to_owned());
            match self.receive.next().await {
                Some(Ok(bytes)) => {
                    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    let Some(left) = self.left.checked_sub(length) else {
                        return Some(Err(cut()));
                    };
                    self.left = left;
                    Some(Ok(bytes))
                }
                Some(Err(_)) => Some(Err(cut())),
                None if self.left == 0 => None,
                None => Some(Err(cut())),
            }
        })
    }
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the form that `map_err` wants"
)]
fn busy(error: Error) -> GateError {
    tracing::warn!(%error, "a process behind the door does not answer");
    GateError::Busy
}
