//! Reading elements in the order of the schema: what is not expected where it
//! stands is refused.

use super::SCHEMA_RULE;
use chancery_http::text::malformed;
use chancery_message::Malformed;

use super::tree::Node;

/// The children of one element, taken one after the other.
pub(super) struct Fields {
    parent: String,
    children: std::iter::Peekable<std::vec::IntoIter<Node>>,
    taken: usize,
}

/// A node with elements inside: its attributes and its fields.
pub(super) fn open(node: Node) -> Result<(Attributes, Fields), Malformed> {
    if !node.text.bytes().all(|b| b.is_ascii_whitespace()) {
        return Err(malformed(
            format!("`{}` has text where elements belong", node.name),
            SCHEMA_RULE,
        ));
    }
    let fields = Fields {
        parent: node.name.clone(),
        children: node.children.into_iter().peekable(),
        taken: 0,
    };
    Ok((
        Attributes {
            element: node.name,
            left: node.attributes,
        },
        fields,
    ))
}

impl Fields {
    /// The next element, if it has this name.
    pub(super) fn optional(&mut self, name: &str) -> Option<Node> {
        let next = self.children.next_if(|node| node.name == name);
        self.taken += usize::from(next.is_some());
        next
    }

    /// The next element, which must have this name.
    pub(super) fn required(&mut self, name: &str) -> Result<Node, Malformed> {
        self.optional(name).ok_or_else(|| {
            malformed(
                format!("`{name}` is missing in `{}`, or out of order", self.parent),
                SCHEMA_RULE,
            )
        })
    }

    /// All next elements of this name, at most `most`.
    pub(super) fn many(&mut self, name: &str, most: usize) -> Result<Vec<Node>, Malformed> {
        let mut nodes = Vec::new();
        while let Some(node) = self.optional(name) {
            if nodes.len() == most {
                return Err(malformed(
                    format!("more than {most} `{name}` in `{}`", self.parent),
                    SCHEMA_RULE,
                ));
            }
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// Refuses whatever was not taken.
    pub(super) fn end(mut self) -> Result<(), Malformed> {
        match self.children.next() {
            None => Ok(()),
            Some(_) => Err(malformed(
                format!(
                    "element {} of `{}` is unknown, repeated or out of order",
                    self.taken + 1,
                    self.parent
                ),
                SCHEMA_RULE,
            )),
        }
    }
}

/// The attributes of one element, taken one by one.
pub(super) struct Attributes {
    element: String,
    left: Vec<(String, String)>,
}

impl Attributes {
    /// The attribute of this name.
    pub(super) fn optional(&mut self, name: &str) -> Option<String> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.swap_remove(at).1)
    }

    /// The attribute of this name, which must be there.
    pub(super) fn required(&mut self, name: &str) -> Result<String, Malformed> {
        self.optional(name).ok_or_else(|| {
            malformed(
                format!("`{}` has no attribute `{name}`", self.element),
                SCHEMA_RULE,
            )
        })
    }

    /// Refuses whatever was not taken.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(malformed(
                format!(
                    "`{}` has an attribute that is not in the schema",
                    self.element
                ),
                SCHEMA_RULE,
            ))
        }
    }
}

/// The text of an element that has no elements inside and these attributes alone.
pub(super) fn text_with(node: Node) -> Result<(Attributes, String), Malformed> {
    if !node.children.is_empty() {
        return Err(malformed(
            format!("`{}` has elements where text belongs", node.name),
            SCHEMA_RULE,
        ));
    }
    Ok((
        Attributes {
            element: node.name,
            left: node.attributes,
        },
        node.text,
    ))
}

/// The text of an element without attributes.
pub(super) fn text(node: Node) -> Result<String, Malformed> {
    let (attributes, text) = text_with(node)?;
    attributes.end()?;
    Ok(text)
}

/// `true` or `false`, nothing else.
pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Malformed> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(malformed(
            format!("`{name}` is neither `true` nor `false`"),
            SCHEMA_RULE,
        )),
    }
}
