//! The shapes of OpenPGP mail that are accepted (RFC 3156): encrypted as a
//! whole, or signed as a whole. Everything else that has OpenPGP somewhere is
//! for an officer: parts that are protected beside parts that are not are how
//! readers are made to see what nobody signed.

use super::fault::{Fault, Read, rule};
use super::mime::entity::Entity;

/// How a message is protected.
#[derive(Debug)]
pub(crate) enum Shape<'t, 'a> {
    /// Encrypted: the part with the OpenPGP message.
    Encrypted(&'t Entity<'a>),
    /// Signed.
    Signed {
        /// What is signed.
        content: &'t Entity<'a>,
        /// The part with the signature.
        signature: &'t Entity<'a>,
    },
}

/// Finds the shape of a message.
pub(crate) fn shape<'t, 'a>(message: &'t Entity<'a>) -> Read<Shape<'t, 'a>> {
    let protocol = message
        .content_type
        .get("protocol")
        .map(str::to_ascii_lowercase);
    match (
        message.content_type.value.as_str(),
        protocol.as_deref(),
        message.parts.as_slice(),
    ) {
        ("multipart/encrypted", Some("application/pgp-encrypted"), [control, content]) => {
            if control.content_type.value != "application/pgp-encrypted"
                || control.decoded()?.trim_ascii() != b"Version: 1"
                || content.content_type.value != "application/octet-stream"
            {
                return Err(wrong(
                    "the parts of the encrypted mail are not as they must be",
                ));
            }
            Ok(Shape::Encrypted(content))
        }
        ("multipart/signed", Some("application/pgp-signature"), [content, signature]) => {
            let micalg = message.content_type.get("micalg").unwrap_or_default();
            if signature.content_type.value != "application/pgp-signature"
                || !micalg.starts_with("pgp-")
            {
                return Err(wrong(
                    "the parts of the signed mail are not as they must be",
                ));
            }
            Ok(Shape::Signed { content, signature })
        }
        ("multipart/encrypted" | "multipart/signed", _, _) => Err(wrong(
            "the mail is not encrypted or signed by OpenPGP in two parts",
        )),
        _ if has_openpgp(message)? => Err(wrong(
            "OpenPGP protects only a part of the mail, or stands in its text",
        )),
        _ => Err(Fault::suspicious(
            "the mail is not protected by OpenPGP",
            rule::PROTECTION,
        )),
    }
}

fn wrong(what: &str) -> Fault {
    Fault::suspicious(what, rule::PGP_MIME)
}

/// Whether OpenPGP is anywhere inside: parts of its types, or blocks in texts.
pub(crate) fn has_openpgp(entity: &Entity<'_>) -> Read<bool> {
    let by_type = matches!(
        entity.content_type.value.as_str(),
        "multipart/encrypted"
            | "multipart/signed"
            | "application/pgp-encrypted"
            | "application/pgp-signature"
    );
    if by_type {
        return Ok(true);
    }
    if entity.parts.is_empty() {
        return Ok(!entity.is_multipart() && has_block(&entity.decoded()?));
    }
    for part in &entity.parts {
        if has_openpgp(part)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a line begins an OpenPGP message or a signed text; keys are no
/// protection.
pub(crate) fn has_block(text: &[u8]) -> bool {
    text.split(|&octet| octet == b'\n').any(|line| {
        let line = line.trim_ascii_start();
        line.starts_with(b"-----BEGIN PGP MESSAGE")
            || line.starts_with(b"-----BEGIN PGP SIGNED")
            || line.starts_with(b"-----BEGIN PGP SIGNATURE")
    })
}
