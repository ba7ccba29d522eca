//! What the gateway answers: the types behind the OpenAPI schemas of answers.

use serde::Serialize;
use utoipa::ToSchema;

use super::request::{LabelSchema, level_schema, words};

fn verdicts() -> utoipa::openapi::schema::Object {
    words(["permit", "review", "deny"].into_iter())
}

fn roles() -> utoipa::openapi::schema::Object {
    words(["to", "copy"].into_iter())
}

fn precedences() -> utoipa::openapi::schema::Object {
    words(
        chancery_message::Precedence::ALL
            .iter()
            .map(|word| word.name()),
    )
}

fn states() -> utoipa::openapi::schema::Object {
    words(
        chancery_pipeline::rows::DeliveryState::ALL
            .iter()
            .map(|state| state.word()),
    )
}

/// What became of a submission.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdicts)]
pub(crate) struct VerdictsAnswer<'a> {
    /// The message's id; absent for a check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// Its registration number, for private participants an opaque reference;
    /// absent for a check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) registration: Option<&'a str>,
    /// The label as the gateway reads it, as marking text.
    pub(super) marking: String,
    /// The same as an object.
    #[schema(value_type = LabelSchema)]
    pub(super) label: &'a chancery_label::Label,
    /// For each recipient, in the order of the submission.
    pub(super) recipients: Vec<VerdictAnswer<'a>>,
    /// True if this is the stored answer to the same request made before.
    pub(super) repeated: bool,
}

/// What the rules say for one recipient.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
pub(crate) struct VerdictAnswer<'a> {
    /// As the sender named it.
    pub(super) recipient: &'a str,
    /// `permit`: it goes; `review`: it waits for officers or for the
    /// originator's consent; `deny`: it does not go.
    #[schema(schema_with = verdicts)]
    pub(super) verdict: &'static str,
    /// Why, in one sentence; empty where there is nothing to say.
    pub(super) reason: &'a str,
    /// What would help.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(required = false)]
    pub(super) hints: &'a [String],
    /// For a review: by when officers should have judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(super) due_at: Option<String>,
}

/// What came of sending.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(
    dead_code,
    reason = "the schema of an answer that has one of two forms"
)]
pub(crate) enum Taken<'a> {
    /// Accepted.
    Sent(VerdictsAnswer<'a>),
    /// Kept for an officer.
    Kept(QuarantinedAnswer<'a>),
}

/// Kept for an officer; not sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Quarantined)]
pub(crate) struct QuarantinedAnswer<'a> {
    /// The message's id.
    pub(super) id: String,
    /// Always `quarantined`.
    pub(super) state: &'static str,
    /// Why.
    pub(super) reason: &'a str,
}

/// An upload that submissions may refer to.
#[derive(Serialize, ToSchema)]
#[schema(as = Upload)]
pub(crate) struct UploadAnswer<'a> {
    /// What to write as the `id` of an attachment.
    pub(super) id: &'a str,
    /// SHA-256 of its bytes, hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub(super) sha256: String,
    /// Bytes.
    pub(super) size: u64,
    /// Until when it is kept unless a message refers to it.
    #[schema(format = DateTime)]
    pub(super) expires_at: String,
}

/// The participants that the caller may know of.
#[derive(Serialize, ToSchema)]
#[schema(as = Recipients)]
pub(crate) struct RecipientsAnswer<'a> {
    /// In the order of their ids.
    pub(super) recipients: Vec<RecipientAnswer<'a>>,
}

/// A participant.
#[derive(Serialize, ToSchema)]
#[schema(as = Recipient)]
pub(crate) struct RecipientAnswer<'a> {
    /// What submissions name.
    pub(super) id: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// Its community.
    pub(super) community: &'a str,
    /// ISO 3166-1 alpha-3, `EU` or `NATO`.
    pub(super) country: &'a str,
    /// The highest level that could be released to it from the caller now.
    #[schema(schema_with = level_schema)]
    pub(super) ceiling: &'static str,
    /// Its duty contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contact: Option<&'a str>,
}

/// What waits, the most urgent first, then the oldest.
#[derive(Serialize, ToSchema)]
#[schema(as = Inbox)]
pub(crate) struct InboxAnswer<'a> {
    /// The deliveries. Ask for more with the last one's id in `after`.
    pub(super) deliveries: Vec<InboxEntryAnswer<'a>>,
}

/// One delivery that waits.
#[derive(Serialize, ToSchema)]
#[schema(as = InboxEntry)]
pub(crate) struct InboxEntryAnswer<'a> {
    /// What to fetch and acknowledge.
    pub(super) delivery: String,
    /// From whom.
    pub(super) from: &'a str,
    /// The label.
    pub(super) marking: &'a str,
    /// What it is about.
    pub(super) subject: &'a str,
    /// How urgent.
    #[schema(schema_with = precedences)]
    pub(super) precedence: &'static str,
    /// `to` or `copy`.
    #[schema(schema_with = roles)]
    pub(super) role: &'static str,
    /// When it was sent.
    #[schema(format = DateTime)]
    pub(super) sent_at: String,
    /// By when a receipt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(super) due_at: Option<String>,
    /// Bytes of all attachments.
    pub(super) attachment_bytes: u64,
    /// True if it was fetched before and not acknowledged.
    pub(super) opened: bool,
    /// How the receipt stands that the caller owes: `awaited`, `reminded` of it, `overdue`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<&'static str>,
}

/// A message, released to the caller.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryAnswer<'a> {
    /// The label, as marking text. It stands first and last.
    pub(super) marking: &'a str,
    /// The same until it is acknowledged.
    pub(super) delivery: String,
    /// The message's id.
    pub(super) message: String,
    /// Registration number, for private participants an opaque reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) registration: Option<&'a str>,
    /// From whom.
    pub(super) from: PartyAnswer<'a>,
    /// The recipients that the caller may know of.
    pub(super) recipients: Vec<AddresseeAnswer<'a>>,
    /// The originator, where that is not the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) originator: Option<PartyAnswer<'a>>,
    /// The label as an object.
    #[schema(value_type = LabelSchema)]
    pub(super) label: &'a chancery_label::Label,
    /// What the caller must heed.
    pub(super) obligations: &'a [String],
    /// How urgent.
    #[schema(schema_with = precedences)]
    pub(super) precedence: &'static str,
    /// For what it was passed on.
    pub(super) purpose: &'static str,
    /// Whether personal data is in it.
    pub(super) personal_data: bool,
    /// Source and information codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evaluation: Option<String>,
    /// When the gateway accepted it.
    #[schema(format = DateTime)]
    pub(super) sent_at: String,
    /// By when a receipt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(super) due_at: Option<String>,
    /// The sender's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<&'a str>,
    /// The message that it answers, as the caller knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) in_reply_to: Option<&'a str>,
    /// What a message from the SIENA-style channel has beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) siena: Option<SienaAnswer<'a>>,
    /// What it is about.
    pub(super) subject: &'a str,
    /// The text.
    pub(super) body: &'a str,
    /// The attachments; their bytes are fetched one by one.
    pub(super) attachments: Vec<AttachmentAnswer<'a>>,
    /// The label once more.
    pub(super) closing_marking: &'a str,
}

/// Who.
#[derive(Serialize, ToSchema)]
#[schema(as = Party)]
pub(crate) struct PartyAnswer<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// Its name.
    pub(super) name: &'a str,
}

/// To whom else.
#[derive(Serialize, ToSchema)]
#[schema(as = Addressee)]
pub(crate) struct AddresseeAnswer<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// `to` or `copy`.
    #[schema(schema_with = roles)]
    pub(super) role: &'static str,
}

/// Fields of the SIENA-style channel.
#[derive(Serialize, ToSchema)]
#[schema(as = Siena)]
pub(crate) struct SienaAnswer<'a> {
    /// `request`, `answer`, `information`, `update`.
    pub(super) kind: &'static str,
    /// The ground of its urgency (Directive (EU) 2023/977).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) urgency: Option<&'static str>,
    /// Whether the information is directly accessible to the one asked.
    pub(super) directly_accessible: bool,
    /// The case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) case_reference: Option<&'a str>,
    /// Whether Europol is in copy.
    pub(super) europol_in_copy: bool,
}

/// An attachment of a delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveredAttachment)]
pub(crate) struct AttachmentAnswer<'a> {
    /// Its place, from 0: what to fetch it by.
    pub(super) index: u32,
    /// Its name.
    pub(super) name: &'a str,
    /// Its media type as the sender wrote it.
    pub(super) media_type: &'a str,
    /// Its own marking, where it has one; else the message's holds for it.
    pub(super) marking: Option<String>,
    /// The same as an object.
    #[schema(value_type = Option<LabelSchema>)]
    pub(super) label: Option<&'a chancery_label::Label>,
    /// Bytes.
    pub(super) size: u64,
    /// SHA-256 of its bytes, hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub(super) sha256: String,
}

/// The receipt.
#[derive(Serialize, ToSchema)]
#[schema(as = Acknowledged)]
pub(crate) struct AcknowledgedAnswer {
    /// What.
    pub(super) delivery: String,
    /// When it was acknowledged first.
    #[schema(format = DateTime)]
    pub(super) acknowledged_at: String,
}

/// What waits for the caller's consent.
#[derive(Serialize, ToSchema)]
#[schema(as = Consents)]
pub(crate) struct ConsentsAnswer<'a> {
    /// The most urgent first.
    pub(super) consents: Vec<ConsentAnswer<'a>>,
}

/// An onward release of the caller's information that waits for its consent.
#[derive(Serialize, ToSchema)]
#[schema(as = Consent)]
pub(crate) struct ConsentAnswer<'a> {
    /// What an answer names: a digest of message, recipient, originator, a
    /// number used once, and time.
    pub(super) request: &'a str,
    /// The message that would go.
    pub(super) message: String,
    /// To whom.
    pub(super) recipient: &'a str,
    /// Its level.
    #[schema(schema_with = level_schema)]
    pub(super) level: &'static str,
    /// When it was asked.
    #[schema(format = DateTime)]
    pub(super) asked_at: String,
    /// The moment after which an answer counts no more.
    #[schema(format = DateTime)]
    pub(super) answer_by: String,
    /// The caller's answer, once it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) granted: Option<bool>,
}

/// What became of a message.
#[derive(Serialize, ToSchema)]
#[schema(as = Status)]
pub(crate) struct StatusAnswer<'a> {
    /// The message's id.
    pub(super) id: String,
    /// Registration number, for private participants an opaque reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) registration: Option<&'a str>,
    /// The label; absent while in quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marking: Option<&'a str>,
    /// When it came.
    #[schema(format = DateTime)]
    pub(super) received_at: String,
    /// For each recipient.
    pub(super) recipients: Vec<RecipientStatusAnswer<'a>>,
}

/// Where a message stands for one recipient.
#[derive(Serialize, ToSchema)]
#[schema(as = RecipientStatus)]
pub(crate) struct RecipientStatusAnswer<'a> {
    /// The recipient.
    pub(super) recipient: &'a str,
    /// Where it stands.
    #[schema(schema_with = states)]
    pub(super) state: &'static str,
    /// Why, in one sentence; empty where there is nothing to say.
    pub(super) reason: &'a str,
    /// Since when.
    #[schema(format = DateTime)]
    pub(super) since: String,
}

/// Bytes as they are.
#[derive(ToSchema)]
#[schema(as = Bytes, value_type = String, format = Binary)]
#[allow(dead_code, reason = "the schema of raw bodies")]
pub(crate) struct RawBytes(Vec<u8>);
