//! From one scheme to another. The marking of the originator stays; what comes
//! out is the equivalent that stands beside it.
//!
//! A translation that loses or changes meaning is refused, unless the target
//! scheme says that one of its grades stands for the level. TLP and PAP are
//! never translated to a classification or back.

use time::Date;

use crate::error::{Fault, LabelError, Place, rule};
use crate::marking::Reading;
use crate::schemes::{Grade, Kind, Scheme, Schemes};
use crate::{Label, Level, NationalMarking};

/// An equivalent in another scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Id of the target scheme.
    pub scheme: String,
    /// Code of its grade.
    pub grade: String,
    /// The marking in the scheme's first language.
    pub marking: String,
    /// The marking in each language, as (language, text).
    pub markings: Vec<(String, String)>,
    /// The EU level on both sides.
    pub eu: Level,
    /// True if the target's grade is not equal but stands for the level.
    pub lossy: bool,
    /// The label with both markings, where it has room for both.
    pub label: Label,
}

/// Finds the equivalent of a marking.
///
/// # Errors
/// [`Fault::Lossy`] where there is none; [`Fault::Unknown`] for an unknown
/// scheme.
pub fn translate(
    schemes: &Schemes,
    from: &Reading,
    to: &str,
    on: Date,
) -> Result<Translation, LabelError> {
    let target = schemes.get(to).ok_or_else(|| {
        LabelError::new(
            Fault::Unknown,
            "no scheme of that name: EU, NATO, EUROPOL or a Member State's alpha-3 code",
            Place::Field("to".to_owned()),
            rule::EQUIVALENCE,
        )
    })?;
    if from.grade.is_empty() || target.kind == Kind::Codes {
        return Err(LabelError::new(
            Fault::Lossy,
            "TLP, PAP and handling codes are no classification: they stand beside one and are never translated",
            Place::Whole,
            "FIRST TLP 2.0, section 1(c)",
        ));
    }
    let source = schemes
        .get(&from.scheme)
        .and_then(|scheme| scheme.grade(&from.grade))
        .ok_or_else(|| refused("the marking's own scheme is not in force"))?;
    if !source.classified || !source.translates {
        return Err(refused(
            "the marking is no classification of its own or stood for several levels",
        ));
    }
    let eu = from.label.level;
    if eu == Level::Nc && target.kind == Kind::National {
        return Err(refused("what is unclassified has no national marking"));
    }
    let (grade, lossy) = if target.id == from.scheme {
        (source, false)
    } else {
        equivalent(target, eu, on)?
    };
    Ok(Translation {
        scheme: target.id.clone(),
        grade: grade.code.clone(),
        marking: grade.written(target.language()).to_owned(),
        markings: languages(target, grade),
        eu,
        lossy,
        label: if lossy {
            from.label.clone()
        } else {
            beside(from, target, grade)
        },
    })
}

/// The grade of the target that is equal to the level, or stands for it.
fn equivalent(target: &Scheme, eu: Level, on: Date) -> Result<(&Grade, bool), LabelError> {
    let given: Vec<_> = target
        .grades_on(on)
        .filter(|grade| grade.classified && grade.translates)
        .collect();
    let equal = given
        .iter()
        .find(|grade| grade.eu == eu)
        .map(|grade| (*grade, false));
    let stand_in = || {
        given
            .iter()
            .find(|grade| grade.stands_for.contains(&eu))
            .map(|grade| (*grade, true))
    };
    equal.or_else(stand_in).ok_or_else(|| {
        refused(&format!(
            "{} has no grade equal to {eu} on {on}: the marking stays as it is",
            target.name
        ))
    })
}

fn languages(scheme: &Scheme, grade: &Grade) -> Vec<(String, String)> {
    let mut all: Vec<_> = grade
        .marking
        .iter()
        .map(|(l, t)| (l.clone(), t.clone()))
        .collect();
    all.sort_by_key(|(language, _)| scheme.languages.iter().position(|l| l == language));
    all
}

/// The originator's marking stays; an EU label takes the national one beside
/// it if it has none yet.
fn beside(from: &Reading, target: &Scheme, grade: &Grade) -> Label {
    let mut label = from.label.clone();
    if label.national.is_none() && target.kind != Kind::Eu {
        label.national = Some(NationalMarking {
            country: target.id.clone(),
            marking: grade.written(target.language()).to_owned(),
        });
    }
    label
}

fn refused(what: &str) -> LabelError {
    LabelError::new(Fault::Lossy, what, Place::Whole, rule::EQUIVALENCE)
}
