//! From a SPIF to a scheme.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::spif::{NAMESPACE, RULE};
use crate::codec::xml::{self, Limits, Node};
use crate::codec::{ess, information};
use crate::error::{Fault, LabelError, Place};
use crate::fold;
use crate::schemes::{
    Category, CategoryKind, Confidence, Grade, Kind, Meaning, Policy, Refused, Scheme, Schemes,
    Value, is_oid,
};
use crate::{Country, Level};

/// SPIF files are larger than labels and have comments.
const LIMITS: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    nodes: 65_536,
    comments: true,
};

fn error(node: &Node, name: &'static str, fault: Fault, what: &str) -> LabelError {
    LabelError::new(
        fault,
        what,
        Place::Node {
            name,
            byte: node.span.0,
        },
        RULE,
    )
}

/// Reads a SPIF as the scheme `id`. EU levels come from its equivalences with
/// the EU policy, or from names that are EU markings.
///
/// # Errors
/// [`LabelError`] for a broken SPIF, one of another version, or one that says
/// what a scheme cannot hold.
pub fn import(schemes: &Schemes, text: &str, id: &str, kind: Kind) -> Result<Scheme, LabelError> {
    let root = xml::read(text, LIMITS)?;
    if !root.is(NAMESPACE, "SPIF") {
        return Err(error(&root, "SPIF", Fault::Unknown, "not an XML SPIF"));
    }
    if root.attribute("schemaVersion") != Some("2.1") {
        return Err(error(
            &root,
            "SPIF",
            Fault::Unknown,
            "not version 2.1 of the schema",
        ));
    }
    let policy = child(&root, "securityPolicyId")?;
    let policy = Policy {
        name: attribute(policy, "securityPolicyId", "name")?.to_owned(),
        oid: number(policy, "id")?,
    };
    let list = child(&root, "securityClassifications")?;
    let mut grades: Vec<Grade> = Vec::new();
    let mut names = BTreeMap::new();
    for node in children(list, "securityClassification")? {
        let grade = classification(schemes, node, kind)?;
        if grades.iter().any(|other| other.code == grade.code) {
            return Err(error(
                node,
                "securityClassification",
                Fault::Conflict,
                "two classifications of one level",
            ));
        }
        names.insert(
            attribute(node, "securityClassification", "name")?.to_owned(),
            grade.code.clone(),
        );
        grades.push(grade);
    }
    let mut scheme = Scheme {
        id: id.to_owned(),
        name: policy.name.clone(),
        kind,
        languages: languages(&grades),
        source: "XML SPIF".to_owned(),
        confidence: Confidence::Believed,
        policy: Some(policy),
        also_policies: Vec::new(),
        grades,
        categories: Vec::new(),
        refused: Vec::new(),
    };
    let sets = root
        .children
        .iter()
        .find(|node| node.is(NAMESPACE, "securityCategoryTagSets"));
    for set in sets
        .map(|sets| children(sets, "securityCategoryTagSet"))
        .transpose()?
        .unwrap_or_default()
    {
        tag_set(set, &names, &mut scheme)?;
    }
    Ok(scheme)
}

fn child<'a>(node: &'a Node, name: &'static str) -> Result<&'a Node, LabelError> {
    let mut found = node
        .children
        .iter()
        .filter(|child| child.is(NAMESPACE, name));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(error(
            node,
            name,
            Fault::Missing,
            "a required element is missing",
        )),
        (Some(_), Some(two)) => Err(error(two, name, Fault::Conflict, "an element twice")),
    }
}

fn children<'a>(node: &'a Node, name: &'static str) -> Result<Vec<&'a Node>, LabelError> {
    match node
        .children
        .iter()
        .find(|child| !child.is(NAMESPACE, name))
    {
        Some(other) => Err(error(
            other,
            name,
            Fault::Unknown,
            "an element that does not belong here",
        )),
        None => Ok(node.children.iter().collect()),
    }
}

fn attribute<'a>(node: &'a Node, name: &'static str, key: &str) -> Result<&'a str, LabelError> {
    node.attribute(key)
        .filter(|value| {
            !value.is_empty() && value.len() <= 256 && !value.chars().any(char::is_control)
        })
        .ok_or_else(|| {
            error(
                node,
                name,
                Fault::Missing,
                "an attribute is missing, empty or too long",
            )
        })
}

fn number(node: &Node, key: &str) -> Result<String, LabelError> {
    node.attribute(key)
        .filter(|oid| is_oid(oid))
        .map(str::to_owned)
        .ok_or_else(|| error(node, "id", Fault::Malformed, "not an object identifier"))
}

/// A small number; leading zeros are met (`008`).
fn small(node: &Node, name: &'static str, key: &str) -> Result<u16, LabelError> {
    attribute(node, name, key)?
        .parse()
        .map_err(|_| error(node, name, Fault::Malformed, "not a number from 0 to 65535"))
}

fn is_obsolete(node: &Node) -> bool {
    matches!(node.attribute("obsolete"), Some("true" | "1"))
}

fn classification(schemes: &Schemes, node: &Node, kind: Kind) -> Result<Grade, LabelError> {
    const NAME: &str = "securityClassification";
    let name = attribute(node, NAME, "name")?;
    let mut marking = BTreeMap::new();
    let mut portion = Vec::new();
    let mut hidden = false;
    for data in node
        .children
        .iter()
        .filter(|child| child.is(NAMESPACE, "markingData"))
    {
        let codes: Vec<_> = data.children.iter().map(|code| code.text.trim()).collect();
        hidden |= codes.contains(&"noMarkingDisplay");
        let Some(phrase) = data.attribute("phrase") else {
            continue;
        };
        if codes.contains(&"portionMarking") {
            portion.push(phrase.to_owned());
        } else if codes
            .iter()
            .any(|code| code.starts_with("page") || code.starts_with("document"))
        {
            let language = data
                .attribute_in("http://www.w3.org/XML/1998/namespace", "lang")
                .unwrap_or("");
            marking.insert(language.to_owned(), phrase.to_owned());
        }
    }
    if marking.is_empty() {
        marking.insert(String::new(), name.to_owned());
    }
    let eu = eu_level(schemes, node, name, hidden)?;
    let required = node
        .children
        .iter()
        .find(|child| child.is(NAMESPACE, "requiredCategory"));
    if let Some(required) = required {
        return Err(error(
            required,
            "requiredCategory",
            Fault::Unknown,
            "a rule that a scheme cannot hold",
        ));
    }
    let ended = is_obsolete(node);
    let code = match (kind, ended) {
        (Kind::Eu, _) => eu.code().to_owned(),
        (_, false) => eu.code().trim_end_matches("-UE").to_owned(),
        (_, true) => format!(
            "{}-OLD-{}",
            eu.code().trim_end_matches("-UE"),
            small(node, NAME, "lacv")?
        ),
    };
    Ok(Grade {
        code,
        hierarchy: small(node, NAME, "hierarchy")?,
        lacv: small(node, NAME, "lacv")?,
        eu,
        classified: true,
        translates: !ended,
        shared: ended,
        stands_for: BTreeSet::new(),
        also: marking
            .values()
            .all(|text| text != name)
            .then(|| name.to_owned())
            .into_iter()
            .collect(),
        marking,
        wire: Vec::new(),
        misp: None,
        portion,
        implies: Vec::new(),
        from: None,
        until: None,
        colour: node.attribute("color").map(str::to_owned),
        note: ended.then(|| "obsolete in its policy".to_owned()),
    })
}

/// By equivalence with the EU policy, else by name.
fn eu_level(schemes: &Schemes, node: &Node, name: &str, hidden: bool) -> Result<Level, LabelError> {
    let eu = schemes
        .all()
        .iter()
        .filter(|scheme| scheme.kind == Kind::Eu);
    for scheme in eu {
        for same in node
            .children
            .iter()
            .filter(|child| child.is(NAMESPACE, "equivalentClassification"))
        {
            let policy = same.attribute("policyRef");
            if scheme
                .policies()
                .any(|known| Some(known.name.as_str()) == policy)
            {
                let lacv = small(same, "equivalentClassification", "lacv")?;
                return scheme
                    .grades
                    .iter()
                    .find(|grade| grade.lacv == lacv)
                    .map(|grade| grade.eu)
                    .ok_or_else(|| {
                        error(
                            same,
                            "equivalentClassification",
                            Fault::Unknown,
                            "no such level in the EU policy",
                        )
                    });
            }
        }
        let key = fold::key(name);
        let named = scheme.grades.iter().find(|grade| {
            grade
                .marking
                .values()
                .chain(&grade.also)
                .any(|text| fold::key(text) == key)
        });
        if let Some(grade) = named {
            return Ok(grade.eu);
        }
    }
    // A classification that is never shown is "not classified".
    if hidden {
        return Ok(Level::Nc);
    }
    Err(error(
        node,
        "equivalentClassification",
        Fault::Missing,
        "no equivalence with the EU policy: add one",
    ))
}

fn languages(grades: &[Grade]) -> Vec<String> {
    let all: BTreeSet<_> = grades
        .iter()
        .flat_map(|grade| grade.marking.keys())
        .collect();
    all.into_iter()
        .filter(|language| !language.is_empty())
        .cloned()
        .collect()
}

fn tag_set(
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
        && let Some(code) = information::release_code(name)
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
