//! The label of a message, and the lattice it lives in.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Caveat, HandlingCode, Level, Pap, ReleaseCode, Tlp, marking};

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
    /// ISO 3166-1 alpha-3, or the id of an organisation's scheme (`NATO`,
    /// `EUROPOL`).
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
    /// caveats and handling codes, the stricter TLP and PAP, and release to
    /// those alone whom both allow (ADatP-4774.1 section 4.4, but fail closed).
    /// `EU` allows the institutions and every Member State.
    ///
    /// Of two national markings the higher one stays, for the whole is marked
    /// by its highest part; of equal ones the first by country and words.
    ///
    /// # Errors
    /// [`EmptyIntersection`] where both limit release and have no code in common.
    pub fn join(&self, other: &Self) -> Result<Self, EmptyIntersection> {
        Ok(Self {
            level: self.level.max(other.level),
            caveats: &self.caveats | &other.caveats,
            releasable_to: common(&self.releasable_to, &other.releasable_to)?,
            tlp: self.tlp.max(other.tlp),
            pap: self.pap.max(other.pap),
            handling: &self.handling | &other.handling,
            national: higher(self.national.as_ref(), other.national.as_ref()),
        })
    }

    /// True if this label protects at least as much as `other` in every
    /// dimension: whoever may read under this may read under `other`. National
    /// markings play no part: their level is in `level`.
    ///
    /// A partial order on [`Self::protection`].
    #[must_use]
    pub fn dominates(&self, other: &Self) -> bool {
        let narrower = other.releasable_to.is_empty()
            || (!self.releasable_to.is_empty()
                && self
                    .releasable_to
                    .iter()
                    .all(|code| allows(&other.releasable_to, code)));
        self.level >= other.level
            && self.caveats.is_superset(&other.caveats)
            && self.tlp >= other.tlp
            && self.pap >= other.pap
            && self.handling.is_superset(&other.handling)
            && narrower
    }

    /// What of the label protects: without the national marking, and without
    /// the Member States that `EU` already names.
    #[must_use]
    pub fn protection(&self) -> Self {
        let mut plain = Self {
            national: None,
            ..self.clone()
        };
        if plain.releasable_to.iter().any(ReleaseCode::is_eu) {
            plain.releasable_to.retain(|code| !code.is_member_state());
        }
        plain
    }

    /// The label with `EU` in its releasability expanded to `EU` and the 27
    /// Member States.
    #[must_use]
    pub fn with_eu_expanded(mut self) -> Self {
        if self.releasable_to.iter().any(ReleaseCode::is_eu) {
            self.releasable_to.extend(ReleaseCode::eu());
        }
        self
    }
}

/// True if a releasability that is not empty allows this recipient.
fn allows(set: &BTreeSet<ReleaseCode>, code: &ReleaseCode) -> bool {
    set.contains(code) || (code.is_member_state() && set.iter().any(ReleaseCode::is_eu))
}

/// Whom both allow, in the words of either; empty sets limit nothing.
fn common(
    a: &BTreeSet<ReleaseCode>,
    b: &BTreeSet<ReleaseCode>,
) -> Result<BTreeSet<ReleaseCode>, EmptyIntersection> {
    if a.is_empty() {
        return Ok(b.clone());
    }
    if b.is_empty() {
        return Ok(a.clone());
    }
    let of = |x: &BTreeSet<ReleaseCode>, y: &BTreeSet<ReleaseCode>| -> BTreeSet<ReleaseCode> {
        x.iter().filter(|code| allows(y, code)).cloned().collect()
    };
    let both = &of(a, b) | &of(b, a);
    if both.is_empty() {
        Err(EmptyIntersection)
    } else {
        Ok(both)
    }
}

fn higher(a: Option<&NationalMarking>, b: Option<&NationalMarking>) -> Option<NationalMarking> {
    let (Some(a), Some(b)) = (a, b) else {
        return a.or(b).cloned();
    };
    if a == b {
        return Some(a.clone());
    }
    // The order is total, so that joining is associative and commutative.
    let place = |it: &NationalMarking| {
        (
            marking::level_of(it),
            Reverse((it.country.clone(), it.marking.clone())),
        )
    };
    Some(if place(a) >= place(b) {
        a.clone()
    } else {
        b.clone()
    })
}
