//! `Content-Type` and `Content-Disposition`: a value and its parameters (RFC
//! 2045 section 5.1, RFC 2231). Comments, parameters given twice, and
//! continuations of anything but a file name are refused.

use super::charset;
use crate::content::fault::{Fault, Read, rule};

/// A value with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// `text/plain`, `attachment`: lower case.
    pub(crate) value: String,
    given: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a field's value.
    pub(crate) fn parse(text: &str) -> Read<Self> {
        let mut rest = text;
        let value = take_value(&mut rest)?;
        let mut given = Vec::new();
        let mut pieces: Vec<(String, String)> = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            if rest.is_empty() {
                break;
            }
            rest = rest
                .strip_prefix(';')
                .ok_or_else(|| bad("a parameter without `;` before it"))?
                .trim_start_matches([' ', '\t']);
            if rest.is_empty() {
                break;
            }
            let name = take_token(&mut rest)?.to_ascii_lowercase();
            rest = rest
                .strip_prefix('=')
                .ok_or_else(|| bad("a parameter without `=`"))?;
            let content = if rest.starts_with('"') {
                take_quoted(&mut rest)?
            } else {
                take_token(&mut rest)?
            };
            let list = if name.contains('*') {
                &mut pieces
            } else {
                &mut given
            };
            if list.iter().any(|(other, _)| *other == name) || list.len() >= 64 {
                return Err(bad("a parameter that is given twice"));
            }
            list.push((name, content));
        }
        let mut this = Self { value, given };
        this.join(&pieces)?;
        Ok(this)
    }

    /// A parameter's content.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, content)| content.as_str())
    }

    /// What is before the `/`.
    pub(crate) fn kind(&self) -> &str {
        self.value.split('/').next().unwrap_or_default()
    }

    /// RFC 2231: extended values and continuations, of file names alone.
    fn join(&mut self, pieces: &[(String, String)]) -> Read<()> {
        if pieces.is_empty() {
            return Ok(());
        }
        let base = pieces
            .first()
            .and_then(|(name, _)| name.split('*').next())
            .unwrap_or_default()
            .to_owned();
        if !matches!(base.as_str(), "filename" | "name") || self.get(&base).is_some() {
            return Err(bad(
                "a parameter in pieces that may not be, or one given in two ways",
            ));
        }
        let mut octets = Vec::new();
        let mut charset = None;
        let alone = pieces.len() == 1;
        for index in 0..pieces.len() {
            let plain = format!("{base}*{index}");
            let extended = format!("{base}*{index}*");
            let single = format!("{base}*");
            let found = pieces.iter().find(|(name, _)| {
                *name == plain || *name == extended || (alone && *name == single)
            });
            let Some((name, content)) = found else {
                return Err(bad("a parameter in pieces, one of them missing"));
            };
            if !name.ends_with('*') {
                octets.extend_from_slice(content.as_bytes());
                continue;
            }
            let mut encoded = content.as_str();
            if index == 0 {
                let mut parts = content.splitn(3, '\'');
                match (parts.next(), parts.next(), parts.next()) {
                    (Some(given), Some(_language), Some(text)) => {
                        charset = Some(given.to_owned());
                        encoded = text;
                    }
                    _ => return Err(bad("an extended parameter without charset")),
                }
            }
            percent(encoded, &mut octets)?;
        }
        let text = charset::decode(&octets, charset.as_deref())?;
        self.given.push((base, text));
        Ok(())
    }
}

/// A value that is one token and nothing else.
pub(crate) fn token(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(is_token)).then_some(text)
}

fn take_value(rest: &mut &str) -> Read<String> {
    let mut value = take_token(rest)?;
    if let Some(after) = rest.strip_prefix('/') {
        *rest = after;
        value.push('/');
        value.push_str(&take_token(rest)?);
    }
    Ok(value.to_ascii_lowercase())
}

fn take_token(rest: &mut &str) -> Read<String> {
    let end = rest
        .bytes()
        .position(|b| !is_token(b))
        .unwrap_or(rest.len());
    let (token, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if token.is_empty() {
        return Err(bad("a content field with other than tokens"));
    }
    *rest = after;
    Ok(token.to_owned())
}

fn take_quoted(rest: &mut &str) -> Read<String> {
    let mut content = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                *rest = rest.get(at + 1..).unwrap_or_default();
                return Ok(content);
            }
            '\\' => match chars.next() {
                Some((_, escaped)) => content.push(escaped),
                None => break,
            },
            _ => content.push(c),
        }
    }
    Err(bad("a quoted parameter without end"))
}

const fn is_token(b: u8) -> bool {
    b.is_ascii_graphic()
        && !matches!(
            b,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
        )
}

fn percent(text: &str, out: &mut Vec<u8>) -> Read<()> {
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'%' {
            out.push(octet);
            continue;
        }
        let digit = |octet: u8| {
            char::from(octet)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
        };
        let [high, low, after @ ..] = rest else {
            return Err(bad("`%` without two hexadecimal digits"));
        };
        match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return Err(bad("`%` without two hexadecimal digits")),
        }
        rest = after;
    }
    Ok(())
}

fn bad(what: &str) -> Fault {
    Fault::malformed(
        what,
        if what.contains("pieces") {
            rule::PARAMETERS
        } else {
            rule::MIME
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_parameters_are_read() {
        let read = Parameters::parse("Text/Plain; charset=\"utf-8\"; Format=flowed;").unwrap();
        assert_eq!((read.value.as_str(), read.kind()), ("text/plain", "text"));
        assert_eq!(read.get("charset"), Some("utf-8"));
        assert_eq!(read.get("format"), Some("flowed"));
        let read = Parameters::parse("attachment; filename=\"a \\\"b\\\".txt\"").unwrap();
        assert_eq!(read.get("filename"), Some("a \"b\".txt"));
        let long =
            "attachment; filename*0*=utf-8''%CE%95; filename*1=\"xyz\"; filename*2*=%CE%B1.pdf";
        assert_eq!(
            Parameters::parse(long).unwrap().get("filename"),
            Some("Εxyzα.pdf")
        );
        let one = "attachment; filename*=iso-8859-1'en'caf%E9.pdf";
        assert_eq!(
            Parameters::parse(one).unwrap().get("filename"),
            Some("café.pdf")
        );
    }

    #[test]
    fn ambiguous_ones_are_refused() {
        for text in [
            "",
            "text/",
            "text/plain charset=x",
            "text/plain; charset",
            "text/plain; charset=",
            "text/plain; charset=a; charset=b",
            "text/plain; charset=a; Charset=a",
            "text/plain (comment)",
            "text/plain; charset=\"a",
            "multipart/mixed; boundary*0=a; boundary*1=b",
            "multipart/mixed; boundary*=utf-8''a",
            "attachment; filename=a; filename*=utf-8''b",
            "attachment; filename*1=a",
            "attachment; filename*0=a; filename*2=b",
            "attachment; filename*=noquotes",
            "attachment; filename*=utf-8''%C3",
            "attachment; filename*=utf-8''%zz",
            "attachment; filename*0=a; name*0=b",
        ] {
            assert!(Parameters::parse(text).is_err(), "{text}");
        }
    }
}
