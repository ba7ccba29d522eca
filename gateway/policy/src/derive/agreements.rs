//! The release as the MoU register looks at it.

use super::{MessageMeta, message};
use crate::directory::Participant;
use crate::mou::Crossing;

/// The release that an MoU must cover.
#[must_use]
pub fn crossing<'a>(
    sender: &'a Participant,
    recipient: &'a Participant,
    meta: &MessageMeta,
) -> Crossing<'a> {
    let content = message::of(meta, sender);
    Crossing {
        sender,
        recipient,
        purpose: content.purpose,
        level: meta.label.level,
        tlp: meta.label.tlp,
        personal_data: content.personal_data,
    }
}
