//! Does a clearance reach a label? The access control decision function (ACDF)
//! of X.841 and SDN.801 as XML SPIF 2.1 and XEP-0258 describe it.
//!
//! * The policies are equal, else error: equivalence is mapped before.
//! * The clearance has a **list** of classifications, and the label's is in
//!   it; "cleared to SECRET" is expanded when the clearance is made
//!   ([`Clearance::up_to`]).
//! * Restrictive: every value of the label is held.
//! * Permissive: of every block of values at least one is held. A block is one
//!   `tags` entry: the same set twice is two checks.
//! * Informative: plays no part.
//! * No label or no clearance: deny.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Date;

use crate::codec::information::Information;
use crate::schemes::{CategoryKind, Scheme};

/// What a label asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Object identifier of the policy.
    pub policy: String,
    /// The classification.
    pub class: String,
    /// The categories, block by block.
    pub tags: Vec<Block>,
}

/// One block of values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The tag set.
    pub set: String,
    /// `restrictive`, `permissive`, `informative`; anything else is an error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The values.
    pub values: BTreeSet<String>,
}

/// What a subject holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clearance {
    /// Object identifier of the policy.
    pub policy: String,
    /// The classifications held, each by itself.
    pub classes: BTreeSet<String>,
    /// The values held in each tag set.
    pub tags: BTreeMap<String, BTreeSet<String>>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// The clearance reaches the label.
    Grant,
    /// It does not.
    Deny,
}

/// There is no answer; treat it as a denial and say why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoAnswer {
    /// Label and clearance are of different policies.
    #[error("label and clearance belong to different policies: map equivalence first")]
    PolicyMismatch,
    /// A category's type is none that the function knows.
    #[error("the label has a category of unknown type")]
    UnknownTagType,
}

/// Decides.
///
/// # Errors
/// [`NoAnswer`], which callers treat as a denial.
pub fn decide(label: Option<&Asked>, clearance: Option<&Clearance>) -> Result<Access, NoAnswer> {
    let (Some(label), Some(clearance)) = (label, clearance) else {
        return Ok(Access::Deny);
    };
    if label.policy != clearance.policy {
        return Err(NoAnswer::PolicyMismatch);
    }
    let mut granted = clearance.classes.contains(&label.class);
    // Every block is looked at, so that an unknown type is always found.
    for block in &label.tags {
        granted &= passes(block, clearance.tags.get(&block.set))?;
    }
    Ok(if granted { Access::Grant } else { Access::Deny })
}

fn passes(block: &Block, held: Option<&BTreeSet<String>>) -> Result<bool, NoAnswer> {
    let holds = |value: &String| held.is_some_and(|held| held.contains(value));
    match block.kind.as_str() {
        "restrictive" => Ok(block.values.iter().all(holds)),
        // An empty block cannot be written by our writers nor read by our
        // readers; here it checks nothing, as the function is published.
        "permissive" => Ok(block.values.is_empty() || block.values.iter().any(holds)),
        "informative" => Ok(true),
        _ => Err(NoAnswer::UnknownTagType),
    }
}

impl Asked {
    /// What this information asks for; `None` without policy number.
    #[must_use]
    pub fn of(information: &Information) -> Option<Self> {
        Some(Self {
            policy: information.policy_oid.clone()?,
            class: information.classification.clone(),
            tags: information
                .categories
                .iter()
                .map(|tag| Block {
                    set: tag.oid.clone().unwrap_or_else(|| tag.name.clone()),
                    kind: match tag.kind {
                        CategoryKind::Restrictive => "restrictive",
                        CategoryKind::Permissive => "permissive",
                        CategoryKind::Informative => "informative",
                    }
                    .to_owned(),
                    values: tag.values.iter().cloned().collect(),
                })
                .collect(),
        })
    }
}

impl Clearance {
    /// A clearance to every grade of the scheme up to this one that is given
    /// on that day, without categories. `None` if the scheme has no policy or
    /// no such grade.
    #[must_use]
    pub fn up_to(scheme: &Scheme, grade: &str, on: Date) -> Option<Self> {
        let top = scheme.grade(grade)?.hierarchy;
        Some(Self {
            policy: scheme.policy.as_ref()?.oid.clone(),
            classes: scheme
                .grades_on(on)
                .filter(|grade| grade.hierarchy <= top)
                .map(|grade| grade.written(scheme.language()).to_owned())
                .collect(),
            tags: BTreeMap::new(),
        })
    }
}
