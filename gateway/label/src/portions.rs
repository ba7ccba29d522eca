//! Labels of parts: paragraphs and attachments. The whole is at least their
//! join (Council Decision 2013/488/EU, Annex III, points 6 and 7).

use crate::error::{Fault, LabelError, Place};
use crate::found;
use crate::marking;
use crate::schemes::shipped;
use crate::{EmptyIntersection, Label, ReadOptions};

/// A paragraph that bears its own mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// Its first line, from 1.
    pub line: usize,
    /// What its mark says.
    pub label: Label,
}

/// Most marked paragraphs read.
pub const MAX_PARAGRAPHS: usize = 10_000;

/// Reads the portion marks of a text: a mark in parentheses at the start of a
/// paragraph, `(R-UE/EU-R)` or `(R-UE/EU-R TLP:AMBER)`.
///
/// Parentheses that hold no marking are text. Paragraphs are separated by
/// empty lines.
///
/// # Errors
/// A mark that begins like a marking and is none; [`Fault::TooLarge`] for more
/// than [`MAX_PARAGRAPHS`].
pub fn read(text: &str, options: &ReadOptions) -> Result<Vec<Paragraph>, LabelError> {
    let schemes = shipped()?;
    let mut marked = Vec::new();
    let mut begins = true;
    for (index, line) in text.lines().enumerate() {
        let here = line.trim_start();
        if here.is_empty() {
            begins = true;
            continue;
        }
        if !std::mem::take(&mut begins) {
            continue;
        }
        let Some((mark, _)) = here.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
            continue;
        };
        if !found::begins_like_a_marking(schemes, mark) {
            continue;
        }
        let label = marking::parse(mark, options).map_err(|e| LabelError {
            place: Place::Field(format!("the portion mark of line {}", index + 1)),
            ..e
        })?;
        if marked.len() == MAX_PARAGRAPHS {
            return Err(LabelError::new(
                Fault::TooLarge,
                "too many portion marks",
                Place::Field(format!("line {}", index + 1)),
                crate::error::rule::BUDGET,
            ));
        }
        marked.push(Paragraph {
            line: index + 1,
            label,
        });
    }
    Ok(marked)
}

/// The least label of a whole with this label and these parts.
///
/// # Errors
/// [`EmptyIntersection`] where the parts have no common recipient: the whole
/// cannot go to anybody, though a part may.
pub fn whole<'a>(
    own: &Label,
    parts: impl IntoIterator<Item = &'a Label>,
) -> Result<Label, EmptyIntersection> {
    parts
        .into_iter()
        .try_fold(own.clone(), |whole, part| whole.join(part))
}

/// True if the whole's own label covers every part: otherwise the label and
/// the marks conflict, and an officer decides.
#[must_use]
pub fn covers<'a>(own: &Label, parts: impl IntoIterator<Item = &'a Label>) -> bool {
    parts.into_iter().all(|part| own.dominates(part))
}
