//! What the ledger stores, row by row. Nothing that came from a sender stands
//! here in the clear: it is in `sealed` blobs, or a keyed digest.
//!
//! `document` and `sealed` are opaque to the store. `mac` authenticates a row
//! with its place and version (`chancery_seal::row`); `version` counts from 1.

use chancery_hsm_api::KekId;
use chancery_message::{
    BodyId, CaseId, Channel, DeliveryId, MessageId, OfficerId, OpaqueRef, ParticipantId,
    Precedence, RecipientRole, Timestamp,
};
use serde::{Deserialize, Serialize};

macro_rules! stored_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the database.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value of a word in the database.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

stored_words!(
    /// Where a message stands.
    MessageState {
        /// Sealed and decided; its deliveries tell the rest.
        Sealed = "sealed",
        /// Kept for an officer: no label, or no proven sender.
        Quarantined = "quarantined",
        /// Refused by an officer out of quarantine.
        Rejected = "rejected",
    }
);

stored_words!(
    /// Where a delivery stands.
    DeliveryState {
        /// Permitted; waits to be fetched or sent.
        Queued = "queued",
        /// Waits for officers or for the originator's consent.
        Held = "held",
        /// Refused by the rules or by an officer.
        Refused = "refused",
        /// Given out or being sent; no outcome yet.
        Opened = "opened",
        /// Acknowledged by the recipient or its mail server.
        Completed = "completed",
        /// Sending failed for now; `next_at` tells when it is tried again.
        Deferred = "deferred",
        /// Not delivered in time.
        Expired = "expired",
        /// Sent, but a crash left no outcome.
        Uncertain = "uncertain",
        /// Taken back by the sender before it was delivered.
        Withdrawn = "withdrawn",
    }
);

stored_words!(
    /// What an indexed digest is of.
    IndexKind {
        /// The sender's own id of a message (Message-ID, SIENA-style id), with the sender.
        ExternalId = "external-id",
        /// The bytes of a signed original, against replay.
        Original = "original",
        /// The sender's reference.
        Reference = "reference",
        /// A request for an originator's consent, by its digest.
        Consent = "consent",
    }
);

stored_words!(
    /// Kinds of versioned documents.
    DocumentKind {
        /// A participant of the directory.
        Participant = "participant",
        /// An officer.
        Officer = "officer",
        /// A memorandum of understanding.
        Mou = "mou",
        /// A policy set.
        Policy = "policy",
        /// Whether somebody or something is suspended.
        Suspension = "suspension",
        /// A change that an officer proposes.
        Proposal = "proposal",
    }
);

stored_words!(
    /// Whether a case is decided.
    CaseState {
        /// Waits for votes.
        Open = "open",
        /// Approved by its quorum.
        Approved = "approved",
        /// Refused.
        Refused = "refused",
        /// The facts changed, or the message was withdrawn.
        Superseded = "superseded",
    }
);

stored_words!(
    /// Where a sealed stream stands.
    BodyState {
        /// Segments still come.
        Open = "open",
        /// Whole, waits to be referred to.
        Complete = "complete",
        /// Part of a message.
        Bound = "bound",
    }
);

/// What holds a wrapped content key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A message's row.
    Message(MessageId),
    /// A sealed stream's row.
    Body(BodyId),
}

/// Under which key-encryption key a content key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapping {
    /// Whose content key.
    pub holder: Holder,
    /// Under which KEK.
    pub kek: KekId,
    /// Which generation of it.
    pub generation: u32,
}

/// A message: label and addressing in `document`, content in `sealed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// Counts changes from 1.
    pub version: u64,
    /// Where it stands.
    pub state: MessageState,
    /// How it came.
    pub channel: Channel,
    /// The authenticated sender; none where nobody was proven.
    pub sender: Option<ParticipantId>,
    /// Rank of its level, 0 to 4; 0 while it has no label.
    pub rank: u8,
    /// Its number in this node's register.
    pub registration: u64,
    /// Its reference for those who may not see numbers.
    pub reference: OpaqueRef,
    /// When it came.
    pub received_at: Timestamp,
    /// The stage's own record of it.
    pub document: Vec<u8>,
    /// Manifest, wrapped key and sealed small parts.
    pub sealed: Vec<u8>,
    /// Row authentication.
    pub mac: [u8; 32],
}

/// One message on its way to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its id.
    pub id: DeliveryId,
    /// Counts changes from 1.
    pub version: u64,
    /// Of which message.
    pub message: MessageId,
    /// Its place among the message's recipients, from 0.
    pub position: u32,
    /// To whom.
    pub recipient: ParticipantId,
    /// To or copy.
    pub role: RecipientRole,
    /// By which channel.
    pub channel: Channel,
    /// Where it stands.
    pub state: DeliveryState,
    /// How urgent.
    pub precedence: Precedence,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it is tried (again), for pushed channels.
    pub next_at: Option<Timestamp>,
    /// By when it must be delivered.
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// The decision and what followed.
    pub document: Vec<u8>,
    /// Row authentication.
    pub mac: [u8; 32],
}

/// A sealed stream: an attachment, or an original as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRow {
    /// Its id.
    pub id: BodyId,
    /// Counts changes from 1.
    pub version: u64,
    /// Where it stands.
    pub state: BodyState,
    /// Who may refer to it; none for an original.
    pub owner: Option<ParticipantId>,
    /// The message that it is part of.
    pub message: Option<MessageId>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it is forgotten unless bound.
    pub expires_at: Timestamp,
    /// Bytes of plaintext.
    pub size: u64,
    /// Number of segments.
    pub segments: u32,
    /// Wrapped key and digests.
    pub document: Vec<u8>,
    /// Row authentication.
    pub mac: [u8; 32],
}

/// A sealed segment: at most 64 KiB of plaintext and its tag.
#[derive(Clone, PartialEq, Eq)]
pub struct SegmentRow {
    /// Of which stream.
    pub body: BodyId,
    /// Its place, from 0.
    pub index: u32,
    /// Ciphertext and tag.
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for SegmentRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SegmentRow({} / {}, {} bytes)",
            self.body,
            self.index,
            self.sealed.len()
        )
    }
}

/// A case for officers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Its id.
    pub id: CaseId,
    /// Counts changes from 1.
    pub version: u64,
    /// About which delivery; none for a message in quarantine.
    pub delivery: Option<DeliveryId>,
    /// About which message.
    pub message: MessageId,
    /// Whether it is decided.
    pub state: CaseState,
    /// Since when.
    pub opened_at: Timestamp,
    /// By when.
    pub due_at: Timestamp,
    /// What votes bind: SHA-256 of message, label, recipient, facts and gates.
    pub digest: [u8; 32],
    /// Facts, gates, quorum.
    pub document: Vec<u8>,
    /// Row authentication.
    pub mac: [u8; 32],
}

/// An officer's vote, with the signature that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteRow {
    /// In which case.
    pub case: CaseId,
    /// Whose.
    pub officer: OfficerId,
    /// When.
    pub at: Timestamp,
    /// For or against.
    pub approve: bool,
    /// The canonical approval record and its proof.
    pub document: Vec<u8>,
}

/// A used idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRow {
    /// Whose key.
    pub participant: ParticipantId,
    /// HMAC-SHA-256 of the key.
    pub key: [u8; 32],
    /// HMAC-SHA-256 of the request, so that another request under the same key shows.
    pub request: [u8; 32],
    /// The message that the first request made.
    pub message: MessageId,
    /// Until when the key is remembered.
    pub expires_at: Timestamp,
}

/// A version of a document; never changed, never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    /// Its kind.
    pub kind: DocumentKind,
    /// Whose or which.
    pub key: String,
    /// From when it holds.
    pub valid_from: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The document (TOML or Cedar text).
    pub document: Vec<u8>,
    /// Row authentication.
    pub mac: [u8; 32],
}
