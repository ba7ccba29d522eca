//! Text into mail: dates, encoded words, quoted-printable, base64, parameters.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_message::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Longest line that is written, characters.
const LINE: usize = 76;

/// A date as in `Date` fields, UTC.
pub(super) fn date(at: Timestamp) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(at.as_micros().div_euclid(1_000_000)).ok()?;
    if !(1970..=2199).contains(&at.year()) {
        return None;
    }
    at.format(&Rfc2822).ok()
}

/// One line of text: what would end or hide it becomes a space.
pub(super) fn single_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    spaced.trim().to_owned()
}

/// An unstructured value: as it is, or in encoded words of at most 75
/// characters, folded. `used` is what stands on the line before it.
pub(super) fn unstructured(text: &str, used: usize) -> String {
    let text = single_line(text);
    let plain = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !text.contains("=?")
        && !text.contains("  ")
        && used + text.len() <= LINE;
    if plain { text } else { words(&text) }
}

/// A display name before `<address>`.
pub(super) fn display_name(text: &str) -> String {
    let text = single_line(text);
    let plain = !text.is_empty()
        && text.len() <= 60
        && text
            .bytes()
            .all(|b| b == b' ' || b.is_ascii_alphanumeric() || b"-_.'+&/".contains(&b))
        && !text.contains("  ");
    if plain {
        format!("\"{text}\"")
    } else {
        words(&text)
    }
}

fn words(text: &str) -> String {
    // 45 octets are 60 characters of base64, and 12 more make the word.
    let mut out = String::new();
    let mut piece = String::new();
    let mut push = |piece: &mut String| {
        if !out.is_empty() {
            out.push_str("\r\n ");
        }
        out.push_str("=?utf-8?B?");
        out.push_str(&STANDARD.encode(piece.as_bytes()));
        out.push_str("?=");
        piece.clear();
    };
    for c in text.chars() {
        if piece.len() + c.len_utf8() > 45 {
            push(&mut piece);
        }
        piece.push(c);
    }
    if !piece.is_empty() {
        push(&mut piece);
    }
    out
}

/// A text as a body: its transfer encoding and its octets, CRLF. The lines
/// are as they are where every server leaves them alone, else
/// quoted-printable, or base64 where most of it is not ASCII.
pub(super) fn body(text: &str) -> (&'static str, Vec<u8>) {
    let lines = || text.split('\n');
    let plain = text.is_ascii()
        && lines().all(|line| {
            line.len() <= LINE
                && !line.ends_with([' ', '\t'])
                && !line.starts_with("From ")
                && !line.starts_with("--=_")
                && line != "."
        });
    if plain {
        return (
            "7bit",
            (lines().collect::<Vec<_>>().join("\r\n") + "\r\n").into_bytes(),
        );
    }
    let ascii = text.bytes().filter(u8::is_ascii).count();
    if ascii * 2 < text.len() {
        let crlf = lines().collect::<Vec<_>>().join("\r\n") + "\r\n";
        return ("base64", base64_lines(crlf.as_bytes()));
    }
    let mut out = Vec::with_capacity(text.len() / 2 * 3);
    for line in lines() {
        quoted(line.as_bytes(), &mut out);
        out.extend_from_slice(b"\r\n");
    }
    ("quoted-printable", out)
}

fn quoted(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (index, &octet) in line.iter().enumerate() {
        let last = index + 1 == line.len();
        let literal = match octet {
            b'=' => false,
            b' ' | b'\t' => !last,
            // Dots and `From ` at the start of a line are meddled with by some servers.
            b'.' | b'F' | b'-' if column == 0 => false,
            other => other.is_ascii_graphic(),
        };
        let width = if literal { 1 } else { 3 };
        if column + width > LINE - 1 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if literal {
            out.push(octet);
        } else {
            out.extend_from_slice(format!("={octet:02X}").as_bytes());
        }
        column += width;
    }
}

/// base64 in lines of 76 characters, each ended by CRLF.
pub(super) fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() / 57 * 78 + 80);
    let mut line = [0u8; LINE];
    for piece in octets.chunks(57) {
        if let Ok(length) = STANDARD.encode_slice(piece, &mut line) {
            out.extend_from_slice(line.get(..length).unwrap_or_default());
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// The file name of an attachment as parameters of its disposition: a token
/// in quotes, or extended in pieces (RFC 2231).
pub(super) fn file_name(name: &str) -> String {
    let name = single_line(name);
    let plain = name.len() <= 60
        && name
            .bytes()
            .all(|b| b == b' ' || (b.is_ascii_graphic() && !b"\"\\".contains(&b)));
    if plain {
        return format!("filename=\"{name}\"");
    }
    let mut encoded = Vec::new();
    let mut piece = "utf-8''".to_owned();
    for c in name.chars() {
        let mut buffer = [0u8; 4];
        let mut code = String::new();
        for octet in c.encode_utf8(&mut buffer).bytes() {
            if octet.is_ascii_alphanumeric() || b"-._".contains(&octet) {
                code.push(char::from(octet));
            } else {
                // Writing to a string cannot fail.
                let _infallible = write!(code, "%{octet:02X}");
            }
        }
        if piece.len() + code.len() > 55 {
            encoded.push(std::mem::take(&mut piece));
        }
        piece.push_str(&code);
    }
    encoded.push(piece);
    let pieces = encoded.iter().enumerate();
    let all: Vec<_> = pieces
        .map(|(index, piece)| format!("filename*{index}*={piece}"))
        .collect();
    all.join(";\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::mime::decode::Encoding;
    use crate::content::mime::parameters::Parameters;
    use crate::content::mime::words::decode_words;

    #[test]
    fn what_is_encoded_is_decoded() {
        for text in [
            "plain",
            "",
            "=?utf-8?Q?x?=",
            "Ελλάδα – ένα θέμα",
            "a  b",
            &"long words ".repeat(40),
            &"ж".repeat(300),
        ] {
            let value = unstructured(text, 9);
            assert!(value.split("\r\n").all(|line| line.len() <= 76), "{value}");
            let unfolded = value.replace("\r\n", "");
            assert_eq!(decode_words(&unfolded).unwrap(), text.trim());
        }
        for text in [
            "a\nb",
            "trailing \nFrom me\n.\n..\n--x\n",
            "caf\u{e9} = \t",
            &"x".repeat(500),
            "Ελλάδα\nж",
            "",
            "\u{1b}[31m",
        ] {
            let (encoding, octets) = body(text);
            assert!(octets.split(|&b| b == b'\n').all(|line| line.len() <= 78));
            let decoded = Encoding::parse(Some(encoding))
                .unwrap()
                .decode(&octets)
                .unwrap();
            assert_eq!(
                String::from_utf8(decoded).unwrap(),
                text.replace('\n', "\r\n") + "\r\n"
            );
        }
        for name in ["a.pdf", "a \"b\".pdf", "Ελλάδα.pdf", &"long".repeat(60)] {
            let value = format!("attachment; {}", file_name(name)).replace("\r\n", "");
            assert_eq!(
                Parameters::parse(&value).unwrap().get("filename"),
                Some(name)
            );
        }
    }

    #[test]
    fn dates_are_written_as_mail_writes_them() {
        let at = Timestamp::parse("2026-11-22T09:00:00Z").unwrap();
        assert_eq!(date(at).unwrap(), "Sun, 22 Nov 2026 09:00:00 +0000");
        assert_eq!(date(Timestamp::from_micros(i64::MAX)), None);
        assert_eq!(date(Timestamp::from_micros(-1)), None);
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        for name in ["a\" <evil@x.example>", "a\r\nBcc: x", "a, b", ""] {
            let shown = display_name(name);
            assert!(!shown.contains("evil") && !shown.contains("Bcc"), "{shown}");
        }
    }
}
