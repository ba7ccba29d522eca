//! XML → a small tree, within a budget. Everything that XML can do beyond
//! elements, attributes and text is refused: document types, entities,
//! processing instructions, comments, CDATA sections, other namespaces.

use chancery_http::text::malformed;
use chancery_message::Malformed;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::NAMESPACE;

/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most attributes of one element, namespace declarations included.
const MAX_ATTRIBUTES: usize = 16;
/// Most elements in one document.
const MAX_ELEMENTS: usize = 2_000;
/// Longest name, bytes.
const MAX_NAME: usize = 64;

const XML: &str =
    "XML 1.0 in UTF-8, without DTD, entities, comments, CDATA and processing instructions";
const BUDGET: &str = "depth 32, 16 attributes an element, 2000 elements";
const NAMES: &str = "Namespaces in XML; every element is of urn:chancery:siena-style:1";

/// An element.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// Its local name.
    pub(super) name: String,
    /// Its attributes, none of which has a namespace.
    pub(super) attributes: Vec<(String, String)>,
    /// The elements inside.
    pub(super) children: Vec<Self>,
    /// The text inside.
    pub(super) text: String,
}

/// Reads a whole document: its root element.
pub(super) fn parse(raw: &[u8]) -> Result<Node, Malformed> {
    let text = std::str::from_utf8(raw).map_err(|_| malformed("the document is not UTF-8", XML))?;
    if text.starts_with('\u{FEFF}') {
        return Err(malformed("the document begins with a byte order mark", XML));
    }
    let mut builder = Builder::default();
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut first = true;
    loop {
        let at = reader.buffer_position();
        let event = reader
            .read_event()
            .map_err(|_| malformed(format!("not well-formed XML, near byte {at}"), XML))?;
        let place = |malformed: Malformed| Malformed {
            what: format!("{}, near byte {at}", malformed.what),
            ..malformed
        };
        match event {
            Event::Decl(declaration) if first && at == 0 => utf8_alone(&declaration)?,
            Event::Start(start) => builder.open(&start).map_err(place)?,
            Event::Empty(start) => builder
                .open(&start)
                .and_then(|()| builder.close())
                .map_err(place)?,
            Event::End(_) => builder.close().map_err(place)?,
            Event::Text(text) => builder.text(&text.xml10_content()).map_err(place)?,
            Event::GeneralRef(reference) => builder.reference(&reference).map_err(place)?,
            Event::Eof => break,
            Event::Decl(_) => {
                return Err(place(malformed(
                    "an XML declaration that is not at the beginning",
                    XML,
                )));
            }
            Event::DocType(_) => return Err(place(malformed("a document type", XML))),
            Event::PI(_) => return Err(place(malformed("a processing instruction", XML))),
            Event::Comment(_) => return Err(place(malformed("a comment", XML))),
            Event::CData(_) => {
                return Err(place(malformed(
                    "a CDATA section: write &lt; and &amp; instead",
                    XML,
                )));
            }
        }
        first = false;
    }
    builder.finish()
}

/// The declaration may say version 1.0 and UTF-8, nothing else.
fn utf8_alone(declaration: &BytesDecl<'_>) -> Result<(), Malformed> {
    let version = declaration.version().is_ok_and(|version| version == "1.0");
    let encoding = match declaration.encoding() {
        None => true,
        Some(encoding) => encoding.is_ok_and(|encoding| encoding.eq_ignore_ascii_case("utf-8")),
    };
    if version && encoding {
        Ok(())
    } else {
        Err(malformed("the declaration is not XML 1.0 in UTF-8", XML))
    }
}

/// An element under construction and the prefixes that it declared.
#[derive(Default)]
struct Open {
    node: Node,
    prefixes: Vec<String>,
    qualified: String,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    elements: usize,
}

impl Builder {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Malformed> {
        if self.root.is_some() {
            return Err(malformed("something after the root element", XML));
        }
        self.elements += 1;
        if self.open.len() >= MAX_DEPTH || self.elements > MAX_ELEMENTS {
            return Err(malformed("too many elements, or nested too deep", BUDGET));
        }
        // Checked on the raw text first: cheap, and an attribute's value has no `<`.
        if start.attributes_raw().contains('<') || !spaced(start.attributes_raw()) {
            return Err(malformed(
                "attributes with `<`, or without a space between them",
                XML,
            ));
        }
        let qualified = start.name().as_ref().to_owned();
        let mut open = Open::default();
        for attribute in start.attributes() {
            let attribute =
                attribute.map_err(|_| malformed("an attribute twice, or not well-formed", XML))?;
            if open.node.attributes.len() + open.prefixes.len() >= MAX_ATTRIBUTES {
                return Err(malformed("too many attributes", BUDGET));
            }
            let value = attribute
                .normalized_value(XmlVersion::Explicit1_0)
                .map_err(|_| malformed("an attribute's value with an unknown entity", XML))?;
            let name: &str = attribute.key.as_ref();
            let declared = match name.strip_prefix("xmlns") {
                Some("") => Some(""),
                Some(rest) => rest.strip_prefix(':'),
                None => None,
            };
            match declared {
                Some(prefix) if value == NAMESPACE => open.prefixes.push(prefix.to_owned()),
                Some(_) => return Err(malformed("a namespace that is not the schema's", NAMES)),
                None if name.contains(':') => {
                    return Err(malformed("an attribute with a prefix", NAMES));
                }
                None => {
                    allowed(&value)?;
                    open.node
                        .attributes
                        .push((short(name)?, value.into_owned()));
                }
            }
        }
        let (prefix, local) = qualified.split_once(':').unwrap_or(("", &qualified));
        let known = |scope: &Open| scope.prefixes.iter().any(|declared| declared == prefix);
        if !(known(&open) || self.open.iter().any(known)) {
            return Err(malformed(
                "an element that is not in the schema's namespace",
                NAMES,
            ));
        }
        open.node.name = short(local)?;
        open.qualified = qualified;
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Malformed> {
        let Some(done) = self.open.pop() else {
            return Err(malformed("an end without a beginning", XML));
        };
        if !done.node.children.is_empty()
            && !done.node.text.bytes().all(|b| b.is_ascii_whitespace())
        {
            return Err(malformed("text between elements", XML));
        }
        match self.open.last_mut() {
            Some(parent) => parent.node.children.push(done.node),
            None => self.root = Some(done.node),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Malformed> {
        allowed(text)?;
        if text.contains("]]>") {
            return Err(malformed("`]]>` in text", XML));
        }
        match self.open.last_mut() {
            Some(open) => open.node.text.push_str(text),
            None if text.bytes().all(|b| b.is_ascii_whitespace()) => {}
            None => return Err(malformed("text outside the root element", XML)),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Malformed> {
        let unknown = || malformed("an entity that XML does not have of itself", XML);
        let resolved = match reference.resolve_char_ref().map_err(|_| unknown())? {
            Some(character) => character,
            None => match reference.as_ref() {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                _ => return Err(unknown()),
            },
        };
        let mut buffer = [0; 4];
        let text: &str = resolved.encode_utf8(&mut buffer);
        allowed(text)?;
        let Some(open) = self.open.last_mut() else {
            return Err(malformed("text outside the root element", XML));
        };
        open.node.text.push_str(text);
        Ok(())
    }

    fn finish(self) -> Result<Node, Malformed> {
        if !self.open.is_empty() {
            return Err(malformed(
                "the document ends before its root element does",
                XML,
            ));
        }
        self.root
            .ok_or_else(|| malformed("there is no root element", XML))
    }
}

/// True if every attribute's closing quote is followed by white space or the
/// end (XML 1.0 production 40), which the reader does not ask for.
fn spaced(raw: &str) -> bool {
    let mut quote = None;
    let mut closed = false;
    for byte in raw.bytes() {
        if closed && !byte.is_ascii_whitespace() {
            return false;
        }
        closed = quote == Some(byte);
        quote = match quote {
            None if byte == b'"' || byte == b'\'' => Some(byte),
            Some(_) if closed => None,
            same => same,
        };
    }
    true
}

fn short(name: &str) -> Result<String, Malformed> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(malformed("a name that is empty or too long", BUDGET));
    }
    Ok(name.to_owned())
}

/// Characters of XML 1.0 (section 2.2), as written and as referred to.
fn allowed(text: &str) -> Result<(), Malformed> {
    let good = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    if text.chars().all(good) {
        Ok(())
    } else {
        Err(malformed("a character that XML does not have", XML))
    }
}
