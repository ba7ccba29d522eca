//! Why bytes are no submission, inside the reader.

use chancery_message::{Malformed, Parsed};

/// A reading stops here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused.
    Malformed(Malformed),
    /// Kept for an officer.
    Suspicious(Malformed),
    /// Not judged: keys or directory cannot be asked now.
    Unavailable(String),
}

/// What reading steps return.
pub(crate) type Read<T> = Result<T, Fault>;

impl Fault {
    /// Refused: what is wrong, and the rule that says so.
    pub(crate) fn malformed(what: impl Into<String>, rule: &str) -> Self {
        Self::Malformed(Malformed {
            what: what.into(),
            rule: rule.to_owned(),
        })
    }

    /// Kept for an officer: what is wrong, and the rule that says so.
    pub(crate) fn suspicious(what: impl Into<String>, rule: &str) -> Self {
        Self::Suspicious(Malformed {
            what: what.into(),
            rule: rule.to_owned(),
        })
    }

    /// As the reader's answer; an error is not the message's fault.
    pub(crate) fn into_parsed(self) -> Result<Parsed, String> {
        match self {
            Self::Malformed(malformed) => Ok(Parsed::Malformed(malformed)),
            Self::Suspicious(malformed) => Ok(Parsed::Suspicious(malformed)),
            Self::Unavailable(why) => Err(why),
        }
    }
}

/// Rules named in more than one place.
pub(crate) mod rule {
    pub(crate) const LINES: &str = "RFC 5322 section 2.1.1";
    pub(crate) const FIELDS: &str = "RFC 5322 section 3.6";
    pub(crate) const ADDRESS: &str = "RFC 5322 section 3.4";
    pub(crate) const DATE: &str = "RFC 5322 section 3.3";
    pub(crate) const WORDS: &str = "RFC 2047 section 2";
    pub(crate) const MIME: &str = "RFC 2045 section 5.1";
    pub(crate) const MULTIPART: &str = "RFC 2046 section 5.1";
    pub(crate) const ENCODING: &str = "RFC 2045 section 6";
    pub(crate) const PARAMETERS: &str = "RFC 2231 section 3";
    pub(crate) const PGP_MIME: &str = "RFC 3156";
    pub(crate) const OPENPGP: &str = "RFC 9580";
    pub(crate) const PROTECTION: &str = "product rule: the whole content is protected, once";
    pub(crate) const HEADERS: &str = "RFC 9788";
    pub(crate) const CHARSET: &str = "product rule: listed charsets only";
    pub(crate) const PARTS: &str = "product rule: one plain text and attachments";
    pub(crate) const AGREE: &str = "product rule: two parsers agree";
    pub(crate) const LIMITS: &str = "product rule: limits of a message";
}
