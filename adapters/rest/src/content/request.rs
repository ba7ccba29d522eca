//! What a peer writes: the types behind the OpenAPI schemas of requests.

use chancery_message::{Precedence, Purpose};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// A message to send, check, answer with or pass on. Unknown fields are refused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Submission)]
pub(crate) struct SubmissionRequest {
    /// Recipients for action: participant ids. At least one of `to` and `cc`;
    /// for a reply none means the sender of the message answered.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["cert-eu"]))]
    pub(super) to: Vec<String>,
    /// Recipients for information: participant ids.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub(super) cc: Vec<String>,
    /// The label: its marking as text, or an object. A message without one is
    /// not taken as unclassified: say `UNCLASSIFIED`. For a forward, leave it
    /// out: the label is the message's own.
    #[schema(schema_with = label_schema)]
    pub(super) label: Option<serde_json::Value>,
    /// How urgently; `routine` where absent.
    #[schema(schema_with = precedence_schema)]
    pub(super) precedence: Option<Precedence>,
    /// What it is about: one line. Required but for replies and forwards.
    #[schema(max_length = 998)]
    pub(super) subject: Option<String>,
    /// The text, lines ended by LF; for a forward a covering text. Required
    /// but for forwards.
    #[schema(max_length = 1048576)]
    pub(super) body: Option<String>,
    /// Attachments, opaque to the gateway.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub(super) attachments: Vec<AttachmentRequest>,
    /// For what the information is passed on. Where absent, the purpose of the
    /// sender's community.
    #[schema(schema_with = purpose_schema)]
    pub(super) purpose: Option<Purpose>,
    /// Whether personal data is in it; `true` where absent.
    pub(super) personal_data: Option<bool>,
    /// The originator (a participant id), where that is not the sender.
    pub(super) originator: Option<String>,
    /// Ids or references of the messages that this one is derived from.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub(super) derived_from: Vec<String>,
    /// The sender's own reference.
    #[schema(max_length = 256)]
    pub(super) reference: Option<String>,
    /// Id or reference of the message that this one answers.
    #[schema(max_length = 256)]
    pub(super) in_reply_to: Option<String>,
    /// Source and information codes (Regulation (EU) 2016/794, Article 29).
    #[schema(pattern = "^[ABCX][1-4]$", example = "B2")]
    pub(super) evaluation: Option<String>,
}

/// An attachment: its bytes, or the id of an upload; one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Attachment)]
pub(crate) struct AttachmentRequest {
    /// A plain file name: no path, no control characters.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) name: String,
    /// `type/subtype`, lower case; `application/octet-stream` where absent.
    #[schema(pattern = "^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$")]
    pub(super) media_type: Option<String>,
    /// Its own label, as for the message; most have none. The message's label
    /// is raised to cover it.
    #[schema(schema_with = label_schema)]
    pub(super) label: Option<serde_json::Value>,
    /// The bytes in base64 (RFC 4648 section 4, with padding), at most 256 KiB decoded.
    #[schema(max_length = 349528)]
    pub(super) content_base64: Option<String>,
    /// The id that `POST /api/v1/attachments` answered.
    #[schema(max_length = 128)]
    pub(super) id: Option<String>,
}

/// A label as an object. What is absent is not set.
#[derive(ToSchema)]
#[schema(as = Label)]
#[allow(
    dead_code,
    reason = "the schema of chancery_label::Label, which is what is read"
)]
pub(crate) struct LabelSchema {
    /// `NC`, `R-UE`, `C-UE`, `S-UE` or `TS-UE`.
    #[schema(schema_with = level_schema)]
    level: String,
    /// `LIMITE`, `CRYPTO`, `ORCON`.
    #[schema(required = false, schema_with = caveats_schema)]
    caveats: Vec<String>,
    /// ISO 3166-1 alpha-3 codes, `EU`, `NATO`; empty sets no limit.
    #[schema(required = false)]
    releasable_to: Vec<String>,
    /// `CLEAR`, `GREEN`, `AMBER`, `AMBER+STRICT`, `RED`.
    #[schema(schema_with = tlp_schema)]
    tlp: Option<String>,
    /// `CLEAR`, `GREEN`, `AMBER`, `RED`.
    #[schema(schema_with = pap_schema)]
    pap: Option<String>,
    /// `H0` to `H3`.
    #[schema(required = false, schema_with = handling_schema)]
    handling: Vec<String>,
    /// The national marking beside the EU level.
    national: Option<NationalMarkingSchema>,
}

/// A national marking.
#[derive(ToSchema)]
#[schema(as = NationalMarking)]
#[allow(dead_code, reason = "the schema of chancery_label::NationalMarking")]
pub(crate) struct NationalMarkingSchema {
    /// ISO 3166-1 alpha-3.
    country: String,
    /// As the State writes it.
    marking: String,
}

/// A string that is one of these words.
pub(super) fn words<'a>(words: impl Iterator<Item = &'a str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build()
}

fn optional<'a>(values: impl Iterator<Item = &'a str>) -> Object {
    let values = values.map(|word| Some(word.to_owned())).chain([None]);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values))
        .build()
}

fn list(of: Object) -> utoipa::openapi::schema::Array {
    utoipa::openapi::schema::ArrayBuilder::new()
        .items(of)
        .build()
}

fn precedence_schema() -> Object {
    optional(Precedence::ALL.iter().map(|word| word.name()))
}

fn purpose_schema() -> Object {
    optional(Purpose::ALL.iter().map(|word| word.word()))
}

pub(super) fn level_schema() -> Object {
    words(chancery_label::Level::ALL.iter().map(|word| word.code()))
}

fn caveats_schema() -> utoipa::openapi::schema::Array {
    list(words(
        chancery_label::Caveat::ALL.iter().map(|word| word.code()),
    ))
}

fn tlp_schema() -> Object {
    optional(chancery_label::Tlp::ALL.iter().map(|word| word.code()))
}

fn pap_schema() -> Object {
    optional(chancery_label::Pap::ALL.iter().map(|word| word.code()))
}

fn handling_schema() -> utoipa::openapi::schema::Array {
    list(words(
        chancery_label::HandlingCode::ALL
            .iter()
            .map(|word| word.code()),
    ))
}

/// Text or object, or nothing.
fn label_schema() -> utoipa::openapi::Schema {
    use utoipa::openapi::{Ref, schema::OneOfBuilder};
    OneOfBuilder::new()
        .item(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .max_length(Some(4096))
                .examples([serde_json::json!("RESTREINT UE/EU RESTRICTED TLP:AMBER")]),
        )
        .item(Ref::from_schema_name("Label"))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .build()
        .into()
}
