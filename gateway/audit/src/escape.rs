//! Text that a log line can hold without harm.
//!
//! What a peer says can carry line ends, terminal sequences, letters that look
//! like others and marks that turn the reading direction. All that is not
//! plain is written as an escape, which is reversible: `\` itself is escaped.

use sha2::{Digest as _, Sha256};

use crate::Hash;

/// Text with its escapes, cut at a number of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Escaped {
    pub(crate) text: String,
    /// If it was cut: characters of the escaped whole, and the SHA-256 of the
    /// value as it was given.
    pub(crate) cut: Option<(u64, Hash)>,
}

/// Escapes and cuts. Bytes that are not UTF-8 become `\x{..}`.
pub(crate) fn escape(bytes: &[u8], max_chars: usize) -> Escaped {
    let mut text = String::new();
    let (mut kept, mut total) = (0_usize, 0_u64);
    let mut piece = String::new();
    let mut push = |piece: &str| {
        let chars = piece.chars().count();
        total = total.saturating_add(chars as u64);
        // An escape is kept whole or not at all, and nothing follows a gap.
        if kept.saturating_add(chars) <= max_chars && kept != usize::MAX {
            kept += chars;
            text.push_str(piece);
        } else {
            kept = usize::MAX;
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            piece.clear();
            if c == '\\' {
                piece.push_str("\\\\");
            } else if is_plain(c) {
                piece.push(c);
            } else {
                piece.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            push(&piece);
        }
        for byte in chunk.invalid() {
            piece.clear();
            piece.push_str(&format!("\\x{{{byte:02x}}}"));
            push(&piece);
        }
    }
    let cut = (kept == usize::MAX).then(|| (total, Sha256::digest(bytes).into()));
    Escaped { text, cut }
}

/// True if a recorded text holds nothing that [`escape`] would have escaped.
pub(crate) fn is_escaped(text: &str) -> bool {
    text.chars().all(|c| c == '\\' || is_plain(c))
}

/// Printable ASCII but the backslash, and the Latin letters of the EU's
/// languages: left to right, one shape each.
const fn is_plain(c: char) -> bool {
    matches!(c, ' '..='[' | ']'..='~' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{17f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injection_table() {
        for (input, expected) in [
            (&b"plain text 42"[..], "plain text 42"),
            (b"a\r\nb", "a\\u{d}\\u{a}b"),
            (b"\x1b[31mred\x1b[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            ("x\u{202e}y\u{2066}z".as_bytes(), "x\\u{202e}y\\u{2066}z"),
            ("\u{435}uropol".as_bytes(), "\\u{435}uropol"),
            (
                "\u{2028}\u{feff}\u{e000}".as_bytes(),
                "\\u{2028}\\u{feff}\\u{e000}",
            ),
            (b"\0\x07\x7f\t", "\\u{0}\\u{7}\\u{7f}\\u{9}"),
            (b"back\\slash \\u{41}", "back\\\\slash \\\\u{41}"),
            (b"not \xff utf \xc3", "not \\x{ff} utf \\x{c3}"),
            ("Gr\u{fc}nwald \u{142}".as_bytes(), "Gr\u{fc}nwald \u{142}"),
            ("\u{d7}\u{f7}".as_bytes(), "\\u{d7}\\u{f7}"),
            (b"\"quoted\"", "\"quoted\""),
        ] {
            let escaped = escape(input, 256);
            assert_eq!(escaped.text, expected);
            assert_eq!(escaped.cut, None);
            assert!(is_escaped(&escaped.text));
        }
    }

    #[test]
    fn long_text_is_cut_and_its_hash_kept() {
        let long = vec![b'a'; 1024 * 1024];
        let escaped = escape(&long, 256);
        assert_eq!(escaped.text.len(), 256);
        assert_eq!(
            escaped.cut,
            Some((1024 * 1024, Sha256::digest(&long).into()))
        );
        assert_eq!(escape(&long[..256], 256).cut, None);
    }

    #[test]
    fn an_escape_is_never_cut_in_two() {
        let text = format!("{}\n{}", "a".repeat(8), "b".repeat(100));
        let escaped = escape(text.as_bytes(), 10);
        assert_eq!(escaped.text, "aaaaaaaa");
        assert!(escaped.cut.is_some());
    }
}
