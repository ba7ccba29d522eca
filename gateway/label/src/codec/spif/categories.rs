//! The tag sets of a SPIF.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::ess;
use crate::codec::spif::NAMESPACE;
use crate::codec::spif::import::{attribute, children, error, is_obsolete, number, small};
use crate::codec::xml::Node;
use crate::error::{Fault, LabelError};
use crate::schemes::{Category, CategoryKind, Meaning, Refused, Scheme, Value};
use crate::{Country, ReleaseCode};

/// Adds one tag set to the scheme.
pub(super) fn tag_set(
    set: &Node,
    names: &BTreeMap<String, String>,
    scheme: &mut Scheme,
) -> Result<(), LabelError> {
    let oid = number(set, "id")?;
    let tags = children(set, "securityCategoryTag")?;
    let [tag] = tags.as_slice() else {
        return Err(error(
            set,
            "securityCategoryTagSet",
            Fault::Unknown,
            "more than one tag in a set",
        ));
    };
    let kind = match (tag.attribute("tagType"), tag.attribute("enumType")) {
        (Some("restrictive"), _) | (Some("enumerated"), Some("restrictive")) => {
            CategoryKind::Restrictive
        }
        (Some("permissive"), _) | (Some("enumerated"), Some("permissive")) => {
            CategoryKind::Permissive
        }
        (Some("tagType7"), _) => CategoryKind::Informative,
        _ => {
            return Err(error(
                tag,
                "securityCategoryTag",
                Fault::Unknown,
                "a tag type that decides nothing",
            ));
        }
    };
    let mut category = Category {
        tag: attribute(set, "securityCategoryTagSet", "name")?.to_owned(),
        kind,
        oid: Some(oid),
        values: Vec::new(),
        release: Vec::new(),
        recipients: BTreeSet::new(),
    };
    let mut prefix = None;
    for node in &tag.children {
        if node.is(NAMESPACE, "markingQualifier") {
            prefix = prefix.or_else(|| prefix_of(node));
        } else if !node.is(NAMESPACE, "tagCategory") {
            if !node.is(NAMESPACE, "markingData") {
                return Err(error(
                    node,
                    "securityCategoryTag",
                    Fault::Unknown,
                    "a rule that a scheme cannot hold",
                ));
            }
        } else {
            value(node, names, scheme, &mut category)?;
        }
    }
    if !category.recipients.is_empty() {
        let words = prefix.ok_or_else(|| {
            error(
                tag,
                "markingQualifier",
                Fault::Missing,
                "a list of recipients without the words before it",
            )
        })?;
        category.release.push(words);
        // Everyone that there is means no limit.
        if category.recipients.len() >= Country::all().count() {
            category.recipients.clear();
        }
    }
    if !category.values.is_empty() || !category.release.is_empty() {
        scheme.categories.push(category);
    }
    Ok(())
}

fn prefix_of(node: &Node) -> Option<String> {
    node.children
        .iter()
        .find(|child| child.attribute("qualifierCode") == Some("prefix"))
        .and_then(|child| child.attribute("markingQualifier"))
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

fn value(
    node: &Node,
    names: &BTreeMap<String, String>,
    scheme: &mut Scheme,
    category: &mut Category,
) -> Result<(), LabelError> {
    const NAME: &str = "tagCategory";
    let name = attribute(node, NAME, "name")?;
    let lacv = small(node, NAME, "lacv")?;
    if category.kind == CategoryKind::Permissive
        && let Some(code) = ReleaseCode::existing(name)
    {
        if ess::release_number(&code) != Some(u32::from(lacv)) {
            return Err(error(
                node,
                NAME,
                Fault::Conflict,
                "a recipient whose number is not that of ISO 3166-1",
            ));
        }
        category.recipients.insert(code);
        return Ok(());
    }
    let mut not_with = Vec::new();
    for child in &node.children {
        let class = child.text.trim();
        match (child.name.as_str(), names.get(class)) {
            ("excludedClass", Some(code)) => not_with.push(code.clone()),
            ("markingData" | "markingQualifier", _) => {}
            _ => {
                return Err(error(
                    child,
                    NAME,
                    Fault::Unknown,
                    "a rule that a scheme cannot hold",
                ));
            }
        }
    }
    match meaning(name) {
        Some((means, write)) => category.values.push(Value {
            code: name.to_owned(),
            also: Vec::new(),
            lacv,
            means,
            write: write && !is_obsolete(node),
            not_with,
            stix: Vec::new(),
            misp: None,
            colour: None,
        }),
        // Read as words that the gateway knows and does not carry.
        None => scheme.refused.push(Refused {
            text: name.to_owned(),
            why: "a category that this gateway does not carry".to_owned(),
        }),
    }
    Ok(())
}

/// What a value of this name is to the gateway.
fn meaning(name: &str) -> Option<(Meaning, bool)> {
    if let Ok(caveat) = name.parse() {
        return Some((Meaning::Caveat(caveat), true));
    }
    if let Ok(code) = name.parse() {
        return Some((Meaning::Handling(code), true));
    }
    match name.split_once(':') {
        Some(("TLP", "WHITE")) => Some((Meaning::Tlp(crate::Tlp::Clear), false)),
        Some(("TLP", word)) => word.parse().ok().map(|tlp| (Meaning::Tlp(tlp), true)),
        Some(("PAP", word)) => word.parse().ok().map(|pap| (Meaning::Pap(pap), true)),
        _ => None,
    }
}
