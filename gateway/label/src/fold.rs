//! Folding a text to the form in which markings are compared, and detecting
//! texts that were made to look like something else.
//!
//! Folding ignores case, accents, spacing and the kind of dash; nothing else.
//! What would need more than that to match a marking is not folded but
//! reported as suspicious (Unicode UTS #39: mixed scripts,
//! whole-script look-alikes, invisible characters).

mod deceit;

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

use crate::LabelError;
use crate::fold::deceit::{control, inspect};

pub(crate) use deceit::skeleton;

/// A text in folded form: words separated by one space; `, ; ( ) [ ]` are
/// words of their own; `//` reads as `;`.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    text: String,
    words: Vec<Word>,
}

/// One word of a folded text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    /// Where it starts and ends in the folded text, in bytes.
    pub(crate) start: usize,
    /// End, exclusive.
    pub(crate) end: usize,
    /// Where it starts in the original, in characters from 1.
    pub(crate) at: usize,
    /// True if every character of the original word was ASCII.
    pub(crate) ascii: bool,
    /// True if the original word has no small letter.
    pub(crate) upper: bool,
}

impl Folded {
    /// The words.
    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    /// The folded text of the words `from..to`.
    pub(crate) fn span(&self, from: usize, to: usize) -> &str {
        let (Some(first), Some(last)) = (
            self.words.get(from),
            to.checked_sub(1).and_then(|i| self.words.get(i)),
        ) else {
            return "";
        };
        self.text.get(first.start..last.end).unwrap_or("")
    }

    /// The word at this index, empty past the end.
    pub(crate) fn word(&self, at: usize) -> &str {
        self.span(at, at + 1)
    }
}

/// Folds without looking for deceit: for texts of our own (scheme files).
pub(crate) fn fold(text: &str) -> Folded {
    let mut folder = Folder::default();
    for (index, c) in text.chars().enumerate() {
        folder.push(index + 1, c);
    }
    folder.finish()
}

/// The folded text alone.
pub(crate) fn key(text: &str) -> String {
    fold(text).text
}

/// Folds a text from outside.
///
/// # Errors
/// `Suspicious` for invisible characters, compatibility forms, mixed scripts;
/// `Malformed` for control characters.
pub(crate) fn fold_strict(text: &str) -> Result<Folded, LabelError> {
    if !text.is_ascii() {
        inspect(text)?;
    } else if let Some(at) = text
        .bytes()
        .position(|b| b.is_ascii_control() && !matches!(b, b'\t' | b'\r' | b'\n'))
    {
        return Err(control(at + 1));
    }
    Ok(fold(text))
}

#[derive(Default)]
struct Folder {
    out: Folded,
    /// A space is due before the next letter.
    space: bool,
    /// The last thing written glues to what follows (`/` or `-`).
    glue: bool,
    word: Option<Word>,
    /// The word has a small letter.
    lower: bool,
}

impl Folder {
    fn push(&mut self, at: usize, c: char) {
        if c.is_ascii_alphanumeric() {
            self.letter(at, c.to_ascii_uppercase(), true);
            self.lower |= c.is_ascii_lowercase();
        } else if c.is_whitespace() {
            self.space = true;
        } else if let Some(c @ ('/' | '-')) = glue_of(c) {
            if c == '/' && self.out.text.ends_with('/') {
                self.out.text.pop();
                self.close();
                self.out.text.truncate(self.out.text.trim_end().len());
                self.mark(at, ';');
            } else {
                self.space = false;
                self.letter(at, c, true);
                self.glue = true;
            }
        } else if matches!(c, ',' | ';' | '(' | ')' | '[' | ']') {
            self.mark(at, c);
        } else if c.is_ascii() {
            self.letter(at, c, true);
        } else {
            let mut base = |b: char| {
                if !is_combining_mark(b) {
                    self.fold_letter(at, b);
                }
            };
            decompose_canonical(c, &mut base);
            self.lower |= c.is_lowercase();
        }
    }

    /// Letters that no decomposition takes apart.
    fn fold_letter(&mut self, at: usize, c: char) {
        match c {
            'ß' | 'ẞ' => {
                self.letter(at, 'S', false);
                self.letter(at, 'S', false);
            }
            'æ' | 'Æ' => {
                self.letter(at, 'A', false);
                self.letter(at, 'E', false);
            }
            'ø' | 'Ø' => self.letter(at, 'O', false),
            'đ' | 'Đ' => self.letter(at, 'D', false),
            'ħ' | 'Ħ' => self.letter(at, 'H', false),
            'ł' | 'Ł' => self.letter(at, 'L', false),
            'ı' => self.letter(at, 'I', false),
            _ => {
                for upper in c.to_uppercase() {
                    self.letter(at, upper, false);
                }
            }
        }
    }

    fn letter(&mut self, at: usize, c: char, ascii: bool) {
        if self.space && !self.glue {
            self.close();
        }
        self.space = false;
        self.glue = false;
        if self.word.is_none() && !self.out.text.is_empty() {
            self.out.text.push(' ');
        }
        let start = self.out.text.len();
        let word = self.word.get_or_insert(Word {
            start,
            end: start,
            at,
            ascii: true,
            upper: true,
        });
        word.ascii &= ascii;
        self.out.text.push(c);
        word.end = self.out.text.len();
    }

    fn mark(&mut self, at: usize, c: char) {
        self.close();
        self.letter(at, c, true);
        self.close();
    }

    fn close(&mut self) {
        self.space = false;
        self.glue = false;
        if let Some(mut word) = self.word.take() {
            word.upper = !std::mem::take(&mut self.lower);
            word.end = word.end.min(self.out.text.len());
            if word.start < word.end {
                self.out.words.push(word);
            }
        }
    }

    fn finish(mut self) -> Folded {
        self.close();
        self.out
    }
}

/// `-` for every dash, `/` for a slash.
const fn glue_of(c: char) -> Option<char> {
    match c {
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '/' => Some('/'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;
    use unicode_normalization::UnicodeNormalization;

    #[test]
    fn folds_case_accents_spacing_and_dashes() {
        assert_eq!(
            key("très  secret ue / eu top secret"),
            "TRES SECRET UE/EU TOP SECRET"
        );
        assert_eq!(
            key("VS – nur für den Dienstgebrauch"),
            "VS-NUR FUR DEN DIENSTGEBRAUCH"
        );
        assert_eq!(key("L-Ogħla Segretezza"), "L-OGHLA SEGRETEZZA");
        assert_eq!(key("Άκρως Απόρρητο (ΑΑΠ)"), "ΑΚΡΩΣ ΑΠΟΡΡΗΤΟ ( ΑΑΠ )");
        assert_eq!(key("tajné"), key("TAJNE"));
        assert_eq!(key("SECRET//REL TO EU,NOR"), "SECRET ; REL TO EU , NOR");
        assert_eq!(key("  "), "");
    }

    #[test]
    fn words_point_into_the_original() {
        let folded = fold("ä, SECRET  UE");
        let at: Vec<_> = folded.words().iter().map(|w| w.at).collect();
        assert_eq!(at, [1, 2, 4, 12]);
        assert_eq!(folded.span(2, 4), "SECRET UE");
        assert_eq!(folded.word(9), "");
    }

    #[test]
    fn deceit_is_found() {
        for text in [
            "SEC\u{200B}RET UE",
            "SЕCRET UE",
            "ＳＥＣＲＥＴ UE",
            "S\u{337}ECRET UE",
            "TLP:\u{202E}RED",
            "a\u{301}\u{302}\u{303}",
        ] {
            assert_eq!(
                fold_strict(text).unwrap_err().fault,
                Fault::Suspicious,
                "{text:?}"
            );
        }
        assert_eq!(
            fold_strict("SECRET\u{0}").unwrap_err().fault,
            Fault::Malformed
        );
        for text in [
            "Строго секретно",
            "Άκρως Απόρρητο (ΑΑΠ)",
            "Přísně tajné",
            "Sevišķi slepeni",
            "Ściśle tajne",
        ] {
            fold_strict(text).unwrap();
            let decomposed: String = text.nfd().collect();
            fold_strict(&decomposed).unwrap();
        }
    }

    #[test]
    fn skeletons_show_what_a_reader_sees() {
        for text in [
            "SЕCRЕT UE",
            "ＳＥＣＲＥＴ UE",
            "SEC\u{200B}RET UE",
            "ЅЕСRЕТ UE",
            "𝐒𝐄𝐂𝐑𝐄𝐓 UE",
        ] {
            assert_eq!(key(&skeleton(text)), "SECRET UE", "{text:?}");
        }
        assert_eq!(skeleton("TLP:\u{421}lear"), "TLP:Clear");
        assert_eq!(skeleton("сlear"), "clear");
    }
}
