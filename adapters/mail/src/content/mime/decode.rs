//! Content transfer encodings, strictly: one text, one meaning.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::parameters::token;
use crate::content::fault::{Fault, Read, rule};

/// How a part's body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit.
    Seven,
    /// 8bit.
    Eight,
    /// quoted-printable.
    Quoted,
    /// base64.
    Base64,
}

impl Encoding {
    /// Reads the field's value; none means 7bit.
    pub(crate) fn parse(value: Option<&str>) -> Read<Self> {
        let Some(value) = value else {
            return Ok(Self::Seven);
        };
        match token(value).map(str::to_ascii_lowercase).as_deref() {
            Some("7bit") => Ok(Self::Seven),
            Some("8bit") => Ok(Self::Eight),
            Some("quoted-printable") => Ok(Self::Quoted),
            Some("base64") => Ok(Self::Base64),
            _ => Err(Fault::malformed(
                "a content transfer encoding that is not accepted",
                rule::ENCODING,
            )),
        }
    }

    /// True for the two that encode nothing.
    pub(crate) const fn is_identity(self) -> bool {
        matches!(self, Self::Seven | Self::Eight)
    }

    /// Decodes a part's body.
    pub(crate) fn decode(self, body: &[u8]) -> Read<Vec<u8>> {
        match self {
            Self::Seven if !body.is_ascii() => Err(Fault::malformed(
                "octets beyond ASCII in a 7bit part; declare 8bit or encode them",
                rule::ENCODING,
            )),
            Self::Seven | Self::Eight => Ok(body.to_vec()),
            Self::Quoted => quoted_printable(body),
            Self::Base64 => base64_lines(body),
        }
    }
}

/// base64 in lines. Only the alphabet, padding at the end, and CRLF.
fn base64_lines(body: &[u8]) -> Read<Vec<u8>> {
    let mut joined = Vec::with_capacity(body.len());
    for line in body.split(|&octet| octet == b'\n') {
        joined.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    base64(&joined)
}

/// base64 without line ends; padding needed, trailing bits zero.
pub(crate) fn base64(text: &[u8]) -> Read<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| {
        Fault::malformed(
            "base64 with other characters, or wrongly ended",
            rule::ENCODING,
        )
    })
}

/// The Q encoding of an encoded word.
pub(crate) fn quoted_word(text: &str) -> Read<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'_' => out.push(b' '),
            b'=' => {
                let (octet, after) = hex(rest)?;
                out.push(octet);
                rest = after;
            }
            _ => out.push(octet),
        }
    }
    Ok(out)
}

fn quoted_printable(body: &[u8]) -> Read<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|&octet| octet == b'\n') {
        let (mut rest, ended) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, true),
            None => (line, false),
        };
        if matches!(rest.last(), Some(b' ' | b'\t')) {
            return Err(bad_quoted(
                "white space at the end of a quoted-printable line",
            ));
        }
        let mut soft = false;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match octet {
                b'=' if rest.is_empty() => soft = true,
                b'=' => {
                    let (octet, after) = hex(rest)?;
                    out.push(octet);
                    rest = after;
                }
                b'\t' | b' '..=b'~' => out.push(octet),
                _ => {
                    return Err(bad_quoted(
                        "a quoted-printable line with octets that must be encoded",
                    ));
                }
            }
        }
        if ended && !soft {
            out.extend_from_slice(b"\r\n");
        }
    }
    Ok(out)
}

fn bad_quoted(what: &str) -> Fault {
    Fault::malformed(what, rule::ENCODING)
}

fn hex(rest: &[u8]) -> Read<(u8, &[u8])> {
    let digit = |octet: u8| {
        char::from(octet)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    match rest {
        [high, low, after @ ..] => match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => Ok((high << 4 | low, after)),
            _ => Err(bad_quoted("`=` without two hexadecimal digits after it")),
        },
        _ => Err(bad_quoted("`=` without two hexadecimal digits after it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_decoded() {
        let quoted = Encoding::parse(Some("Quoted-Printable")).unwrap();
        assert_eq!(
            quoted.decode(b"a=3D=\r\nb\r\n=C3=a9").unwrap(),
            "a=b\r\né".as_bytes()
        );
        let base64 = Encoding::parse(Some("BASE64")).unwrap();
        assert_eq!(base64.decode(b"aGVs\r\nbG8=\r\n").unwrap(), b"hello");
        assert_eq!(base64.decode(b"").unwrap(), b"");
        assert_eq!(Encoding::parse(None).unwrap(), Encoding::Seven);
        assert_eq!(Encoding::Eight.decode(b"\xff").unwrap(), b"\xff");
    }

    #[test]
    fn ambiguous_encodings_are_refused() {
        for body in [
            &b"aGVsbG8=aGVs"[..],
            b"aGVs bG8=",
            b"aGVsbG8",
            b"aGVs*G8=",
            b"aGVsbG9=",
            b"a",
        ] {
            assert!(Encoding::Base64.decode(body).is_err(), "{body:?}");
        }
        for body in [
            &b"a \r\n"[..],
            b"=4",
            b"=G0",
            b"\xff",
            b"a=20\t\r\nb",
            b"\x07",
        ] {
            assert!(Encoding::Quoted.decode(body).is_err(), "{body:?}");
        }
        assert!(Encoding::Seven.decode(b"\xff").is_err());
        for value in ["binary", "x-uuencode", "", "7bit; x", "base 64"] {
            assert!(Encoding::parse(Some(value)).is_err(), "{value}");
        }
    }
}
