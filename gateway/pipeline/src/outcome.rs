//! What came of a request, typed. Each channel's `content` module puts it into
//! the words of its protocol.

use chancery_label::Label;
use chancery_message::{
    DeliveryId, MessageId, ParticipantId, Precedence, RecipientRole, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::rows::DeliveryState;
use crate::view::DeliveryView;

/// What came of a request.
#[derive(Debug)]
pub enum Outcome {
    /// Accepted and durable: what becomes of it for each recipient.
    Accepted(Verdicts),
    /// What would become of it; nothing was sent.
    Checked(Verdicts),
    /// Kept for an officer.
    Quarantined {
        /// The message.
        message: MessageId,
        /// Why, in words safe to show: `no label`, `sender not proven`.
        reason: String,
    },
    /// Refused whole; nothing changed but the audit log.
    Refused(Refusal),
    /// An attachment is held for the caller.
    Uploaded {
        /// What submissions refer to it by.
        id: String,
        /// SHA-256 of its bytes.
        sha256: [u8; 32],
        /// Bytes.
        size: u64,
        /// Until when it is kept unless referred to.
        expires_at: Timestamp,
    },
    /// The participants that the caller may know of.
    Recipients(Vec<RecipientCard>),
    /// What waits.
    Inbox(Vec<InboxEntry>),
    /// One delivery, whole but for large attachments.
    Delivery(Box<DeliveryView>),
    /// The recipient has it.
    Acknowledged {
        /// What.
        delivery: DeliveryId,
        /// When it was acknowledged first.
        at: Timestamp,
    },
    /// What became of a message.
    Status(StatusView),
    /// Taken back, as far as it was not delivered yet.
    Withdrawn(StatusView),
    /// What waits for the caller's consent.
    Consents(Vec<ConsentCard>),
    /// The caller's answer to a request for consent is recorded.
    Consented {
        /// To which request.
        request: ConsentCard,
        /// True for consent, false for its refusal.
        granted: bool,
    },
}

/// A request for the caller's consent to an onward release of its information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentCard {
    /// What an answer names: the digest of message, recipient, originator,
    /// nonce and time, hexadecimal.
    pub request: String,
    /// The message that would go.
    pub message: MessageId,
    /// To whom.
    pub recipient: ParticipantId,
    /// Its level.
    pub level: chancery_label::Level,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// The moment after which an answer counts no more.
    pub answer_by: Timestamp,
}

/// The verdict for every recipient of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// The message; none for a check.
    pub message: Option<MessageId>,
    /// The registration number as the caller may see it: a number for public
    /// bodies, an opaque reference for private participants; none for a check.
    pub registration: Option<String>,
    /// The label as the gateway reads it (asserted, channel floor and found markings joined).
    pub label: Label,
    /// In the order of the submission.
    pub recipients: Vec<RecipientVerdict>,
    /// True if this is the stored answer to a request made before.
    pub repeated: bool,
}

/// What the rules say for one recipient, in words safe to show to the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientVerdict {
    /// As the sender named it.
    pub recipient: String,
    /// `permit`, `review` or `deny`.
    pub verdict: Verdict,
    /// One sentence for the sender; empty for a permit without obligations.
    pub reason: String,
    /// What would help, where something would.
    pub hints: Vec<String>,
    /// For a review: by when officers should have judged.
    pub due_at: Option<Timestamp>,
}

/// Permit, review or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// It goes.
    Permit,
    /// It waits for officers or for the originator's consent.
    Review,
    /// It does not go.
    Deny,
}

impl Verdict {
    /// `permit`, `review`, `deny`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Review => "review",
            Self::Deny => "deny",
        }
    }
}

/// Why a request was refused whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The class, with a stable name.
    pub kind: RefusalKind,
    /// One sentence for the peer: what, where, which rule; never content.
    pub detail: String,
}

impl Refusal {
    /// A refusal of that kind.
    pub fn new(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

/// Classes of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The bytes are not a submission.
    Malformed,
    /// A field has a value that it may not have.
    Invalid,
    /// Too large.
    TooLarge,
    /// The peer proved no identity.
    Unauthenticated,
    /// The proven identity is not in the directory, or may not use this channel now.
    UnknownSender,
    /// A recipient is not known, or not to this caller: both get this.
    UnknownRecipient,
    /// The label cannot be read.
    BadLabel,
    /// No label, on a channel where that is an error.
    NoLabel,
    /// The label is above what this channel may carry.
    LabelAboveChannel,
    /// The cryptography that carries it, or carried it here, is not allowed for
    /// its label.
    WeakProtection,
    /// The signature proves nothing, or another than the sender.
    BadSignature,
    /// The same signed message came before.
    Replayed,
    /// The idempotency key was used for another request.
    KeyReused,
    /// Not there, or not for this caller: both get this.
    NotFound,
    /// There, but not in a state that allows this now.
    NotNow,
    /// The rules do not allow the release (any more).
    Denied,
    /// Too much at once; later is fine.
    Busy,
    /// The gateway cannot do it now (storage or keys): nothing was accepted.
    Unavailable,
}

impl RefusalKind {
    /// All kinds.
    pub const ALL: [Self; 18] = [
        Self::Malformed,
        Self::Invalid,
        Self::TooLarge,
        Self::Unauthenticated,
        Self::UnknownSender,
        Self::UnknownRecipient,
        Self::BadLabel,
        Self::NoLabel,
        Self::LabelAboveChannel,
        Self::WeakProtection,
        Self::BadSignature,
        Self::Replayed,
        Self::KeyReused,
        Self::NotFound,
        Self::NotNow,
        Self::Denied,
        Self::Busy,
        Self::Unavailable,
    ];

    /// The stable name: last part of the problem `type`, text of the XML
    /// fault's code, reason in the audit record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::TooLarge => "too-large",
            Self::Unauthenticated => "unauthenticated",
            Self::UnknownSender => "unknown-sender",
            Self::UnknownRecipient => "unknown-recipient",
            Self::BadLabel => "bad-label",
            Self::NoLabel => "no-label",
            Self::LabelAboveChannel => "label-above-channel",
            Self::WeakProtection => "weak-protection",
            Self::BadSignature => "bad-signature",
            Self::Replayed => "replayed",
            Self::KeyReused => "key-reused",
            Self::NotFound => "not-found",
            Self::NotNow => "not-now",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status (RFC 9110).
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::UnknownSender | Self::Denied | Self::WeakProtection => 403,
            Self::NotFound => 404,
            Self::Replayed | Self::KeyReused | Self::NotNow => 409,
            Self::TooLarge => 413,
            Self::Invalid
            | Self::UnknownRecipient
            | Self::BadLabel
            | Self::NoLabel
            | Self::LabelAboveChannel
            | Self::BadSignature => 422,
            Self::Busy => 429,
            Self::Unavailable => 503,
        }
    }

    /// The SMTP reply code and enhanced status code (RFC 5321, RFC 3463).
    #[must_use]
    pub const fn smtp_status(self) -> (u16, &'static str) {
        match self {
            Self::TooLarge => (552, "5.3.4"),
            Self::UnknownRecipient | Self::NotFound => (550, "5.1.1"),
            Self::Unauthenticated | Self::UnknownSender | Self::BadSignature => (550, "5.7.1"),
            Self::BadLabel
            | Self::NoLabel
            | Self::LabelAboveChannel
            | Self::WeakProtection
            | Self::Denied => (550, "5.7.0"),
            Self::Malformed | Self::Invalid => (554, "5.6.0"),
            Self::Replayed | Self::KeyReused | Self::NotNow => (554, "5.7.0"),
            Self::Busy => (452, "4.3.1"),
            Self::Unavailable => (451, "4.3.0"),
        }
    }
}

/// A participant, as another may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientCard {
    /// Its id: what submissions name.
    pub id: ParticipantId,
    /// Its name.
    pub name: String,
    /// Its community.
    pub community: String,
    /// Its country: ISO 3166-1 alpha-3, `EU` or `NATO`.
    pub country: String,
    /// The highest level that could be released to it from the caller now.
    pub ceiling: chancery_label::Level,
    /// Its duty contact, where it has one.
    pub contact: Option<String>,
}

/// What waits in an inbox. Only deliveries that the rules permit now are
/// listed with their subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// What to fetch and acknowledge.
    pub delivery: DeliveryId,
    /// From whom.
    pub from: ParticipantId,
    /// The label, as full marking text.
    pub marking: String,
    /// How urgent.
    pub precedence: Precedence,
    /// To or copy.
    pub role: RecipientRole,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// By when a receipt is due.
    pub due_at: Option<Timestamp>,
    /// What it is about.
    pub subject: chancery_message::Text,
    /// Bytes of all attachments.
    pub attachment_bytes: u64,
    /// True if it was fetched before and not acknowledged.
    pub opened: bool,
    /// How its receipt stands, where one is owed.
    pub receipt: Option<Receipt>,
}

/// How a receipt stands that a recipient owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Its time is not over.
    Awaited,
    /// The recipient was reminded of it.
    Reminded,
    /// It did not come in its time.
    Overdue,
}

impl Receipt {
    /// `awaited`, `reminded`, `overdue`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Reminded => "reminded",
            Self::Overdue => "overdue",
        }
    }
}

/// What became of a message, as its sender may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusView {
    /// Which.
    pub message: MessageId,
    /// Its registration as the caller may see it.
    pub registration: String,
    /// Its label, as full marking text; none while in quarantine.
    pub marking: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// For each recipient.
    pub recipients: Vec<RecipientStatus>,
}

/// Where a message stands for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientStatus {
    /// The recipient.
    pub recipient: ParticipantId,
    /// Where it stands.
    pub state: DeliveryState,
    /// One sentence, safe to show; empty where there is nothing to say.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}
