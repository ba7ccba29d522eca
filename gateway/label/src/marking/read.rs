//! The grammar of a whole marking.
//!
//! ```text
//! marking  = level? ( "[" scheme national "]" )? ( [",;"] group )*
//! group    = caveat / TLP / PAP / handling code / release
//! release  = ("RELEASABLE TO" / "REL TO") code *( ("," / "AND") code )
//! ```
//! A level may be followed by the national marking that it stands beside, or
//! the national marking by it. Nothing may be said twice.

use std::collections::BTreeSet;

use crate::error::{Fault, LabelError, Place, rule};
use crate::fold::{self, Folded};
use crate::marking::terms::{Candidate, choose};
use crate::marking::{MAX_TEXT, ReadOptions, Reading, candidates};
use crate::schemes::{Kind, Meaning, Schemes, Term, Value};
use crate::{Label, Level, ReleaseCode};

/// Reads a whole marking.
pub(crate) fn read(
    schemes: &Schemes,
    text: &str,
    options: &ReadOptions,
) -> Result<Reading, LabelError> {
    if text.len() > MAX_TEXT {
        return Err(LabelError::new(
            Fault::TooLarge,
            format!("a marking longer than {MAX_TEXT} bytes"),
            Place::Whole,
            rule::BUDGET,
        ));
    }
    let folded = fold::fold_strict(text)?;
    if folded.words().is_empty() {
        return Err(LabelError::new(
            Fault::Empty,
            "no marking: unlabelled is not unclassified, write UNCLASSIFIED if it is",
            Place::Whole,
            rule::PRODUCT,
        ));
    }
    let mut reader = Reader {
        schemes,
        options,
        folded: &folded,
        next: 0,
        label: Label::default(),
        grade: None,
        beside: None,
        values: Vec::new(),
        notes: Vec::new(),
    };
    while reader.next < folded.words().len() {
        reader.group()?;
    }
    reader.finish()
}

pub(super) struct Reader<'a> {
    pub(super) schemes: &'a Schemes,
    pub(super) options: &'a ReadOptions,
    pub(super) folded: &'a Folded,
    pub(super) next: usize,
    pub(super) label: Label,
    pub(super) grade: Option<Candidate<'a>>,
    /// The second of EU and national marking.
    pub(super) beside: Option<Candidate<'a>>,
    pub(super) values: Vec<&'a Value>,
    pub(super) notes: Vec<String>,
}

impl<'a> Reader<'a> {
    fn at(&self, word: usize) -> usize {
        self.folded.words().get(word).map_or(0, |word| word.at)
    }

    pub(super) fn error(
        &self,
        fault: Fault,
        what: impl Into<String>,
        rule: &'static str,
    ) -> LabelError {
        LabelError::new(fault, what, Place::Character(self.at(self.next)), rule)
    }

    /// The longest known phrase that starts here, and its number of words.
    fn phrase(&self) -> Option<(usize, &'a [Term])> {
        self.schemes.index().longest_at(self.folded, self.next)
    }

    fn group(&mut self) -> Result<(), LabelError> {
        let word = self.folded.word(self.next);
        if matches!(word, "," | ";") && self.next > 0 && self.next + 1 < self.folded.words().len() {
            let before = self.folded.word(self.next - 1);
            if !matches!(before, "," | ";") {
                self.next += 1;
                return Ok(());
            }
        }
        if word == "[" {
            return self.bracket();
        }
        let Some((words, terms)) = self.phrase() else {
            return Err(self.unknown());
        };
        if terms
            .iter()
            .any(|term| matches!(term, Term::Grade { .. } | Term::Portion { .. }))
        {
            self.take_grade(terms)?;
        } else if let Some(value) = self.value(terms) {
            self.take_value(value, words)?;
        } else if terms
            .iter()
            .any(|term| matches!(term, Term::Release { .. }))
        {
            self.next += words;
            return self.release();
        } else {
            return Err(self.refused(terms));
        }
        self.next += words;
        Ok(())
    }

    fn value(&self, terms: &[Term]) -> Option<&'a Value> {
        terms.iter().find_map(|term| match *term {
            Term::Value {
                scheme,
                category,
                value,
            } => self
                .schemes
                .all()
                .get(scheme)?
                .categories
                .get(category)?
                .values
                .get(value),
            Term::Grade { .. }
            | Term::Portion { .. }
            | Term::Release { .. }
            | Term::Refused { .. } => None,
        })
    }

    fn take_grade(&mut self, terms: &'a [Term]) -> Result<(), LabelError> {
        let at = self.at(self.next);
        let found = choose(
            self.schemes,
            terms,
            self.options.country,
            self.options.on,
            at,
        )
        .map_err(|e| {
            // A word that is refused for this country has the better reason.
            if e.fault == Fault::Unknown {
                self.refusal(terms).unwrap_or(e)
            } else {
                e
            }
        })?;
        match (self.grade, self.beside) {
            (None, _) => self.grade = Some(found),
            (Some(first), None)
                if (first.scheme.kind == Kind::Eu) != (found.scheme.kind == Kind::Eu) =>
            {
                if first.grade.eu != found.grade.eu {
                    return Err(self.error(
                        Fault::Conflict,
                        format!(
                            "{} beside {}: the two levels differ",
                            found.grade.eu, first.grade.eu
                        ),
                        rule::EQUIVALENCE,
                    ));
                }
                self.beside = Some(found);
            }
            _ => {
                return Err(self.error(
                    Fault::Conflict,
                    "a second level: a marking has one",
                    rule::FULL_MARKING,
                ));
            }
        }
        Ok(())
    }

    /// `[DEU GEHEIM]`: the national marking beside an EU level that is at
    /// least as high.
    fn bracket(&mut self) -> Result<(), LabelError> {
        let Some(first) = self
            .grade
            .filter(|it| it.scheme.kind == Kind::Eu && self.beside.is_none())
        else {
            return Err(self.error(
                Fault::Malformed,
                "a bracketed national marking stands right after an EU level",
                rule::PRODUCT,
            ));
        };
        let Some(end) =
            (self.next + 2..self.folded.words().len()).find(|&at| self.folded.word(at) == "]")
        else {
            return Err(self.error(Fault::Malformed, "the bracket is not closed", rule::PRODUCT));
        };
        let found = beside(
            self.schemes,
            self.folded,
            self.next + 1,
            end,
            first.grade.eu,
        )
        .map_err(|(fault, what)| self.error(fault, what, rule::EQUIVALENCE))?;
        self.beside = Some(found);
        self.next = end + 1;
        Ok(())
    }

    fn take_value(&mut self, value: &'a Value, words: usize) -> Result<(), LabelError> {
        let ascii = self.folded.words().get(self.next..self.next + words);
        if value.code.is_ascii() && ascii.is_some_and(|words| words.iter().any(|word| !word.ascii))
        {
            return Err(self.error(
                Fault::Unknown,
                "codes are written without accents",
                rule::TLP,
            ));
        }
        let twice = match &value.means {
            Meaning::Caveat(caveat) => !self.label.caveats.insert(*caveat),
            Meaning::Handling(code) => !self.label.handling.insert(*code),
            Meaning::Tlp(tlp) => self.label.tlp.replace(*tlp).is_some(),
            Meaning::Pap(pap) => self.label.pap.replace(*pap).is_some(),
            Meaning::ReleasableTo(codes) => {
                let twice = !self.label.releasable_to.is_empty();
                self.label.releasable_to.clone_from(codes);
                twice
            }
        };
        if twice {
            return Err(self.error(
                Fault::Conflict,
                "said twice: a marking says everything once",
                rule::PRODUCT,
            ));
        }
        if !value.write {
            self.notes
                .push("an older name, written by its new one".to_owned());
        }
        self.values.push(value);
        Ok(())
    }

    fn release(&mut self) -> Result<(), LabelError> {
        if !self.label.releasable_to.is_empty() {
            return Err(self.error(
                Fault::Conflict,
                "said twice: a marking says everything once",
                rule::PRODUCT,
            ));
        }
        let mut codes = BTreeSet::new();
        loop {
            let word = self.folded.word(self.next);
            if word.is_empty() {
                return Err(self.error(
                    Fault::Missing,
                    "nobody to release to: name countries (alpha-3), EU or NATO",
                    rule::RELEASABLE,
                ));
            }
            let code = ReleaseCode::existing(word).ok_or_else(|| {
                self.error(
                    Fault::Unknown,
                    "not a country (ISO 3166-1 alpha-3), EU or NATO",
                    rule::RELEASABLE,
                )
            })?;
            if !codes.insert(code) {
                return Err(self.error(
                    Fault::Conflict,
                    "the same recipient twice",
                    rule::RELEASABLE,
                ));
            }
            self.next += 1;
            match self.folded.word(self.next) {
                "AND" => self.next += 1,
                "," if self.phrase_after_comma() => break,
                "," => self.next += 1,
                _ => break,
            }
        }
        self.label.releasable_to = codes;
        Ok(())
    }

    /// True if what follows the comma is another group and no recipient.
    fn phrase_after_comma(&self) -> bool {
        let after = self.folded.word(self.next + 1);
        !after.is_empty()
            && ReleaseCode::existing(after).is_none()
            && self
                .schemes
                .index()
                .longest_at(self.folded, self.next + 1)
                .is_some()
    }

    fn refusal(&self, terms: &[Term]) -> Option<LabelError> {
        terms.iter().find_map(|term| {
            let Term::Refused { scheme, refused } = *term else {
                return None;
            };
            let scheme = self.schemes.all().get(scheme)?;
            let mine = scheme.kind != Kind::National
                || self
                    .options
                    .country
                    .is_none_or(|country| country.as_str() == scheme.id);
            let one = scheme.refused.get(refused)?;
            mine.then(|| self.error(Fault::Unknown, one.why.clone(), rule::EQUIVALENCE))
        })
    }

    fn refused(&self, terms: &[Term]) -> LabelError {
        self.refusal(terms).unwrap_or_else(|| self.unknown())
    }

    /// An unknown word, or one that only looks like a known one.
    fn unknown(&self) -> LabelError {
        let word = self.folded.word(self.next);
        let rest = self.folded.span(self.next, self.folded.words().len());
        let fold_seen = fold::fold(&fold::skeleton(rest));
        let seen = fold_seen.span(0, fold_seen.words().len());
        let looks = seen != rest && self.schemes.index().longest_at(&fold_seen, 0).is_some();
        if looks {
            return self.error(
                Fault::Suspicious,
                "words that only look like a marking: a person must look",
                rule::CONFUSABLE,
            );
        }
        if word.starts_with("TLP") {
            return self.error(
                Fault::Unknown,
                "not a TLP label: write TLP:RED, TLP:AMBER+STRICT, TLP:AMBER, TLP:GREEN or TLP:CLEAR without spaces",
                rule::TLP,
            );
        }
        self.error(
            Fault::Unknown,
            "not a word of any marking",
            rule::FULL_MARKING,
        )
    }
}

/// The national marking of the words `from..to` (`DEU GEHEIM`) beside an EU
/// level that is at least as high.
pub(crate) fn beside<'a>(
    schemes: &'a Schemes,
    folded: &Folded,
    from: usize,
    to: usize,
    level: Level,
) -> Result<Candidate<'a>, (Fault, &'static str)> {
    let id = folded.word(from);
    let terms = schemes.index().get(folded.span(from + 1, to));
    let mine: Vec<_> = candidates(schemes, terms)
        .filter(|it| it.scheme.id == id && it.scheme.kind != Kind::Eu)
        .collect();
    if mine.is_empty() {
        return Err((
            Fault::Unknown,
            "not a scheme and one of its markings, such as [DEU GEHEIM]",
        ));
    }
    // Grades of one State may share their words: one still given is meant, of
    // ended ones the lowest; the EU level binds anyway.
    let found = mine
        .into_iter()
        .filter(|it| it.grade.eu <= level)
        .min_by_key(|it| (it.grade.until.is_some(), it.grade.eu))
        .ok_or((
            Fault::Conflict,
            "the national marking is higher than the EU level beside it",
        ))?;
    Ok(found)
}
