//! From a scheme to a SPIF.

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use crate::codec::ess;
use crate::codec::spif::{NAMESPACE, RULE};
use crate::codec::xml::escape;
use crate::error::{Fault, LabelError, Place};
use crate::schemes::{Category, CategoryKind, Grade, Kind, Scheme, Schemes};
use crate::{Country, ReleaseCode};

const STAMP: &[FormatItem<'_>] = format_description!("[year][month][day][hour][minute][second]Z");

/// What the SPIF says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the policy, from 1.
    pub version: u32,
    /// When it was made.
    pub created: OffsetDateTime,
    /// Distinguished name of the authority.
    pub originator_dn: String,
    /// Identifier of its key, in hexadecimal digits.
    pub key_identifier: String,
}

/// Writes a scheme as a SPIF.
///
/// # Errors
/// [`Fault::Missing`] for a scheme without policy number or grades.
pub fn export(schemes: &Schemes, scheme: &Scheme, header: &Header) -> Result<String, LabelError> {
    let policy = scheme
        .policy
        .as_ref()
        .filter(|_| !scheme.grades.is_empty())
        .ok_or_else(|| {
            LabelError::new(
                Fault::Missing,
                "a scheme without policy number or grades is no security policy",
                Place::Field("policy".to_owned()),
                RULE,
            )
        })?;
    let created = header
        .created
        .to_offset(time::UtcOffset::UTC)
        .format(STAMP)
        .map_err(|_| {
            LabelError::new(
                Fault::Malformed,
                "a date that the schema cannot write",
                Place::Field("creationDate".to_owned()),
                RULE,
            )
        })?;
    let eu = schemes
        .all()
        .iter()
        .find(|it| it.kind == Kind::Eu && it.id != scheme.id);
    let mut out = Out::default();
    out.line(&format!(
        "<spif:SPIF xmlns:spif=\"{NAMESPACE}\" schemaVersion=\"2.1\" version=\"{}\" creationDate=\"{created}\" \
         originatorDN=\"{}\" keyIdentifier=\"{}\" privilegeId=\"1.3.26.0.4774.5.24.1\" rbacId=\"1.3.26.0.4774.5.24.1\">",
        header.version,
        escape(&header.originator_dn),
        escape(&header.key_identifier)
    ));
    out.line(&format!(
        "<spif:securityPolicyId name=\"{}\" id=\"{}\"/>",
        escape(&policy.name),
        policy.oid
    ));
    out.line("<spif:securityClassifications>");
    for grade in scheme
        .grades
        .iter()
        .filter(|grade| is_exported(scheme, grade))
    {
        classification(&mut out, scheme, grade, eu);
    }
    out.line("</spif:securityClassifications>");
    let sets: Vec<_> = scheme
        .categories
        .iter()
        .filter(|category| category.oid.is_some())
        .collect();
    if !sets.is_empty() {
        out.line("<spif:securityCategoryTagSets>");
        for category in sets {
            tag_set(&mut out, scheme, category);
        }
        out.line("</spif:securityCategoryTagSets>");
    }
    if let Some(policy) = eu.and_then(|eu| eu.policy.as_ref()) {
        out.line(&format!(
            "<spif:equivalentPolicies><spif:equivalentPolicy name=\"{}\" id=\"{}\"/></spif:equivalentPolicies>",
            escape(&policy.name),
            policy.oid
        ));
    }
    out.line("</spif:SPIF>");
    Ok(out.0)
}

/// Classifications alone; ended ones unless their number is in use again.
fn is_exported(scheme: &Scheme, grade: &Grade) -> bool {
    let taken = |other: &Grade| {
        other.code != grade.code && other.until.is_none() && other.lacv == grade.lacv
    };
    grade.classified && (grade.until.is_none() || !scheme.grades.iter().any(taken))
}

#[derive(Default)]
struct Out(String);

impl Out {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }
}

fn classification(out: &mut Out, scheme: &Scheme, grade: &Grade, eu: Option<&Scheme>) {
    let colour = grade.colour.as_ref().map_or_else(String::new, |colour| {
        format!(" color=\"{}\"", escape(colour))
    });
    // Neither read nor translated: so an import leaves what its policy calls
    // obsolete, since a SPIF says no day.
    let obsolete = if grade.until.is_some() || (grade.shared && !grade.translates) {
        " obsolete=\"true\""
    } else {
        ""
    };
    out.line(&format!(
        "<spif:securityClassification name=\"{}\" lacv=\"{}\" hierarchy=\"{}\"{colour}{obsolete}>",
        escape(&name(scheme, grade)),
        grade.lacv,
        grade.hierarchy
    ));
    if let Some((policy, lacv)) = eu.and_then(|eu| {
        let equal = eu.grades.iter().find(|it| it.eu == grade.eu)?;
        Some((eu.policy.as_ref()?, equal.lacv))
    }) {
        out.line(&format!(
            "<spif:equivalentClassification policyRef=\"{}\" lacv=\"{lacv}\" applied=\"both\"/>",
            escape(&policy.name)
        ));
    }
    for (language, phrase) in &grade.marking {
        let lang = if language.is_empty() {
            String::new()
        } else {
            format!(" xml:lang=\"{}\"", escape(language))
        };
        out.line(&format!(
            "<spif:markingData phrase=\"{}\"{lang}><spif:code>pageTopBottom</spif:code><spif:code>replacePolicy</spif:code></spif:markingData>",
            escape(phrase)
        ));
    }
    if let Some(mark) = grade.portion.first() {
        out.line(&format!(
            "<spif:markingData phrase=\"{}\"><spif:code>portionMarking</spif:code></spif:markingData>",
            escape(mark)
        ));
    }
    out.line("</spif:securityClassification>");
}

/// Names are unique in a SPIF: one word for several grades takes the code.
fn name(scheme: &Scheme, grade: &Grade) -> String {
    let text = grade.written(scheme.language());
    let shared = scheme
        .grades
        .iter()
        .filter(|other| other.code != grade.code && is_exported(scheme, other))
        .any(|other| other.written(scheme.language()) == text);
    if shared {
        format!("{text} ({})", grade.code)
    } else {
        text.to_owned()
    }
}

fn tag_set(out: &mut Out, scheme: &Scheme, category: &Category) {
    let oid = category.oid.as_deref().unwrap_or_default();
    let tag = escape(&category.tag);
    let kind = match (category.kind, category.release.is_empty()) {
        (CategoryKind::Restrictive, _) => "tagType=\"restrictive\"",
        (CategoryKind::Permissive, true) => "tagType=\"permissive\"",
        (CategoryKind::Permissive, false) => "tagType=\"enumerated\" enumType=\"permissive\"",
        (CategoryKind::Informative, _) => "tagType=\"tagType7\" tag7Encoding=\"bitSetAttributes\"",
    };
    out.line(&format!(
        "<spif:securityCategoryTagSet name=\"{tag}\" id=\"{oid}\">"
    ));
    out.line(&format!("<spif:securityCategoryTag name=\"{tag}\" {kind}>"));
    for value in &category.values {
        let excluded: String = value
            .not_with
            .iter()
            .filter_map(|code| scheme.grade(code))
            .map(|grade| {
                format!(
                    "<spif:excludedClass>{}</spif:excludedClass>",
                    escape(&name(scheme, grade))
                )
            })
            .collect();
        let obsolete = if value.write {
            ""
        } else {
            " obsolete=\"true\""
        };
        out.line(&format!(
            "<spif:tagCategory name=\"{}\" lacv=\"{}\"{obsolete}>{excluded}</spif:tagCategory>",
            escape(&value.code),
            value.lacv
        ));
    }
    if let Some(words) = category.release.first() {
        for code in recipients(category) {
            if let Some(number) = ess::release_number(&code) {
                out.line(&format!(
                    "<spif:tagCategory name=\"{code}\" lacv=\"{number}\"/>"
                ));
            }
        }
        out.line(&format!(
            "<spif:markingQualifier markingCode=\"pageTopBottom\"><spif:qualifier markingQualifier=\"{} \" qualifierCode=\"prefix\"/>\
             <spif:qualifier markingQualifier=\", \" qualifierCode=\"separator\"/></spif:markingQualifier>",
            escape(words)
        ));
    }
    out.line("</spif:securityCategoryTag>");
    out.line("</spif:securityCategoryTagSet>");
}

/// The recipients that the policy lists, or everyone that there is.
fn recipients(category: &Category) -> Vec<ReleaseCode> {
    if category.recipients.is_empty() {
        ["EU", "NATO"]
            .into_iter()
            .chain(Country::all().map(Country::as_str))
            .filter_map(|code| code.parse().ok())
            .collect()
    } else {
        category.recipients.iter().cloned().collect()
    }
}
