//! Header fields: lines, names, unfolding, how often each may stand.

use super::{MAX_FIELDS, MAX_HEADER_BYTES, MAX_LINE};
use crate::content::fault::{Fault, Read, rule};

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Lower case.
    pub(crate) name: String,
    /// Unfolded, without leading and trailing white space; UTF-8 (RFC 6532).
    pub(crate) value: String,
}

/// The fields of a message or part, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<Field>);

impl Headers {
    /// The one field of that name, if it is there.
    ///
    /// Twice is refused: readers differ in which one they take.
    pub(crate) fn one(&self, name: &str) -> Read<Option<&str>> {
        let mut found = self.all(name);
        let first = found.next();
        if found.next().is_some() {
            return Err(Fault::malformed(
                format!("more than one {name} field"),
                rule::FIELDS,
            ));
        }
        Ok(first)
    }

    /// The one field of that name.
    pub(crate) fn needed(&self, name: &str) -> Read<&str> {
        self.one(name)?
            .ok_or_else(|| Fault::malformed(format!("no {name} field"), rule::FIELDS))
    }

    /// All fields of that name.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |field| field.name == name)
            .map(|field| field.value.as_str())
    }

    /// Every field.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }
}

/// Refuses octets that no mail has: NUL, a CR or LF alone, lines that are too long.
pub(crate) fn check_lines(raw: &[u8]) -> Read<()> {
    for line in raw.split_inclusive(|&octet| octet == b'\n') {
        let text = match line.strip_suffix(b"\n") {
            None => line,
            Some(text) => text
                .strip_suffix(b"\r")
                .ok_or_else(|| Fault::malformed("a line ends with LF alone", rule::LINES))?,
        };
        if text.contains(&b'\r') {
            return Err(Fault::malformed("a CR without LF", rule::LINES));
        }
        if text.contains(&0) {
            return Err(Fault::malformed("a NUL octet", rule::LINES));
        }
        if text.len() > MAX_LINE {
            return Err(Fault::malformed(
                "a line of more than 998 octets",
                rule::LINES,
            ));
        }
    }
    Ok(())
}

/// Splits a message or part, whose lines were checked, into its fields and the
/// place where its body begins.
pub(crate) fn split(raw: &[u8]) -> Read<(Headers, usize)> {
    let mut fields: Vec<Field> = Vec::new();
    let mut at = 0;
    let mut current: Option<(String, Vec<u8>)> = None;
    for line in raw.split_inclusive(|&octet| octet == b'\n') {
        at += line.len();
        if at > MAX_HEADER_BYTES {
            return Err(Fault::malformed(
                "a header of more than 64 KiB",
                rule::LIMITS,
            ));
        }
        let Some(text) = line.strip_suffix(b"\r\n") else {
            return Err(Fault::malformed("a header without an end", rule::FIELDS));
        };
        if text.is_empty() {
            push(&mut fields, current.take())?;
            return Ok((Headers(fields), at));
        }
        if matches!(text.first(), Some(b' ' | b'\t')) {
            let Some((_, value)) = &mut current else {
                return Err(Fault::malformed(
                    "the header begins with a folded line",
                    rule::FIELDS,
                ));
            };
            if text.iter().all(|octet| matches!(octet, b' ' | b'\t')) {
                return Err(Fault::malformed(
                    "a folded line of white space only",
                    rule::FIELDS,
                ));
            }
            value.extend_from_slice(text);
            continue;
        }
        push(&mut fields, current.take())?;
        let colon = text.iter().position(|&octet| octet == b':');
        let Some((name, value)) = colon.and_then(|colon| text.split_at_checked(colon)) else {
            return Err(Fault::malformed(
                "a header line that is no field",
                rule::FIELDS,
            ));
        };
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) || name.len() > 76 {
            return Err(Fault::malformed(
                "a field name with other than letters",
                rule::FIELDS,
            ));
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        current = Some((name, value.get(1..).unwrap_or_default().to_vec()));
    }
    // A part may end with its header (RFC 2046 section 5.1: an empty body).
    Err(Fault::malformed(
        "a header without an empty line after it",
        rule::FIELDS,
    ))
}

fn push(fields: &mut Vec<Field>, field: Option<(String, Vec<u8>)>) -> Read<()> {
    let Some((name, value)) = field else {
        return Ok(());
    };
    if fields.len() >= MAX_FIELDS {
        return Err(Fault::malformed(
            "more than 1000 header fields",
            rule::LIMITS,
        ));
    }
    let value = String::from_utf8(value)
        .map_err(|_| Fault::malformed("a header field that is not UTF-8", "RFC 6532 section 3"))?;
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Fault::malformed(
            "a control character in a header field",
            rule::FIELDS,
        ));
    }
    fields.push(Field {
        name,
        value: value.trim_matches([' ', '\t']).to_owned(),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(raw: &[u8]) -> bool {
        matches!(
            check_lines(raw).and_then(|()| split(raw)),
            Err(Fault::Malformed(_))
        )
    }

    #[test]
    fn fields_are_split_and_unfolded() {
        let raw = b"Subject: a\r\n b\r\nX-y:\tc \r\nsubject:d\r\n\r\nbody";
        let (headers, body) = split(raw).unwrap();
        assert_eq!(&raw[body..], b"body");
        let all: Vec<_> = headers
            .iter()
            .map(|f| (f.name.as_str(), f.value.as_str()))
            .collect();
        assert_eq!(all, [("subject", "a b"), ("x-y", "c"), ("subject", "d")]);
        assert!(headers.one("subject").is_err());
        assert_eq!(headers.one("x-y").unwrap(), Some("c"));
        assert_eq!(headers.one("from").unwrap(), None);
        assert!(headers.needed("from").is_err());
    }

    #[test]
    fn odd_headers_are_refused() {
        for raw in [
            &b"a: b\n\r\n"[..],
            b"a: b\rc\r\n\r\n",
            b"a: b\0\r\n\r\n",
            b"a: b\r\n",
            b"a: b\r\n\r",
            b" a: b\r\n\r\n",
            b"a: b\r\n \t\r\n\r\n",
            b"a : b\r\n\r\n",
            b": b\r\n\r\n",
            b"abc\r\n\r\n",
            b"a: \xff\r\n\r\n",
            b"a: b\x07\r\n\r\n",
            b"a: b\x7f\r\n\r\n",
        ] {
            assert!(fault(raw), "{:?}", String::from_utf8_lossy(raw));
        }
        let long = format!("a: {}\r\n\r\n", "x".repeat(996));
        assert!(fault(long.as_bytes()));
        let block = format!("{}\r\n", "a: b\r\n".repeat(1001));
        assert!(fault(block.as_bytes()));
        let line = format!("a: {}\r\n", "x".repeat(900));
        assert!(fault(format!("{}\r\n", line.repeat(73)).as_bytes()));
    }
}
