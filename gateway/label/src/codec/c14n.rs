//! Exclusive XML Canonicalization 1.0 of a tree without comments and
//! processing instructions, which our reader does not let in.

use std::collections::BTreeMap;

use crate::codec::xml::Node;

/// Canonical octets of the element and what it contains.
pub(crate) fn exclusive(node: &Node) -> String {
    let mut out = String::new();
    element(node, &BTreeMap::new(), &mut out);
    out
}

fn element<'a>(node: &'a Node, rendered: &BTreeMap<&'a str, &'a str>, out: &mut String) {
    // Namespaces that this element or its attributes visibly use.
    let mut used: BTreeMap<&str, &str> = BTreeMap::new();
    used.insert(&node.prefix, &node.namespace);
    for attribute in &node.attributes {
        if !attribute.prefix.is_empty() && attribute.prefix != "xml" {
            used.insert(&attribute.prefix, &attribute.namespace);
        }
    }
    let mut inner = rendered.clone();
    open(node, out);
    for (prefix, uri) in used {
        let known = rendered.get(prefix).copied().unwrap_or("");
        if prefix == "xml" || known == uri {
            continue;
        }
        out.push_str(" xmlns");
        if !prefix.is_empty() {
            out.push(':');
            out.push_str(prefix);
        }
        out.push_str("=\"");
        value(uri, out);
        out.push('"');
        inner.insert(prefix, uri);
    }
    let mut attributes: Vec<_> = node.attributes.iter().collect();
    attributes.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    for attribute in attributes {
        out.push(' ');
        if !attribute.prefix.is_empty() {
            out.push_str(&attribute.prefix);
            out.push(':');
        }
        out.push_str(&attribute.name);
        out.push_str("=\"");
        value(&attribute.value, out);
        out.push('"');
    }
    out.push('>');
    if node.children.is_empty() {
        text(&node.text, out);
    }
    for (index, child) in node.children.iter().enumerate() {
        text(node.gaps.get(index).map_or("", String::as_str), out);
        element(child, &inner, out);
    }
    if !node.children.is_empty() {
        text(node.gaps.last().map_or("", String::as_str), out);
    }
    out.push_str("</");
    name(node, out);
    out.push('>');
}

fn open(node: &Node, out: &mut String) {
    out.push('<');
    name(node, out);
}

fn name(node: &Node, out: &mut String) {
    if !node.prefix.is_empty() {
        out.push_str(&node.prefix);
        out.push(':');
    }
    out.push_str(&node.name);
}

fn text(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}

fn value(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}
