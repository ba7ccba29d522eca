//! The content's parts: one plain text, and attachments.
//!
//! Nothing else is picked apart or repaired. A text that also stands there as
//! HTML is for an officer: which of the two a reader sees is his program's
//! choice. HTML alone is refused. Keys that mail programs attach are dropped;
//! keys change by other ways.

use chancery_message::{
    Attachment, AttachmentContent, Content, MAX_ATTACHMENTS, MAX_BODY_BYTES, Text, Timestamp,
};
use zeroize::Zeroizing;

use super::fault::{Fault, Read, rule};
use super::label;
use super::mime::entity::Entity;
use super::mime::parameters::Parameters;
use super::mime::{charset, name};
use super::outer::has_block;

/// What was found.
pub(crate) struct Found {
    /// The text, lines ended by LF.
    pub(crate) body: Zeroizing<String>,
    pub(crate) attachments: Vec<Attachment>,
}

/// Collects the text and the attachments of the protected part.
///
/// An `SIO-Label` in the header of an attachment is that attachment's. Before
/// the text or before several parts it has no place: only the protected part
/// as a whole has one (`now`: as of which day they are read).
pub(crate) fn collect(inner: &Entity<'_>, now: Timestamp) -> Read<Found> {
    let mut collector = Collector {
        body: None,
        attachments: Vec::new(),
        seen: 0,
        now,
    };
    collector.take(inner, true)?;
    let body = collector
        .body
        .ok_or_else(|| Fault::malformed("there is no plain text", rule::PARTS))?;
    Ok(Found {
        body,
        attachments: collector.attachments,
    })
}

struct Collector {
    body: Option<Zeroizing<String>>,
    attachments: Vec<Attachment>,
    /// Parts seen, for names of those that have none.
    seen: usize,
    now: Timestamp,
}

impl Collector {
    fn take(&mut self, entity: &Entity<'_>, top: bool) -> Read<()> {
        let kind = entity.content_type.value.as_str();
        let labelled = !top && entity.headers.one("sio-label")?.is_some();
        match kind {
            "multipart/mixed" => {
                if labelled {
                    return Err(misplaced_label());
                }
                for (index, part) in entity.parts.iter().enumerate() {
                    // Enigmail's copy of the protected header for old readers.
                    let legacy = index == 0
                        && entity.parts.len() > 1
                        && part.content_type.get("protected-headers") == Some("v1");
                    if !legacy {
                        self.take(part, false)?;
                    }
                }
                return Ok(());
            }
            "multipart/alternative" | "multipart/related" => {
                return Err(Fault::suspicious(
                    "the text stands there in more than one form; send plain text alone",
                    rule::PARTS,
                ));
            }
            "multipart/encrypted"
            | "multipart/signed"
            | "application/pgp-encrypted"
            | "application/pgp-signature" => {
                return Err(Fault::suspicious(
                    "OpenPGP parts inside the protected part",
                    rule::PROTECTION,
                ));
            }
            "application/ms-tnef" | "application/vnd.ms-tnef" => {
                return Err(Fault::malformed(
                    "a TNEF part; send attachments as they are",
                    rule::PARTS,
                ));
            }
            "application/pgp-keys" => return Ok(()),
            "message/rfc822" | "message/global" => {}
            _ if matches!(entity.content_type.kind(), "multipart" | "message") => {
                return Err(Fault::malformed(
                    "a kind of part that is not accepted",
                    "RFC 2046 section 5.2",
                ));
            }
            _ => {}
        }
        self.seen += 1;
        let disposition = entity.disposition()?;
        let attached = disposition
            .as_ref()
            .is_some_and(|given| given.value == "attachment");
        let given_name = file_name(entity, disposition.as_ref());
        if kind == "text/plain" && !attached && (top || given_name.is_none()) && self.body.is_none()
        {
            if labelled {
                return Err(misplaced_label());
            }
            self.body = Some(body(entity)?);
            return Ok(());
        }
        if kind == "text/html" && !attached {
            return Err(if top {
                Fault::malformed("HTML without plain text; send plain text", rule::PARTS)
            } else {
                Fault::suspicious(
                    "HTML to be shown in the message; send plain text alone",
                    rule::PARTS,
                )
            });
        }
        self.attach(entity, given_name.as_deref())
    }

    fn attach(&mut self, entity: &Entity<'_>, given: Option<&str>) -> Read<()> {
        if self.attachments.len() >= MAX_ATTACHMENTS {
            return Err(Fault::malformed("more than 64 attachments", rule::LIMITS));
        }
        let sanitised = given.map(name::sanitise).transpose()?.flatten();
        let name = sanitised.unwrap_or_else(|| {
            let extension = match entity.content_type.value.as_str() {
                "message/rfc822" => "eml",
                "text/plain" => "txt",
                _ => "bin",
            };
            format!("attachment-{}.{extension}", self.seen)
        });
        if name.eq_ignore_ascii_case("winmail.dat") {
            return Err(Fault::malformed(
                "a TNEF part; send attachments as they are",
                rule::PARTS,
            ));
        }
        let media_type = entity.content_type.value.clone();
        if media_type.len() > 127 {
            return Err(Fault::malformed(
                "a media type of more than 127 characters",
                rule::MIME,
            ));
        }
        self.attachments.push(Attachment {
            name: Text::new(name),
            media_type,
            label: label::of_part(entity, self.now)?,
            content: AttachmentContent::Inline(Content::new(entity.decoded()?)),
        });
        Ok(())
    }
}

fn misplaced_label() -> Fault {
    Fault::suspicious(
        "a label in the header of a part that is no attachment; put it among the fields of the protected part",
        "RFC 7444 section 2",
    )
}

/// The name of the disposition, else of the type.
fn file_name(entity: &Entity<'_>, disposition: Option<&Parameters>) -> Option<String> {
    disposition
        .and_then(|given| given.get("filename"))
        .or_else(|| entity.content_type.get("name"))
        .map(str::to_owned)
}

fn body(entity: &Entity<'_>) -> Read<Zeroizing<String>> {
    let octets = Zeroizing::new(entity.decoded()?);
    if octets.len() > MAX_BODY_BYTES {
        return Err(Fault::malformed(
            "a text of more than 1 MiB; attach it",
            rule::LIMITS,
        ));
    }
    if has_block(&octets) {
        return Err(Fault::suspicious(
            "an OpenPGP block in the text",
            rule::PROTECTION,
        ));
    }
    let text = Zeroizing::new(charset::decode(
        &octets,
        entity.content_type.get("charset"),
    )?);
    let mut text = Zeroizing::new(text.replace("\r\n", "\n"));
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\u{c}'))
    {
        return Err(Fault::malformed(
            "control characters in the text",
            rule::PARTS,
        ));
    }
    // RFC 9788 section 5.2.2: lines for old readers that repeat the header.
    if entity.content_type.get("hp-legacy-display") == Some("1")
        && let Some((_, rest)) = text.split_once("\n\n")
    {
        text = Zeroizing::new(rest.to_owned());
    }
    Ok(text)
}
