//! From the recipient's channel in the directory.

use chancery_label::Level;
use chancery_message::{Channel, Timestamp};

use crate::directory::Participant;

#[derive(Debug)]
pub(super) struct ChannelFacts {
    pub(super) channel: Option<Channel>,
    pub(super) accreditation: Level,
    pub(super) crypto_approval: Level,
    pub(super) public: bool,
}

/// The wanted channel, or the one by which the recipient is reached. Without a
/// usable one: approved for nothing, and public.
pub(super) fn of(recipient: &Participant, wanted: Option<Channel>, now: Timestamp) -> ChannelFacts {
    let entry = match wanted {
        Some(channel) => recipient.channel(channel, now).filter(|entry| entry.usable),
        None => recipient.reached_by(now),
    };
    match entry {
        Some(entry) => ChannelFacts {
            channel: Some(entry.channel),
            accreditation: entry.accreditation,
            crypto_approval: entry.crypto_approval,
            public: entry.public,
        },
        None => ChannelFacts {
            channel: None,
            accreditation: Level::Nc,
            crypto_approval: Level::Nc,
            public: true,
        },
    }
}
