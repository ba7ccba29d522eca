//! The attachments of a submission: their bytes, or the opaque id of an upload.

use super::{RULES, SCHEMA_RULE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_http::text::{is_media_type, malformed};
use chancery_message::{
    Attachment, AttachmentContent, Content, MAX_ATTACHMENTS, MAX_INLINE_ATTACHMENT_BYTES,
    Malformed, Text,
};
use time::Date;

use super::fields::{open, text};
use super::read::label;
use super::tree::Node;

/// Longest id of an upload, bytes.
const MAX_ID: usize = 128;

/// Reads the element `attachments`.
pub(super) fn attachments(node: Node, on: Date) -> Result<Vec<Attachment>, Malformed> {
    let (attributes, mut fields) = open(node)?;
    attributes.end()?;
    let nodes = fields.many("attachment", MAX_ATTACHMENTS)?;
    fields.end()?;
    if nodes.is_empty() {
        return Err(malformed(
            "`attachments` is empty: leave it out",
            SCHEMA_RULE,
        ));
    }
    nodes.into_iter().map(|one| attachment(one, on)).collect()
}

fn attachment(node: Node, on: Date) -> Result<Attachment, Malformed> {
    let (mut attributes, mut fields) = open(node)?;
    let name = attributes.required("name")?;
    RULES.file_name("attachment/@name", &name)?;
    let media_type = attributes
        .optional("mediaType")
        .unwrap_or_else(|| "application/octet-stream".to_owned());
    if !is_media_type(&media_type) {
        return Err(malformed(
            "`attachment/@mediaType` is not type/subtype in lower case",
            "RFC 6838 section 4.2",
        ));
    }
    attributes.end()?;
    let label = label(fields.optional("classification"), Vec::new(), on)?;
    let content = match fields.optional("content") {
        Some(node) => AttachmentContent::Inline(Content::new(inline(&text(node)?)?)),
        None => AttachmentContent::Uploaded(upload_id(text(fields.required("uploaded")?)?)?),
    };
    fields.end()?;
    Ok(Attachment {
        name: Text::new(name),
        media_type,
        label,
        content,
    })
}

/// An opaque id: letters, digits and hyphens, so never a path or an address.
fn upload_id(id: String) -> Result<String, Malformed> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(good) {
        return Err(malformed(
            "`uploaded` is not the id of an upload",
            SCHEMA_RULE,
        ));
    }
    Ok(id)
}

/// Base64 as `xs:base64Binary` has it: white space is allowed.
fn inline(text: &str) -> Result<Vec<u8>, Malformed> {
    let too_large = || {
        malformed(
            "an inline attachment is larger than 256 KiB: upload it first",
            SCHEMA_RULE,
        )
    };
    // A fifth for line ends.
    if text.len() > MAX_INLINE_ATTACHMENT_BYTES.div_ceil(3) * 4 * 6 / 5 {
        return Err(too_large());
    }
    let bare: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD
        .decode(bare)
        .map_err(|_| malformed("`content` is not base64 with padding", "RFC 4648 section 4"))?;
    if bytes.len() > MAX_INLINE_ATTACHMENT_BYTES {
        return Err(too_large());
    }
    Ok(bytes)
}
