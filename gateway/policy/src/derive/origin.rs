//! Whose information it is, and for whom its originator meant it.

use super::{MessageMeta, Originator, Release};
use crate::directory::Participant;

#[derive(Debug)]
pub(super) struct OriginFacts {
    pub(super) holder_is_originator: bool,
    pub(super) addressed: bool,
}

pub(super) fn of(release: &Release<'_>, sender: &Participant) -> OriginFacts {
    let addressees = release.message.addressees.as_ref();
    OriginFacts {
        holder_is_originator: holder_is_originator(release.message, sender),
        addressed: addressees.is_some_and(|all| all.contains(release.recipient)),
    }
}

/// True only if the authenticated sender is the originator named, and nothing
/// that it is derived from is, or may be, another's. A forward never is.
fn holder_is_originator(message: &MessageMeta, sender: &Participant) -> bool {
    let own = match &message.originator {
        Originator::Sender => true,
        Originator::Participant(id) => *id == sender.id,
        Originator::Unknown => false,
    };
    own && !message.forward
        && message
            .derived_from
            .iter()
            .all(|source| source.originator.as_ref() == Some(&sender.id))
}
