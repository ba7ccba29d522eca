//! From the directory: what the two ends are to each other.

use chancery_label::Level;
use chancery_message::Timestamp;

use crate::directory::Participant;
use crate::facts::Relation;

#[derive(Debug)]
pub(super) struct EndFacts {
    pub(super) clearance: Level,
    pub(super) relation: Relation,
}

pub(super) fn of(sender: &Participant, recipient: &Participant, now: Timestamp) -> EndFacts {
    EndFacts {
        clearance: recipient.clearance_at(now),
        relation: relation(sender, recipient),
    }
}

/// The recipient as seen from the sender. Companies and the press are no
/// community among themselves: each private participant is in a compartment of
/// its own.
fn relation(sender: &Participant, recipient: &Participant) -> Relation {
    if sender.organisation == recipient.organisation {
        Relation::SameOrg
    } else if recipient.client_of.contains(&sender.organisation) {
        Relation::Client
    } else if sender.community == recipient.community
        && !recipient.is_private()
        && !sender.is_private()
    {
        Relation::Community
    } else {
        Relation::Outside
    }
}
