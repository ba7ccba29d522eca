//! What flows through the gateway, station by station, and the words that
//! every station shares: ids, times, channels, evidence, submissions.
//!
//! Pure: [`Clock`] and [`Entropy`] are ports; nothing here reads the wall clock
//! or the system's randomness.
#![forbid(unsafe_code)]

mod channel;
mod evidence;
mod id;
mod participant;
mod secret;
mod submission;
mod time;

pub use channel::{Channel, Precedence};
pub use evidence::{
    CertificateEvidence, ContentProtection, PeerEvidence, SignatureEvidence, TransportEvidence,
};
pub use id::{
    BodyId, CaseId, DeliveryId, Entropy, EntropyError, InvalidId, MessageId, MouId, OfficerId,
    OpaqueRef, ParticipantId, PersonId, Ticket,
};
pub use participant::{Community, Evaluation, ParticipantKind, Purpose};
pub use secret::{Content, Text};
pub use submission::{
    AssertedLabel, Attachment, AttachmentContent, Inbound, Intent, LabelSource, Malformed,
    Operation, Parsed, RecipientRole, RequestedRecipient, SienaFields, SienaKind, Submission,
    UrgencyGround,
};
pub use time::{Clock, Timestamp};

/// Largest number of recipients of one submission.
pub const MAX_RECIPIENTS: usize = 100;
/// Largest number of attachments of one submission.
pub const MAX_ATTACHMENTS: usize = 64;
/// Largest body text, bytes of UTF-8.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Largest subject, bytes of UTF-8.
pub const MAX_SUBJECT_BYTES: usize = 998;
/// Largest attachment that travels inside a JSON or XML submission; larger ones are uploaded first.
pub const MAX_INLINE_ATTACHMENT_BYTES: usize = 256 * 1024;
