//! What the processes say to each other: postcard-encoded headers of streams
//! between door, reader and core. Bodies follow as data frames.

use chancery_message::{Inbound, Parsed, PeerEvidence, Ticket};
use serde::{Deserialize, Serialize};

use crate::ports::{Ask, DoorRefusal};

/// Opened by a door at core.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum DoorToCore {
    /// "I hold these bytes from this peer": core seals the body that follows
    /// as evidence and answers [`CoreToDoor::Held`].
    Ingest(Box<Inbound>),
    /// "My reader died on it twice": core quarantines it and answers with a reply.
    Abandon(Ticket),
    /// An attachment; the bytes follow. Answered with a reply.
    Upload {
        /// Whose.
        peer: PeerEvidence,
        /// What the peer calls it.
        media_type: String,
        /// How large the peer says it is.
        declared_size: Option<u64>,
    },
    /// A question. Answered with a reply, the body as data frames.
    Ask {
        /// Whose.
        peer: PeerEvidence,
        /// What.
        ask: Ask,
    },
    /// A refusal at the door, for the record. Answered with [`CoreToDoor::Noted`].
    Refused(DoorRefusal),
    /// How the node fares, for who operates it. Answered with a reply.
    Condition(Condition),
    /// The door's certificate, client authority and revocation lists, as they
    /// are now: the door itself opens no files. Answered with a reply: status
    /// 200 and [`DoorFiles`] as the body, or 503 and why not in words.
    Files,
}

/// What a door shows and whom it lets in, PEM: public things alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorFiles {
    /// Its certificate and the intermediates, leaf first.
    pub certificate: Vec<u8>,
    /// The authority whose clients may connect; none for mail.
    pub client_ca: Option<Vec<u8>>,
    /// That authority's revocation lists.
    pub crl: Option<Vec<u8>>,
}

/// In which form the node's condition is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// JSON, with status 503 where something does not work.
    Health,
    /// Prometheus' text.
    Metrics,
}

/// Core's answers to a door.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum CoreToDoor {
    /// The original is sealed and durable; the reader's submission must show this.
    Held(Ticket),
    /// What goes back to the peer; `length` bytes of body follow.
    Reply(ReplyHead),
    /// Recorded.
    Noted,
}

/// A reply without its body.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyHead {
    /// HTTP status or SMTP code.
    pub status: u16,
    /// Media type of the body.
    pub content_type: String,
    /// Further header fields, lower-case names.
    pub headers: Vec<(String, String)>,
    /// For LMTP.
    pub per_recipient: Vec<(u16, String)>,
    /// Bytes of body that follow.
    pub length: u64,
}

/// Opened by a door at its reader; the raw bytes follow. Answered with core's
/// [`ReplyHead`] and body, relayed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Core's ticket for these bytes.
    pub ticket: Ticket,
    /// What the door knows (the reader needs operation and envelope; core does
    /// not take the evidence from here).
    pub inbound: Inbound,
}

/// Opened by a reader at core.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ReaderToCore {
    /// The certificates registered for an address. Answered with [`Certificates`].
    CertificatesFor(String),
    /// What it made of the bytes behind a ticket; `Parsed` follows as the
    /// body (postcard). Answered with [`ReplyHead`] and body.
    Submit(Ticket),
}

/// The body of a [`ReaderToCore::Submit`].
pub type SubmitBody = Parsed;

/// Registered OpenPGP certificates, binary.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificates {
    /// None for an address that the directory does not know.
    pub certificates: Vec<Vec<u8>>,
}

/// Opened by core at the mail door: send this to the relay. The rendered mail
/// (RFC 5322 bytes with CRLF) follows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendMail {
    /// Envelope sender.
    pub from: String,
    /// The one envelope recipient.
    pub to: String,
    /// By when it must be off, milliseconds from now (the permit's deadline):
    /// after that the door refuses to begin.
    pub deadline_ms: u32,
    /// Over what it may go.
    pub session: RelaySession,
}

/// What a session with the relay must have to carry a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelaySession {
    /// The key exchanges that are allowed for its label now; none: it may not go.
    pub groups: Vec<String>,
    /// Whether TLS 1.2 is not enough.
    pub tls13: bool,
}

/// The mail door's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailSent {
    /// The relay took it.
    Accepted {
        /// Its reply, cut to 200 characters, control characters removed.
        reply: String,
    },
    /// Not now; nothing was taken.
    Temporary {
        /// Why.
        reason: String,
    },
    /// Never; nothing was taken.
    Permanent {
        /// Why.
        reason: String,
    },
    /// The connection broke after the data and before the reply.
    Unknown {
        /// Why.
        reason: String,
    },
}
