//! The laws of the lattice, and the clearance test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

mod support;

use chancery_label::clearance::{self, Access, Asked, Clearance, NoAnswer};
use chancery_label::{
    EmptyIntersection, Label, Level, NationalMarking, ReleaseCode, portions, schemes,
};
use proptest::prelude::*;
use support::labels;
use time::macros::date;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn join_is_idempotent(a in labels()) {
        prop_assert_eq!(a.join(&a), Ok(a));
    }

    #[test]
    fn join_is_commutative(a in labels(), b in labels()) {
        prop_assert_eq!(a.join(&b), b.join(&a));
    }

    #[test]
    fn join_is_associative(a in labels(), b in labels(), c in labels()) {
        let left = a.join(&b).and_then(|ab| ab.join(&c));
        let right = b.join(&c).and_then(|bc| a.join(&bc));
        prop_assert_eq!(left, right);
    }

    #[test]
    fn join_is_the_least_upper_bound(a in labels(), b in labels(), c in labels()) {
        if let Ok(whole) = a.join(&b) {
            prop_assert!(whole.dominates(&a) && whole.dominates(&b));
            if c.dominates(&a) && c.dominates(&b) {
                prop_assert!(c.dominates(&whole));
            }
            prop_assert!(!whole.releasable_to.is_empty() || (a.releasable_to.is_empty() && b.releasable_to.is_empty()));
        } else {
            prop_assert!(!(c.dominates(&a) && c.dominates(&b)), "nothing is above both");
        }
    }

    #[test]
    fn dominance_is_a_partial_order(a in labels(), b in labels(), c in labels()) {
        prop_assert!(a.dominates(&a));
        if a.dominates(&b) && b.dominates(&a) {
            prop_assert_eq!(a.protection(), b.protection());
        }
        if a.dominates(&b) && b.dominates(&c) {
            prop_assert!(a.dominates(&c));
        }
        if a.dominates(&b) {
            prop_assert_eq!(a.join(&b).map(|whole| whole.protection()), Ok(a.protection()));
        }
        prop_assert_eq!(a.dominates(&b), a.protection().dominates(&b.protection()));
    }

    #[test]
    fn whole_covers_its_portions(own in labels(), parts in proptest::collection::vec(labels(), 0..5)) {
        if let Ok(whole) = portions::whole(&own, &parts) {
            prop_assert!(portions::covers(&whole, &parts));
            prop_assert!(whole.dominates(&own));
        }
    }

    #[test]
    fn eu_stands_for_its_members(a in labels(), b in labels()) {
        // Expanding first or last is the same to whoever reads.
        let late = a.join(&b).map(Label::with_eu_expanded);
        let early = a.clone().with_eu_expanded().join(&b.clone().with_eu_expanded());
        prop_assert_eq!(late.map(|l| l.protection()), early.map(|l| l.protection()));
    }
}

/// `a` dominates `b` in one dimension alone, and not the other way round.
#[test]
fn every_dimension_counts() {
    use chancery_label::{Caveat, HandlingCode, Pap, Tlp};
    let low = Label::of(Level::Restricted);
    let with = |change: &dyn Fn(&mut Label)| {
        let mut high = low.clone();
        change(&mut high);
        high
    };
    let nor: ReleaseCode = "NOR".parse().unwrap();
    for high in [
        with(&|l| l.level = Level::Confidential),
        with(&|l| _ = l.caveats.insert(Caveat::Limite)),
        with(&|l| _ = l.releasable_to.insert(nor.clone())),
        with(&|l| l.tlp = Some(Tlp::Clear)),
        with(&|l| l.pap = Some(Pap::Clear)),
        with(&|l| _ = l.handling.insert(HandlingCode::H0)),
    ] {
        assert!(high.dominates(&low) && !low.dominates(&high), "{high:?}");
        assert_eq!(low.join(&high), Ok(high.clone()));
        assert_eq!(high.join(&low), Ok(high));
    }
    let national = with(&|l| {
        l.national = Some(NationalMarking {
            country: "DEU".to_owned(),
            marking: "VS-NfD".to_owned(),
        });
    });
    assert!(national.dominates(&low) && low.dominates(&national));
}

fn to(codes: &[&str]) -> Label {
    let mut label = Label::of(Level::Restricted);
    label.releasable_to = codes.iter().map(|code| code.parse().unwrap()).collect();
    label
}

#[test]
fn an_empty_intersection_refuses() {
    assert_eq!(to(&["NOR"]).join(&to(&["CHE"])), Err(EmptyIntersection));
    assert_eq!(to(&["EU"]).join(&to(&["NOR"])), Err(EmptyIntersection));
    assert_eq!(
        to(&["EU", "NOR"]).join(&to(&["FRA", "NOR"])),
        Ok(to(&["FRA", "NOR"]))
    );
    assert_eq!(to(&["EU"]).join(&to(&["NATO"])), Err(EmptyIntersection));
    assert_eq!(
        to(&["EU"]).join(&to(&["EU", "DEU"])),
        Ok(to(&["EU", "DEU"]))
    );
    assert!(to(&["DEU"]).dominates(&to(&["EU"])));
    assert!(!to(&["EU"]).dominates(&to(&["DEU"])));
    assert!(to(&["EU"]).dominates(&to(&["EU", "NOR"])));
    assert_eq!(to(&["EU", "DEU"]).protection(), to(&["EU"]));
}

#[test]
fn of_two_national_markings_the_higher_stays() {
    let national = |country: &str, marking: &str, level| Label {
        national: Some(NationalMarking {
            country: country.to_owned(),
            marking: marking.to_owned(),
        }),
        ..Label::of(level)
    };
    let de = national("DEU", "GEHEIM", Level::Secret);
    let ro = national("ROU", "Secret", Level::Confidential);
    let at = national("AUT", "Geheim", Level::Secret);
    assert_eq!(de.join(&ro), Ok(de.clone()));
    assert_eq!(ro.join(&de), Ok(de.clone()));
    assert_eq!(de.join(&at), Ok(at.clone()));
    // A word that once stood for lower levels too counts as the highest.
    let se = national("SWE", "Hemlig", Level::Secret);
    let vs = national("DEU", "VS - VERTRAULICH", Level::Confidential);
    assert_eq!(se.join(&vs), Ok(se.clone()));
    assert_eq!(vs.join(&se), Ok(se));
    assert_eq!(de.join(&Label::of(Level::Nc)), Ok(de));
}

#[derive(serde::Deserialize)]
struct Vector {
    id: String,
    label: Option<Asked>,
    clearance: Option<Clearance>,
    expected: String,
}

#[test]
fn the_published_vectors_pass() {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/acdf-vectors.json"
    ))
    .unwrap();
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(vectors.len(), 18);
    for mut vector in vectors {
        vector.as_object_mut().unwrap().remove("what");
        let vector: Vector = serde_json::from_value(vector).unwrap();
        let answer = match clearance::decide(vector.label.as_ref(), vector.clearance.as_ref()) {
            Ok(Access::Grant) => "grant",
            Ok(Access::Deny) => "deny",
            Err(NoAnswer::PolicyMismatch) => "error-policy-mismatch",
            Err(NoAnswer::UnknownTagType) => "error-unknown-tag-type",
        };
        assert_eq!(answer, vector.expected, "{}", vector.id);
    }
}

#[test]
fn a_clearance_up_to_a_grade_lists_what_is_below() {
    let schemes = schemes::shipped().unwrap();
    let france = schemes.get("FRA").unwrap();
    let now = Clearance::up_to(france, "S", date!(2026 - 01 - 01)).unwrap();
    let wanted: Vec<_> = now.classes.iter().map(String::as_str).collect();
    assert_eq!(wanted, ["DIFFUSION RESTREINTE", "SECRET"]);
    assert!(Clearance::up_to(france, "X", date!(2026 - 01 - 01)).is_none());
    assert!(Clearance::up_to(schemes.get("TLP").unwrap(), "RED", date!(2026 - 01 - 01)).is_none());
}

/// A label that the gateway writes asks for what its marking says.
#[test]
fn real_labels_ask_for_what_they_say() {
    use chancery_label::codec::information;
    use chancery_label::{ReadOptions, marking};
    let schemes = schemes::shipped().unwrap();
    let options = ReadOptions {
        country: None,
        on: date!(2026 - 01 - 01),
    };
    let label = marking::parse("S-UE RELEASABLE TO EU, NOR H2 TLP:RED", &options).unwrap();
    let asked = Asked::of(&information::from_label(schemes, &label).unwrap()).unwrap();
    let eu = schemes.get("EU").unwrap();
    let set = |tag: &str| {
        eu.categories
            .iter()
            .find(|c| c.tag == tag)
            .unwrap()
            .oid
            .clone()
            .unwrap()
    };
    let mut held = Clearance::up_to(eu, "S-UE", options.on).unwrap();
    let decide = |held: &Clearance| clearance::decide(Some(&asked), Some(held)).unwrap();
    assert_eq!(decide(&held), Access::Deny);
    held.tags.insert(set("Handling"), ["H2".to_owned()].into());
    assert_eq!(decide(&held), Access::Deny);
    held.tags
        .insert(set("Releasable To"), ["NOR".to_owned()].into());
    assert_eq!(
        decide(&held),
        Access::Grant,
        "TLP informs and does not decide"
    );
    held.classes.remove("SECRET UE/EU SECRET");
    assert_eq!(decide(&held), Access::Deny);
}
