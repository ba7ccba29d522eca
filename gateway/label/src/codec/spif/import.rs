//! From a SPIF to a scheme.

use std::collections::{BTreeMap, BTreeSet};

use crate::Level;
use crate::codec::spif::{NAMESPACE, RULE, categories};
use crate::codec::xml::{self, Limits, Node};
use crate::error::{Fault, LabelError, Place};
use crate::fold;
use crate::schemes::{Confidence, Grade, Kind, Policy, Scheme, Schemes, is_oid};

/// SPIF files are larger than labels and have comments.
const LIMITS: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    nodes: 65_536,
    comments: true,
};

pub(super) fn error(node: &Node, name: &'static str, fault: Fault, what: &str) -> LabelError {
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
        categories::tag_set(set, &names, &mut scheme)?;
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

pub(super) fn children<'a>(
    node: &'a Node,
    name: &'static str,
) -> Result<Vec<&'a Node>, LabelError> {
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

pub(super) fn attribute<'a>(
    node: &'a Node,
    name: &'static str,
    key: &str,
) -> Result<&'a str, LabelError> {
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

pub(super) fn number(node: &Node, key: &str) -> Result<String, LabelError> {
    node.attribute(key)
        .filter(|oid| is_oid(oid))
        .map(str::to_owned)
        .ok_or_else(|| error(node, "id", Fault::Malformed, "not an object identifier"))
}

/// A small number; leading zeros are met (`008`).
pub(super) fn small(node: &Node, name: &'static str, key: &str) -> Result<u16, LabelError> {
    attribute(node, name, key)?
        .parse()
        .map_err(|_| error(node, name, Fault::Malformed, "not a number from 0 to 65535"))
}

pub(super) fn is_obsolete(node: &Node) -> bool {
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
