//! Octets to text, for the charsets on the list and no others. UTF-7, UTF-16
//! and ISO-2022 hide text from whoever does not decode them and are not on it.

use mail_parser::decoders::charsets::map::charset_decoder;

use crate::content::fault::{Fault, Read, rule};

/// The charsets of the EU's languages, one octet for a character; lower case.
const SINGLE: [&str; 15] = [
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-3",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-7",
    "iso-8859-10",
    "iso-8859-13",
    "iso-8859-14",
    "iso-8859-15",
    "iso-8859-16",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
];

/// Decodes `octets`. `charset` none means US-ASCII (RFC 2046 section 4.1.2).
pub(crate) fn decode(octets: &[u8], charset: Option<&str>) -> Read<String> {
    let charset = charset.unwrap_or("us-ascii").to_ascii_lowercase();
    let text = match charset.as_str() {
        "us-ascii" | "ascii" if octets.is_ascii() => String::from_utf8_lossy(octets).into_owned(),
        "us-ascii" | "ascii" => {
            return Err(Fault::malformed(
                "octets beyond ASCII without a charset for them",
                rule::CHARSET,
            ));
        }
        "utf-8" | "utf8" => std::str::from_utf8(octets)
            .map_err(|_| Fault::malformed("text that is not valid UTF-8", rule::CHARSET))?
            .to_owned(),
        other if SINGLE.contains(&other) || other == "windows-1257" => {
            let decoder = charset_decoder(other.as_bytes())
                .ok_or_else(|| Fault::malformed("a charset without decoder", rule::CHARSET))?;
            decoder(octets)
        }
        _ => {
            return Err(Fault::malformed(
                "a charset that is not accepted; send UTF-8",
                rule::CHARSET,
            ));
        }
    };
    if text.chars().any(is_no_character) {
        return Err(Fault::malformed(
            "text with characters that do not exist",
            rule::CHARSET,
        ));
    }
    Ok(text)
}

/// The replacement character, and code points that are no characters.
fn is_no_character(c: char) -> bool {
    let code = u32::from(c);
    c == '\u{fffd}' || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// Characters that turn the direction of text around (UAX #9): what is read
/// is not what is there.
pub(crate) const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_charsets_are_decoded() {
        for (octets, charset, text) in [
            (&b"plain"[..], None, "plain"),
            ("Ελλάδα".as_bytes(), Some("UTF-8"), "Ελλάδα"),
            (b"caf\xe9", Some("ISO-8859-1"), "café"),
            (b"\xc1\xe8", Some("iso-8859-7"), "Αθ"),
            (b"\xcf\xee", Some("windows-1251"), "По"),
            (b"\xa4", Some("iso-8859-15"), "€"),
        ] {
            assert_eq!(decode(octets, charset).unwrap(), text);
        }
    }

    #[test]
    fn others_and_broken_text_are_refused() {
        for (octets, charset) in [
            (&b"+ADw-"[..], Some("utf-7")),
            (b"a\0b\0", Some("utf-16")),
            (b"\x1b$B", Some("iso-2022-jp")),
            (b"a", Some("gb18030")),
            (b"a", Some("")),
            (b"\xe9", None),
            (b"\xe9", Some("us-ascii")),
            (b"\xc0\xaf", Some("utf-8")),
            (b"\xed\xa0\x80", Some("utf-8")),
            (b"\xef\xbf\xbf", Some("utf-8")),
            (b"\xef\xb7\x90", Some("utf-8")),
            (b"\xef\xbf\xbd", Some("utf-8")),
        ] {
            assert!(decode(octets, charset).is_err(), "{octets:?} {charset:?}");
        }
    }
}
