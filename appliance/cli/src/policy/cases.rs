//! The cases beside the rules.

use std::path::Path;

use chancery_policy::cases::{self, Outcome};
use chancery_policy::engine::Engine;

use super::folder_of;
use crate::failure::{Failure, failed};
use crate::out;

/// The cases that stand beside the shipped rules.
const SHIPPED_CASES: [(&str, &str); 10] = {
    macro_rules! shipped {
        ($($name:literal),+ $(,)?) => {
            [$(($name, include_str!(concat!("../../../../config/policies/", $name, ".cases.toml")))),+]
        };
    }
    shipped![
        "00-words",
        "10-label",
        "20-protection",
        "30-agreements",
        "40-caveats",
        "50-tlp",
        "60-originator",
        "70-handling",
        "80-personal-data",
        "90-judgement",
    ]
};

pub(super) fn command(engine: &Engine, folder: Option<&Path>, json: bool) -> Result<(), Failure> {
    let held = run(engine, &files(folder)?, Told::Each { json })?;
    if !json {
        out::line(format_args!("{held} cases, all as they should"))?;
    }
    Ok(())
}

/// Whether each case is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Each, as text or JSON.
    Each { json: bool },
    /// Only what is wrong.
    Wrong,
}

/// The cases files of a folder; without one, or named `shipped`, the shipped ones.
pub(super) fn files(folder: Option<&Path>) -> Result<Vec<(String, String)>, Failure> {
    match folder.filter(|folder| !super::means_shipped(folder)) {
        None => Ok(SHIPPED_CASES
            .iter()
            .map(|(name, text)| (format!("{name}.cases.toml"), (*text).to_owned()))
            .collect()),
        Some(folder) => folder_of(folder, ".cases.toml"),
    }
}

/// Runs cases; how many there are, all as they should.
pub(super) fn run(engine: &Engine, cases: &[(String, String)], told: Told) -> Result<u64, Failure> {
    let mut all: Vec<Outcome> = Vec::new();
    for (name, text) in cases {
        let outcomes = cases::run(engine, text).map_err(failed(name))?;
        if told == (Told::Each { json: false }) {
            out::line(name)?;
        }
        for outcome in &outcomes {
            if told == (Told::Each { json: true }) {
                out::json(&serde_json::json!({
                    "file": name, "case": outcome.name, "expected": outcome.expected,
                    "found": outcome.found, "holds": outcome.holds(),
                }))?;
            } else if told != Told::Wrong || !outcome.holds() {
                out::line(format_args!("  {outcome}"))?;
            }
        }
        all.extend(outcomes);
    }
    let wrong = all.iter().filter(|outcome| !outcome.holds()).count();
    let bare: Vec<String> = cases::uncovered(engine, &all)
        .into_iter()
        .map(|(gate, effect)| format!("{gate} ({effect})"))
        .collect();
    if wrong > 0 {
        return Err(Failure::new(format!(
            "{wrong} of {} cases come out differently: see WRONG above",
            all.len()
        )));
    }
    if !bare.is_empty() {
        return Err(Failure::new(format!(
            "rules without a case: {}; write one for each",
            bare.join(", ")
        )));
    }
    Ok(all.len() as u64)
}
