//! Markings on the face of a text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use chancery_label::found::{self, FoundPlace};
use chancery_label::{Caveat, Fault, Label, Level, Pap, ReadOptions, Tlp};
use time::macros::date;

fn levels(text: &str) -> Vec<(Option<Level>, FoundPlace, usize)> {
    found::scan(text)
        .iter()
        .map(|one| (one.level, one.place, one.line))
        .collect()
}

#[test]
fn first_line_banners_portions_and_inline() {
    let text = "\nRESTREINT UE/EU RESTRICTED\n\n(C-UE/EU-C) A paragraph.\nMore of it, TLP:AMBER.\n\n\
                as in TRES SECRET UE/EU TOP SECRET texts\n*** SECRET UE / EU SECRET ***\n";
    let found = found::scan(text);
    let seen: Vec<_> = found
        .iter()
        .map(|one| (one.level, one.tlp, one.place, one.line))
        .collect();
    assert_eq!(
        seen,
        [
            (Some(Level::Restricted), None, FoundPlace::FirstLine, 2),
            (Some(Level::Confidential), None, FoundPlace::Portion, 4),
            (None, Some(Tlp::Amber), FoundPlace::Inline, 5),
            (Some(Level::TopSecret), None, FoundPlace::Inline, 7),
            (Some(Level::Secret), None, FoundPlace::Banner, 8),
        ]
    );
    assert!(found.iter().all(|one| !one.suspicious));
    assert_eq!(found::highest(&found), Some(Level::TopSecret));
    assert!(found::conflicts(&Label::of(Level::Secret), &found));
}

#[test]
fn prose_is_not_a_marking() {
    for text in [
        "The EU secret service met.",
        "für das EU secret lunch",
        "Restricted area, do not enter",
        "It is no secret.",
        "see section (a) and R-U-E",
        "the TLP: a protocol",
        "Il y a 10 €, très secret à l'UE",
    ] {
        assert_eq!(levels(text), [], "{text}");
    }
}

#[test]
fn look_alikes_are_suspicious() {
    for text in [
        "SEC\u{200B}RET UE/EU SECRET",
        "SЕCRET UE/EU SECRET",
        "text SЕCRЕT UE text",
        "ＳＥＣＲＥＴ ＵＥ",
        "S E C R E T  U E / E U  S E C R E T",
        "TLP:АMBER",
        "TLP: RED",
        "TLP:ORANGE",
        "(S-UЕ) paragraph",
        "5 TRE5 no; SECRET UE\u{AD}/EU SECRET",
        "EU T0P SECRET",
    ] {
        let found = found::scan(text);
        assert!(
            found.iter().any(|one| one.suspicious),
            "{text:?}: {found:?}"
        );
        assert!(
            found::conflicts(&Label::of(Level::TopSecret), &found),
            "{text:?}"
        );
    }
    assert!(
        found::scan("TRÈS SECRET UE/EU TOP SECRET")
            .iter()
            .all(|one| !one.suspicious)
    );
}

#[test]
fn subject_markings() {
    let found = found::scan_subject("[R-UE/EU-R] TLP:AMBER incident 4711");
    assert!(
        found
            .iter()
            .all(|one| one.place == FoundPlace::Subject && one.line == 0)
    );
    assert_eq!(found::strictest_tlp(&found), Some(Tlp::Amber));
    assert_eq!(found::highest(&found), Some(Level::Restricted));
}

#[test]
fn the_first_line_states_the_label() {
    let options = ReadOptions {
        country: None,
        on: date!(2026 - 01 - 01),
    };
    let label = found::first_line(
        "\n\n  RESTREINT UE/EU RESTRICTED TLP:GREEN \nText",
        &options,
    )
    .unwrap()
    .unwrap();
    assert_eq!(label.tlp, Some(Tlp::Green));
    assert!(found::first_line("Dear colleagues,\nSECRET UE/EU SECRET", &options).is_none());
    let error = found::first_line("SECRET UE/EU SЕCRET\n", &options)
        .unwrap()
        .unwrap_err();
    assert_eq!(error.fault, Fault::Suspicious);
}

#[test]
fn a_flood_of_markings_keeps_the_highest() {
    let mut text = "R-UE/EU-R\n\n".repeat(5000);
    text.push_str("TRES SECRET UE/EU TOP SECRET\n");
    let found = found::scan(&text);
    assert_eq!(found.len(), found::MAX_FOUND);
    assert_eq!(found::highest(&found), Some(Level::TopSecret));
}

/// Council Secretariat: a distribution marking of what is not classified.
#[test]
fn limite_alone_marks_what_is_unclassified() {
    let options = ReadOptions {
        country: None,
        on: date!(2026 - 01 - 01),
    };
    let mut limite = Label::of(Level::Nc);
    limite.caveats = [Caveat::Limite].into();
    for text in ["LIMITE\n\nText", "*** LIMITE ***\nText", "  LIMITE \nText"] {
        let label = found::first_line(text, &options).unwrap().unwrap();
        assert_eq!(label, limite, "{text}");
        let seen = found::scan(text);
        assert_eq!(found::least(&seen), limite);
        assert!(!found::conflicts(&limite, &seen));
        assert!(found::conflicts(&Label::of(Level::TopSecret), &seen));
    }
    // With what it stands beside on Council papers.
    let both = found::first_line("LIMITE TLP:AMBER\nText", &options)
        .unwrap()
        .unwrap();
    assert_eq!(
        (both.caveats, both.tlp),
        (limite.caveats.clone(), Some(Tlp::Amber))
    );
    // A word of French, a reference, and caveats that add to a level.
    for text in [
        "Limite\n",
        "La limite\n",
        "6704/16 LIMITE JAI 177\n",
        "CRYPTO\n",
        "ORCON\n",
        "H1\n",
    ] {
        assert_eq!(found::first_line(text, &options), None, "{text}");
        assert_eq!(found::scan(text), [], "{text}");
    }
    // Disguised.
    let seen = found::scan("L\u{406}MITE\n");
    assert!(found::conflicts(&limite, &seen), "{seen:?}");
}

#[test]
fn caveats_and_pap_of_the_text_count() {
    let seen = found::scan("SECRET UE/EU SECRET CRYPTO LIMITE\n\nText, PAP:RED.\n");
    let least = found::least(&seen);
    assert_eq!(least.level, Level::Secret);
    assert_eq!(least.caveats, [Caveat::Crypto, Caveat::Limite].into());
    assert_eq!(least.pap, Some(Pap::Red));
    assert!(!found::conflicts(&least, &seen));
    for missing in [Caveat::Crypto, Caveat::Limite] {
        let mut label = least.clone();
        label.caveats.remove(&missing);
        assert!(found::conflicts(&label, &seen));
    }
    let mut label = least.clone();
    label.pap = Some(Pap::Amber);
    assert!(found::conflicts(&label, &seen));
}

/// What no longer has room is not lost without a sign.
#[test]
fn a_flood_hides_no_caveat() {
    let text = format!("{}LIMITE\n", "R-UE/EU-R\n\n".repeat(5000));
    let seen = found::scan(&text);
    assert!(found::conflicts(&Label::of(Level::TopSecret), &seen));
}
