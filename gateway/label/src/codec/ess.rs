//! ESSSecurityLabel of RFC 2634 (section 3), in DER, with the security
//! categories of ACP 145(A): attribute flags and enumerations by tag set.
//! In S/MIME it counts only as a verified signed attribute (1.2.840.113549.1.9.16.2.2).

use std::collections::BTreeSet;

use crate::codec::der::{self, Input};
use crate::codec::information::{self, Information, Tag};
use crate::codec::{MAX_CATEGORIES, MAX_LABEL};
use crate::error::{Fault, LabelError, Place, rule};
use crate::schemes::{Category, CategoryKind, Scheme, Schemes};
use crate::{Country, Label, ReleaseCode};

const RULE: &str = "RFC 2634, section 3.2; ACP 145(A)";

/// Largest bit or number of a category value.
const MAX_VALUE: u32 = 4096;

/// Longest privacy mark, in characters (`ub-privacy-mark-length`).
const MAX_MARK: usize = 128;

/// The label as the wire has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EssLabel {
    /// Object identifier of the policy.
    pub policy: String,
    /// Classification: 0 to 256.
    pub classification: Option<u16>,
    /// Text for people.
    pub privacy_mark: Option<String>,
    /// The categories.
    pub categories: Vec<EssCategory>,
}

/// One security category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EssCategory {
    /// Its type.
    pub kind: EssKind,
    /// Object identifier of the tag set.
    pub set: String,
    /// Its values: bits or numbers.
    pub values: BTreeSet<u32>,
}

/// Types of security categories: the last arc of `2.16.840.1.101.2.1.8.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EssKind {
    /// Flags, all of which must be held.
    Restrictive,
    /// Numbers, one of which must be held.
    EnumeratedPermissive,
    /// Flags, one of which must be held.
    Permissive,
    /// Flags or numbers for information.
    Informative,
    /// Numbers, all of which must be held.
    EnumeratedRestrictive,
}

impl EssKind {
    const ALL: [Self; 5] = [
        Self::Restrictive,
        Self::EnumeratedPermissive,
        Self::Permissive,
        Self::Informative,
        Self::EnumeratedRestrictive,
    ];

    fn oid(self) -> String {
        format!("2.16.840.1.101.2.1.8.3.{}", self as u8)
    }

    /// How it restricts.
    #[must_use]
    pub const fn category(self) -> CategoryKind {
        match self {
            Self::Restrictive | Self::EnumeratedRestrictive => CategoryKind::Restrictive,
            Self::Permissive | Self::EnumeratedPermissive => CategoryKind::Permissive,
            Self::Informative => CategoryKind::Informative,
        }
    }
}

fn error(fault: Fault, what: &str) -> LabelError {
    LabelError::new(
        fault,
        what,
        Place::Field("ESSSecurityLabel".to_owned()),
        RULE,
    )
}

/// Reads a label; the SET's members may come in any order.
///
/// # Errors
/// [`LabelError`] with the byte.
pub fn read(bytes: &[u8]) -> Result<EssLabel, LabelError> {
    if bytes.len() > MAX_LABEL {
        return Err(LabelError::new(
            Fault::TooLarge,
            "a label larger than 64 KiB",
            Place::Whole,
            rule::BUDGET,
        ));
    }
    let mut outer = Input::new(bytes);
    let mut set = outer.expect(der::SET)?;
    outer.end()?;
    let (mut policy, mut classification, mut privacy_mark, mut categories) =
        (None, None, None, None);
    while !set.is_empty() {
        let here = set;
        let (tag, value) = set.any()?;
        let twice = match tag {
            der::OID => policy.replace(value.oid()?).is_some(),
            der::INTEGER => {
                let number = value.integer()?;
                let number = u16::try_from(number).ok().filter(|n| *n <= 256);
                let number = number
                    .ok_or_else(|| here.error(Fault::Malformed, "a classification above 256"))?;
                classification.replace(number).is_some()
            }
            der::PRINTABLE_STRING | der::UTF8_STRING => {
                privacy_mark.replace(mark(tag, &value)?).is_some()
            }
            der::SET => categories.replace(security_categories(value)?).is_some(),
            _ => return Err(here.error(Fault::Unknown, "a member that the label does not have")),
        };
        if twice {
            return Err(here.error(Fault::Conflict, "a member twice"));
        }
    }
    Ok(EssLabel {
        policy: policy.ok_or_else(|| error(Fault::Missing, "no security policy identifier"))?,
        classification,
        privacy_mark,
        categories: categories.unwrap_or_default(),
    })
}

fn mark(tag: u8, value: &Input<'_>) -> Result<String, LabelError> {
    let text = value.text()?;
    let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    let fits =
        (1..=MAX_MARK).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if !fits || (tag == der::PRINTABLE_STRING && !text.chars().all(printable)) {
        return Err(value.error(
            Fault::Malformed,
            "a privacy mark that is not 1 to 128 printable characters",
        ));
    }
    Ok(text.to_owned())
}

fn security_categories(mut set: Input<'_>) -> Result<Vec<EssCategory>, LabelError> {
    let mut all = Vec::new();
    if set.is_empty() {
        return Err(set.error(Fault::Missing, "an empty set of categories"));
    }
    while !set.is_empty() {
        if all.len() == MAX_CATEGORIES {
            return Err(set.error(Fault::TooLarge, "more than 64 categories"));
        }
        let mut one = set.expect(der::SEQUENCE)?;
        let kind_at = one;
        let kind = one.expect(0x80)?.oid()?;
        let kind = EssKind::ALL
            .into_iter()
            .find(|known| known.oid() == kind)
            .ok_or_else(|| kind_at.error(Fault::Unknown, "a category of unknown type"))?;
        let mut wrapped = one.expect(0xA1)?;
        one.end()?;
        let mut value = wrapped.expect(der::SEQUENCE)?;
        wrapped.end()?;
        let name = value.expect(der::OID)?.oid()?;
        all.push(EssCategory {
            kind,
            set: name,
            values: values(&mut value, kind)?,
        });
        value.end()?;
    }
    // A SET has no order: the same label is the same however it was written.
    all.sort_by(|a, b| (a.kind.oid(), &a.set, &a.values).cmp(&(b.kind.oid(), &b.set, &b.values)));
    Ok(all)
}

fn values(input: &mut Input<'_>, kind: EssKind) -> Result<BTreeSet<u32>, LabelError> {
    let here = *input;
    let enumerated = matches!(
        (kind, input.peek()),
        (EssKind::Informative, Some(der::SET))
            | (
                EssKind::EnumeratedPermissive | EssKind::EnumeratedRestrictive,
                _
            )
    );
    let list = if enumerated {
        let mut set = input.expect(der::SET)?;
        let mut list = Vec::new();
        while !set.is_empty() {
            if list.len() == MAX_CATEGORIES {
                return Err(set.error(Fault::TooLarge, "more than 64 values"));
            }
            list.push(set.expect(der::INTEGER)?.integer()?);
        }
        list
    } else {
        input.expect(der::BIT_STRING)?.bits()?
    };
    let count = list.len();
    let values: BTreeSet<u32> = list.into_iter().collect();
    if values.is_empty() {
        return Err(here.error(Fault::Missing, "a category without value"));
    }
    if values.len() != count
        || count > MAX_CATEGORIES
        || values.iter().any(|value| *value > MAX_VALUE)
    {
        return Err(here.error(Fault::Malformed, "a value twice, or beyond the largest"));
    }
    Ok(values)
}

/// Writes a label in DER.
///
/// # Errors
/// [`Fault::Malformed`] for numbers and texts that the syntax cannot hold.
pub fn write(label: &EssLabel) -> Result<Vec<u8>, LabelError> {
    let bad_oid = || error(Fault::Malformed, "not an object identifier");
    let mut content = Vec::new();
    if let Some(class) = label.classification {
        if class > 256 {
            return Err(error(Fault::Malformed, "a classification above 256"));
        }
        der::put(&mut content, der::INTEGER, &der::integer(u32::from(class)));
    }
    der::put(
        &mut content,
        der::OID,
        &der::oid(&label.policy).ok_or_else(bad_oid)?,
    );
    if let Some(mark) = &label.privacy_mark {
        if !(1..=MAX_MARK).contains(&mark.chars().count()) || mark.chars().any(char::is_control) {
            return Err(error(
                Fault::Malformed,
                "a privacy mark that is not 1 to 128 printable characters",
            ));
        }
        der::put(&mut content, der::UTF8_STRING, mark.as_bytes());
    }
    let mut members = Vec::new();
    for category in &label.categories {
        let values: Vec<u32> = category.values.iter().copied().collect();
        if values.is_empty() || values.iter().any(|value| *value > MAX_VALUE) {
            return Err(error(
                Fault::Malformed,
                "a category without value, or a value beyond the largest",
            ));
        }
        let mut value = Vec::new();
        der::put(
            &mut value,
            der::OID,
            &der::oid(&category.set).ok_or_else(bad_oid)?,
        );
        match category.kind {
            EssKind::EnumeratedPermissive | EssKind::EnumeratedRestrictive => {
                let mut numbers: Vec<Vec<u8>> = Vec::new();
                for value in &values {
                    let mut one = Vec::new();
                    der::put(&mut one, der::INTEGER, &der::integer(*value));
                    numbers.push(one);
                }
                numbers.sort();
                der::put(&mut value, der::SET, &numbers.concat());
            }
            EssKind::Restrictive | EssKind::Permissive | EssKind::Informative => {
                der::put(&mut value, der::BIT_STRING, &der::bits(&values));
            }
        }
        let mut wrapped = Vec::new();
        der::put(&mut wrapped, der::SEQUENCE, &value);
        let mut inner = Vec::new();
        der::put(
            &mut inner,
            0x80,
            &der::oid(&category.kind.oid()).ok_or_else(bad_oid)?,
        );
        der::put(&mut inner, 0xA1, &wrapped);
        let mut member = Vec::new();
        der::put(&mut member, der::SEQUENCE, &inner);
        members.push(member);
    }
    if !members.is_empty() {
        // DER orders the members of a SET OF by their octets.
        members.sort();
        der::put(&mut content, der::SET, &members.concat());
    }
    let mut out = Vec::new();
    der::put(&mut out, der::SET, &content);
    Ok(out)
}

// === meaning ===

/// The label on the wire, in the EU policy.
///
/// # Errors
/// As [`information::from_label`]; [`Fault::Malformed`] for a national marking
/// that is too long for a privacy mark.
pub fn from_label(schemes: &Schemes, label: &Label) -> Result<EssLabel, LabelError> {
    let information = information::from_label(schemes, label)?;
    let scheme = information
        .policy_oid
        .as_deref()
        .and_then(|oid| schemes.by_oid(oid));
    let scheme = scheme.ok_or_else(|| error(Fault::Scheme, "the policy has no scheme"))?;
    let grade = information::grade_of(schemes, scheme, &information.classification)?;
    let mut categories = Vec::new();
    for tag in &information.categories {
        let category = scheme
            .categories
            .iter()
            .find(|category| category.tag == tag.name);
        let (Some(category), Some(set)) = (category, tag.oid.clone()) else {
            return Err(error(
                Fault::Scheme,
                "the category has no object identifier",
            ));
        };
        let number = |text: &String| {
            number_of(category, text).ok_or_else(|| error(Fault::Scheme, "the value has no number"))
        };
        categories.push(EssCategory {
            kind: match (category.kind, category.release.is_empty()) {
                (CategoryKind::Restrictive, _) => EssKind::Restrictive,
                (CategoryKind::Permissive, true) => EssKind::Permissive,
                (CategoryKind::Permissive, false) => EssKind::EnumeratedPermissive,
                (CategoryKind::Informative, _) => EssKind::Informative,
            },
            set,
            values: tag.values.iter().map(number).collect::<Result<_, _>>()?,
        });
    }
    Ok(EssLabel {
        policy: information.policy_oid.unwrap_or_default(),
        classification: Some(grade.lacv),
        privacy_mark: information.privacy_mark,
        categories,
    })
}

/// What the label means.
///
/// # Errors
/// As [`information::to_label`]; a policy that no scheme has is refused.
pub fn to_label(schemes: &Schemes, label: &EssLabel) -> Result<Label, LabelError> {
    let scheme = schemes
        .by_oid(&label.policy)
        .ok_or_else(|| error(Fault::Unknown, "a security policy that no scheme has"))?;
    let class = label.classification.ok_or_else(|| {
        error(
            Fault::Missing,
            "no classification: unlabelled is not unclassified",
        )
    })?;
    // Ended grades give way to those still given.
    let grade = scheme
        .grades
        .iter()
        .filter(|grade| grade.lacv == class)
        .min_by_key(|grade| grade.until.is_some())
        .ok_or_else(|| {
            error(
                Fault::Unknown,
                "a classification that its policy does not have",
            )
        })?;
    let mut categories = Vec::new();
    for category in &label.categories {
        let own = own_set(scheme, &category.set)
            .ok_or_else(|| error(Fault::Unknown, "a tag set that its policy does not have"))?;
        let texts = category.values.iter().map(|number| {
            text_of(own, *number)
                .ok_or_else(|| error(Fault::Unknown, "a value that its tag set does not have"))
        });
        categories.push(Tag {
            kind: category.kind.category(),
            name: own.tag.clone(),
            oid: Some(category.set.clone()),
            values: texts.collect::<Result<_, _>>()?,
        });
    }
    information::to_label(
        schemes,
        &Information {
            policy: String::new(),
            policy_oid: Some(label.policy.clone()),
            classification: grade.written(scheme.language()).to_owned(),
            privacy_mark: label.privacy_mark.clone(),
            categories,
        },
    )
}

fn own_set<'a>(scheme: &'a Scheme, oid: &str) -> Option<&'a Category> {
    scheme
        .categories
        .iter()
        .find(|category| information::same_set(scheme, category, oid))
}

/// EU and NATO have the numbers 1 and 2, States that of ISO 3166-1.
pub(crate) fn release_number(code: &ReleaseCode) -> Option<u32> {
    match code.as_str() {
        "EU" => Some(1),
        "NATO" => Some(2),
        text => text
            .parse::<Country>()
            .ok()
            .map(|country| u32::from(country.numeric())),
    }
}

fn number_of(category: &Category, text: &str) -> Option<u32> {
    if category.release.is_empty() {
        let value = category.values.iter().find(|value| value.code == text)?;
        Some(u32::from(value.lacv))
    } else {
        release_number(&ReleaseCode::existing(text)?)
    }
}

fn text_of(category: &Category, number: u32) -> Option<String> {
    if category.release.is_empty() {
        let value = category
            .values
            .iter()
            .find(|value| u32::from(value.lacv) == number)?;
        return Some(value.code.clone());
    }
    match number {
        1 => Some("EU".to_owned()),
        2 => Some("NATO".to_owned()),
        _ => Country::from_numeric(u16::try_from(number).ok()?)
            .map(|country| country.as_str().to_owned()),
    }
}
