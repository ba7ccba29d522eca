//! Writing XML: one canonical form, every value escaped.

use std::fmt::Display;

use super::NAMESPACE;

/// A document under construction. Elements are closed by the closures that
/// filled them, so that none stays open.
#[derive(Debug)]
pub(super) struct Writer {
    out: String,
}

impl Writer {
    /// A whole document with this root element.
    pub(super) fn document(
        root: &str,
        attributes: &[(&str, &str)],
        fill: impl FnOnce(&mut Self),
    ) -> String {
        let mut writer = Self {
            out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(),
        };
        let mut all = vec![("xmlns", NAMESPACE)];
        all.extend_from_slice(attributes);
        writer.within(root, &all, fill);
        writer.out.push('\n');
        writer.out
    }

    /// An element with elements inside.
    pub(super) fn within(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        fill: impl FnOnce(&mut Self),
    ) {
        self.start(name, attributes);
        self.out.push('>');
        fill(self);
        self.end(name);
    }

    /// An element with text inside.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.text_with(name, &[], text);
    }

    /// An element with attributes and text.
    pub(super) fn text_with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.start(name, attributes);
        self.out.push('>');
        escape(text, &mut self.out);
        self.end(name);
    }

    /// An element with what is displayed inside.
    pub(super) fn value(&mut self, name: &str, value: impl Display) {
        self.text(name, &value.to_string());
    }

    /// The same, where there is one.
    pub(super) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// An element with attributes alone.
    pub(super) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.out.push_str("/>");
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, &mut self.out);
            self.out.push('"');
        }
    }

    fn end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }
}

/// Escapes for text and attributes alike. A carriage return is written as a
/// reference, or every reader would turn it into a line feed (XML 1.0 section
/// 2.11). A character that XML does not have becomes U+FFFD: it shows that
/// something stood there, and nothing else can be written in its place.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'.. => out.push(c),
            _ => out.push('\u{FFFD}'),
        }
    }
}
