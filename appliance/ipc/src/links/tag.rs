//! The names of links.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The name of a link: which server, which client, and where a client has more
/// than one role with a server, which of them. `core.door-mail` is where the
/// mail door asks core; `door-mail.core` is where core asks the mail door.
///
/// 1 to 64 lower-case letters, digits, `-` and `.`; it is also the name of the
/// socket on an appliance (`FileDescriptorName=`, and `NAME.sock` in the run
/// directory).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Cow<'static, str>);

/// Not the name of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link's name is 1 to 64 lower-case letters, digits, `-` and `.`")]
pub struct TagError;

// === impl Tag ===

impl Tag {
    /// A name that is known when compiling; another than the form allows does
    /// not compile in a `const`.
    #[must_use]
    pub const fn fixed(name: &'static str) -> Self {
        assert!(sound(name.as_bytes()), "not a link's name");
        Self(Cow::Borrowed(name))
    }

    /// A name made while running.
    ///
    /// # Errors
    /// When it has another form.
    pub fn new(name: impl Into<String>) -> Result<Self, TagError> {
        let name = name.into();
        if sound(name.as_bytes()) {
            Ok(Self(Cow::Owned(name)))
        } else {
            Err(TagError)
        }
    }

    /// The link over which the process `client` asks the process `server`.
    ///
    /// # Errors
    /// When the names are not of the form.
    pub fn between(server: &str, client: &str) -> Result<Self, TagError> {
        Self::new(format!("{server}.{client}"))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        Self::new(text)
    }
}

const fn sound(mut name: &[u8]) -> bool {
    if name.is_empty() || name.len() > 64 {
        return false;
    }
    while let [byte, rest @ ..] = name {
        if !matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.') {
            return false;
        }
        name = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_form() {
        const FIXED: Tag = Tag::fixed("core.door-mail");
        assert_eq!(Tag::between("core", "door-mail").unwrap(), FIXED);
        for wrong in [
            "",
            "Core",
            "core/door",
            "core door",
            "core\0",
            &"x".repeat(65),
        ] {
            assert_eq!(Tag::new(wrong), Err(TagError));
        }
    }
}
