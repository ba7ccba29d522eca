//! Cases: how a scheme's markings are meant to read. Every scheme file has
//! some, and [`run_cases`] holds the reader to them.

use serde::{Deserialize, Serialize};
use time::Date;

use crate::Country;
use crate::marking::{self, ReadOptions};
use crate::schemes::{Schemes, load};

/// A `<name>.cases.toml` file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// The day on which markings are read unless a case says otherwise.
    #[serde(default, with = "load::day", skip_serializing_if = "Option::is_none")]
    pub on: Option<Date>,
    /// The cases.
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// One case: a text, and either what it reads as or the fault it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The marking.
    pub text: String,
    /// The country that it is read for, alpha-3.
    #[serde(default)]
    pub country: Option<String>,
    /// The day on which it is read.
    #[serde(default, with = "load::day", skip_serializing_if = "Option::is_none")]
    pub on: Option<Date>,
    /// The EU level that protects it.
    #[serde(default)]
    pub eu: Option<crate::Level>,
    /// The code of its grade.
    #[serde(default)]
    pub grade: Option<String>,
    /// False where it is no classification.
    #[serde(default)]
    pub classified: Option<bool>,
    /// Its canonical writing.
    #[serde(default)]
    pub canonical: Option<String>,
    /// The class of the fault, in lower case, instead of all these.
    #[serde(default)]
    pub fault: Option<String>,
}

/// A case that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Number of the case in its file, from 1.
    pub number: usize,
    /// What differs.
    pub why: String,
}

/// Runs every case.
#[must_use]
pub fn run_cases(schemes: &Schemes, cases: &Cases) -> Vec<Mismatch> {
    cases
        .cases
        .iter()
        .enumerate()
        .filter_map(|(index, case)| {
            run(schemes, case, cases.on).err().map(|why| Mismatch {
                number: index + 1,
                why,
            })
        })
        .collect()
}

fn run(schemes: &Schemes, case: &Case, on: Option<Date>) -> Result<(), String> {
    let country = case
        .country
        .as_deref()
        .map(str::parse::<Country>)
        .transpose()
        .map_err(|e| e.to_string())?;
    let on = case.on.or(on).ok_or("give the day: `on = 2026-01-01`")?;
    let options = ReadOptions { country, on };
    let reading = match (
        marking::read_with(schemes, &case.text, &options),
        &case.fault,
    ) {
        (Err(e), Some(fault)) => {
            let found = format!("{:?}", e.fault).to_lowercase();
            return same("fault", fault, &found);
        }
        (Err(e), None) => return Err(format!("not read: {e}")),
        (Ok(_), Some(fault)) => return Err(format!("read, but should fail as {fault}")),
        (Ok(reading), None) => reading,
    };
    if case.eu.is_none() && case.canonical.is_none() && case.grade.is_none() {
        return Err("the case says nothing: give `eu`, `grade`, `canonical` or `fault`".to_owned());
    }
    if let Some(eu) = case.eu {
        same("eu", eu.code(), reading.label.level.code())?;
    }
    if let Some(grade) = &case.grade {
        same("grade", grade, &reading.grade)?;
    }
    if let Some(classified) = case.classified {
        same(
            "classified",
            &classified.to_string(),
            &reading.classified.to_string(),
        )?;
    }
    if let Some(canonical) = &case.canonical {
        same("canonical", canonical, &reading.canonical)?;
    }
    Ok(())
}

fn same(what: &str, wanted: &str, found: &str) -> Result<(), String> {
    if wanted == found {
        Ok(())
    } else {
        Err(format!("{what} is `{found}`, should be `{wanted}`"))
    }
}
