//! A delivery as its recipient may see it: what the channels render. Made only
//! behind a permit.

use chancery_label::Label;
use chancery_message::{
    Content, DeliveryId, Evaluation, MessageId, ParticipantId, Precedence, Purpose, RecipientRole,
    SienaFields, Text, Timestamp,
};

/// A permitted delivery, opened. Renderers make the same bytes from the same
/// view: nothing of the received bytes is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryView {
    /// The same until it is acknowledged.
    pub delivery: DeliveryId,
    /// The message.
    pub message: MessageId,
    /// Registration number, or an opaque reference for private participants.
    pub registration: String,
    /// From whom.
    pub from: Party,
    /// The recipients that this one may know of (itself included).
    pub recipients: Vec<(Party, RecipientRole)>,
    /// The originator, where that is not the sender.
    pub originator: Option<Party>,
    /// The label.
    pub label: Label,
    /// The label as full marking text, for the first and last line.
    pub marking: String,
    /// Sentences that the recipient must heed, for example `not for use in
    /// judicial proceedings without the permission of the provider`.
    pub obligations: Vec<String>,
    /// How urgent.
    pub precedence: Precedence,
    /// For what.
    pub purpose: Purpose,
    /// Whether personal data is in it.
    pub personal_data: bool,
    /// Source and information codes.
    pub evaluation: Option<Evaluation>,
    /// When the gateway accepted it.
    pub sent_at: Timestamp,
    /// By when a receipt is due.
    pub due_at: Option<Timestamp>,
    /// The sender's reference.
    pub reference: Option<Text>,
    /// The message that it answers, as this recipient knows it.
    pub in_reply_to: Option<Answered>,
    /// What only the SIENA-style channel has.
    pub siena: Option<SienaFields>,
    /// What it is about.
    pub subject: Text,
    /// The text.
    pub body: Text,
    /// The attachments.
    pub attachments: Vec<AttachmentView>,
}

/// A message that is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Of a message that the recipient sent, the message's id; of one that it
    /// was given, the delivery's; else the reference that the two ends use.
    pub id: Text,
    /// Its registration as the recipient knows it; none for a reference.
    pub registration: Option<String>,
}

/// Who, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its id.
    pub id: ParticipantId,
    /// Its name.
    pub name: String,
    /// Its mail address, where it has one.
    pub address: Option<String>,
}

/// An attachment of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentView {
    /// Its place, from 0: pulled channels fetch it by this.
    pub index: u32,
    /// Its name.
    pub name: Text,
    /// Its media type.
    pub media_type: String,
    /// Its own label, where it has one; the message's covers it.
    pub label: Option<Label>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Its bytes, where the channel carries them inside (mail).
    pub content: Option<Content>,
}
