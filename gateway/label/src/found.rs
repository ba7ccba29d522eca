//! Markings that a text bears on its face: in the subject, in the first line,
//! in page banners, before paragraphs, and full EU or NATO markings anywhere.
//!
//! What is found raises a label or holds the message for an officer; it never
//! lowers anything. Results say what and where (line), never the content.

mod line;

use crate::schemes::{Schemes, shipped};
use crate::{Caveat, Label, LabelError, Level, Pap, ReadOptions, Tlp, marking};

/// A marking found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FoundMarking {
    /// The level that protects it: of several meanings the highest.
    pub level: Option<Level>,
    /// The TLP label, if it is one or stands beside the level.
    pub tlp: Option<Tlp>,
    /// The PAP label, if it is one or stands beside the level.
    pub pap: Option<Pap>,
    /// The caveat of a whole line: `LIMITE`, or one beside a level. Each stands
    /// in an entry of its own.
    pub caveat: Option<Caveat>,
    /// Where.
    pub place: FoundPlace,
    /// Line, counted from 1; 0 for the subject.
    pub line: usize,
    /// Only looks like a marking: invisible characters, other scripts,
    /// disguised letters, or a TLP label that is none. A person must look.
    pub suspicious: bool,
    /// A national word whose country is not said.
    pub ambiguous: bool,
}

/// Where a marking stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoundPlace {
    /// In the subject.
    Subject,
    /// The first line that is not empty, as a whole.
    FirstLine,
    /// Another whole line: a page banner.
    Banner,
    /// Before a paragraph, or in parentheses.
    Portion,
    /// Inside a line.
    Inline,
}

/// Most markings reported; what comes after raises the last entry only.
pub const MAX_FOUND: usize = 1024;

/// Finds the markings of a body, with the schemes in force.
#[must_use]
pub fn scan(text: &str) -> Vec<FoundMarking> {
    shipped().map_or_else(|_| Vec::new(), |schemes| scan_with(schemes, text))
}

/// Finds the markings of a body.
#[must_use]
pub fn scan_with(schemes: &Schemes, text: &str) -> Vec<FoundMarking> {
    let mut found = Vec::new();
    let mut first = true;
    let mut paragraph = true;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            paragraph = true;
            continue;
        }
        let place = line::Line {
            number: index + 1,
            subject: false,
            first,
            paragraph,
        };
        line::scan(schemes, line, place, &mut |one| push(&mut found, one));
        first = false;
        paragraph = false;
    }
    found
}

/// Finds the markings of a subject.
#[must_use]
pub fn scan_subject(subject: &str) -> Vec<FoundMarking> {
    let mut found = Vec::new();
    if let Ok(schemes) = shipped() {
        let place = line::Line {
            number: 0,
            subject: true,
            first: true,
            paragraph: true,
        };
        line::scan(schemes, subject, place, &mut |one| push(&mut found, one));
    }
    found
}

/// Finds the markings of a message.
#[must_use]
pub fn scan_message(subject: &str, body: &str) -> Vec<FoundMarking> {
    let mut found = scan_subject(subject);
    for one in scan(body) {
        push(&mut found, one);
    }
    found
}

fn push(found: &mut Vec<FoundMarking>, one: FoundMarking) {
    if found.len() < MAX_FOUND {
        found.push(one);
    } else if let Some(last) = found.last_mut() {
        last.level = last.level.max(one.level);
        last.tlp = last.tlp.max(one.tlp);
        last.pap = last.pap.max(one.pap);
        // There is room for one caveat: a person looks at the others.
        last.suspicious |= one.suspicious || one.caveat > last.caveat;
        last.ambiguous |= one.ambiguous;
    }
}

/// The highest level among these.
#[must_use]
pub fn highest(found: &[FoundMarking]) -> Option<Level> {
    found.iter().filter_map(|one| one.level).max()
}

/// The strictest TLP among these.
#[must_use]
pub fn strictest_tlp(found: &[FoundMarking]) -> Option<Tlp> {
    found.iter().filter_map(|one| one.tlp).max()
}

/// The least label that covers these: their highest level, all caveats, the
/// strictest TLP and PAP. Nothing found limits or widens releasability.
#[must_use]
pub fn least(found: &[FoundMarking]) -> Label {
    Label {
        caveats: found.iter().filter_map(|one| one.caveat).collect(),
        tlp: strictest_tlp(found),
        pap: found.iter().filter_map(|one| one.pap).max(),
        ..Label::of(highest(found).unwrap_or_default())
    }
}

/// True if the label does not cover what the text itself says, or the text
/// has something that only a person can judge: `label_state` is `conflict`.
#[must_use]
pub fn conflicts(label: &Label, found: &[FoundMarking]) -> bool {
    found.iter().any(|one| one.suspicious) || !label.dominates(&least(found))
}

/// True if the text begins with a level, code or portion mark, or only looks
/// as if it did.
pub(crate) fn begins_like_a_marking(schemes: &Schemes, text: &str) -> bool {
    line::is_marking_like(schemes, text, true)
}

/// The label that the first line that is not empty states, if that line is a
/// marking. `None` means that the text begins with something else.
///
/// # Errors
/// The line begins like a marking and is none, or does so ambiguously.
pub fn first_line(text: &str, options: &ReadOptions) -> Option<Result<Label, LabelError>> {
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    let schemes = match shipped() {
        Ok(schemes) => schemes,
        Err(e) => return Some(Err(e)),
    };
    let bare = line::bare(line);
    line::is_marking_like(schemes, bare, false).then(|| marking::parse(bare, options))
}
