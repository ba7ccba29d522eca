//! Texts that were made to look like something else.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

use crate::error::{Fault, LabelError, Place, rule};
use crate::fold::glue_of;

/// Scripts that European markings are written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Other,
}

fn script(c: char) -> Option<Script> {
    match c {
        'a'..='z'
        | 'A'..='Z'
        | '\u{AA}'
        | '\u{BA}'
        | '\u{C0}'..='\u{2AF}'
        | '\u{1D00}'..='\u{1D25}'
        | '\u{1E00}'..='\u{1EFF}'
        | '\u{2C60}'..='\u{2C7F}'
        | '\u{A720}'..='\u{A7FF}'
            if c.is_alphabetic() =>
        {
            Some(Script::Latin)
        }
        '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}' if c.is_alphabetic() => Some(Script::Greek),
        '\u{400}'..='\u{52F}'
        | '\u{1C80}'..='\u{1C8F}'
        | '\u{2DE0}'..='\u{2DFF}'
        | '\u{A640}'..='\u{A69F}'
            if c.is_alphabetic() =>
        {
            Some(Script::Cyrillic)
        }
        _ if c.is_alphabetic() => Some(Script::Other),
        _ => None,
    }
}

/// Characters that take no room: they split a word for a program and not for
/// a reader. Includes bidirectional controls and variation selectors.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFC}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Strokes laid over a letter, and marks stacked higher than any language does.
fn is_overlay(c: char) -> bool {
    matches!(c, '\u{334}'..='\u{338}' | '\u{20D0}'..='\u{20F0}')
        || (is_combining_mark(c) && canonical_combining_class(c) == 0)
}

/// A letter or digit in disguise: full width, mathematical, circled.
fn is_compatibility(c: char) -> bool {
    // ASCII and Latin-1 letters, Greek and Cyrillic proper never are.
    if ('\u{C0}'..'\u{2B0}').contains(&c)
        || ('\u{386}'..'\u{3D0}').contains(&c)
        || ('\u{400}'..'\u{530}').contains(&c)
    {
        return false;
    }
    let mut forms = std::iter::once(c).nfkc();
    let first = forms.next();
    !c.is_ascii() && !c.is_whitespace() && glue_of(c).is_none() && {
        let same = first == std::iter::once(c).nfc().next() && forms.next().is_none();
        !same
    }
}

pub(super) fn control(at: usize) -> LabelError {
    LabelError::new(
        Fault::Malformed,
        "a control character: a marking is printable text",
        Place::Character(at),
        rule::PRODUCT,
    )
}

fn suspicious(what: &str, at: usize) -> LabelError {
    LabelError::new(
        Fault::Suspicious,
        what,
        Place::Character(at),
        rule::CONFUSABLE,
    )
}

/// Refuses what a reader cannot see.
pub(super) fn inspect(text: &str) -> Result<(), LabelError> {
    let mut of_word = None;
    let mut marks = 0;
    for (index, c) in text.chars().enumerate() {
        let at = index + 1;
        if c.is_control() && !matches!(c, '\t' | '\r' | '\n') {
            return Err(control(at));
        }
        if c.is_ascii() && !c.is_ascii_alphabetic() {
            of_word = None;
            marks = 0;
            continue;
        }
        if is_invisible(c) {
            return Err(suspicious(
                "an invisible character in the marking: a person must look",
                at,
            ));
        }
        if is_combining_mark(c) {
            marks += 1;
            if marks > 2 || is_overlay(c) {
                return Err(suspicious(
                    "letters with strokes or stacked marks: a person must look",
                    at,
                ));
            }
            continue;
        }
        marks = 0;
        if is_compatibility(c) {
            return Err(suspicious(
                "letters in a disguised form: a person must look",
                at,
            ));
        }
        match (of_word, script(c)) {
            (_, None) => of_word = None,
            (None, found) => of_word = found,
            (Some(a), Some(b)) if a != b => {
                return Err(suspicious(
                    "one word in two scripts: a person must look",
                    at,
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What the text looks like to a reader, in Latin letters: invisible
/// characters dropped, disguised letters undone, look-alikes of other scripts
/// and digits replaced (a subset of the UTS #39 data that covers the letters
/// of markings).
pub(crate) fn skeleton(text: &str) -> String {
    text.chars()
        .filter(|&c| !is_invisible(c) && (!c.is_control() || c.is_whitespace()))
        .nfkd()
        .filter(|&c| !is_combining_mark(c))
        .map(|c| {
            let seen = lookalike(c);
            if c.is_lowercase() {
                seen.to_ascii_lowercase()
            } else {
                seen
            }
        })
        .collect()
}

/// The Latin letter or sign that this character looks like.
#[rustfmt::skip]
const fn lookalike(c: char) -> char {
    match c {
        '0' | 'О' | 'о' | 'Ο' | 'ο' | 'Օ' | 'օ' | 'σ' | 'ᴏ' | 'ꓳ' | 'ⲟ' | 'Ⲟ' => 'O',
        '1' | '|' | 'І' | 'і' | 'Ι' | 'ι' | 'Ӏ' | 'ӏ' | 'ɪ' | 'ꓲ' | 'Ꭵ' | 'ı' | 'ǀ' => 'I',
        'А' | 'а' | 'Α' | 'α' | 'ɑ' | 'ᴀ' | 'Ꭺ' | 'ꓮ' => 'A',
        'В' | 'в' | 'Β' | 'β' | 'ʙ' | 'Ᏼ' | 'ꓐ' | 'Ь' | 'ь' => 'B',
        'С' | 'с' | 'Ϲ' | 'ϲ' | 'ᴄ' | 'Ꮯ' | 'ꓚ' => 'C',
        'Ԁ' | 'ԁ' | 'ᴅ' | 'Ꭰ' | 'ꓓ' => 'D',
        'Е' | 'е' | 'Ε' | 'ε' | 'є' | 'Є' | 'ᴇ' | 'Ꭼ' | 'ꓰ' | 'ҽ' => 'E',
        'Ғ' | 'ғ' | 'Ϝ' | 'ꜰ' | 'ꓝ' => 'F',
        'Ԍ' | 'ԍ' | 'ɡ' | 'ɢ' | 'Ꮐ' | 'ꓖ' | 'ց' => 'G',
        'Н' | 'н' | 'Η' | 'Һ' | 'һ' | 'հ' | 'ʜ' | 'Ꮋ' | 'ꓧ' => 'H',
        'Ј' | 'ј' | 'ϳ' | 'ᴊ' | 'Ꭻ' | 'ꓙ' => 'J',
        'К' | 'к' | 'Κ' | 'κ' | 'ᴋ' | 'Ꮶ' | 'ꓗ' => 'K',
        'ʟ' | 'Ꮮ' | 'ꓡ' => 'L',
        'М' | 'м' | 'Μ' | 'μ' | 'Ϻ' | 'ᴍ' | 'Ꮇ' | 'ꓟ' => 'M',
        'Ν' | 'η' | 'п' | 'ո' | 'ɴ' | 'ꓠ' => 'N',
        'Р' | 'р' | 'Ρ' | 'ρ' | 'ᴘ' | 'Ꮲ' | 'ꓑ' => 'P',
        'Ԛ' | 'ԛ' => 'Q',
        'ʀ' | 'Ꭱ' | 'ꓣ' | 'г' | 'Я' | 'я' => 'R',
        'Ѕ' | 'ѕ' | 'Տ' | 'ꜱ' | 'Ꮪ' | 'ꓢ' | '$' => 'S',
        'Т' | 'т' | 'Τ' | 'τ' | 'ᴛ' | 'Ꭲ' | 'ꓔ' => 'T',
        'Ս' | 'ս' | 'υ' | 'ᴜ' | 'ꓴ' => 'U',
        'ν' | 'Ѵ' | 'ѵ' | 'ᴠ' | 'Ꮩ' | 'ꓦ' => 'V',
        'Ԝ' | 'ԝ' | 'ω' | 'ѡ' | 'ᴡ' | 'Ꮃ' | 'ꓪ' => 'W',
        'Х' | 'х' | 'Χ' | 'χ' | 'ꓫ' => 'X',
        'У' | 'у' | 'Υ' | 'γ' | 'Ү' | 'ү' | 'ʏ' | 'ꓬ' => 'Y',
        'Ζ' | 'ᴢ' | 'Ꮓ' | 'ꓜ' => 'Z',
        '⁄' | '∕' | '⧸' | '╱' | 'ⳇ' | '〳' => '/',
        'ː' | '꞉' | '∶' | '˸' | '։' | '׃' => ':',
        '‑' | '˗' | '۔' | '➖' => '-',
        '᛭' | '➕' => '+',
        _ => c,
    }
}
