//! The codes that other parts of the house read and write.

use std::str::FromStr;

use chancery_label::{
    Caveat, Country, HandlingCode, Label, Level, Pap, ReleaseCode, Tlp, UnknownCode,
};

fn all_read_back<T: FromStr<Err = UnknownCode> + PartialEq + std::fmt::Debug + Copy>(
    all: &[T],
    code: impl Fn(T) -> &'static str,
) {
    let mut seen = std::collections::BTreeSet::new();
    for one in all {
        assert_eq!(code(*one).parse::<T>(), Ok(*one));
        assert!(seen.insert(code(*one)), "two have one code");
        assert!(
            code(*one).to_lowercase().parse::<T>().is_err(),
            "codes are exact"
        );
    }
    assert!("".parse::<T>().is_err());
}

#[test]
fn every_code_reads_back() {
    all_read_back(&Level::ALL, Level::code);
    all_read_back(&Tlp::ALL, Tlp::code);
    all_read_back(&Pap::ALL, Pap::code);
    all_read_back(&Caveat::ALL, Caveat::code);
    all_read_back(&HandlingCode::ALL, HandlingCode::code);
}

#[test]
fn order_and_display() {
    assert_eq!(Level::ALL.map(Level::rank), [0, 1, 2, 3, 4]);
    assert!(Level::ALL.is_sorted() && Tlp::ALL.is_sorted() && Pap::ALL.is_sorted());
    assert_eq!(
        Level::ALL.map(|level| level.to_string()),
        ["NC", "R-UE", "C-UE", "S-UE", "TS-UE"]
    );
    assert_eq!(Level::Nc.marking(), None);
    assert_eq!(Level::Nc.portion(), None);
    assert_eq!(
        Level::TopSecret.marking(),
        Some("TRES SECRET UE/EU TOP SECRET")
    );
    assert_eq!(Level::Restricted.portion(), Some("R-UE/EU-R"));
    assert_eq!(Tlp::AmberStrict.to_string(), "TLP:AMBER+STRICT");
    assert_eq!(Pap::Red.to_string(), "PAP:RED");
    assert_eq!(Caveat::Limite.to_string(), "LIMITE");
    assert_eq!(HandlingCode::H3.to_string(), "H3");
}

#[test]
fn release_codes_and_countries() {
    for code in ["EU", "NATO", "NOR", "QQQ"] {
        assert_eq!(
            code.parse::<ReleaseCode>().map(|it| it.to_string()),
            Ok(code.to_owned())
        );
    }
    for code in ["", "eu", "NO", "NORW", "N1R", "OTAN"] {
        assert!(code.parse::<ReleaseCode>().is_err(), "{code}");
    }
    assert!(ReleaseCode::existing("QQQ").is_none());
    assert_eq!(
        ReleaseCode::existing("NATO").map(String::from).as_deref(),
        Some("NATO")
    );
    assert_eq!(
        ReleaseCode::existing("NOR").map(|it| (it.is_eu(), it.is_member_state())),
        Some((false, false))
    );
    assert_eq!(
        ReleaseCode::MEMBER_STATES
            .iter()
            .filter_map(|it| ReleaseCode::existing(it))
            .filter(ReleaseCode::is_member_state)
            .count(),
        27
    );
    assert_eq!(ReleaseCode::eu().count(), 28);
    assert!(ReleaseCode::MEMBER_STATES.is_sorted());
    let greece = Country::from_any("EL");
    assert_eq!(greece, "GRC".parse());
    assert_eq!(greece, Country::from_any("GR"));
    assert_eq!(
        greece.map(|it| (it.as_str(), it.alpha2(), it.numeric())),
        Ok(("GRC", "GR", 300))
    );
    assert_eq!(Country::from_numeric(300), "GRC".parse().ok());
    assert_eq!(Country::from_numeric(1), None);
    assert!("EL".parse::<Country>().is_err() && Country::from_any("XX").is_err());
    assert_eq!(Country::all().count(), 250);
}

#[test]
fn eu_in_a_releasability_is_expanded() {
    let mut label = Label::of(Level::Restricted);
    assert_eq!(label.clone().with_eu_expanded(), label);
    label.releasable_to.extend(ReleaseCode::existing("NOR"));
    assert_eq!(label.clone().with_eu_expanded(), label);
    label.releasable_to.extend(ReleaseCode::existing("EU"));
    let wide = label.with_eu_expanded();
    assert_eq!(wide.releasable_to.len(), 29);
    assert!(ReleaseCode::eu().all(|code| wide.releasable_to.contains(&code)));
}

#[test]
fn unknown_codes_are_cut() {
    let error = "é".repeat(500).parse::<Level>().err();
    assert_eq!(error.as_ref().map(|e| e.value.chars().count()), Some(64));
    assert!(error.is_some_and(|e| e.to_string().contains("classification level")));
}
