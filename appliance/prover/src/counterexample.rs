//! A solver's counterexample as the facts of a release: first read from its
//! model, then made as plain as it can be while it still is one.

use std::collections::BTreeMap;

use cedar_policy::{Context, EvalResult};
use chancery_label::Level;
use chancery_policy::cases::{BASE, spell};
use chancery_policy::engine::Engine;
use chancery_policy::facts::{Country, Facts};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::words::describe;

/// A release that breaks a claim.
#[derive(Clone, Debug, Serialize)]
pub struct Counterexample {
    /// What would be sent, in one sentence.
    pub release: String,
    /// What the set decides about it, `verdict gates`. Where the lattice in code
    /// stands against the text this is `deny G00`: the text alone would let it out.
    pub decided: String,
    /// What the shipped or the old set decides about it.
    pub before: String,
    /// Its facts: `chancery policy decide` reads them.
    pub facts: Facts,
}

/// What is not a country of the facts' table gets one of these: rules compare
/// countries literally, so that any other one that no rule names says the same.
const OUTSIDE: [&str; 12] = [
    "CHE", "NOR", "ISL", "GBR", "CAN", "USA", "AUS", "JPN", "BRA", "IND", "ZAF", "NZL",
];

/// Facts whose values are levels: ranks in Cedar.
const LEVELS: [&str; 5] = [
    "classification",
    "recipient_clearance",
    "channel_accreditation",
    "crypto_approval",
    "mou_ceiling",
];

/// The counterexample of a model. `breaks` says whether facts break the claim.
pub(crate) fn of(
    context: Option<&Context>,
    breaks: &dyn Fn(&Facts) -> bool,
    engine: &Engine,
    before: &Engine,
) -> Result<Counterexample, String> {
    let context = context.ok_or("the solver's counterexample has no context")?;
    let found = read(context)?;
    if !breaks(&found) {
        return Err("the solver's counterexample is none when its facts are decided".to_owned());
    }
    let facts = plainest(&found, breaks)?;
    let decide = |engine: &Engine| {
        let decision = engine.decide(&facts);
        spell(decision.verdict(), decision.gates())
    };
    Ok(Counterexample {
        release: describe(&facts),
        decided: decide(engine),
        before: decide(before),
        facts,
    })
}

/// The facts of a context: every fact of the table is an attribute of it.
fn read(context: &Context) -> Result<Facts, String> {
    let base: Map<String, Value> = serde_json::from_str(BASE).map_err(|error| error.to_string())?;
    let mut countries = Countries::default();
    let mut all = Map::new();
    for name in base.keys().map(String::as_str) {
        if name == "id" {
            all.insert(name.to_owned(), "counterexample".into());
            continue;
        }
        let value = context
            .get(name)
            .ok_or_else(|| format!("the solver's counterexample has no {name}"))?;
        all.insert(name.to_owned(), fact(name, &value, &mut countries)?);
    }
    let text = serde_json::to_string(&all).map_err(|error| error.to_string())?;
    Facts::from_json(&text).map_err(|error| error.to_string())
}

fn fact(name: &str, value: &EvalResult, countries: &mut Countries) -> Result<Value, String> {
    Ok(match value {
        EvalResult::Bool(yes) => (*yes).into(),
        EvalResult::Long(rank) if LEVELS.contains(&name) => usize::try_from(*rank)
            .ok()
            .and_then(|rank| Level::ALL.get(rank).copied())
            .ok_or_else(|| format!("{name} is no level: {rank}"))?
            .code()
            .into(),
        EvalResult::EntityUid(uid) => match uid.id().unescaped() {
            "none" if name == "tlp" => Value::Null,
            word => word.into(),
        },
        EvalResult::String(text) => countries.known(text)?.into(),
        EvalResult::Set(set) => set
            .iter()
            .map(|one| fact(name, one, countries))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        _ => return Err(format!("{name} has a value of another kind")),
    })
}

/// Countries by the text that the solver made up for them.
#[derive(Default)]
struct Countries {
    given: BTreeMap<String, String>,
}

impl Countries {
    /// Two texts never become one country: that could be another message.
    fn known(&mut self, text: &str) -> Result<String, String> {
        if text.parse::<Country>().is_ok() {
            return Ok(text.to_owned());
        }
        if let Some(known) = self.given.get(text) {
            return Ok(known.clone());
        }
        let country = OUTSIDE
            .iter()
            .find(|one| !self.given.values().any(|given| given == *one))
            .ok_or("the solver's counterexample has more countries than can be named")?;
        self.given.insert(text.to_owned(), (*country).to_owned());
        Ok((*country).to_owned())
    }
}

/// Each fact as in the plain release that every case starts from, where the
/// facts still break the claim.
fn plainest(found: &Facts, breaks: &dyn Fn(&Facts) -> bool) -> Result<Facts, String> {
    let object = |text: &str| {
        serde_json::from_str::<Map<String, Value>>(text).map_err(|error| error.to_string())
    };
    let base = object(BASE)?;
    let mut now = object(&found.to_json())?;
    let mut facts = found.clone();
    let mut changed = true;
    while changed {
        changed = false;
        for (name, plain) in base.iter().filter(|(name, _)| *name != "id") {
            if now.get(name) == Some(plain) {
                continue;
            }
            let mut other = now.clone();
            other.insert(name.clone(), plain.clone());
            let text = serde_json::to_string(&other).map_err(|error| error.to_string())?;
            if let Ok(plainer) = Facts::from_json(&text)
                && breaks(&plainer)
            {
                now = other;
                facts = plainer;
                changed = true;
            }
        }
    }
    Ok(facts)
}
