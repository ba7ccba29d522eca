//! What makes a person look.

use std::collections::BTreeSet;

use chancery_label::Label;
use chancery_message::Community;

use super::{MessageMeta, Originator, Thresholds};
use crate::directory::{Participant, View};
use crate::facts::ReviewFlag;

pub(super) fn of(
    message: &MessageMeta,
    sender: &Participant,
    recipient: &Participant,
    directory: &View<'_>,
    thresholds: &Thresholds,
) -> BTreeSet<ReviewFlag> {
    let flags = [
        (ReviewFlag::Aggregate, is_aggregate(message, thresholds)),
        (ReviewFlag::LevelDrop, drops_level(message)),
        (
            ReviewFlag::UnknownOriginator,
            has_unknown_originator(message, directory),
        ),
        (
            ReviewFlag::EvaluationMissing,
            sender.community == Community::LawEnforcement && !message.evaluated,
        ),
        (
            ReviewFlag::CryptoCustodian,
            sender.crypto_custodian && recipient.crypto_custodian,
        ),
    ];
    flags
        .into_iter()
        .filter(|(_, raised)| *raised)
        .map(|(flag, _)| flag)
        .collect()
}

/// Derived from two or more messages, or from many portions of one level.
fn is_aggregate(message: &MessageMeta, thresholds: &Thresholds) -> bool {
    message.derived_from.len() >= 2 || message.portions > thresholds.portions_of_one_level
}

/// The label, as asserted or as it came out, protects less, in level or in any
/// category, than that of a message it is derived from. Of a message that is
/// not held here nothing can be said to have been kept: that counts as a drop.
fn drops_level(message: &MessageMeta) -> bool {
    let keeps = |source: &Label| {
        let asserted = message.asserted.as_ref();
        message.label.dominates(source) && asserted.is_none_or(|label| label.dominates(source))
    };
    message
        .derived_from
        .iter()
        .any(|source| source.label.as_ref().is_none_or(|label| !keeps(label)))
}

/// The named originator is not in the directory: an id that no version of it
/// has, or a name that is no id at all.
fn has_unknown_originator(message: &MessageMeta, directory: &View<'_>) -> bool {
    match &message.originator {
        Originator::Sender => false,
        Originator::Participant(id) => !directory.knows(id),
        Originator::Unknown => true,
    }
}
