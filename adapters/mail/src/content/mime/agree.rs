//! The second opinion. mail-parser reads the same octets by its own, lenient
//! rules; a message in which the two see different parts is one that two mail
//! programs would show differently.
//!
//! Attached messages are opaque here. mail-parser would look into them, and
//! takes what follows directly nested ones (0.11.9: a message in a message,
//! then another part) for a part of them: it is shown their type misspelt.

use std::borrow::Cow;

use mail_parser::{MessageParser, PartType};

use super::entity::Entity;
use crate::content::fault::{Fault, Read, rule};

/// Refuses a message whose parts mail-parser sees elsewhere, or otherwise encoded.
pub(crate) fn agree(raw: &[u8], ours: &Entity<'_>) -> Read<()> {
    let disagree = || Fault::malformed("a structure that can be read in two ways", rule::AGREE);
    let mut flat = Vec::new();
    flatten(ours, &mut flat);
    let shown = without_messages(raw, &flat);
    let theirs = MessageParser::default()
        .parse(shown.as_ref())
        .ok_or_else(disagree)?;
    if flat.len() != theirs.parts.len() {
        return Err(disagree());
    }
    for (ours, theirs) in flat.iter().zip(&theirs.parts) {
        let body_at = usize::try_from(theirs.offset_body).map_err(|_| disagree())?;
        let end = usize::try_from(theirs.offset_end).map_err(|_| disagree())?;
        let leaf = !ours.is_multipart() && end == ours.body_at + ours.body.len();
        let same = match &theirs.body {
            PartType::Multipart(ids) => ours.is_multipart() && ids.len() == ours.parts.len(),
            PartType::Text(_) | PartType::Html(_) => leaf,
            PartType::Binary(octets) | PartType::InlineBinary(octets) => {
                leaf && octets.len() == ours.decoded()?.len()
            }
            PartType::Message(_) => false,
        };
        if !same || body_at != ours.body_at || theirs.is_encoding_problem {
            return Err(disagree());
        }
    }
    Ok(())
}

fn flatten<'t, 'a>(entity: &'t Entity<'a>, out: &mut Vec<&'t Entity<'a>>) {
    out.push(entity);
    for part in &entity.parts {
        flatten(part, out);
    }
}

/// The octets with the types of attached messages misspelt in their own
/// headers; the same length.
fn without_messages<'a>(raw: &'a [u8], parts: &[&Entity<'_>]) -> Cow<'a, [u8]> {
    let mut shown = Cow::Borrowed(raw);
    for part in parts
        .iter()
        .filter(|part| part.content_type.kind() == "message")
    {
        let header = part.raw.len() - part.body.len();
        let start = part.body_at - header;
        if let Some(header) = shown.to_mut().get_mut(start..part.body_at) {
            misspell(header);
        }
    }
    shown
}

fn misspell(header: &mut [u8]) {
    const WORD: &[u8] = b"message/";
    for at in 0..header.len().saturating_sub(WORD.len()) {
        if let Some(word) = header.get_mut(at..at + WORD.len())
            && word.eq_ignore_ascii_case(WORD)
            && let Some(first) = word.first_mut()
        {
            *first = b'x';
        }
    }
}
