//! Security labels in XMPP (XEP-0258, version 1.1.1): an ESS label or a STANAG
//! 4774 label with a display marking.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Label;
use crate::codec::sio_label::is_colour;
use crate::codec::stanag4774::{self, ConfidentialityLabel};
use crate::codec::xml::{self, Node, escape};
use crate::codec::{MAX_CATEGORIES, ess};
use crate::error::{Fault, LabelError, Place};
use crate::marking;
use crate::schemes::shipped;

/// Namespace of `securitylabel`.
pub const NAMESPACE: &str = "urn:xmpp:sec-label:0";
/// Namespace of ESS labels inside it.
pub const ESS_NAMESPACE: &str = "urn:xmpp:sec-label:ess:0";

const RULE: &str = "XEP-0258, sections 3 and 7";

/// A `securitylabel` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityLabel {
    /// What is shown.
    pub display: Option<Display>,
    /// The label.
    pub label: Content,
    /// Labels of other policies that mean the same.
    pub equivalents: Vec<Content>,
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Display {
    /// The marking.
    pub text: String,
    /// Colour of the text.
    pub fgcolor: Option<String>,
    /// Colour of the ground.
    pub bgcolor: Option<String>,
}

/// A label in one of the syntaxes that the element may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing: the policy's default label.
    Default,
    /// An ESS label.
    Ess(ess::EssLabel),
    /// A STANAG 4774 label.
    Stanag(Box<ConfidentialityLabel>),
}

fn error(node: &Node, name: &'static str, fault: Fault, what: &str) -> LabelError {
    let place = Place::Node {
        name,
        byte: node.span.0,
    };
    LabelError::new(fault, what, place, RULE)
}

impl SecurityLabel {
    /// The element of a label: its marking and its ESS form.
    ///
    /// # Errors
    /// As [`ess::from_label`].
    pub fn of(label: &Label) -> Result<Self, LabelError> {
        Ok(Self {
            display: Some(Display {
                text: marking::format(label),
                ..Display::default()
            }),
            label: Content::Ess(ess::from_label(shipped()?, label)?),
            equivalents: Vec::new(),
        })
    }

    /// What the label means. Equivalents are not looked at: they count only
    /// from a signer trusted to translate (RFC 2634, section 3.4).
    ///
    /// # Errors
    /// [`Fault::Missing`] for the default label, which no scheme here has.
    pub fn label(&self) -> Result<Label, LabelError> {
        match &self.label {
            Content::Default => Err(LabelError::new(
                Fault::Missing,
                "the default label of an unnamed policy: unlabelled is not unclassified",
                Place::Field("label".to_owned()),
                RULE,
            )),
            Content::Ess(label) => ess::to_label(shipped()?, label),
            Content::Stanag(label) => label.label(),
        }
    }
}

/// Reads one element.
///
/// # Errors
/// [`LabelError`] with the element and its byte.
pub fn read(text: &str) -> Result<SecurityLabel, LabelError> {
    let root = xml::read(text, xml::LABEL)?;
    if !root.is(NAMESPACE, "securitylabel") {
        return Err(error(
            &root,
            "securitylabel",
            Fault::Unknown,
            "not a securitylabel element",
        ));
    }
    attributes(&root, "securitylabel", &[])?;
    let (mut display, mut label, mut equivalents) = (None, None, Vec::new());
    for child in &root.children {
        let wrong = |what| error(child, "securitylabel", Fault::Malformed, what);
        if child.namespace != NAMESPACE {
            return Err(error(
                child,
                "securitylabel",
                Fault::Unknown,
                "an element of an unknown namespace",
            ));
        }
        match child.name.as_str() {
            "displaymarking" if display.is_none() && label.is_none() => {
                display = Some(read_display(child)?)
            }
            "label" if label.is_none() => label = Some(content(child)?),
            "equivalentlabel" if label.is_some() && equivalents.len() < MAX_CATEGORIES => {
                equivalents.push(content(child)?);
            }
            _ => return Err(wrong("an element twice, too often or out of order")),
        }
    }
    Ok(SecurityLabel {
        display,
        label: label.ok_or_else(|| error(&root, "label", Fault::Missing, "no label element"))?,
        equivalents,
    })
}

fn attributes(node: &Node, name: &'static str, allowed: &[&str]) -> Result<(), LabelError> {
    let fine = |a: &xml::Attribute| a.namespace.is_empty() && allowed.contains(&a.name.as_str());
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

fn read_display(node: &Node) -> Result<Display, LabelError> {
    const NAME: &str = "displaymarking";
    attributes(node, NAME, &["fgcolor", "bgcolor"])?;
    if !node.children.is_empty() || node.text.is_empty() || node.text.chars().any(char::is_control)
    {
        return Err(error(node, NAME, Fault::Malformed, "not one line of text"));
    }
    let colour = |name| match node.attribute(name) {
        Some(value) if !is_colour(value) => Err(error(
            node,
            NAME,
            Fault::Unknown,
            "not a colour name or #RRGGBB",
        )),
        value => Ok(value.map(str::to_owned)),
    };
    Ok(Display {
        text: node.text.clone(),
        fgcolor: colour("fgcolor")?,
        bgcolor: colour("bgcolor")?,
    })
}

fn content(node: &Node) -> Result<Content, LabelError> {
    const NAME: &str = "label";
    attributes(node, NAME, &[])?;
    match node.children.as_slice() {
        [] if node.text.trim().is_empty() => Ok(Content::Default),
        [one] if one.is(ESS_NAMESPACE, "esssecuritylabel") => {
            attributes(one, "esssecuritylabel", &[])?;
            let text: String = one
                .text
                .chars()
                .filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n'))
                .collect();
            let bytes = STANDARD
                .decode(text)
                .ok()
                .filter(|_| one.children.is_empty())
                .ok_or_else(|| error(one, "esssecuritylabel", Fault::Malformed, "not base64"))?;
            Ok(Content::Ess(ess::read(&bytes)?))
        }
        [one] if one.namespace == stanag4774::NAMESPACE => {
            Ok(Content::Stanag(Box::new(stanag4774::read_node(one)?)))
        }
        [_] => Err(error(
            node,
            NAME,
            Fault::Unknown,
            "a label in a syntax that this reader does not have",
        )),
        [_, second, ..] => Err(error(
            second,
            NAME,
            Fault::Conflict,
            "two labels where one is allowed",
        )),
        [] => Err(error(
            node,
            NAME,
            Fault::Malformed,
            "text where a label is expected",
        )),
    }
}

/// Writes one element, without white space between elements.
///
/// # Errors
/// As [`ess::write`] and [`stanag4774::write`].
pub fn write(label: &SecurityLabel) -> Result<String, LabelError> {
    let mut out = format!("<securitylabel xmlns=\"{NAMESPACE}\">");
    if let Some(display) = &label.display {
        out.push_str("<displaymarking");
        for (name, value) in [("fgcolor", &display.fgcolor), ("bgcolor", &display.bgcolor)] {
            if let Some(value) = value {
                out.push_str(&format!(" {name}=\"{}\"", escape(value)));
            }
        }
        out.push_str(&format!(">{}</displaymarking>", escape(&display.text)));
    }
    put(&mut out, "label", &label.label)?;
    for one in &label.equivalents {
        put(&mut out, "equivalentlabel", one)?;
    }
    out.push_str("</securitylabel>");
    Ok(out)
}

fn put(out: &mut String, name: &str, content: &Content) -> Result<(), LabelError> {
    let inner = match content {
        Content::Default => String::new(),
        Content::Ess(label) => format!(
            "<esssecuritylabel xmlns=\"{ESS_NAMESPACE}\">{}</esssecuritylabel>",
            STANDARD.encode(ess::write(label)?)
        ),
        Content::Stanag(label) => stanag4774::write(label)?,
    };
    out.push_str(&format!("<{name}>{inner}</{name}>"));
    Ok(())
}
