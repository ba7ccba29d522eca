//! The tree of a message's parts.

use super::decode::Encoding;
use super::header::{self, Headers};
use super::parameters::Parameters;
use super::{MAX_DEPTH, MAX_PARTS};
use crate::content::fault::{Fault, Read, rule};

/// A message or part.
#[derive(Debug)]
pub(crate) struct Entity<'a> {
    /// Its fields.
    pub(crate) headers: Headers,
    /// Its media type with parameters; `text/plain` where none is given.
    pub(crate) content_type: Parameters,
    /// How its body is encoded.
    pub(crate) encoding: Encoding,
    /// All of it, header and body: what a signature covers.
    pub(crate) raw: &'a [u8],
    /// Where its body begins in the message.
    pub(crate) body_at: usize,
    /// Its body.
    pub(crate) body: &'a [u8],
    /// The parts of a multipart; empty for others.
    pub(crate) parts: Vec<Self>,
}

impl Entity<'_> {
    /// Its disposition: none, `inline` or `attachment`, with the file name.
    pub(crate) fn disposition(&self) -> Read<Option<Parameters>> {
        self.headers
            .one("content-disposition")?
            .map(Parameters::parse)
            .transpose()
    }

    /// Its body, decoded.
    pub(crate) fn decoded(&self) -> Read<Vec<u8>> {
        self.encoding.decode(self.body)
    }

    /// True for a multipart.
    pub(crate) fn is_multipart(&self) -> bool {
        self.content_type.kind() == "multipart"
    }
}

/// Reads a message whose lines were checked.
pub(crate) fn parse(raw: &[u8]) -> Read<Entity<'_>> {
    let mut budget = Budget {
        parts: MAX_PARTS,
        boundaries: Vec::new(),
    };
    part(raw, 0, 0, &mut budget)
}

struct Budget {
    parts: usize,
    boundaries: Vec<String>,
}

fn part<'a>(raw: &'a [u8], at: usize, depth: usize, budget: &mut Budget) -> Read<Entity<'a>> {
    budget.parts = budget
        .parts
        .checked_sub(1)
        .ok_or_else(|| Fault::malformed("more than 200 parts", rule::LIMITS))?;
    let (headers, start) = header::split(raw)?;
    let content_type = match headers.one("content-type")? {
        Some(value) => Parameters::parse(value)?,
        None => Parameters::parse("text/plain")?,
    };
    if !content_type.value.contains('/') {
        return Err(Fault::malformed("a media type without subtype", rule::MIME));
    }
    let encoding = Encoding::parse(headers.one("content-transfer-encoding")?)?;
    for name in ["content-id", "content-description", "content-disposition"] {
        headers.one(name)?;
    }
    let body = raw.get(start..).unwrap_or_default();
    let mut entity = Entity {
        headers,
        content_type,
        encoding,
        raw,
        body_at: at + start,
        body,
        parts: Vec::new(),
    };
    if matches!(entity.content_type.kind(), "multipart" | "message") && !encoding.is_identity() {
        return Err(Fault::malformed(
            "an encoded multipart or message",
            "RFC 2045 section 6.4",
        ));
    }
    if entity.is_multipart() {
        if depth >= MAX_DEPTH {
            return Err(Fault::malformed("parts nested deeper than 8", rule::LIMITS));
        }
        let boundary = boundary(&entity.content_type, budget)?;
        for (offset, raw) in split(body, &boundary)? {
            let part = part(raw, at + start + offset, depth + 1, budget)?;
            entity.parts.push(part);
        }
    }
    Ok(entity)
}

/// The boundary: its characters (RFC 2046 section 5.1.1), and that no other one
/// begins with it or is its beginning.
fn boundary(content_type: &Parameters, budget: &mut Budget) -> Read<String> {
    let boundary = content_type
        .get("boundary")
        .ok_or_else(|| Fault::malformed("a multipart without boundary", rule::MULTIPART))?;
    let good = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    if !(1..=70).contains(&boundary.len()) || boundary.ends_with(' ') || !boundary.bytes().all(good)
    {
        return Err(Fault::malformed(
            "a boundary with other characters than it may have",
            rule::MULTIPART,
        ));
    }
    let clash = budget
        .boundaries
        .iter()
        .any(|other| other.starts_with(boundary) || boundary.starts_with(other.as_str()));
    if clash {
        return Err(Fault::malformed(
            "two boundaries that could be taken for each other",
            rule::MULTIPART,
        ));
    }
    budget.boundaries.push(boundary.to_owned());
    Ok(boundary.to_owned())
}

/// The parts of a multipart body with their offsets. A part does not include
/// the CRLF before the next delimiter.
fn split<'a>(body: &'a [u8], boundary: &str) -> Read<Vec<(usize, &'a [u8])>> {
    let mut parts = Vec::new();
    let mut begun: Option<usize> = None;
    let mut at = 0;
    let mut closed = false;
    for line in body.split_inclusive(|&octet| octet == b'\n') {
        let start = at;
        at += line.len();
        let text = line.strip_suffix(b"\r\n");
        if closed {
            if text.unwrap_or(line).is_empty() {
                continue;
            }
            return Err(Fault::malformed(
                "text after the last part",
                rule::MULTIPART,
            ));
        }
        let Some(after) = line
            .strip_prefix(b"--")
            .and_then(|line| line.strip_prefix(boundary.as_bytes()))
        else {
            continue;
        };
        if let Some(begun) = begun {
            let end = start.saturating_sub(2);
            let part = body
                .get(begun..end)
                .ok_or_else(|| Fault::malformed("a part without header", rule::MULTIPART))?;
            parts.push((begun, part));
        }
        match after {
            b"\r\n" => begun = Some(at),
            b"--\r\n" | b"--" if begun.is_some() => closed = true,
            _ => {
                return Err(Fault::malformed(
                    "a delimiter that is ambiguous",
                    rule::MULTIPART,
                ));
            }
        }
    }
    if !closed {
        return Err(Fault::malformed(
            "a multipart without its last delimiter",
            rule::MULTIPART,
        ));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &str = "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n";

    fn parsed(body: &str) -> Read<Vec<Vec<u8>>> {
        let raw = format!("{MIXED}{body}");
        let entity = parse(raw.as_bytes())?;
        Ok(entity.parts.iter().map(|part| part.body.to_vec()).collect())
    }

    #[test]
    fn parts_are_found() {
        let parts =
            parsed("--b\r\n\r\none\r\n--b\r\nX: y\r\n\r\ntwo\r\n\r\n--b--\r\n\r\n").unwrap();
        assert_eq!(parts, [b"one".to_vec(), b"two\r\n".to_vec()]);
        let empty = parsed("--b\r\n\r\n\r\n--b--").unwrap();
        assert_eq!(empty, [b"".to_vec()]);
    }

    #[test]
    fn ambiguous_parts_are_refused() {
        for body in [
            "",
            "--b\r\n\r\none\r\n",
            "--b--\r\n",
            "--b\r\n--b--\r\n",
            "--b \r\n\r\none\r\n--b--\r\n",
            "--b\r\n\r\none\r\n--bx\r\n\r\ntwo\r\n--b--\r\n",
            "--b\r\n\r\none\r\n--b--x\r\n",
            "--b\r\n\r\none\r\n--b--\r\nmore\r\n",
            "--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
            "--b\r\nContent-Type: text/plain\r\none\r\n--b--\r\n",
            "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n--b--\r\n",
            "--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb--\r\n--b--\r\n",
        ] {
            assert!(parsed(body).is_err(), "{body:?}");
        }
        for header in [
            "multipart/mixed",
            "multipart/mixed; boundary=\"\"",
            "multipart/mixed; boundary=\"b \"",
            "multipart/mixed; boundary=\"b\u{e9}\"",
            "multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64",
            "multipart/mixed; boundary=b\r\nContent-Type: text/plain",
            "text",
        ] {
            let raw = format!("Content-Type: {header}\r\n\r\n--b\r\n\r\none\r\n--b--\r\n");
            assert!(parse(raw.as_bytes()).is_err(), "{header}");
        }
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let mut raw = String::new();
        for depth in 0..10_000 {
            raw.push_str(&format!(
                "Content-Type: multipart/mixed; boundary=x{depth}x\r\n\r\n--x{depth}x\r\n"
            ));
        }
        assert!(parse(raw.as_bytes()).is_err());
        let many = format!("{MIXED}{}--b--\r\n", "--b\r\n\r\nx\r\n".repeat(201));
        assert!(parse(many.as_bytes()).is_err());
    }
}
