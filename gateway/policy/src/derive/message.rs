//! From the submission's fields: personal data and purpose.

use chancery_message::{Community, Purpose};

use super::MessageMeta;
use crate::directory::Participant;

#[derive(Debug)]
pub(super) struct ContentFacts {
    pub(super) personal_data: bool,
    pub(super) purpose: Purpose,
}

/// Where the channel has no field: personal data is taken to be there, and the
/// purpose is that of the sender's community.
pub(super) fn of(message: &MessageMeta, sender: &Participant) -> ContentFacts {
    ContentFacts {
        personal_data: message.personal_data.unwrap_or(true),
        purpose: message
            .purpose
            .unwrap_or_else(|| purpose_of(sender.community)),
    }
}

/// For what a community passes information on, unless it says otherwise.
#[must_use]
pub const fn purpose_of(community: Community) -> Purpose {
    match community {
        Community::Civilian => Purpose::CyberCrisis,
        Community::LawEnforcement => Purpose::LawEnforcement,
        Community::Diplomacy => Purpose::Diplomacy,
        Community::Defence => Purpose::CyberDefence,
        Community::Private => Purpose::Commercial,
        Community::Judicial => Purpose::Evidence,
    }
}
