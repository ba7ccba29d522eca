//! One line of text, looked through for markings.

use std::collections::BTreeSet;

use crate::fold::{self, Folded};
use crate::found::{FoundMarking, FoundPlace};
use crate::marking::candidates;
use crate::schemes::{Kind, Meaning, Schemes, Term};
use crate::{Caveat, Country, Level, Pap, Tlp};

/// Longest line that can be a banner, in bytes.
const MAX_BANNER: usize = 256;

/// Which line it is.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) subject: bool,
    pub(super) first: bool,
    /// It begins a paragraph.
    pub(super) paragraph: bool,
}

/// What a phrase is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Worth {
    level: Option<Level>,
    tlp: Option<Tlp>,
    pap: Option<Pap>,
    caveats: BTreeSet<Caveat>,
    ambiguous: bool,
}

impl Worth {
    fn add(&mut self, other: Self) {
        self.level = self.level.max(other.level);
        self.tlp = self.tlp.max(other.tlp);
        self.pap = self.pap.max(other.pap);
        self.caveats.extend(other.caveats);
        self.ambiguous |= other.ambiguous;
    }

    /// True if it is a marking without any caveat.
    fn stands_alone(&self) -> bool {
        self.level.is_some() || self.tlp.is_some() || self.pap.is_some()
    }

    /// One marking for what stands alone, and one for each caveat.
    fn markings(&self, place: FoundPlace, line: Line) -> Vec<FoundMarking> {
        let one = FoundMarking {
            level: self.level,
            tlp: self.tlp,
            pap: self.pap,
            caveat: None,
            place: if line.subject {
                FoundPlace::Subject
            } else {
                place
            },
            line: line.number,
            suspicious: false,
            ambiguous: self.ambiguous,
        };
        let caveats = self.caveats.iter().map(|caveat| FoundMarking {
            level: None,
            tlp: None,
            pap: None,
            caveat: Some(*caveat),
            ..one
        });
        let alone = self.caveats.is_empty() || self.stands_alone();
        alone.then_some(one).into_iter().chain(caveats).collect()
    }
}

/// Reports every marking of the line.
pub(super) fn scan(
    schemes: &Schemes,
    text: &str,
    line: Line,
    report: &mut dyn FnMut(FoundMarking),
) {
    let mut plain = Vec::new();
    look(schemes, text, line, false, &mut plain);
    let mut seen = Vec::new();
    if may_deceive(text) {
        look(schemes, &fold::skeleton(text), line, true, &mut seen);
        // What the text itself says at least as high is no deceit.
        let level = plain.iter().filter_map(|one| one.level).max();
        seen.retain(|one| {
            let is_new = |same: &dyn Fn(&FoundMarking) -> bool| !plain.iter().any(same);
            one.level > level
                || one.tlp.is_some() && is_new(&|other| other.tlp == one.tlp)
                || one.pap.is_some() && is_new(&|other| other.pap == one.pap)
                || one.caveat.is_some() && is_new(&|other| other.caveat == one.caveat)
        });
        for one in &mut seen {
            one.suspicious = true;
        }
    }
    spaced_out(schemes, text, line, &mut seen);
    for one in plain.into_iter().chain(seen) {
        report(one);
    }
}

/// A cheap test for lines whose look and content may differ.
fn may_deceive(text: &str) -> bool {
    !text.is_ascii()
        || text
            .as_bytes()
            .windows(2)
            .any(|pair| matches!(pair, [b'0' | b'1' | b'|' | b'$', letter] | [letter, b'0' | b'1' | b'|' | b'$'] if letter.is_ascii_alphabetic()))
}

/// The line without the ornaments of banners.
pub(super) fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '*' | '=' | '_' | '#' | '>' | '|' | '-' | '–' | '—' | '~')
    })
}

/// True if the line begins with a known level or code, or only looks as if it
/// did; `marks` counts portion marks too.
pub(super) fn is_marking_like(schemes: &Schemes, line: &str, marks: bool) -> bool {
    let begins = |folded: &Folded| {
        whole(schemes, folded).is_some()
            || phrase(schemes, folded, 0).is_some_and(|(words, terms)| {
                strong(schemes, folded, 0, words, terms).is_some()
                    || (marks
                        && terms
                            .iter()
                            .any(|term| matches!(term, Term::Portion { .. })))
            })
    };
    line.len() <= MAX_BANNER
        && (begins(&fold::fold(line)) || begins(&fold::fold(&fold::skeleton(line))))
}

fn look(schemes: &Schemes, text: &str, line: Line, is_skeleton: bool, out: &mut Vec<FoundMarking>) {
    let banner = bare(text);
    if banner.len() <= MAX_BANNER
        && let Some(worth) = whole(schemes, &fold::fold(banner))
    {
        let place = if line.first {
            FoundPlace::FirstLine
        } else {
            FoundPlace::Banner
        };
        out.extend(worth.markings(place, line));
        return;
    }
    let folded = fold::fold(&without_punctuation(text));
    let mut at = 0;
    while at < folded.words().len() {
        if is_no_tlp(&folded, at) && !is_skeleton {
            let no_tlp = Worth::default().markings(FoundPlace::Inline, line);
            out.extend(no_tlp.into_iter().map(|one| FoundMarking {
                suspicious: true,
                ..one
            }));
        }
        let Some((words, terms)) = phrase(schemes, &folded, at) else {
            at += 1;
            continue;
        };
        let begins = at == 0 && line.paragraph;
        if let Some(worth) = portion(schemes, &folded, at, words, terms, begins) {
            out.extend(worth.markings(FoundPlace::Portion, line));
            at += words;
        } else if let Some(worth) = strong(schemes, &folded, at, words, terms) {
            out.extend(worth.markings(FoundPlace::Inline, line));
            at += words;
        } else {
            at += 1;
        }
    }
}

/// Signs of running text become spaces, so that words stand alone; the colon
/// of `TLP:` and `PAP:` stays.
fn without_punctuation(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut tail = ['\0'; 3];
    for c in text.chars() {
        let code = tail.map(|c| c.to_ascii_uppercase());
        let keep = match c {
            ':' => matches!(code, ['T', 'L', 'P'] | ['P', 'A', 'P']),
            '.' | '!' | '?' | '"' | '\'' | '“' | '”' | '„' | '«' | '»' | '*' | '_' | '#' | '>'
            | '<' | '|' | '{' | '}' | '=' | '~' | '`' => false,
            _ => true,
        };
        out.push(if keep { c } else { ' ' });
        tail = [tail[1], tail[2], c];
    }
    while out.ends_with(['/', ' ', '-']) {
        out.pop();
    }
    out
}

/// The longest phrase at this word.
fn phrase<'a>(schemes: &'a Schemes, folded: &Folded, at: usize) -> Option<(usize, &'a [Term])> {
    schemes.index().longest_at(folded, at)
}

/// `TLP: RED`, `TLP RED`, `TLP:ORANGE`: meant as a label and none.
fn is_no_tlp(folded: &Folded, at: usize) -> bool {
    let colour = |word: &str| {
        matches!(
            word,
            "RED" | "AMBER" | "AMBER+STRICT" | "GREEN" | "CLEAR" | "WHITE"
        )
    };
    match folded.word(at) {
        "TLP" | "TLP:" => colour(folded.word(at + 1)),
        word => word.strip_prefix("TLP:").is_some_and(|rest| {
            !rest.is_empty()
                && !colour(rest)
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+')
        }),
    }
}

fn grade_worth(schemes: &Schemes, terms: &[Term]) -> Option<Worth> {
    let mut worth = Worth::default();
    let mut owner: Option<&str> = None;
    let mut any = false;
    for it in candidates(schemes, terms) {
        any = true;
        worth.level = worth.level.max(Some(it.grade.eu));
        worth.ambiguous |= owner.is_some_and(|id| id != it.scheme.id);
        owner = Some(&it.scheme.id);
    }
    any.then_some(worth)
}

fn value_worth(schemes: &Schemes, terms: &[Term]) -> Option<Worth> {
    terms.iter().find_map(|term| {
        let Term::Value {
            scheme,
            category,
            value,
        } = *term
        else {
            return None;
        };
        let value = schemes
            .all()
            .get(scheme)?
            .categories
            .get(category)?
            .values
            .get(value)?;
        let mut worth = Worth::default();
        match value.means {
            Meaning::Tlp(tlp) => worth.tlp = Some(tlp),
            Meaning::Pap(pap) => worth.pap = Some(pap),
            Meaning::Caveat(caveat) => worth.caveats.extend([caveat]),
            Meaning::Handling(_) | Meaning::ReleasableTo(_) => {}
        }
        Some(worth)
    })
}

/// What the line is worth if it is a marking from end to end.
///
/// A caveat adds to a level. `LIMITE` alone, in capitals, marks what is
/// unclassified; a handling code alone is left to a person.
fn whole(schemes: &Schemes, folded: &Folded) -> Option<Worth> {
    let words = folded.words().len();
    let mut worth = Worth::default();
    let mut at = 0;
    while at < words {
        let word = folded.word(at);
        if matches!(word, "," | ";") && at > 0 {
            at += 1;
            continue;
        }
        if word == "[" && at > 0 {
            // The national marking beside an EU level, which is as high.
            let end = (at + 1..words).find(|&end| folded.word(end) == "]")?;
            let terms = schemes.index().get(folded.span(at + 2, end));
            candidates(schemes, terms).find(|it| it.scheme.id == folded.word(at + 1))?;
            at = end + 1;
            continue;
        }
        let (taken, terms) = phrase(schemes, folded, at)?;
        at += taken;
        if let Some(level) = grade_worth(schemes, terms) {
            worth.add(level);
        } else if let Some(value) = value_worth(schemes, terms) {
            worth.add(value);
        } else if terms
            .iter()
            .any(|term| matches!(term, Term::Release { .. }))
        {
            while at < words && is_recipient(folded.word(at)) {
                at += 1;
            }
        } else {
            return None;
        }
    }
    let limite = worth.caveats.contains(&Caveat::Limite)
        && folded
            .words()
            .iter()
            .all(|word| word.upper || word.start == word.end);
    (worth.stands_alone() || limite && worth.caveats.len() == 1).then_some(worth)
}

fn is_recipient(word: &str) -> bool {
    matches!(word, "EU" | "NATO" | "," | "AND") || word.parse::<Country>().is_ok()
}

/// A portion mark: in parentheses anywhere, or opening a paragraph.
fn portion(
    schemes: &Schemes,
    folded: &Folded,
    at: usize,
    words: usize,
    terms: &[Term],
    begins: bool,
) -> Option<Worth> {
    if !terms
        .iter()
        .any(|term| matches!(term, Term::Portion { .. }))
    {
        return None;
    }
    let worth = grade_worth(schemes, terms)?;
    let bracketed = folded.word(at) == "(";
    let shouted = folded
        .words()
        .get(at..at + words)?
        .iter()
        .all(|word| word.upper);
    let level = worth.level?;
    let counts = begins && (bracketed || folded.word(at).contains('/'))
        || level > Level::Nc && shouted && (bracketed || folded.span(at, at + words).contains('-'));
    counts.then_some(worth)
}

/// Markings that need no country, anywhere in a line: TLP, PAP, and EU, NATO or
/// Europol levels in full or in capitals.
fn strong(
    schemes: &Schemes,
    folded: &Folded,
    at: usize,
    words: usize,
    terms: &[Term],
) -> Option<Worth> {
    if let Some(worth) = value_worth(schemes, terms) {
        return worth.stands_alone().then_some(worth);
    }
    let fixed = candidates(schemes, terms)
        .any(|it| it.scheme.kind != Kind::National && it.grade.eu > Level::Nc);
    let phrase = folded.span(at, at + words);
    let shouted = folded
        .words()
        .get(at..at + words)?
        .iter()
        .all(|word| word.upper);
    let full = phrase.contains('/') && words > 1;
    (fixed && words > 1 && (full || shouted))
        .then(|| grade_worth(schemes, terms))
        .flatten()
}

/// `S E C R E T  U E`: letter by letter.
fn spaced_out(schemes: &Schemes, text: &str, line: Line, out: &mut Vec<FoundMarking>) {
    let banner = bare(text);
    if banner.len() > MAX_BANNER || banner.split_whitespace().count() < 6 {
        return;
    }
    let single = |word: &str| {
        let mut chars = word.chars();
        chars.next().is_some() && chars.next().is_none()
    };
    if !banner.split_whitespace().all(single) {
        return;
    }
    let joined = fold::key(&fold::skeleton(banner)).replace(' ', "");
    let hit = schemes
        .index()
        .iter()
        .filter(|(phrase, _)| {
            phrase.len() >= joined.len() && phrase.chars().filter(|c| *c != ' ').eq(joined.chars())
        })
        .find_map(|(_, terms)| grade_worth(schemes, terms).or_else(|| value_worth(schemes, terms)));
    if let Some(worth) = hit {
        let found = worth.markings(FoundPlace::Banner, line);
        out.extend(found.into_iter().map(|one| FoundMarking {
            suspicious: true,
            ..one
        }));
    }
}
