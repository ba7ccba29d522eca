//! The entity inside the OpenPGP message: protected header (RFC 9788), text,
//! attachments.

use chancery_label::codec::sio_label::{self, SioLabel};
use chancery_label::codec::stanag4774::ConfidentialityLabel;
use chancery_label::{Label, marking};
use chancery_pipeline::view::{AttachmentView, DeliveryView};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::RenderError;
use super::encode::{base64_lines, body, date, display_name, file_name, single_line, unstructured};
use super::text::text;
use crate::address::Address;

/// Writes it. `outer` is what the outer header says: repeated inside, but for
/// From and Subject, which inside say more.
pub(super) fn entity(
    view: &DeliveryView,
    outer: &[(&str, String)],
    from: &Address,
    reply_to: &Address,
    domain: &str,
) -> Result<Zeroizing<Vec<u8>>, RenderError> {
    let mut header = String::new();
    let mut field = |name: &str, value: &str| {
        header.push_str(name);
        header.push_str(": ");
        header.push_str(value);
        header.push_str("\r\n");
    };
    for (name, value) in outer {
        match *name {
            "From" => {
                let shown = display_name(&format!("{} via Chancery", view.from.name));
                field(name, &format!("{shown}\r\n <{from}>"));
            }
            "Subject" => field(name, &unstructured(view.subject.expose(), 9)),
            _ => field(name, value),
        }
    }
    field("Reply-To", &format!("<{reply_to}>"));
    if let Some(answered) = &view.in_reply_to {
        // An id of the gateway's as its mails have it; another's as it stands.
        let id = match answered.registration {
            Some(_) => format!("<{}@{domain}>", answered.id.expose()),
            None => answered.id.expose().to_owned(),
        };
        if crate::content::fields::message_id(&id).is_ok() {
            field("In-Reply-To", &format!("\r\n {id}"));
            field("References", &format!("\r\n {id}"));
        }
    }
    field("SIO-Label", &label(view, &view.label, &view.marking)?);
    field("MMHS-Primary-Precedence", view.precedence.name());
    field(
        "MMHS-Extended-Authorisation-Info",
        &date(view.sent_at).ok_or(RenderError::Time)?,
    );
    if let Some(reference) = &view.reference {
        let reference = single_line(reference.expose());
        if (1..=69).contains(&reference.chars().count()) {
            field("MMHS-Originator-Reference", &unstructured(&reference, 27));
        }
    }
    field("Chancery-Purpose", view.purpose.word());
    field(
        "Chancery-Personal-Data",
        if view.personal_data { "yes" } else { "no" },
    );
    if let Some(evaluation) = view.evaluation {
        field("Chancery-Evaluation", &evaluation.to_string());
    }
    for (name, value) in outer {
        field("HP-Outer", &format!("{name}: {value}"));
    }
    let (encoding, octets) = body(&text(view));
    let mut out = Zeroizing::new(Vec::with_capacity(
        size(view) + octets.len() + header.len() + 1024,
    ));
    out.extend_from_slice(header.as_bytes());
    let plain = "Content-Type: text/plain; charset=utf-8";
    if view.attachments.is_empty() {
        out.extend_from_slice(
            format!("{plain}; hp=\"cipher\"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n")
                .as_bytes(),
        );
        out.extend_from_slice(&octets);
        return Ok(out);
    }
    let boundary = format!("=_i-{}", view.delivery);
    out.extend_from_slice(
        format!(
            "Content-Type: multipart/mixed; boundary=\"{boundary}\";\r\n hp=\"cipher\"\r\n\r\n\
             --{boundary}\r\n{plain}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        )
        .as_bytes(),
    );
    out.extend_from_slice(&octets);
    for attachment in &view.attachments {
        let content = attachment
            .content
            .as_ref()
            .ok_or(RenderError::Attachment(attachment.index))?;
        let own = match &attachment.label {
            Some(own) => format!(
                "SIO-Label: {}\r\n",
                label(view, own, &marking::format(own))?
            ),
            None => String::new(),
        };
        out.extend_from_slice(
            format!(
                "\r\n--{boundary}\r\nContent-Type: {}\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment;\r\n {}\r\n{own}\r\n",
                media_type(attachment),
                file_name(attachment.name.expose()),
            )
            .as_bytes(),
        );
        out.extend_from_slice(&base64_lines(content.expose()));
    }
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Ok(out)
}

/// An `SIO-Label` field: the marking, and the STANAG 4774 label where the
/// label can be written as one.
fn label(view: &DeliveryView, label: &Label, marking: &str) -> Result<String, RenderError> {
    let created =
        OffsetDateTime::from_unix_timestamp(view.sent_at.as_micros().div_euclid(1_000_000))
            .map_err(|_| RenderError::Time)?;
    let typed =
        ConfidentialityLabel::of(label, created, None, None).and_then(|label| SioLabel::of(&label));
    let field = typed.unwrap_or_else(|_| SioLabel {
        marking: Some(single_line(marking)),
        ..SioLabel::default()
    });
    Ok(format!("\r\n {}", sio_label::write(&field)))
}

/// Bytes of all attachments in base64.
fn size(view: &DeliveryView) -> usize {
    let each = |attachment: &AttachmentView| {
        attachment
            .content
            .as_ref()
            .map_or(0, |content| content.len() / 57 * 78 + 1024)
    };
    view.attachments.iter().map(each).sum()
}

/// The media type, if it is one that a base64 part may have.
fn media_type(attachment: &AttachmentView) -> &str {
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let given = attachment.media_type.as_str();
    match given.split_once('/') {
        Some((kind, sub)) if token(kind) && token(sub) && given.len() <= 127 => {
            if matches!(kind, "multipart" | "message") {
                "application/octet-stream"
            } else {
                given
            }
        }
        _ => "application/octet-stream",
    }
}
