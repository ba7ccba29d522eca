//! What a door's adapter (`wire`) may ask of the gateway. The door implements
//! it over its sockets to reader and core; tests implement it in memory.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use chancery_message::{Inbound, PeerEvidence};
use serde::{Deserialize, Serialize};

/// A boxed future, so that the port can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The gateway, as a door's adapter sees it. Adapters do framing; they never
/// look into content.
pub trait Gate: Send + Sync {
    /// Hands over the whole bytes of a submission. The answer is durable: what
    /// it accepts, the gateway holds.
    fn submit(&self, inbound: Inbound, raw: Bytes) -> BoxFuture<'_, Result<Reply, GateError>>;

    /// Streams an attachment that a later submission refers to. Never parsed.
    fn upload<'a>(
        &'a self,
        peer: PeerEvidence,
        media_type: String,
        declared_size: Option<u64>,
        body: &'a mut dyn Chunks,
    ) -> BoxFuture<'a, Result<Reply, GateError>>;

    /// Asks what needs no parsing. May take as long as the ask says it waits.
    fn ask(&self, peer: PeerEvidence, ask: Ask) -> BoxFuture<'_, Result<Reply, GateError>>;

    /// Asked before each request (each message, by mail) is looked at: whether
    /// this peer has not asked for too much lately.
    ///
    /// # Errors
    /// [`TooMany`]; nothing of the request is done.
    fn admit(&self, _peer: &PeerEvidence) -> Result<(), TooMany> {
        Ok(())
    }

    /// Tells of a refusal at the door (one audit record). Never fails visibly:
    /// where it cannot be recorded the peer was refused all the same.
    fn refused(&self, refusal: DoorRefusal) -> BoxFuture<'_, ()>;
}

/// A stream of bytes with back-pressure.
pub trait Chunks: Send {
    /// The next chunk (at most 64 KiB), none at the end.
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, GateError>>>;
}

/// One chunk as a stream.
#[derive(Debug)]
pub struct WholeChunks(pub Option<Bytes>);

impl Chunks for WholeChunks {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, GateError>>> {
        let chunk = self.0.take().map(Ok);
        Box::pin(async move { chunk })
    }
}

/// What can be asked without parsing content. Ids are as the peer wrote them,
/// at most 128 bytes; core reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// The participants that the caller may know of.
    Recipients,
    /// What waits for the caller.
    Inbox {
        /// How long to wait for something, seconds, at most 60; 0 answers at once.
        wait_seconds: u32,
        /// Only what comes after this delivery.
        after: Option<String>,
        /// At most so many, 1 to 200.
        limit: u32,
    },
    /// One delivery: decided, recorded, given out.
    Fetch {
        /// Which.
        delivery: String,
    },
    /// The bytes of one attachment of a delivery.
    FetchAttachment {
        /// Of which delivery.
        delivery: String,
        /// Which, from 0.
        index: u32,
    },
    /// The caller has it safely: the receipt.
    Acknowledge {
        /// What.
        delivery: String,
    },
    /// What became of a message of the caller's.
    Status {
        /// Which.
        message: String,
    },
    /// Take back what is not yet delivered.
    Withdraw {
        /// Which message.
        message: String,
    },
    /// The onward releases that wait for the caller's consent.
    Consents,
    /// The caller's answer to one of them.
    Consent {
        /// Which: the request's digest, hexadecimal.
        request: String,
        /// True for consent, false for its refusal.
        grant: bool,
    },
}

/// What goes back to the peer. Core made it with the channel's `content`
/// module; the door relays it.
pub struct Reply {
    /// HTTP status, or SMTP reply code.
    pub status: u16,
    /// Media type of the body (HTTP).
    pub content_type: String,
    /// Further header fields (HTTP), lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body; for SMTP one line of text: enhanced status code and words.
    pub body: ReplyBody,
    /// LMTP: code and text for each recipient, in the order of `RCPT`; empty
    /// means the same answer for all.
    pub per_recipient: Vec<(u16, String)>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A reply's body.
pub enum ReplyBody {
    /// All at once.
    Whole(Bytes),
    /// A stream of that many bytes.
    Stream {
        /// Bytes in all.
        length: u64,
        /// The chunks.
        chunks: Box<dyn Chunks>,
    },
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length} bytes)"),
        }
    }
}

/// The gateway could not answer; nothing was accepted. The peer may try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A process behind the door is restarting or too busy.
    #[error("the gateway is busy; try again")]
    Busy,
    /// The peer stopped sending, or sent more than it may.
    #[error("the transfer was cut off: {0}")]
    CutOff(String),
    /// The limit for this kind of transfer was passed.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
}

/// A peer asks for more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Seconds after which it may ask again, at least 1.
    pub retry_after: u64,
    /// Whether it is the first refusal since the peer last kept to the limit:
    /// only that is recorded, or who asks too much would fill the record.
    pub first: bool,
}

/// A refusal at the door, before anything was parsed: one audit record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorRefusal {
    /// The peer, as far as it is known.
    pub peer: PeerEvidence,
    /// What was refused, one of the adapter's fixed words, for example `bare-lf`,
    /// `too-large`, `no-certificate`.
    pub reason: String,
}
