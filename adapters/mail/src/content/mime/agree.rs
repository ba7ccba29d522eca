//! The second opinion. mail-parser reads the same octets by its own, lenient
//! rules; a message in which the two see different parts is one that two mail
//! programs would show differently.

use mail_parser::{MessageParser, PartType};

use super::entity::Entity;
use crate::content::fault::{Fault, Read, rule};

/// Refuses a message whose parts mail-parser sees elsewhere, or otherwise encoded.
pub(crate) fn agree(raw: &[u8], ours: &Entity<'_>) -> Read<()> {
    let disagree = || Fault::malformed("a structure that can be read in two ways", rule::AGREE);
    let theirs = MessageParser::default().parse(raw).ok_or_else(disagree)?;
    let mut flat = Vec::new();
    flatten(ours, &mut flat);
    if flat.len() != theirs.parts.len() {
        return Err(disagree());
    }
    for (ours, theirs) in flat.iter().zip(&theirs.parts) {
        let body_at = usize::try_from(theirs.offset_body).map_err(|_| disagree())?;
        let end = usize::try_from(theirs.offset_end).map_err(|_| disagree())?;
        let same = match &theirs.body {
            PartType::Multipart(ids) => ours.is_multipart() && ids.len() == ours.parts.len(),
            PartType::Message(_) => {
                ours.content_type.value == "message/rfc822" || ours.content_type.value == "message/global"
            }
            PartType::Text(_) | PartType::Html(_) => {
                !ours.is_multipart() && end == ours.body_at + ours.body.len()
            }
            PartType::Binary(octets) | PartType::InlineBinary(octets) => {
                !ours.is_multipart()
                    && end == ours.body_at + ours.body.len()
                    && octets.len() == ours.decoded()?.len()
            }
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
