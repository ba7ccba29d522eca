//! The bytes of a submission → the typed message, whole or not at all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_http::text::{Schema, is_media_type, malformed};
use chancery_label::ReadOptions;
use chancery_label::codec::json;
use chancery_message::{
    AssertedLabel, Attachment, AttachmentContent, Content, Inbound, Intent, LabelSource,
    MAX_ATTACHMENTS, MAX_BODY_BYTES, MAX_INLINE_ATTACHMENT_BYTES, MAX_RECIPIENTS,
    MAX_SUBJECT_BYTES, Malformed, Operation, Parsed, ParticipantId, RecipientRole,
    RequestedRecipient, SignatureEvidence, Submission, Text,
};
use serde_json::Value;
use time::Date;

use super::request::{AttachmentRequest, SubmissionRequest};
use super::strict;

/// Own rules of the interface.
const RULES: Schema = Schema("OpenAPI document, schema Submission");
const SCHEMA: &str = RULES.0;
/// Largest submission, bytes.
pub const MAX_REQUEST_BYTES: usize = 2 * 1024 * 1024;
/// Most messages that one may name as sources.
const MAX_SOURCES: usize = 32;
/// Longest reference, bytes.
const MAX_REFERENCE: usize = 256;
/// Longest id of an upload, bytes.
const MAX_ID: usize = 128;

/// Reads a submission. `on` is the day as of which its label is read.
///
/// Pure and total: every input gives an answer, none is repaired. Of `inbound`
/// only the operation is looked at.
#[must_use]
pub fn read(inbound: &Inbound, raw: &[u8], on: Date) -> Parsed {
    match submission(inbound, raw, on) {
        Ok(submission) => Parsed::Whole(Box::new(submission)),
        Err(malformed) => Parsed::Malformed(malformed),
    }
}

fn submission(inbound: &Inbound, raw: &[u8], on: Date) -> Result<Submission, Malformed> {
    if raw.len() > MAX_REQUEST_BYTES {
        return Err(malformed(
            "larger than 2 MiB: upload attachments first",
            SCHEMA,
        ));
    }
    strict::check(raw)?;
    let request: SubmissionRequest =
        serde_json::from_slice(raw).map_err(|error| malformed(strict::describe(&error), SCHEMA))?;
    let intent = intent(&inbound.operation);
    let recipients = recipients(&intent, &request.to, &request.cc)?;
    let subject = required(
        "subject",
        request.subject,
        matches!(intent, Intent::Reply { .. } | Intent::Forward { .. }),
    )?;
    RULES.line("subject", &subject, MAX_SUBJECT_BYTES)?;
    let body = required(
        "body",
        request.body,
        matches!(intent, Intent::Forward { .. }),
    )?;
    RULES.lines("body", &body, MAX_BODY_BYTES)?;
    if request.derived_from.len() > MAX_SOURCES {
        return Err(malformed(
            format!("more than {MAX_SOURCES} messages in `derived_from`"),
            SCHEMA,
        ));
    }
    let mut derived_from = Vec::with_capacity(request.derived_from.len());
    for source in request.derived_from {
        derived_from.push(reference("derived_from", source)?);
    }
    if let Some(originator) = &request.originator {
        participant("originator", originator)?;
    }
    let evaluation = request
        .evaluation
        .map(|code| code.parse())
        .transpose()
        .map_err(|_| {
            malformed(
                "`evaluation` is not a source code and an information code, A1 to X4",
                EVALUATION,
            )
        })?;
    Ok(Submission {
        recipients,
        subject: Text::new(subject),
        body: Text::new(body),
        attachments: attachments(request.attachments, on)?,
        label: label("label", request.label, on)?,
        precedence: request.precedence.unwrap_or_default(),
        purpose: request.purpose,
        personal_data: request.personal_data,
        originator: request.originator,
        derived_from,
        reference: request
            .reference
            .map(|text| reference("reference", text))
            .transpose()?,
        in_reply_to: request
            .in_reply_to
            .map(|text| reference("in_reply_to", text))
            .transpose()?,
        evaluation,
        intent,
        claimed_sender: None,
        signature: SignatureEvidence::Absent,
        protection: None,
        external_id: None,
        siena: None,
    })
}

fn intent(operation: &Operation) -> Intent {
    match operation {
        Operation::Send => Intent::Send,
        Operation::Check => Intent::Check,
        Operation::Reply { to } => Intent::Reply { to: to.clone() },
        Operation::Forward { of } => Intent::Forward { of: of.clone() },
    }
}

fn recipients(
    intent: &Intent,
    to: &[String],
    cc: &[String],
) -> Result<Vec<RequestedRecipient>, Malformed> {
    let named = to.len() + cc.len();
    if named > MAX_RECIPIENTS {
        return Err(malformed(
            format!("more than {MAX_RECIPIENTS} recipients"),
            SCHEMA,
        ));
    }
    if named == 0 && !matches!(intent, Intent::Reply { .. }) {
        return Err(malformed("no recipient: name at least one in `to`", SCHEMA));
    }
    let to = to.iter().map(|name| ("to", name, RecipientRole::To));
    let cc = cc.iter().map(|name| ("cc", name, RecipientRole::Copy));
    let mut recipients: Vec<RequestedRecipient> = Vec::with_capacity(named);
    for (field, name, role) in to.chain(cc) {
        participant(field, name)?;
        if recipients.iter().any(|before| before.name == *name) {
            return Err(malformed("a recipient is named twice", SCHEMA));
        }
        recipients.push(RequestedRecipient {
            name: name.clone(),
            role,
        });
    }
    Ok(recipients)
}

fn participant(field: &str, name: &str) -> Result<(), Malformed> {
    name.parse::<ParticipantId>().map(|_| ()).map_err(|_| {
        malformed(
            format!("`{field}` has something that is not a participant id"),
            SCHEMA,
        )
    })
}

fn required(field: &str, text: Option<String>, optional: bool) -> Result<String, Malformed> {
    match text {
        Some(text) => Ok(text),
        None if optional => Ok(String::new()),
        None => Err(malformed(format!("`{field}` is missing"), SCHEMA)),
    }
}

fn reference(field: &str, text: String) -> Result<Text, Malformed> {
    RULES.line(field, &text, MAX_REFERENCE)?;
    if text.is_empty() {
        return Err(malformed(
            format!("`{field}` is empty: leave it out"),
            SCHEMA,
        ));
    }
    Ok(Text::new(text))
}

fn attachments(requests: Vec<AttachmentRequest>, on: Date) -> Result<Vec<Attachment>, Malformed> {
    if requests.len() > MAX_ATTACHMENTS {
        return Err(malformed(
            format!("more than {MAX_ATTACHMENTS} attachments"),
            SCHEMA,
        ));
    }
    requests
        .into_iter()
        .map(|one| attachment(one, on))
        .collect()
}

fn attachment(request: AttachmentRequest, on: Date) -> Result<Attachment, Malformed> {
    RULES.file_name("attachments.name", &request.name)?;
    let media_type = request
        .media_type
        .unwrap_or_else(|| "application/octet-stream".to_owned());
    if !is_media_type(&media_type) {
        return Err(malformed(
            "`attachments.media_type` is not type/subtype in lower case",
            "RFC 6838 section 4.2",
        ));
    }
    let content = match (request.content_base64, request.id) {
        (Some(text), None) => AttachmentContent::Inline(Content::new(inline(&text)?)),
        (None, Some(id)) => {
            let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(good) {
                return Err(malformed(
                    "`attachments.id` is not the id of an upload",
                    SCHEMA,
                ));
            }
            AttachmentContent::Uploaded(id)
        }
        _ => {
            return Err(malformed(
                "an attachment needs either `content_base64` or `id`",
                SCHEMA,
            ));
        }
    };
    Ok(Attachment {
        name: Text::new(request.name),
        media_type,
        label: label("attachments.label", request.label, on)?,
        content,
    })
}

fn inline(text: &str) -> Result<Vec<u8>, Malformed> {
    if text.len() > MAX_INLINE_ATTACHMENT_BYTES.div_ceil(3) * 4 {
        return Err(too_large());
    }
    let bytes = STANDARD.decode(text).map_err(|_| {
        malformed(
            "`attachments.content_base64` is not base64 with padding",
            "RFC 4648 section 4",
        )
    })?;
    if bytes.len() > MAX_INLINE_ATTACHMENT_BYTES {
        return Err(too_large());
    }
    Ok(bytes)
}

fn too_large() -> Malformed {
    malformed(
        "an inline attachment is larger than 256 KiB: upload it first",
        SCHEMA,
    )
}

/// The one place where the channel meets the readers of labels.
fn label(field: &str, value: Option<Value>, on: Date) -> Result<AssertedLabel, Malformed> {
    let source = LabelSource::Field;
    let Some(value) = value else {
        return Ok(AssertedLabel::Absent);
    };
    if !value.is_string() && !value.is_object() {
        return Err(malformed(
            format!("`{field}` is neither text nor an object"),
            SCHEMA,
        ));
    }
    Ok(
        match json::read_value(&value, &ReadOptions { country: None, on }) {
            Ok(label) => AssertedLabel::Valid { label, source },
            Err(error) => AssertedLabel::Invalid {
                reason: error.to_string(),
                source,
            },
        },
    )
}

const EVALUATION: &str = "Regulation (EU) 2016/794, Article 29";
