//! Which grade a phrase is: by country, then by day.

use std::collections::BTreeSet;

use time::Date;

use crate::error::{Fault, LabelError, Place, rule};
use crate::schemes::{Grade, Kind, Scheme, Schemes, Term};
use crate::{Country, Level};

/// A grade that a phrase may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) scheme: &'a Scheme,
    pub(crate) grade: &'a Grade,
    /// The language in which it was written, if one.
    pub(crate) language: Option<&'a str>,
}

impl Candidate<'_> {
    /// The marking as its scheme writes it in the language met.
    pub(crate) fn written(&self) -> &str {
        self.grade
            .written(self.language.unwrap_or_else(|| self.scheme.language()))
    }
}

/// The grades among these terms.
pub(crate) fn candidates<'a>(
    schemes: &'a Schemes,
    terms: &'a [Term],
) -> impl Iterator<Item = Candidate<'a>> {
    terms.iter().filter_map(|term| {
        let (scheme, grade, language) = match *term {
            Term::Grade {
                scheme,
                grade,
                language,
            } => (scheme, grade, Some(language)),
            Term::Portion { scheme, grade } => (scheme, grade, None),
            Term::Value { .. } | Term::Release { .. } | Term::Refused { .. } => return None,
        };
        let scheme = schemes.all().get(scheme)?;
        Some(Candidate {
            scheme,
            grade: scheme.grades.get(grade)?,
            language: language
                .and_then(|at| scheme.languages.get(at))
                .map(String::as_str),
        })
    })
}

/// Chooses the one grade that the phrase at `at` is.
pub(crate) fn choose<'a>(
    schemes: &'a Schemes,
    terms: &'a [Term],
    country: Option<Country>,
    on: Date,
    at: usize,
) -> Result<Candidate<'a>, LabelError> {
    let all: Vec<_> = candidates(schemes, terms).collect();
    if let Some(fixed) = all.iter().find(|it| it.scheme.kind != Kind::National) {
        return Ok(*fixed);
    }
    let mine: Vec<_> = match country {
        Some(country) => all
            .iter()
            .filter(|it| it.scheme.id == country.as_str())
            .copied()
            .collect(),
        None => all.clone(),
    };
    if mine.is_empty() {
        return Err(not_of(&all, country, at));
    }
    let States { mut text, more } = states(&mine);
    let none: Vec<_> = if country.is_none() {
        no_level(schemes, terms)
    } else {
        Vec::new()
    };
    for id in &none {
        text.push_str(&format!(", {id} (none)"));
    }
    if more || !none.is_empty() {
        return Err(LabelError::new(
            Fault::Ambiguous,
            format!("a national marking without its country, used by {text}: give the country"),
            Place::Character(at),
            rule::EQUIVALENCE,
        ));
    }
    let given: Vec<_> = mine
        .iter()
        .filter(|it| it.grade.in_use(on))
        .copied()
        .collect();
    let mine = if given.is_empty() { mine } else { given };
    let levels: BTreeSet<Level> = mine.iter().map(|it| it.grade.eu).collect();
    if levels.len() > 1 {
        let levels: Vec<_> = levels.iter().map(|level| level.code()).collect();
        return Err(LabelError::new(
            Fault::Ambiguous,
            format!(
                "on that day the marking stood for {}: ask the originator",
                levels.join(", ")
            ),
            Place::Character(at),
            rule::EQUIVALENCE,
        ));
    }
    // INVARIANT: `mine` is not empty here; of equal levels the newest wins.
    mine.into_iter()
        .max_by_key(|it| it.grade.from)
        .ok_or_else(|| not_of(&all, country, at))
}

/// States that know the words and have no such level.
fn no_level<'a>(schemes: &'a Schemes, terms: &[Term]) -> Vec<&'a str> {
    terms
        .iter()
        .filter_map(|term| match *term {
            Term::Refused { scheme, .. } => schemes.all().get(scheme),
            Term::Grade { .. }
            | Term::Portion { .. }
            | Term::Value { .. }
            | Term::Release { .. } => None,
        })
        .filter(|scheme| scheme.kind == Kind::National)
        .map(|scheme| scheme.id.as_str())
        .collect()
}

struct States {
    text: String,
    more: bool,
}

fn states(list: &[Candidate<'_>]) -> States {
    let pairs: BTreeSet<_> = list
        .iter()
        .map(|it| (it.scheme.id.as_str(), it.grade.eu))
        .collect();
    let ids: BTreeSet<_> = pairs.iter().map(|(id, _)| id).collect();
    let text: Vec<_> = pairs
        .iter()
        .map(|(id, eu)| format!("{id} ({eu})"))
        .collect();
    States {
        text: text.join(", "),
        more: ids.len() > 1,
    }
}

fn not_of(all: &[Candidate<'_>], country: Option<Country>, at: usize) -> LabelError {
    let whose = country.map_or("that country", Country::as_str);
    LabelError::new(
        Fault::Unknown,
        format!(
            "not a marking of {whose} (it is one of {}): check the country",
            states(all).text
        ),
        Place::Character(at),
        rule::EQUIVALENCE,
    )
}
