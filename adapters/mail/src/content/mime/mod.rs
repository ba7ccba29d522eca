//! MIME, read strictly: what two parsers might read differently is refused.
//! The tree that this module builds is compared with mail-parser's
//! ([`agree`]); only where both see the same parts does reading go on.

pub(crate) mod address;
pub(crate) mod agree;
pub(crate) mod charset;
pub(crate) mod date;
pub(crate) mod decode;
pub(crate) mod entity;
pub(crate) mod header;
pub(crate) mod name;
pub(crate) mod parameters;
pub(crate) mod words;

/// Largest header block of a message or part, octets.
pub(crate) const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Most header fields of a message or part.
pub(crate) const MAX_FIELDS: usize = 1000;
/// Most `Received` fields: more is a loop (RFC 5321 section 6.3).
pub(crate) const MAX_HOPS: usize = 100;
/// Deepest nesting of multiparts.
pub(crate) const MAX_DEPTH: usize = 8;
/// Most parts of a message.
pub(crate) const MAX_PARTS: usize = 200;
/// Longest line, octets without CRLF (RFC 5322 section 2.1.1).
pub(crate) const MAX_LINE: usize = 998;
