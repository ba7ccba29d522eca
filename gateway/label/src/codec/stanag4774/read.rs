//! From the tree to the label.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::codec::MAX_CATEGORIES;
use crate::codec::information::{Information, Tag};
use crate::codec::stanag4774::{
    ConfidentialityLabel, IdType, LabelKind, NAMESPACE, Originator, Succession,
};
use crate::codec::xml::Node;
use crate::error::{Fault, LabelError, Place, rule};
use crate::schemes::{CategoryKind, is_oid};

pub(crate) const RULE: &str = "ADatP-4774, confidentiality label schema 1.3";

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

/// Walks the children of an element in the order of the schema.
struct Children<'a> {
    parent: &'a Node,
    name: &'static str,
    rest: std::slice::Iter<'a, Node>,
}

impl<'a> Children<'a> {
    fn of(parent: &'a Node, name: &'static str) -> Self {
        Self {
            parent,
            name,
            rest: parent.children.iter(),
        }
    }

    fn optional(&mut self, name: &str) -> Option<&'a Node> {
        let first = self.rest.as_slice().first()?;
        if first.is(NAMESPACE, name) {
            self.rest.next()
        } else {
            None
        }
    }

    fn required(&mut self, name: &'static str) -> Result<&'a Node, LabelError> {
        match self.optional(name) {
            Some(node) => Ok(node),
            None => Err(match self.rest.as_slice().first() {
                Some(other) if other.namespace != NAMESPACE => foreign(other, self.name),
                _ => error(
                    self.parent,
                    name,
                    Fault::Missing,
                    "a required element is missing or out of order",
                ),
            }),
        }
    }

    fn end(mut self) -> Result<(), LabelError> {
        match self.rest.next() {
            None => Ok(()),
            Some(other) if other.namespace != NAMESPACE => Err(foreign(other, self.name)),
            Some(other) => Err(error(
                other,
                self.name,
                Fault::Unknown,
                "an element that does not belong here",
            )),
        }
    }
}

fn foreign(node: &Node, name: &'static str) -> LabelError {
    error(
        node,
        name,
        Fault::Unknown,
        "an element of an unknown namespace",
    )
}

fn only(node: &Node, name: &'static str, allowed: &[&str]) -> Result<(), LabelError> {
    let fine = |a: &crate::codec::xml::Attribute| {
        a.namespace.is_empty() && allowed.contains(&a.name.as_str())
    };
    if !node.attributes.iter().all(fine) {
        return Err(error(
            node,
            name,
            Fault::Unknown,
            "an attribute that does not belong here",
        ));
    }
    // What the writer would not write: a tab, for one, as a reference.
    let odd = |value: &str| value.is_empty() || value.chars().any(char::is_control);
    if node.attributes.iter().any(|it| odd(&it.value)) {
        return Err(error(
            node,
            name,
            Fault::Malformed,
            "an attribute that is empty or has control characters",
        ));
    }
    Ok(())
}

/// The text of an element without children: one line, trimmed, not empty.
fn text<'a>(node: &'a Node, name: &'static str) -> Result<&'a str, LabelError> {
    if !node.children.is_empty() {
        return Err(error(
            node,
            name,
            Fault::Malformed,
            "elements where text is expected",
        ));
    }
    let text = node.text.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return Err(error(node, name, Fault::Missing, "an empty element"));
    }
    if text.chars().any(char::is_control) {
        return Err(error(
            node,
            name,
            Fault::Malformed,
            "more than one line of text",
        ));
    }
    Ok(text)
}

fn moment(node: &Node, name: &'static str, value: &str) -> Result<OffsetDateTime, LabelError> {
    OffsetDateTime::parse(value, &Rfc3339).map_err(|_| {
        error(
            node,
            name,
            Fault::Malformed,
            "not a date and time with time zone, such as 2026-11-22T09:00:00Z",
        )
    })
}

fn oid(node: &Node, name: &'static str, attribute: &str) -> Result<Option<String>, LabelError> {
    let Some(value) = node.attribute(attribute) else {
        return Ok(None);
    };
    match value.strip_prefix("urn:oid:") {
        Some(oid) if is_oid(oid) => Ok(Some(oid.to_owned())),
        _ => Err(error(
            node,
            name,
            Fault::Malformed,
            "the URI is not urn:oid: with a number",
        )),
    }
}

/// Reads a label element.
pub(crate) fn read_node(node: &Node) -> Result<ConfidentialityLabel, LabelError> {
    const NAME: &str = "ConfidentialityLabel";
    let kind = LabelKind::ALL
        .into_iter()
        .find(|kind| node.is(NAMESPACE, kind.element()))
        .ok_or_else(|| {
            if node.namespace == NAMESPACE {
                error(
                    node,
                    NAME,
                    Fault::Unknown,
                    "not one of the three label elements",
                )
            } else {
                foreign(node, NAME)
            }
        })?;
    only(node, NAME, &["Id", "ReviewDateTime"])?;
    let review = node
        .attribute("ReviewDateTime")
        .map(|value| moment(node, "ReviewDateTime", value))
        .transpose()?;
    let mut children = Children::of(node, NAME);
    let information = information(children.required("ConfidentialityInformation")?)?;
    let originator = children
        .optional("OriginatorID")
        .map(originator)
        .transpose()?;
    let created = children.required("CreationDateTime")?;
    only(created, "CreationDateTime", &[])?;
    let created = moment(
        created,
        "CreationDateTime",
        text(created, "CreationDateTime")?,
    )?;
    let succession = children
        .optional("SuccessionHandling")
        .map(succession)
        .transpose()?;
    children.end()?;
    Ok(ConfidentialityLabel {
        kind,
        id: node.attribute("Id").map(str::to_owned),
        review,
        information,
        originator,
        created,
        succession: succession.map(Box::new),
    })
}

fn originator(node: &Node) -> Result<Originator, LabelError> {
    const NAME: &str = "OriginatorID";
    only(node, NAME, &["IDType"])?;
    let id_type = match node.attribute("IDType") {
        None => None,
        Some(value) => Some(
            IdType::ALL
                .into_iter()
                .find(|id_type| id_type.code() == value)
                .ok_or_else(|| {
                    error(
                        node,
                        NAME,
                        Fault::Unknown,
                        "a kind of name that the schema does not have",
                    )
                })?,
        ),
    };
    Ok(Originator {
        id_type,
        value: text(node, NAME)?.to_owned(),
    })
}

fn succession(node: &Node) -> Result<Succession, LabelError> {
    const NAME: &str = "SuccessionHandling";
    only(node, NAME, &[])?;
    let mut children = Children::of(node, NAME);
    let at = children.required("SuccessionDateTime")?;
    only(at, NAME, &[])?;
    let at = moment(at, "SuccessionDateTime", text(at, "SuccessionDateTime")?)?;
    let label = children.required("SuccessorConfidentialityLabel")?;
    only(label, "SuccessorConfidentialityLabel", &[])?;
    let mut inner = Children::of(label, "SuccessorConfidentialityLabel");
    let successor = information(inner.required("ConfidentialityInformation")?)?;
    inner.end()?;
    children.end()?;
    Ok(Succession { at, successor })
}

fn information(node: &Node) -> Result<Information, LabelError> {
    const NAME: &str = "ConfidentialityInformation";
    only(node, NAME, &[])?;
    let mut children = Children::of(node, NAME);
    let policy = children.required("PolicyIdentifier")?;
    only(policy, "PolicyIdentifier", &["URI"])?;
    let class = children.required("Classification")?;
    // The schema allows a URI here; the standard's text forbids it.
    only(class, "Classification", &[])?;
    let mark = children.optional("PrivacyMark");
    if let Some(mark) = mark {
        only(mark, "PrivacyMark", &[])?;
    }
    let mut categories = Vec::new();
    while let Some(node) = children.optional("Category") {
        if categories.len() == MAX_CATEGORIES {
            return Err(LabelError::new(
                Fault::TooLarge,
                "more than 64 categories",
                Place::Node {
                    name: "Category",
                    byte: node.span.0,
                },
                rule::BUDGET,
            ));
        }
        categories.push(category(node)?);
    }
    children.end()?;
    Ok(Information {
        policy: text(policy, "PolicyIdentifier")?.to_owned(),
        policy_oid: oid(policy, "PolicyIdentifier", "URI")?,
        classification: text(class, "Classification")?.to_owned(),
        privacy_mark: mark
            .map(|mark| text(mark, "PrivacyMark").map(str::to_owned))
            .transpose()?,
        categories,
    })
}

fn category(node: &Node) -> Result<Tag, LabelError> {
    const NAME: &str = "Category";
    only(node, NAME, &["Type", "TagName", "URI"])?;
    let kind = match node.attribute("Type") {
        Some("RESTRICTIVE") => CategoryKind::Restrictive,
        Some("PERMISSIVE") => CategoryKind::Permissive,
        Some("INFORMATIVE") => CategoryKind::Informative,
        Some(_) => {
            return Err(error(
                node,
                "Category Type",
                Fault::Unknown,
                "not RESTRICTIVE, PERMISSIVE or INFORMATIVE in capitals",
            ));
        }
        None => {
            return Err(error(
                node,
                "Category Type",
                Fault::Missing,
                "the category has no type",
            ));
        }
    };
    let name = node
        .attribute("TagName")
        .filter(|name| !name.is_empty())
        .ok_or_else(|| {
            error(
                node,
                "Category TagName",
                Fault::Missing,
                "the category has no tag name",
            )
        })?;
    let mut values = Vec::new();
    for child in &node.children {
        if !child.is(NAMESPACE, "GenericValue") {
            return Err(if child.namespace == NAMESPACE {
                error(
                    child,
                    NAME,
                    Fault::Unknown,
                    "a value that is no GenericValue",
                )
            } else {
                foreign(child, NAME)
            });
        }
        only(child, "GenericValue", &[])?;
        values.push(text(child, "GenericValue")?.to_owned());
    }
    if values.is_empty() {
        return Err(error(
            node,
            NAME,
            Fault::Missing,
            "the category has no value",
        ));
    }
    Ok(Tag {
        kind,
        name: name.to_owned(),
        oid: oid(node, NAME, "URI")?,
        values,
    })
}
