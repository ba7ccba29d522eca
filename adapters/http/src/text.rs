//! Which characters text from a peer may have. What breaks a rule is refused,
//! never cleaned.

use chancery_message::Malformed;

/// Refuses with a sentence and its rule.
#[must_use]
pub fn malformed(what: impl Into<String>, rule: &str) -> Malformed {
    Malformed {
        what: what.into(),
        rule: rule.to_owned(),
    }
}

/// Where the interface states its own rules, for refusals.
#[derive(Clone, Copy, Debug)]
pub struct Schema(
    /// Its name, for example `siena-style-1.xsd, element message`.
    pub &'static str,
);

const CHARACTERS: &str = "no control or direction characters; Unicode UTR 36 section 2";

impl Schema {
    /// A line: no control characters, no line ends, nothing that turns or hides text.
    ///
    /// # Errors
    /// [`Malformed`], with what and which rule.
    pub fn line(self, field: &str, text: &str, max: usize) -> Result<(), Malformed> {
        if text.len() > max {
            return Err(malformed(
                format!("`{field}` is longer than {max} bytes"),
                self.0,
            ));
        }
        if text
            .chars()
            .any(|c| c.is_control() || hides(c) || is_noncharacter(c))
        {
            return Err(malformed(
                format!("`{field}` has a character that a line may not have"),
                CHARACTERS,
            ));
        }
        Ok(())
    }

    /// Text of lines ended by LF, with tabs.
    ///
    /// # Errors
    /// [`Malformed`], with what and which rule.
    pub fn lines(self, field: &str, text: &str, max: usize) -> Result<(), Malformed> {
        if text.len() > max {
            return Err(malformed(
                format!("`{field}` is longer than {max} bytes"),
                self.0,
            ));
        }
        if text.contains('\r') {
            return Err(malformed(
                format!("`{field}` has a carriage return: end lines by a line feed alone"),
                self.0,
            ));
        }
        if text
            .chars()
            .any(|c| (c.is_control() && c != '\n' && c != '\t') || is_noncharacter(c))
        {
            return Err(malformed(
                format!("`{field}` has a control character"),
                CHARACTERS,
            ));
        }
        Ok(())
    }

    /// An attachment's name: one line, no part of a path on any system.
    ///
    /// # Errors
    /// [`Malformed`], with what and which rule.
    pub fn file_name(self, field: &str, name: &str) -> Result<(), Malformed> {
        self.line(field, name, 255)?;
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', ':']) {
            return Err(malformed(
                format!("`{field}` is not a plain file name: no `/`, `\\` or `:`, not `.` or `..`"),
                self.0,
            ));
        }
        Ok(())
    }
}

/// `type/subtype`, lower case, without parameters (RFC 6838 section 4.2).
#[must_use]
pub fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        (1..=127).contains(&part.len())
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$&-^_.+".contains(&b))
            && part
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_alphanumeric())
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// Direction controls, line and paragraph separators, invisible spaces.
const fn hides(c: char) -> bool {
    matches!(
        c,
        '\u{061C}'
            | '\u{200B}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}'
    )
}

const fn is_noncharacter(c: char) -> bool {
    let c = c as u32;
    c & 0xFFFE == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Schema = Schema("rules of the tests");

    #[test]
    fn lines_are_plain() {
        for good in ["", "Grüße, “quoted”", "日本語", "نص", "a\u{200D}b"] {
            assert_eq!(RULES.line("x", good, 100), Ok(()), "{good}");
        }
        for bad in [
            "a\nb",
            "a\tb",
            "\u{0}",
            "\u{85}",
            "\u{202E}txt",
            "\u{FEFF}a",
            "a\u{2028}",
            "\u{FFFE}",
            "\u{E0041}",
        ] {
            assert!(RULES.line("x", bad, 100).is_err(), "{bad:?}");
        }
        assert!(RULES.line("x", "aaa", 2).is_err());
    }

    #[test]
    fn bodies_have_line_feeds_alone() {
        assert_eq!(RULES.lines("x", "a\n\tb\n", 100), Ok(()));
        for bad in ["a\r\nb", "\r", "\u{0}", "\u{1b}[2J", "\u{7f}", "\u{FDD0}"] {
            assert!(RULES.lines("x", bad, 100).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_have_no_path() {
        for good in ["a.pdf", "..a", "report (1).tar.gz", "{{7*7}}"] {
            assert_eq!(RULES.file_name("x", good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "a\\b",
            "C:a",
            "a\u{202E}fdp.exe",
            "a\u{0}",
        ] {
            assert!(RULES.file_name("x", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn media_types_are_lower_case_and_bare() {
        for good in ["text/plain", "application/vnd.ms-excel", "image/svg+xml"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "text",
            "/",
            "text/",
            "/plain",
            "Text/plain",
            "text/plain; x=y",
            "text/a/b",
            "text /plain",
        ] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
