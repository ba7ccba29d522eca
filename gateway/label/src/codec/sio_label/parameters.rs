//! RFC 2045 parameters with the extensions of RFC 2231.

use std::collections::BTreeMap;

use crate::codec::MAX_LABEL;
use crate::codec::sio_label::fault;
use crate::error::{Fault, LabelError};

/// Longest piece of a value on one line.
const PIECE: usize = 48;
/// Most pieces of one value.
const MAX_PIECES: usize = 4096;

/// A value put together again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) language: Option<String>,
}

/// One section of a value: `name*3*`.
struct Piece {
    raw: String,
    encoded: bool,
}

/// Splits a header value into named values.
pub(super) fn split(header: &str) -> Result<BTreeMap<String, Value>, LabelError> {
    if header.len() > 2 * MAX_LABEL {
        return Err(fault(
            Fault::TooLarge,
            "SIO-Label",
            "a header larger than 128 KiB",
        ));
    }
    let unfolded = unfold(header)?;
    let mut pieces: BTreeMap<String, BTreeMap<Option<usize>, Piece>> = BTreeMap::new();
    let mut scanner = Scanner { rest: &unfolded };
    let mut count = 0;
    loop {
        scanner.space();
        let name = scanner.token()?.to_ascii_lowercase();
        scanner.expect('=')?;
        let raw = scanner.value()?;
        let (name, section, encoded) = section(&name)?;
        count += 1;
        let of = pieces.entry(name.clone()).or_default();
        if count > MAX_PIECES || of.insert(section, Piece { raw, encoded }).is_some() {
            return Err(fault(Fault::Conflict, &known(&name), "a parameter twice"));
        }
        scanner.space();
        if scanner.rest.is_empty() {
            break;
        }
        scanner.expect(';')?;
        scanner.space();
        if scanner.rest.is_empty() {
            break;
        }
    }
    pieces
        .into_iter()
        .map(|(name, sections)| join(&name, sections).map(|value| (name, value)))
        .collect()
}

/// Names are echoed in errors only if they are this header's own.
fn known(name: &str) -> String {
    match name {
        "marking" | "fgcolor" | "bgcolor" | "type" | "label" => name.to_owned(),
        _ => "SIO-Label".to_owned(),
    }
}

fn unfold(header: &str) -> Result<String, LabelError> {
    let mut out = String::with_capacity(header.len());
    let mut chars = header.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => match chars.peek() {
                Some(' ' | '\t') => {}
                None => {}
                Some(_) => return Err(malformed("a line that does not begin with a space")),
            },
            '\t' | ' '..='~' => out.push(c),
            _ => return Err(malformed("a character outside of printable ASCII")),
        }
    }
    Ok(out)
}

fn malformed(what: &str) -> LabelError {
    fault(Fault::Malformed, "SIO-Label", what)
}

/// `label*12*` to (`label`, section 12, encoded).
fn section(name: &str) -> Result<(String, Option<usize>, bool), LabelError> {
    let Some((base, rest)) = name.split_once('*') else {
        return Ok((name.to_owned(), None, false));
    };
    if rest.is_empty() {
        return Ok((base.to_owned(), None, true));
    }
    let (number, encoded) = match rest.strip_suffix('*') {
        Some(number) => (number, true),
        None => (rest, false),
    };
    let plain = number == "0" || (!number.starts_with('0') && !number.is_empty());
    let number: usize = number
        .parse()
        .ok()
        .filter(|_| plain && number.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(|| malformed("a section that has no plain number"))?;
    Ok((base.to_owned(), Some(number), encoded))
}

fn join(name: &str, mut sections: BTreeMap<Option<usize>, Piece>) -> Result<Value, LabelError> {
    let broken = |what: &str| fault(Fault::Malformed, &known(name), what);
    let mut bytes = Vec::new();
    let mut language = None;
    let mut charset = None;
    let single = sections.remove(&None);
    if single.is_some() && !sections.is_empty() {
        return Err(fault(
            Fault::Conflict,
            &known(name),
            "a parameter both whole and in sections",
        ));
    }
    let pieces = single.map(|piece| (0, piece)).into_iter().chain(
        sections
            .into_iter()
            .filter_map(|(number, piece)| number.map(|number| (number, piece))),
    );
    for (expected, (number, piece)) in pieces.enumerate() {
        if expected != number {
            return Err(broken("a section is missing"));
        }
        let mut raw = piece.raw.as_str();
        if piece.encoded {
            if number == 0 {
                let mut parts = raw.splitn(3, '\'');
                let (Some(set), Some(lang), Some(rest)) =
                    (parts.next(), parts.next(), parts.next())
                else {
                    return Err(broken(
                        "an encoded value without character set and language",
                    ));
                };
                charset = Some(set.to_ascii_lowercase());
                language = Some(lang.to_owned()).filter(|lang| !lang.is_empty());
                raw = rest;
            } else if charset.is_none() {
                return Err(broken(
                    "an encoded section whose first section says no character set",
                ));
            }
            percent(raw, &mut bytes).ok_or_else(|| broken("a percent sign without two digits"))?;
        } else {
            bytes.extend_from_slice(raw.as_bytes());
        }
        if bytes.len() > 2 * MAX_LABEL {
            return Err(fault(Fault::TooLarge, &known(name), "larger than 128 KiB"));
        }
    }
    match charset.as_deref() {
        None | Some("utf-8" | "us-ascii") => {}
        Some(_) => {
            return Err(fault(
                Fault::Unknown,
                &known(name),
                "a character set other than UTF-8 and US-ASCII",
            ));
        }
    }
    if charset.as_deref() == Some("us-ascii") && !bytes.is_ascii() {
        return Err(broken("bytes outside of its character set"));
    }
    let text = String::from_utf8(bytes).map_err(|_| broken("bytes that are not UTF-8"))?;
    Ok(Value { text, language })
}

fn percent(raw: &str, out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = raw.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(b);
        }
    }
    Some(())
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn expect(&mut self, sign: char) -> Result<(), LabelError> {
        self.rest = self
            .rest
            .strip_prefix(sign)
            .ok_or_else(|| malformed("not a list of parameters: name=value; name=value"))?;
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (token, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        token
    }

    fn token(&mut self) -> Result<&'a str, LabelError> {
        let end = self
            .rest
            .find(|c: char| !is_token(c))
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err(malformed(
                "not a list of parameters: name=value; name=value",
            ));
        }
        Ok(self.take(end))
    }

    fn value(&mut self) -> Result<String, LabelError> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return self.token().map(str::to_owned);
        };
        let mut out = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = quoted.get(at + 1..).unwrap_or("");
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, c)) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err(malformed("a quotation mark is not closed"))
    }
}

/// Token characters of RFC 2045.
const fn is_token(c: char) -> bool {
    matches!(c, '!'..='~')
        && !matches!(
            c,
            '(' | ')'
                | '<'
                | '>'
                | '@'
                | ','
                | ';'
                | ':'
                | '\\'
                | '"'
                | '/'
                | '['
                | ']'
                | '?'
                | '='
        )
}

/// Appends a parameter, in sections where it is long, encoded where it is not
/// printable ASCII.
pub(super) fn text(out: &mut Vec<String>, name: &str, value: &str, language: Option<&str>) {
    let plain = language.is_none() && value.bytes().all(|b| matches!(b, b' '..=b'~'));
    let mut pieces = Pieces::default();
    if plain {
        for c in value.chars() {
            match c {
                '"' => pieces.push("\\\""),
                '\\' => pieces.push("\\\\"),
                c => pieces.push(c.encode_utf8(&mut [0; 4])),
            }
        }
        match pieces.0.as_slice() {
            [] => out.push(format!("{name}=\"\"")),
            [one] => out.push(format!("{name}=\"{one}\"")),
            many => {
                let named = many.iter().enumerate();
                out.extend(named.map(|(at, piece)| format!("{name}*{at}=\"{piece}\"")));
            }
        }
        return;
    }
    for b in value.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'+') {
            pieces.push(char::from(b).encode_utf8(&mut [0; 4]));
        } else {
            pieces.push(&format!("%{b:02X}"));
        }
    }
    let language = language.unwrap_or("");
    match pieces.0.as_slice() {
        [] => out.push(format!("{name}*=utf-8'{language}'")),
        [one] => out.push(format!("{name}*=utf-8'{language}'{one}")),
        many => out.extend(many.iter().enumerate().map(|(at, piece)| match at {
            0 => format!("{name}*0*=utf-8'{language}'{piece}"),
            at => format!("{name}*{at}*={piece}"),
        })),
    }
}

/// Pieces of at most [`PIECE`] characters; no unit is split.
#[derive(Default)]
struct Pieces(Vec<String>);

impl Pieces {
    fn push(&mut self, unit: &str) {
        match self.0.last_mut() {
            Some(last) if last.len() + unit.len() <= PIECE => last.push_str(unit),
            _ => {
                let mut piece = String::with_capacity(PIECE);
                piece.push_str(unit);
                self.0.push(piece);
            }
        }
    }
}
