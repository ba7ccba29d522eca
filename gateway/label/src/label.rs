//! The label of a message, and the lattice it lives in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Caveat, HandlingCode, Level, Pap, ReleaseCode, Tlp};

/// What all markings on a message mean together.
///
/// The serialized form (serde, field order as here, sets sorted) is the
/// canonical one: it is what is sealed, signed and recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The EU level of protection.
    pub level: Level,
    /// Caveats, all of which bind.
    #[serde(default)]
    pub caveats: BTreeSet<Caveat>,
    /// `RELEASABLE TO`; empty means that the marking sets no such limit.
    #[serde(default)]
    pub releasable_to: BTreeSet<ReleaseCode>,
    /// The TLP label, if one was given.
    #[serde(default)]
    pub tlp: Option<Tlp>,
    /// The PAP label, if one was given.
    #[serde(default)]
    pub pap: Option<Pap>,
    /// Europol handling codes, all of which bind.
    #[serde(default)]
    pub handling: BTreeSet<HandlingCode>,
    /// The national marking that stands beside the EU level, as it was written.
    #[serde(default)]
    pub national: Option<NationalMarking>,
}

/// A national marking: meaningless without its country.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NationalMarking {
    /// ISO 3166-1 alpha-3.
    pub country: String,
    /// The marking as the State writes it.
    pub marking: String,
}

/// Two labels share no recipient: joining them would leave nobody who may read
/// the whole, and dropping the limit would widen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the labels are releasable to no common recipient")]
pub struct EmptyIntersection;

impl Label {
    /// A label of this level and nothing else.
    #[must_use]
    pub fn of(level: Level) -> Self {
        Self {
            level,
            ..Self::default()
        }
    }

    /// The least label that protects both: the higher level, the union of
    /// caveats and handling codes, the stricter TLP, the intersection of the
    /// releasabilities (ADatP-4774.1 section 4.4, but fail closed).
    ///
    /// A national marking survives where both agree or only one has one.
    ///
    /// # Errors
    /// [`EmptyIntersection`] where both limit release and have no code in common.
    pub fn join(&self, other: &Self) -> Result<Self, EmptyIntersection> {
        let releasable_to = match (
            self.releasable_to.is_empty(),
            other.releasable_to.is_empty(),
        ) {
            (true, _) => other.releasable_to.clone(),
            (_, true) => self.releasable_to.clone(),
            _ => {
                let both: BTreeSet<_> = self
                    .releasable_to
                    .intersection(&other.releasable_to)
                    .cloned()
                    .collect();
                if both.is_empty() {
                    return Err(EmptyIntersection);
                }
                both
            }
        };
        let national = match (&self.national, &other.national) {
            (Some(a), Some(b)) if a != b => None,
            (Some(a), _) => Some(a.clone()),
            (None, b) => b.clone(),
        };
        Ok(Self {
            level: self.level.max(other.level),
            caveats: &self.caveats | &other.caveats,
            releasable_to,
            tlp: self.tlp.max(other.tlp),
            pap: self.pap.max(other.pap),
            handling: &self.handling | &other.handling,
            national,
        })
    }

    /// True if this label protects at least as much as `other` in every
    /// dimension: whoever may read under this may read under `other`.
    #[must_use]
    pub fn dominates(&self, other: &Self) -> bool {
        let releasable = other.releasable_to.is_empty()
            || (!self.releasable_to.is_empty()
                && self.releasable_to.is_subset(&other.releasable_to));
        self.level >= other.level
            && self.caveats.is_superset(&other.caveats)
            && self.tlp >= other.tlp
            && self.pap >= other.pap
            && self.handling.is_superset(&other.handling)
            && releasable
    }

    /// The label with `EU` in its releasability expanded to `EU` and the 27
    /// Member States.
    #[must_use]
    pub fn with_eu_expanded(mut self) -> Self {
        if self.releasable_to.iter().any(|code| code.as_str() == "EU") {
            self.releasable_to.extend(ReleaseCode::eu());
        }
        self
    }
}
