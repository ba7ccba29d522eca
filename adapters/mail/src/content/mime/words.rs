//! Encoded words (RFC 2047) in subjects and display names.

use super::charset;
use super::decode::{base64, quoted_word};
use crate::content::fault::{Fault, Read, rule};

/// Decodes all encoded words of an unstructured value. White space between
/// two of them is dropped (RFC 2047 section 6.2). Text in them may have no
/// control characters: a decoded line end would begin a header of its own.
pub(crate) fn decode_words(value: &str) -> Read<String> {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, from) = rest.split_at(start);
        let Some((word, after)) = next_word(from)? else {
            out.push_str(before);
            out.push_str("=?");
            rest = from.get(2..).unwrap_or_default();
            after_word = false;
            continue;
        };
        if !(after_word && before.chars().all(|c| matches!(c, ' ' | '\t'))) {
            out.push_str(before);
        }
        out.push_str(&word);
        rest = after;
        after_word = true;
    }
    out.push_str(rest);
    if out.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Fault::malformed(
            "a control character in an encoded word",
            rule::WORDS,
        ));
    }
    Ok(out)
}

/// The word at the start of `text`, decoded, and what follows; none if there
/// is none (`=?` alone is plain text).
fn next_word(text: &str) -> Read<Option<(String, &str)>> {
    let Some(inner) = text.strip_prefix("=?") else {
        return Ok(None);
    };
    let Some((charset, inner)) = inner.split_once('?') else {
        return Ok(None);
    };
    let Some((encoding, inner)) = inner.split_once('?') else {
        return Ok(None);
    };
    let Some((encoded, after)) = inner.split_once("?=") else {
        return Ok(None);
    };
    let token = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
    if !token(charset) || encoded.contains([' ', '\t']) || !encoded.is_ascii() {
        return Ok(None);
    }
    let octets = match encoding {
        "B" | "b" => base64(encoded.as_bytes())?,
        "Q" | "q" => quoted_word(encoded)?,
        _ => return Ok(None),
    };
    // A language tag may follow the charset (RFC 2231 section 5).
    let charset = charset.split('*').next().unwrap_or_default();
    charset::decode(&octets, Some(charset)).map(|word| Some((word, after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded() {
        for (value, text) in [
            ("plain =? text", "plain =? text"),
            ("=?utf-8?Q?caf=C3=A9?=", "café"),
            ("=?UTF-8?B?zpXOu867zqzOtM6x?=", "Ελλάδα"),
            ("=?iso-8859-1?q?a_b?= =?iso-8859-1?q?_c?= d", "a b c d"),
            ("x =?utf-8?q?y?= z", "x y z"),
            ("=?utf-8*en?q?y?=", "y"),
            ("=?utf-8?x?y?=", "=?utf-8?x?y?="),
        ] {
            assert_eq!(decode_words(value).unwrap(), text);
        }
    }

    #[test]
    fn injected_lines_and_broken_words_are_refused() {
        for value in [
            "=?utf-8?Q?x=0D=0ABcc:_evil?=",
            "=?utf-8?B?DQpCY2M6?=",
            "=?utf-8?Q?x=00?=",
            "=?utf-8?Q?=C3?=",
            "=?utf-7?Q?x?=",
            "=?utf-8?B?*?=",
            "=?utf-8?Q?=ZZ?=",
        ] {
            assert!(decode_words(value).is_err(), "{value}");
        }
    }
}
