//! Generated labels over all shipped schemes.

use std::collections::BTreeSet;

use chancery_label::schemes::{self, Kind};
use chancery_label::{Caveat, HandlingCode, Label, Level, NationalMarking, Pap, ReleaseCode, Tlp};
use proptest::collection::btree_set;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Every national marking of every shipped scheme, with its EU level.
pub(crate) fn nationals() -> Vec<(NationalMarking, Level)> {
    let mut all = Vec::new();
    for scheme in schemes::shipped().unwrap().all() {
        if matches!(scheme.kind, Kind::National | Kind::Organisation) {
            for grade in &scheme.grades {
                for text in grade.marking.values() {
                    let national = NationalMarking {
                        country: scheme.id.clone(),
                        marking: text.clone(),
                    };
                    all.push((national, grade.eu));
                }
            }
        }
    }
    assert!(all.len() > 120, "{}", all.len());
    all
}

fn codes() -> impl Strategy<Value = BTreeSet<ReleaseCode>> {
    let all = [
        "EU", "NATO", "NOR", "CHE", "USA", "DEU", "FRA", "SWE", "AND",
    ];
    btree_set(
        select(all.to_vec()).prop_map(|code| code.parse().unwrap()),
        0..4,
    )
}

/// Any label that the readers accept.
pub(crate) fn labels() -> impl Strategy<Value = Label> {
    let national = option::of(select(nationals()));
    (
        select(Level::ALL.to_vec()),
        subsequence(Caveat::ALL.to_vec(), 0..=3),
        codes(),
        option::of(select(Tlp::ALL.to_vec())),
        option::of(select(Pap::ALL.to_vec())),
        subsequence(HandlingCode::ALL.to_vec(), 0..=4),
        national,
    )
        .prop_map(
            |(level, caveats, releasable_to, tlp, pap, handling, national)| {
                let mut label = Label {
                    level,
                    caveats: caveats.into_iter().collect(),
                    releasable_to,
                    tlp,
                    pap,
                    handling: handling.into_iter().collect(),
                    national: None,
                };
                if let Some((national, eu)) = national {
                    label.level = label.level.max(eu);
                    if national.marking.contains("BASIC PROTECTION") {
                        label.handling.insert(HandlingCode::H0);
                    }
                    label.national = Some(national);
                }
                if label.level == Level::Nc {
                    label.caveats.remove(&Caveat::Crypto);
                }
                label
            },
        )
}
