//! Reading a binding: its exact shape and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::binding::{Binding, DS, MAX_BINDING, MAX_OBJECTS, NAMESPACE, Object, RULE, XMIME};
use crate::codec::stanag4774;
use crate::codec::xml::{self, Limits, Node};
use crate::error::{Fault, LabelError, Place, rule};

pub(super) const LIMITS: Limits = Limits {
    bytes: MAX_BINDING,
    nodes: 4096,
    comments: false,
};

/// The elements of a binding, before the signature is looked at.
pub(super) struct Shape<'a> {
    pub(super) signature: Option<&'a Node>,
    pub(super) binding: &'a Node,
}

/// Reads a binding without verifying it.
///
/// # Errors
/// [`LabelError`] with the element and its byte.
pub fn read(text: &str) -> Result<Binding, LabelError> {
    let root = xml::read(text, LIMITS)?;
    let shape = shape(&root)?;
    let mut binding = parts(shape.binding)?;
    binding.signed = shape.signature.is_some();
    Ok(binding)
}

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

/// Attributes without namespace must be these, in no other number.
pub(super) fn only(
    node: &Node,
    name: &'static str,
    allowed: &[(&str, &str)],
) -> Result<(), LabelError> {
    let fine = |a: &xml::Attribute| allowed.contains(&(a.namespace.as_str(), a.name.as_str()));
    if node.attributes.iter().all(fine) {
        Ok(())
    } else {
        Err(error(
            node,
            name,
            Fault::Unknown,
            "an attribute that does not belong here",
        ))
    }
}

pub(super) fn shape(root: &Node) -> Result<Shape<'_>, LabelError> {
    const NAME: &str = "BindingInformation";
    if !root.is(NAMESPACE, NAME) {
        return Err(error(root, NAME, Fault::Unknown, "not a binding"));
    }
    only(root, NAME, &[])?;
    let (signature, container) = match root.children.as_slice() {
        [container] => (None, container),
        [signature, container] if signature.is(DS, "Signature") => (Some(signature), container),
        _ => {
            return Err(error(
                root,
                NAME,
                Fault::Unknown,
                "not one signature at most and one container",
            ));
        }
    };
    if !container.is(NAMESPACE, "MetadataBindingContainer") {
        return Err(error(
            container,
            NAME,
            Fault::Unknown,
            "not a container of bindings",
        ));
    }
    only(container, "MetadataBindingContainer", &[])?;
    let [binding] = container.children.as_slice() else {
        return Err(error(
            container,
            "MetadataBindingContainer",
            Fault::Unknown,
            "not exactly one binding",
        ));
    };
    if !binding.is(NAMESPACE, "MetadataBinding") {
        return Err(error(
            binding,
            "MetadataBinding",
            Fault::Unknown,
            "not a binding",
        ));
    }
    only(binding, "MetadataBinding", &[("", "Id")])?;
    Ok(Shape { signature, binding })
}

pub(super) fn parts(node: &Node) -> Result<Binding, LabelError> {
    let mut binding = Binding {
        labels: Vec::new(),
        objects: Vec::new(),
        signed: false,
    };
    for child in &node.children {
        if child.namespace != NAMESPACE {
            return Err(error(
                child,
                "MetadataBinding",
                Fault::Unknown,
                "an element of an unknown namespace",
            ));
        }
        if binding.labels.len() + binding.objects.len() >= 2 * MAX_OBJECTS {
            return Err(LabelError::new(
                Fault::TooLarge,
                "too many labels or objects",
                Place::Byte(child.span.0),
                rule::BUDGET,
            ));
        }
        match child.name.as_str() {
            "Metadata" if binding.objects.is_empty() => binding.labels.push(metadata(child)?),
            "Data" => binding.objects.push(data(child)?),
            "DataReference" => binding.objects.push(data_reference(child)?),
            "MetadataReference" => {
                return Err(error(
                    child,
                    "MetadataReference",
                    Fault::Unknown,
                    "a label elsewhere: it must stand in the binding",
                ));
            }
            _ => {
                return Err(error(
                    child,
                    "MetadataBinding",
                    Fault::Unknown,
                    "an element that does not belong here",
                ));
            }
        }
    }
    if binding.labels.is_empty() || binding.objects.is_empty() {
        return Err(error(
            node,
            "MetadataBinding",
            Fault::Missing,
            "no label, or nothing that it is bound to",
        ));
    }
    Ok(binding)
}

fn metadata(node: &Node) -> Result<stanag4774::ConfidentialityLabel, LabelError> {
    only(node, "Metadata", &[])?;
    match node.children.as_slice() {
        [one] => stanag4774::read_node(one),
        [] => Err(error(node, "Metadata", Fault::Missing, "no label")),
        [_, second, ..] => Err(error(
            second,
            "Metadata",
            Fault::Conflict,
            "two labels in one Metadata element",
        )),
    }
}

fn content_type(node: &Node, name: &'static str) -> Result<Option<String>, LabelError> {
    match node.attribute_in(XMIME, "contentType") {
        Some(text) if !is_media_type(text) => {
            Err(error(node, name, Fault::Malformed, "not a media type"))
        }
        found => Ok(found.map(str::to_owned)),
    }
}

fn data(node: &Node) -> Result<Object, LabelError> {
    const NAME: &str = "Data";
    only(node, NAME, &[(XMIME, "contentType")])?;
    if !node.children.is_empty() {
        return Err(error(
            node,
            NAME,
            Fault::Unknown,
            "embedded content that is not base64 text",
        ));
    }
    let bytes = STANDARD.decode(&node.text).map_err(|_| {
        error(
            node,
            NAME,
            Fault::Malformed,
            "embedded content that is not base64 text",
        )
    })?;
    Ok(Object::Embedded {
        content_type: content_type(node, NAME)?,
        bytes,
    })
}

fn data_reference(node: &Node) -> Result<Object, LabelError> {
    const NAME: &str = "DataReference";
    only(node, NAME, &[(XMIME, "contentType"), ("", "URI")])?;
    if !node.children.is_empty() || !node.text.trim().is_empty() {
        return Err(error(
            node,
            NAME,
            Fault::Unknown,
            "transforms: content is bound as it is",
        ));
    }
    let uri = node
        .attribute("URI")
        .filter(|uri| is_uri(uri))
        .ok_or_else(|| error(node, NAME, Fault::Missing, "no URI of what is bound"))?;
    Ok(Object::Reference {
        uri: uri.to_owned(),
        content_type: content_type(node, NAME)?,
    })
}

/// A name of something outside of the binding.
pub(super) fn is_uri(text: &str) -> bool {
    (1..=1024).contains(&text.len())
        && !text.starts_with('#')
        && !text.chars().any(|c| c.is_control() || c == ' ')
}

pub(super) fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    text.len() <= 255
        && text
            .split_once('/')
            .is_some_and(|(a, b)| token(a) && token(b))
}
