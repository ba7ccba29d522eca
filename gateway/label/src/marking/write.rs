//! Labels as text: one canonical writing for each label.

use crate::{Caveat, Label, Level, ReleaseCode};

/// The canonical marking of a label; reading it gives the label again.
///
/// Order: level, `[COUNTRY national marking]`, caveats, `RELEASABLE TO`, TLP,
/// PAP, handling codes. TLP, PAP and `LIMITE` stand alone on what is
/// unclassified; everything else says `UNCLASSIFIED`.
#[must_use]
pub fn format(label: &Label) -> String {
    let alone = label.level == Level::Nc
        && label.national.is_none()
        && label.handling.is_empty()
        && label.releasable_to.is_empty()
        && label.caveats.iter().all(|caveat| *caveat == Caveat::Limite)
        && (label.tlp.is_some() || label.pap.is_some() || !label.caveats.is_empty());
    let mut text = String::new();
    if !alone {
        text.push_str(label.level.marking().unwrap_or("UNCLASSIFIED"));
    }
    if let Some(national) = &label.national {
        text.push_str(" [");
        text.push_str(&national.country);
        text.push(' ');
        text.push_str(&national.marking);
        text.push(']');
    }
    with_categories(&mut text, label);
    text
}

/// Appends everything but the level.
pub(crate) fn with_categories(text: &mut String, label: &Label) {
    let mut add = |word: &str| {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    };
    for caveat in &label.caveats {
        add(caveat.code());
    }
    if !label.releasable_to.is_empty() {
        let codes: Vec<_> = label
            .releasable_to
            .iter()
            .map(ReleaseCode::as_str)
            .collect();
        add("RELEASABLE TO");
        add(&codes.join(", "));
    }
    if let Some(tlp) = label.tlp {
        add(&tlp.to_string());
    }
    if let Some(pap) = label.pap {
        add(&pap.to_string());
    }
    for code in &label.handling {
        add(code.code());
    }
}
