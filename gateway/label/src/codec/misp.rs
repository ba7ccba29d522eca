//! MISP tags: the taxonomies `tlp`, `PAP`, `euci` and `nato`, and one of our
//! own for what they cannot say (`chancery:marking="…"`, the canonical marking).

use crate::codec::MAX_CATEGORIES;
use crate::codec::information::mean;
use crate::error::{Fault, LabelError, Place, rule};
use crate::fold;
use crate::marking::{self, ReadOptions};
use crate::schemes::{Kind, Schemes};
use crate::{Label, Level, NationalMarking};

const RULE: &str = "MISP taxonomies tlp v10, PAP v3, euci v3, nato";

/// Taxonomies whose every tag must be understood.
const OURS: [&str; 5] = ["tlp:", "pap:", "euci:", "nato:classification", "chancery:"];

const OWN: &str = "chancery:marking=\"";

/// The tags of a label.
#[must_use]
pub fn write(schemes: &Schemes, label: &Label) -> Vec<String> {
    let mut tags = Vec::new();
    let mut said = Label::of(Level::Nc);
    for scheme in schemes.all() {
        for grade in scheme
            .grades
            .iter()
            .filter(|grade| scheme.kind == Kind::Eu && grade.eu == label.level)
        {
            if let Some(tag) = &grade.misp {
                tags.push(tag.clone());
                said.level = grade.eu;
            }
        }
        for value in scheme
            .categories
            .iter()
            .flat_map(|category| &category.values)
            .filter(|value| value.write)
        {
            let mut with = said.clone();
            if let Some(tag) = &value.misp
                && mean(&mut with, &value.means).is_ok()
                && label.dominates(&with)
                && with.tlp.is_none_or(|tlp| Some(tlp) == label.tlp)
                && with.pap.is_none_or(|pap| Some(pap) == label.pap)
            {
                tags.push(tag.clone());
                said = with;
            }
        }
    }
    if said != *label || tags.is_empty() {
        tags.push(format!("{OWN}{}\"", marking::format(label)));
    }
    tags
}

/// What the tags of an event or attribute mean; `None` if none of them is a
/// label. Tags of other taxonomies are left aside.
///
/// # Errors
/// [`Fault::Unknown`] for an unknown tag of a known taxonomy (also `tlp:unclear`
/// and `tlp:ex:chr`, which no label can hold), [`Fault::Suspicious`] for one
/// that only looks like it, [`Fault::Conflict`] for two levels.
pub fn read<'a>(
    schemes: &Schemes,
    tags: impl IntoIterator<Item = &'a str>,
    options: &ReadOptions,
) -> Result<Option<Label>, LabelError> {
    let mut label: Option<Label> = None;
    let mut level = false;
    let mut own = None;
    for (index, tag) in tags.into_iter().enumerate() {
        let place = || Place::Field(format!("tag {}", index + 1));
        if index >= 16 * MAX_CATEGORIES {
            return Err(LabelError::new(
                Fault::TooLarge,
                "more than 1024 tags",
                place(),
                rule::BUDGET,
            ));
        }
        if !ours(tag) {
            if ours(&fold::skeleton(tag)) {
                return Err(LabelError::new(
                    Fault::Suspicious,
                    "a tag that only looks like a label: a person must look",
                    place(),
                    rule::CONFUSABLE,
                ));
            }
            continue;
        }
        let now = label.get_or_insert_with(Label::default);
        if let Some(text) = tag
            .strip_prefix(OWN)
            .and_then(|rest| rest.strip_suffix('"'))
        {
            let whole = marking::read_with(schemes, text, options).map_err(|e| LabelError {
                place: place(),
                ..e
            })?;
            if own.replace(whole.label).is_some() {
                return Err(LabelError::new(
                    Fault::Conflict,
                    "two markings",
                    place(),
                    RULE,
                ));
            }
        } else if let Some((eu, national)) = grade(schemes, tag) {
            if std::mem::replace(&mut level, true) {
                return Err(LabelError::new(
                    Fault::Conflict,
                    "two levels",
                    place(),
                    RULE,
                ));
            }
            now.level = eu;
            now.national = national;
        } else {
            let value = schemes
                .all()
                .iter()
                .flat_map(|scheme| &scheme.categories)
                .flat_map(|category| &category.values)
                .find(|value| {
                    value
                        .misp
                        .as_deref()
                        .is_some_and(|known| known.eq_ignore_ascii_case(tag))
                });
            let value = value.ok_or_else(|| {
                LabelError::new(
                    Fault::Unknown,
                    "a tag that its taxonomy does not have",
                    place(),
                    RULE,
                )
            })?;
            mean(now, &value.means).map_err(|e| LabelError {
                place: place(),
                ..e
            })?;
        }
    }
    match (label, own) {
        (Some(said), Some(whole))
            if whole.dominates(&said) && (!level || whole.level == said.level) =>
        {
            Ok(Some(whole))
        }
        (Some(_), Some(_)) => Err(LabelError::new(
            Fault::Conflict,
            "the marking does not cover what the other tags say",
            Place::Whole,
            RULE,
        )),
        (said, None) => Ok(said),
        (None, Some(whole)) => Ok(Some(whole)),
    }
}

fn ours(tag: &str) -> bool {
    OURS.iter().any(|prefix| {
        tag.get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    })
}

fn grade(schemes: &Schemes, tag: &str) -> Option<(Level, Option<NationalMarking>)> {
    schemes.all().iter().find_map(|scheme| {
        let grade = scheme.grades.iter().find(|grade| {
            grade
                .misp
                .as_deref()
                .is_some_and(|known| known.eq_ignore_ascii_case(tag))
        })?;
        let national = (scheme.kind != Kind::Eu).then(|| NationalMarking {
            country: scheme.id.clone(),
            marking: grade.written(scheme.language()).to_owned(),
        });
        Some((grade.eu, national))
    })
}
