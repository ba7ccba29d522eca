//! A strict reader of small XML documents into a tree, and escaping for the
//! writers.
//!
//! UTF-8 alone; no DTD, no processing instruction, no entity but the five of
//! XML, no mixed content; size, depth and number of nodes are bounded.

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, Prefix, PrefixDeclaration, ResolveResult};

use crate::codec::{MAX_DEPTH, MAX_LABEL};
use crate::error::{Fault, LabelError, Place, rule};

const RULE: &str = "XML 1.0; product rule: no DTD, no processing instruction, UTF-8";

/// An element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Namespace, empty for none.
    pub(crate) namespace: String,
    /// Prefix as written, empty for none.
    pub(crate) prefix: String,
    /// Local name.
    pub(crate) name: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) children: Vec<Self>,
    /// Its text, if it has no children.
    pub(crate) text: String,
    /// White space before each child, and after the last.
    pub(crate) gaps: Vec<String>,
    /// Where it starts and ends, in bytes.
    pub(crate) span: (u64, u64),
}

/// An attribute that is no namespace declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) namespace: String,
    pub(crate) prefix: String,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// What a document may have beyond the strict form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    /// Most elements.
    pub(crate) nodes: usize,
    /// Comments are skipped instead of refused.
    pub(crate) comments: bool,
}

/// The limits of labels.
pub(crate) const LABEL: Limits = Limits {
    bytes: MAX_LABEL,
    nodes: 4096,
    comments: false,
};

fn error(fault: Fault, what: &str, byte: u64) -> LabelError {
    LabelError::new(fault, what, Place::Byte(byte), RULE)
}

/// Reads one document.
pub(crate) fn read(text: &str, limits: Limits) -> Result<Node, LabelError> {
    if text.len() > limits.bytes {
        return Err(LabelError::new(
            Fault::TooLarge,
            format!("a document larger than {} bytes", limits.bytes),
            Place::Whole,
            rule::BUDGET,
        ));
    }
    let mut reader = NsReader::from_str(text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    let mut builder = Builder {
        open: Vec::new(),
        root: None,
        nodes: 0,
        most: limits.nodes,
        // A byte order mark is no content.
        begun: false,
    };
    loop {
        let before = reader.buffer_position();
        let event = reader
            .read_event()
            .map_err(|_| error(Fault::Malformed, "not well-formed XML", before))?;
        match event {
            Event::Start(start) => {
                let node = element(&reader, &start, before)?;
                builder.open(node)?;
            }
            Event::Empty(_) => return Err(error(Fault::Malformed, "not well-formed XML", before)),
            Event::End(_) => builder.close(reader.buffer_position())?,
            Event::Text(text) => builder.text(&text.xml10_content(), before)?,
            Event::CData(text) => builder.text(&text.xml10_content(), before)?,
            Event::GeneralRef(entity) => {
                let c = match entity.resolve_char_ref() {
                    Ok(Some(c)) if is_xml_char(c) => c,
                    Ok(Some(_)) | Err(_) => {
                        return Err(error(
                            Fault::Malformed,
                            "a reference to no character",
                            before,
                        ));
                    }
                    Ok(None) => match &*entity.xml10_content() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "apos" => '\'',
                        "quot" => '"',
                        _ => {
                            return Err(error(
                                Fault::Malformed,
                                "an entity that XML does not define",
                                before,
                            ));
                        }
                    },
                };
                builder.text(c.encode_utf8(&mut [0; 4]), before)?;
            }
            Event::Comment(_) if limits.comments => {}
            Event::Comment(_) => {
                return Err(error(
                    Fault::Malformed,
                    "a comment: labels have none",
                    before,
                ));
            }
            Event::Decl(decl) => {
                let utf8 = match decl.encoding() {
                    None => true,
                    Some(Ok(name)) => name.eq_ignore_ascii_case("utf-8"),
                    Some(Err(_)) => false,
                };
                if builder.begun || !utf8 {
                    return Err(error(
                        Fault::Malformed,
                        "an XML declaration that is not UTF-8 at the start",
                        before,
                    ));
                }
            }
            Event::PI(_) => {
                return Err(error(
                    Fault::Malformed,
                    "a processing instruction: labels have none",
                    before,
                ));
            }
            Event::DocType(_) => {
                return Err(error(Fault::Malformed, "a DTD: labels have none", before));
            }
            Event::Eof => break,
        }
        builder.begun = true;
    }
    if !builder.open.is_empty() {
        return Err(error(
            Fault::Malformed,
            "an element is not closed",
            text.len() as u64,
        ));
    }
    builder
        .root
        .ok_or_else(|| error(Fault::Empty, "no element: the document is empty", 0))
}

const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn namespace_of(result: &ResolveResult<'_>, byte: u64) -> Result<String, LabelError> {
    match result {
        ResolveResult::Unbound => Ok(String::new()),
        ResolveResult::Bound(Namespace(uri)) => Ok((*uri).to_owned()),
        ResolveResult::Unknown(_) => {
            Err(error(Fault::Malformed, "a prefix without namespace", byte))
        }
    }
}

fn prefix_of(prefix: Option<Prefix<'_>>) -> String {
    prefix.map_or_else(String::new, |prefix| prefix.as_ref().to_owned())
}

fn element(
    reader: &NsReader<&[u8]>,
    start: &BytesStart<'_>,
    byte: u64,
) -> Result<Node, LabelError> {
    let (namespace, local) = reader.resolver().resolve_element(start.name());
    let mut node = Node {
        namespace: namespace_of(&namespace, byte)?,
        prefix: prefix_of(start.name().prefix()),
        name: local.as_ref().to_owned(),
        attributes: Vec::new(),
        children: Vec::new(),
        text: String::new(),
        gaps: Vec::new(),
        span: (byte, byte),
    };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| {
            error(
                Fault::Malformed,
                "an attribute that is not well-formed",
                byte,
            )
        })?;
        match attribute.key.as_namespace_binding() {
            Some(PrefixDeclaration::Default | PrefixDeclaration::Named(_)) => {
                // A name that needs an escape would be written in two ways.
                let uri: &str = &attribute.value;
                if !uri
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && !matches!(b, b'&' | b'<' | b'"' | b'\''))
                {
                    return Err(error(
                        Fault::Malformed,
                        "a namespace that is not a plain URI",
                        byte,
                    ));
                }
                continue;
            }
            None => {}
        }
        let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
        let one = Attribute {
            namespace: namespace_of(&namespace, byte)?,
            prefix: prefix_of(attribute.key.prefix()),
            name: local.as_ref().to_owned(),
            value: attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|_| {
                    error(
                        Fault::Malformed,
                        "an attribute that is not well-formed",
                        byte,
                    )
                })?
                .into_owned(),
        };
        if !one.value.chars().all(is_xml_char) {
            return Err(error(
                Fault::Malformed,
                "a character that XML does not have",
                byte,
            ));
        }
        if node
            .attributes
            .iter()
            .any(|a| a.namespace == one.namespace && a.name == one.name)
        {
            return Err(error(Fault::Malformed, "an attribute twice", byte));
        }
        node.attributes.push(one);
    }
    Ok(node)
}

struct Builder {
    open: Vec<Node>,
    root: Option<Node>,
    nodes: usize,
    most: usize,
    begun: bool,
}

impl Builder {
    fn open(&mut self, node: Node) -> Result<(), LabelError> {
        let byte = node.span.0;
        self.nodes += 1;
        if self.open.len() >= MAX_DEPTH || self.nodes > self.most {
            return Err(LabelError::new(
                Fault::TooLarge,
                "nested too deep or too many elements",
                Place::Byte(byte),
                rule::BUDGET,
            ));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(error(Fault::Malformed, "a second root element", byte));
        }
        if self
            .open
            .last()
            .is_some_and(|parent| !parent.text.trim().is_empty())
        {
            return Err(error(Fault::Malformed, "text beside elements", byte));
        }
        self.open.push(node);
        Ok(())
    }

    fn close(&mut self, byte: u64) -> Result<(), LabelError> {
        let Some(mut node) = self.open.pop() else {
            return Err(error(Fault::Malformed, "an end without start", byte));
        };
        node.span.1 = byte;
        if !node.children.is_empty() {
            let last = std::mem::take(&mut node.text);
            node.gaps.push(last);
        }
        match self.open.last_mut() {
            Some(parent) => {
                let before = std::mem::take(&mut parent.text);
                parent.gaps.push(before);
                parent.children.push(node);
            }
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, byte: u64) -> Result<(), LabelError> {
        if !text.chars().all(is_xml_char) {
            return Err(error(
                Fault::Malformed,
                "a character that XML does not have",
                byte,
            ));
        }
        let blank = is_blank(text);
        match self.open.last_mut() {
            None if blank || (!self.begun && text == "\u{FEFF}") => Ok(()),
            None => Err(error(
                Fault::Malformed,
                "text outside of the root element",
                byte,
            )),
            Some(node) if !node.children.is_empty() && !blank => {
                Err(error(Fault::Malformed, "text beside elements", byte))
            }
            Some(node) => {
                node.text.push_str(text);
                Ok(())
            }
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.trim_matches([' ', '\t', '\r', '\n']).is_empty()
}

/// Text or an attribute's value, escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
    out
}

// === reading a tree ===

impl Node {
    /// True if it is this element.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// An attribute without namespace.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_in("", name)
    }

    /// An attribute of a namespace.
    pub(crate) fn attribute_in(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|a| a.namespace == namespace && a.name == name)
            .map(|a| a.value.as_str())
    }
}
