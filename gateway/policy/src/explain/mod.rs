//! What would help: the smallest changes that would make a release a permit,
//! each verified by running the engine.

mod change;

use std::collections::BTreeSet;

use chancery_label::Level;

use crate::decision::Verdict;
use crate::engine::Engine;
use crate::facts::{Facts, MouState};
use crate::mou::MouFact;

pub use change::{By, Change};

/// A part of a message with a level of its own: an attachment or a portion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// How people name it, for example `attachment 2`.
    pub name: String,
    /// Its level.
    pub level: Level,
}

/// Changes that, made together, give a permit: the engine said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    changes: Vec<Change>,
    facts: Facts,
}

/// Most hints that are given.
const MOST: usize = 3;

/// Most rounds of repairing gate after gate.
const ROUNDS: usize = 8;

// === impl Hint ===

impl Hint {
    /// What to change; each of them is needed.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The facts after the changes: they are permitted.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let all: Vec<_> = self.changes.iter().map(ToString::to_string).collect();
        all.join(", and ")
    }

    /// In words for officers: where the MoU that comes nearest would do once it is
    /// in force, that one is named. The engine is asked about exactly that.
    #[must_use]
    pub fn text_under(&self, engine: &Engine, facts: &Facts, mou: &MouFact) -> String {
        let (Some(id), Some(remedy)) = (&mou.mou, remedy(mou.state)) else {
            return self.text();
        };
        let mut after = facts.clone();
        for change in &self.changes {
            match change {
                Change::Agreement(_) => {
                    after.mou = MouState::Active;
                    after.mou_ceiling = mou.ceiling;
                }
                other => other.apply(&mut after),
            }
        }
        if !permits(engine, &after) {
            return self.text();
        }
        let all: Vec<String> = self
            .changes
            .iter()
            .map(|change| match change {
                Change::Agreement(_) => format!("MoU {id} must be {remedy}"),
                other => other.to_string(),
            })
            .collect();
        all.join(", and ")
    }

    /// True if the sender alone can do all of it.
    #[must_use]
    pub fn is_senders_own(&self) -> bool {
        self.changes.iter().all(|change| change.by() == By::Sender)
    }
}

/// The smallest sets of changes that would permit a release: all of one change,
/// else all of two, else one larger set of which each change is needed. None for
/// a permit, and none where no change of the kinds known here would do.
#[must_use]
pub fn hints(engine: &Engine, facts: &Facts, parts: &[Part]) -> Vec<Hint> {
    if permits(engine, facts) {
        return Vec::new();
    }
    let candidates = change::candidates(facts, parts);
    let mut found: Vec<Hint> = candidates
        .iter()
        .filter_map(|one| hint(engine, facts, std::slice::from_ref(one)))
        .collect();
    if found.is_empty() {
        found = pairs(engine, facts, &candidates);
    }
    if found.is_empty() {
        found.extend(repaired(engine, facts, parts));
    }
    found.sort_by_key(|one| (one.changes.len(), !one.is_senders_own()));
    found.truncate(MOST);
    found
}

/// The hints that a sender may be shown: what the sender alone can do, and what
/// the originator of the information can.
#[must_use]
pub fn hints_for_sender(engine: &Engine, facts: &Facts, parts: &[Part]) -> Vec<Hint> {
    let own = |change: &Change| matches!(change.by(), By::Sender | By::Originator);
    hints(engine, facts, parts)
        .into_iter()
        .filter(|hint| hint.changes.iter().all(own))
        .collect()
}

/// What brings an MoU into force that is not.
const fn remedy(state: MouState) -> Option<&'static str> {
    match state {
        MouState::Expired => Some("renewed"),
        MouState::Suspended => Some("resumed"),
        MouState::Draft => Some("agreed"),
        MouState::Active | MouState::None => None,
    }
}

fn permits(engine: &Engine, facts: &Facts) -> bool {
    engine.decide(facts).verdict() == Verdict::Permit
}

/// The hint of these changes, if the engine then permits.
fn hint(engine: &Engine, facts: &Facts, changes: &[Change]) -> Option<Hint> {
    let mut after = facts.clone();
    for change in changes {
        change.apply(&mut after);
    }
    permits(engine, &after).then(|| Hint {
        changes: changes.to_vec(),
        facts: after,
    })
}

fn pairs(engine: &Engine, facts: &Facts, candidates: &[Change]) -> Vec<Hint> {
    let mut found = Vec::new();
    for (at, one) in candidates.iter().enumerate() {
        for other in candidates.iter().skip(at + 1) {
            found.extend(hint(engine, facts, &[one.clone(), other.clone()]));
        }
    }
    found
}

/// Repairs gate after gate, then leaves out each change that is not needed.
fn repaired(engine: &Engine, facts: &Facts, parts: &[Part]) -> Option<Hint> {
    let mut after = facts.clone();
    let mut changes: Vec<Change> = Vec::new();
    for _ in 0..ROUNDS {
        let decision = engine.decide(&after);
        if decision.verdict() == Verdict::Permit {
            break;
        }
        let gates: BTreeSet<_> = decision.gates().iter().copied().collect();
        for change in change::candidates(&after, parts) {
            let helps = gates.iter().any(|gate| change.helps(*gate));
            if helps && !changes.contains(&change) {
                change.apply(&mut after);
                changes.push(change);
            }
        }
    }
    hint(engine, facts, &changes)?;
    let mut at = 0;
    while at < changes.len() {
        let mut fewer = changes.clone();
        fewer.remove(at);
        if hint(engine, facts, &fewer).is_some() {
            changes = fewer;
        } else {
            at += 1;
        }
    }
    hint(engine, facts, &changes)
}
