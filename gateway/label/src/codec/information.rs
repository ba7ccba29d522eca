//! What every structured syntax carries: a policy, a classification, and
//! categories; and its meaning in the schemes.
//!
//! Labels are always written in the EU policy; a national marking travels
//! beside it as the privacy mark `[DEU GEHEIM]`. Labels of any scheme's policy
//! are read.

mod validate;

use std::collections::BTreeSet;

use crate::codec::MAX_CATEGORIES;
use crate::error::{Fault, LabelError, Place, rule};
use crate::fold;
use crate::marking;
use crate::schemes::{Category, CategoryKind, Grade, Kind, Meaning, Scheme, Schemes, Value};
use crate::{Label, NationalMarking, ReleaseCode};

pub use validate::validate;

const RULE: &str = "ADatP-4774, Confidentiality Information; X.841";

/// Policy, classification and categories as a label on the wire states them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Information {
    /// Name of the policy; empty where the syntax has none.
    pub policy: String,
    /// Its object identifier.
    pub policy_oid: Option<String>,
    /// The classification as the policy writes it.
    pub classification: String,
    /// Text for people, never used for access.
    pub privacy_mark: Option<String>,
    /// The categories, in order.
    pub categories: Vec<Tag>,
}

/// One category as the wire states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// How it restricts.
    pub kind: CategoryKind,
    /// Its name.
    pub name: String,
    /// Object identifier of its tag set.
    pub oid: Option<String>,
    /// Its values.
    pub values: Vec<String>,
}

/// The label in the EU policy.
///
/// # Errors
/// [`Fault::Scheme`] if the schemes in force have no EU scheme with a policy,
/// or it lacks a value that the label has.
pub fn from_label(schemes: &Schemes, label: &Label) -> Result<Information, LabelError> {
    let scheme = eu(schemes)?;
    let policy = scheme.policy.as_ref().ok_or_else(no_eu)?;
    let grade = scheme
        .grades
        .iter()
        .find(|grade| grade.eu == label.level)
        .ok_or_else(no_eu)?;
    let mut categories = Vec::new();
    let mut stated = 0;
    for category in &scheme.categories {
        let values: Vec<String> = if category.release.is_empty() {
            let held = category
                .values
                .iter()
                .filter(|v| v.write && holds(label, &v.means));
            held.map(|value| value.code.clone()).collect()
        } else {
            label
                .releasable_to
                .iter()
                .map(|code| code.as_str().to_owned())
                .collect()
        };
        stated += values.len();
        if !values.is_empty() {
            categories.push(Tag {
                kind: category.kind,
                name: category.tag.clone(),
                oid: category.oid.clone(),
                values,
            });
        }
    }
    let all = label.caveats.len()
        + label.handling.len()
        + label.releasable_to.len()
        + usize::from(label.tlp.is_some())
        + usize::from(label.pap.is_some());
    if stated != all {
        return Err(no_eu());
    }
    Ok(Information {
        policy: policy.name.clone(),
        policy_oid: Some(policy.oid.clone()),
        classification: grade.written("").to_owned(),
        privacy_mark: label
            .national
            .as_ref()
            .map(|it| format!("[{} {}]", it.country, it.marking)),
        categories,
    })
}

fn eu(schemes: &Schemes) -> Result<&Scheme, LabelError> {
    schemes
        .all()
        .iter()
        .find(|scheme| scheme.kind == Kind::Eu)
        .ok_or_else(no_eu)
}

fn no_eu() -> LabelError {
    LabelError::new(
        Fault::Scheme,
        "the EU scheme has no policy or lacks a value of this label",
        Place::Whole,
        "docs/adding-a-label-scheme.md",
    )
}

fn holds(label: &Label, meaning: &Meaning) -> bool {
    match meaning {
        Meaning::Caveat(caveat) => label.caveats.contains(caveat),
        Meaning::Handling(code) => label.handling.contains(code),
        Meaning::Tlp(tlp) => label.tlp == Some(*tlp),
        Meaning::Pap(pap) => label.pap == Some(*pap),
        Meaning::ReleasableTo(_) => false,
    }
}

/// What the information means.
///
/// # Errors
/// [`LabelError`] for an unknown policy, classification, category or value, or
/// a combination that the scheme excludes.
pub fn to_label(schemes: &Schemes, information: &Information) -> Result<Label, LabelError> {
    let scheme = scheme_of(schemes, information)?;
    let grade = grade_of(schemes, scheme, &information.classification)?;
    let mut label = Label::of(grade.eu);
    if scheme.kind != Kind::Eu {
        label.national = Some(NationalMarking {
            country: scheme.id.clone(),
            marking: grade.written(scheme.language()).to_owned(),
        });
    }
    for meaning in &grade.implies {
        mean(&mut label, meaning)?;
    }
    if information.categories.len() > MAX_CATEGORIES
        || information
            .categories
            .iter()
            .map(|tag| tag.values.len())
            .sum::<usize>()
            > MAX_CATEGORIES
    {
        return Err(LabelError::new(
            Fault::TooLarge,
            "more than 64 categories",
            Place::Field("Category".to_owned()),
            rule::BUDGET,
        ));
    }
    for tag in &information.categories {
        add(schemes, scheme, grade, tag, &mut label)?;
    }
    if let Some(mark) = information.privacy_mark.as_deref()
        && let Some(inner) = mark
            .strip_prefix('[')
            .and_then(|mark| mark.strip_suffix(']'))
    {
        if label.national.is_some() {
            return Err(field(
                Fault::Conflict,
                "PrivacyMark",
                "a second national marking",
            ));
        }
        label.national = Some(marking::national(schemes, inner, label.level)?);
    }
    Ok(label)
}

fn field(fault: Fault, name: &str, what: &str) -> LabelError {
    LabelError::new(fault, what, Place::Field(name.to_owned()), RULE)
}

fn scheme_of<'a>(
    schemes: &'a Schemes,
    information: &Information,
) -> Result<&'a Scheme, LabelError> {
    let unknown = || {
        field(
            Fault::Unknown,
            "PolicyIdentifier",
            "a security policy that no scheme has",
        )
    };
    match &information.policy_oid {
        Some(oid) => {
            let scheme = schemes.by_oid(oid).ok_or_else(unknown)?;
            let named = information.policy.is_empty()
                || scheme.policies().any(|policy| {
                    policy.oid == *oid && policy.name.eq_ignore_ascii_case(&information.policy)
                });
            if !named {
                return Err(field(
                    Fault::Conflict,
                    "PolicyIdentifier",
                    "the policy's name and number differ",
                ));
            }
            Ok(scheme)
        }
        None => schemes
            .all()
            .iter()
            .find(|scheme| {
                scheme
                    .policies()
                    .any(|policy| policy.name.eq_ignore_ascii_case(&information.policy))
            })
            .ok_or_else(unknown),
    }
}

/// The grade that is written so, in any of the scheme's languages.
pub(crate) fn grade_of<'a>(
    schemes: &'a Schemes,
    scheme: &'a Scheme,
    text: &str,
) -> Result<&'a Grade, LabelError> {
    let folded = fold::fold_strict(text)?;
    let terms = schemes.index().get(folded.span(0, folded.words().len()));
    let key = folded.span(0, folded.words().len());
    let wire = scheme
        .grades
        .iter()
        .filter(|grade| grade.wire.iter().any(|name| fold::key(name) == key));
    let mut found = marking::candidates(schemes, terms)
        .filter(|it| it.scheme.id == scheme.id)
        .map(|it| it.grade)
        .chain(wire);
    let first = found.next().ok_or_else(|| {
        field(
            Fault::Unknown,
            "Classification",
            "a classification that its policy does not have",
        )
    })?;
    // One word for several levels: the wire has no day, so it is ambiguous
    // unless one of them is still given.
    let mut all = vec![first];
    all.extend(found);
    all.dedup();
    if all.len() > 1 {
        all.retain(|grade| grade.until.is_none());
    }
    match all.as_slice() {
        [one] => Ok(one),
        _ => Err(field(
            Fault::Ambiguous,
            "Classification",
            "a classification that stood for several levels",
        )),
    }
}

fn add(
    schemes: &Schemes,
    scheme: &Scheme,
    grade: &Grade,
    tag: &Tag,
    label: &mut Label,
) -> Result<(), LabelError> {
    let own = scheme
        .categories
        .iter()
        .find(|category| category.tag.eq_ignore_ascii_case(&tag.name));
    // National policies use the tag sets of the EU scheme.
    let (owner, category) = match own {
        Some(category) => (scheme, category),
        None => {
            let eu = eu(schemes)?;
            let category = eu
                .categories
                .iter()
                .find(|category| category.tag.eq_ignore_ascii_case(&tag.name));
            (
                eu,
                category.ok_or_else(|| {
                    field(Fault::Unknown, "Category", "a category that no scheme has")
                })?,
            )
        }
    };
    if category.kind != tag.kind {
        return Err(field(
            Fault::Conflict,
            "Category",
            "the category's type is not its scheme's",
        ));
    }
    if let Some(oid) = &tag.oid
        && !same_set(owner, category, oid)
    {
        return Err(field(
            Fault::Unknown,
            "Category",
            "the category's number is not its scheme's",
        ));
    }
    if tag.values.is_empty() {
        return Err(field(
            Fault::Missing,
            "Category",
            "a category without value",
        ));
    }
    if !category.release.is_empty() {
        return release(category, tag, label);
    }
    let mut seen = BTreeSet::new();
    for text in &tag.values {
        let value = value_of(category, text).ok_or_else(|| {
            field(
                Fault::Unknown,
                "Category",
                "a value that its category does not have",
            )
        })?;
        if !seen.insert(&value.code) {
            return Err(field(Fault::Conflict, "Category", "a value twice"));
        }
        if value.not_with.contains(&grade.code) {
            return Err(field(
                Fault::Combination,
                "Category",
                "a value that does not stand beside this level",
            ));
        }
        mean(label, &value.means)?;
    }
    Ok(())
}

fn value_of<'a>(category: &'a Category, text: &str) -> Option<&'a Value> {
    category.values.iter().find(|value| {
        value.code.eq_ignore_ascii_case(text)
            || value
                .also
                .iter()
                .any(|other| other.eq_ignore_ascii_case(text))
    })
}

/// True if the number is this tag set's, under any of the policy's numbers.
pub(crate) fn same_set(scheme: &Scheme, category: &Category, oid: &str) -> bool {
    let Some(own) = category.oid.as_deref() else {
        return false;
    };
    let tail = scheme
        .policy
        .as_ref()
        .and_then(|policy| own.strip_prefix(policy.oid.as_str()));
    own == oid
        || tail.is_some_and(|tail| {
            tail.starts_with('.')
                && scheme
                    .policies()
                    .any(|policy| oid.strip_prefix(policy.oid.as_str()) == Some(tail))
        })
}

/// Two sets of one tag are two checks (ACDF): both bind, so the label has what
/// they share.
fn release(category: &Category, tag: &Tag, label: &mut Label) -> Result<(), LabelError> {
    let mut codes = BTreeSet::new();
    for text in &tag.values {
        let code = ReleaseCode::existing(text).ok_or_else(|| {
            field(
                Fault::Unknown,
                "Category",
                "not a country (ISO 3166-1 alpha-3), EU or NATO",
            )
        })?;
        if !category.recipients.is_empty() && !category.recipients.contains(&code) {
            return Err(field(
                Fault::Unknown,
                "Category",
                "a recipient that the policy does not have",
            ));
        }
        if !codes.insert(code) {
            return Err(field(Fault::Conflict, "Category", "a value twice"));
        }
    }
    mean(label, &Meaning::ReleasableTo(codes))
}

/// Adds a meaning; what limits twice limits to what both allow.
pub(crate) fn mean(label: &mut Label, meaning: &Meaning) -> Result<(), LabelError> {
    let twice = match meaning {
        Meaning::Caveat(caveat) => !label.caveats.insert(*caveat),
        Meaning::Handling(code) => {
            // A grade may imply the code that the wire then states.
            label.handling.insert(*code);
            false
        }
        Meaning::Tlp(tlp) => label.tlp.replace(*tlp).is_some(),
        Meaning::Pap(pap) => label.pap.replace(*pap).is_some(),
        Meaning::ReleasableTo(codes) => {
            if label.releasable_to.is_empty() {
                label.releasable_to.clone_from(codes);
                false
            } else {
                label.releasable_to.retain(|code| codes.contains(code));
                label.releasable_to.is_empty()
            }
        }
    };
    if twice {
        return Err(field(
            Fault::Conflict,
            "Category",
            "said twice, or nobody is left to release to",
        ));
    }
    Ok(())
}
