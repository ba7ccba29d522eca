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
    let cases: Vec<(String, String)> = match folder {
        None => SHIPPED_CASES
            .iter()
            .map(|(name, text)| (format!("{name}.cases.toml"), (*text).to_owned()))
            .collect(),
        Some(folder) => folder_of(folder, ".cases.toml")?,
    };
    let mut all: Vec<Outcome> = Vec::new();
    for (name, text) in &cases {
        let outcomes = cases::run(engine, text).map_err(failed(name))?;
        if !json {
            out::line(name)?;
        }
        for outcome in &outcomes {
            if json {
                out::json(&serde_json::json!({
                    "file": name, "case": outcome.name, "expected": outcome.expected,
                    "found": outcome.found, "holds": outcome.holds(),
                }))?;
            } else {
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
    if !json {
        out::line(format_args!("{} cases, all as they should", all.len()))?;
    }
    Ok(())
}
