//! What a door took in, and what a reader made of it.

use chancery_label::Label;
use serde::{Deserialize, Serialize};

use crate::{
    Content, ContentProtection, Evaluation, PeerEvidence, Precedence, Purpose, SignatureEvidence,
    Text,
};

/// What a door took in. Nothing in it is trusted but the transport's evidence.
/// The bytes travel beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// Who handed it over, as far as the transport proved it.
    pub peer: PeerEvidence,
    /// What the peer asks for, from the protocol's framing (SMTP: always
    /// [`Operation::Send`]; HTTP: method and path).
    pub operation: Operation,
    /// The peer's own key against doing the same twice (HTTP `Idempotency-Key`).
    pub idempotency_key: Option<String>,
    /// The envelope's recipients, where the protocol has an envelope (SMTP
    /// `RCPT TO` addresses); the reader's recipients must be these.
    pub envelope_to: Vec<String>,
    /// The envelope's sender (SMTP `MAIL FROM`), unproven.
    pub envelope_from: Option<String>,
}

/// What a peer asks for. Targets are as the peer wrote them, at most 128 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Send a new message.
    Send,
    /// Tell what would happen, without sending.
    Check,
    /// Answer a message.
    Reply {
        /// The delivery or message answered.
        to: String,
    },
    /// Pass a received message on.
    Forward {
        /// The delivery or message passed on.
        of: String,
    },
}

/// What a reader made of the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parsed {
    /// A whole submission.
    Whole(Box<Submission>),
    /// Not one: refused.
    Malformed(Malformed),
    /// Readable enough to keep for an officer, not to send: ambiguous protection
    /// or identity. Quarantined.
    Suspicious(Malformed),
}

/// Why bytes are not a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what} ({rule})")]
#[serde(deny_unknown_fields)]
pub struct Malformed {
    /// What is wrong and where, without quoting the content.
    pub what: String,
    /// The rule that it breaks, for example `RFC 5322 section 3.6`.
    pub rule: String,
}

/// The typed message, whole: no half-valid value exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Send, check, reply or forward.
    pub intent: Intent,
    /// Who the content says it is from (mail: the one From address, lower
    /// case). Compared with what was proven, never believed.
    pub claimed_sender: Option<String>,
    /// To whom, in the sender's order, each once.
    pub recipients: Vec<RequestedRecipient>,
    /// What it is about.
    pub subject: Text,
    /// The text, UTF-8, lines ended by LF.
    pub body: Text,
    /// The attachments, in order.
    pub attachments: Vec<Attachment>,
    /// The label as the sender put it.
    pub label: AssertedLabel,
    /// What a signature over the content proves.
    pub signature: SignatureEvidence,
    /// By which algorithms the content was protected on its way, apart from the
    /// transport; none where the channel has no such protection.
    pub protection: Option<ContentProtection>,
    /// How urgently.
    pub precedence: Precedence,
    /// For what; none where the channel has no field for it.
    pub purpose: Option<Purpose>,
    /// Whether personal data is in it; none where the channel has no field for it.
    pub personal_data: Option<bool>,
    /// The originator as named (a participant id); none means the sender.
    pub originator: Option<String>,
    /// Messages that this one is derived from: ids or references.
    pub derived_from: Vec<Text>,
    /// The sender's own reference.
    pub reference: Option<Text>,
    /// The message that this one answers: id or reference.
    pub in_reply_to: Option<Text>,
    /// Source and information codes.
    pub evaluation: Option<Evaluation>,
    /// The sender's own id of the message (mail: Message-ID; SIENA-style:
    /// message id), for replay detection.
    pub external_id: Option<Text>,
    /// What only the SIENA-style channel has.
    pub siena: Option<SienaFields>,
}

/// What the sender wants done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Intent {
    /// Send it.
    Send,
    /// Only tell what would happen.
    Check,
    /// Send it as an answer to a delivery or message of the sender's.
    Reply {
        /// Its id, as the sender wrote it.
        to: String,
    },
    /// Pass on a message that was delivered to the sender: the content is the
    /// stored message's; this submission carries recipients and a covering text.
    Forward {
        /// Its id, as the sender wrote it.
        of: String,
    },
}

/// A recipient as the sender named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedRecipient {
    /// A participant id, or (mail) an address, lower case.
    pub name: String,
    /// To or copy.
    pub role: RecipientRole,
}

/// Whether a recipient acts or is informed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipientRole {
    /// For action.
    To,
    /// For information.
    Copy,
}

/// An attachment, opaque to the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Its name: no path, no control characters, at most 255 bytes.
    pub name: Text,
    /// Its media type, lower case `type/subtype`.
    pub media_type: String,
    /// Its own label as the sender put it; most have none.
    pub label: AssertedLabel,
    /// Where its bytes are.
    pub content: AttachmentContent,
}

/// Where an attachment's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttachmentContent {
    /// Here.
    Inline(Content),
    /// Uploaded before under this id, as the sender wrote it.
    Uploaded(String),
}

/// The label as the sender put it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssertedLabel {
    /// None.
    Absent,
    /// One that could be read.
    Valid {
        /// Its meaning.
        label: Label,
        /// Where it stood.
        source: LabelSource,
    },
    /// One that could not.
    Invalid {
        /// Why, without quoting the content.
        reason: String,
        /// Where it stood.
        source: LabelSource,
    },
}

/// Where an asserted label stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelSource {
    /// A structured field of the channel.
    Field,
    /// An `SIO-Label` header inside the protected part, or in the header of a
    /// part that is an attachment (RFC 7444).
    SioLabel,
    /// The first line of the text inside the protected part.
    FirstLine,
}

/// What only the SIENA-style channel has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SienaFields {
    /// What kind of message.
    pub kind: SienaKind,
    /// Urgent, with its ground (Directive (EU) 2023/977, Article 4).
    pub urgency: Option<UrgencyGround>,
    /// Whether the information is directly accessible to the one asked (Article 5(1)).
    pub directly_accessible: bool,
    /// The case.
    pub case_reference: Option<Text>,
    /// Whether Europol is in copy (Article 12).
    pub europol_in_copy: bool,
}

/// Kinds of message on the SIENA-style channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SienaKind {
    /// A request for information.
    Request,
    /// An answer to one.
    Answer,
    /// Own-initiative information.
    Information,
    /// A reminder or update.
    Update,
}

/// Why a request is urgent (Directive (EU) 2023/977, Article 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UrgencyGround {
    /// An immediate and serious threat to public security.
    PublicSecurity,
    /// Imminent danger to life or physical integrity.
    LifeOrIntegrity,
    /// A decision that may maintain restrictive measures up to deprivation of liberty.
    RestrictiveMeasures,
    /// Imminent risk of losing relevance.
    LosingRelevance,
}
