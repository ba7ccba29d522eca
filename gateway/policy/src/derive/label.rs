//! From the label stage: classification, caveats, releasability, TLP, handling codes.

use std::collections::BTreeSet;

use chancery_label::{Caveat, HandlingCode, Level, Tlp};

use super::MessageMeta;
use crate::facts::Country;

/// The facts of a label.
#[derive(Debug)]
pub(super) struct LabelFacts {
    pub(super) level: Level,
    pub(super) caveats: BTreeSet<Caveat>,
    pub(super) releasable_to: BTreeSet<Country>,
    pub(super) tlp: Option<Tlp>,
    pub(super) handling: BTreeSet<HandlingCode>,
}

/// `EU` in a releasability stands for `EU` and the 27 Member States; it is
/// expanded here and nowhere else.
pub(super) fn of(message: &MessageMeta) -> LabelFacts {
    let label = message.label.clone().with_eu_expanded();
    LabelFacts {
        level: label.level,
        caveats: label.caveats,
        releasable_to: label.releasable_to.iter().map(Country::of).collect(),
        tlp: label.tlp,
        handling: label.handling,
    }
}
