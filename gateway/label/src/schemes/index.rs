//! The words of all schemes, folded, for lookup in constant time.

use std::collections::HashMap;

use crate::fold::{Folded, key};
use crate::schemes::{Kind, Scheme};

/// What a phrase may be. Numbers are positions in the list of schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Term {
    /// A grade, with the position of the language it is written in.
    Grade {
        scheme: usize,
        grade: usize,
        language: usize,
    },
    /// A portion mark of a grade.
    Portion { scheme: usize, grade: usize },
    /// A value of a category.
    Value {
        scheme: usize,
        category: usize,
        value: usize,
    },
    /// The words before a list of recipients.
    Release { scheme: usize, category: usize },
    /// Words that are no marking, with their reason.
    Refused { scheme: usize, refused: usize },
}

/// Phrases to terms.
#[derive(Debug, Default)]
pub(crate) struct Index {
    phrases: HashMap<Box<str>, Vec<Term>>,
    /// First words, with the words of the longest phrase that begins so: most
    /// words of a text begin none and cost one lookup.
    first: HashMap<Box<str>, usize>,
}

/// Language number of a spelling that belongs to no single language.
pub(crate) const ANY_LANGUAGE: usize = usize::MAX;

impl Index {
    /// Indexes every spelling of every scheme.
    pub(crate) fn of(list: &[Scheme]) -> Self {
        let mut index = Self::default();
        for (scheme, it) in list.iter().enumerate() {
            index.grades(scheme, it);
            for (category, group) in it.categories.iter().enumerate() {
                for (value, one) in group.values.iter().enumerate() {
                    let term = Term::Value {
                        scheme,
                        category,
                        value,
                    };
                    index.add(&one.code, term);
                    for other in &one.also {
                        index.add(other, term);
                    }
                }
                for words in &group.release {
                    index.add(words, Term::Release { scheme, category });
                }
            }
            for (refused, one) in it.refused.iter().enumerate() {
                index.add(&one.text, Term::Refused { scheme, refused });
            }
        }
        index
    }

    fn grades(&mut self, scheme: usize, it: &Scheme) {
        for (grade, one) in it.grades.iter().enumerate() {
            let term = |language| Term::Grade {
                scheme,
                grade,
                language,
            };
            for (language, name) in it.languages.iter().enumerate() {
                if let Some(text) = one.marking.get(name) {
                    self.add(text, term(language));
                }
            }
            for other in one.marking.get("").into_iter().chain(&one.also) {
                self.add(other, term(ANY_LANGUAGE));
            }
            // Two languages side by side, as bilingual States print them.
            if it.kind == Kind::National {
                for a in one.marking.values() {
                    for b in one.marking.values().filter(|b| *b != a) {
                        self.add(&format!("{a}/{b}"), term(ANY_LANGUAGE));
                    }
                }
            }
            for mark in &one.portion {
                self.add(mark, Term::Portion { scheme, grade });
                self.add(&format!("({mark})"), Term::Portion { scheme, grade });
            }
        }
    }

    fn add(&mut self, text: &str, term: Term) {
        let key = key(text);
        if key.is_empty() {
            return;
        }
        let words = key.split(' ').count();
        let first = key.split(' ').next().unwrap_or_default();
        let most = self.first.entry(first.into()).or_default();
        *most = words.max(*most);
        let terms = self.phrases.entry(key.into()).or_default();
        if !terms.contains(&term) {
            terms.push(term);
        }
    }

    /// What this folded phrase may be.
    pub(crate) fn get(&self, phrase: &str) -> &[Term] {
        self.phrases.get(phrase).map_or(&[], Vec::as_slice)
    }

    /// The longest known phrase of these words that starts at `at`, and its
    /// number of words.
    pub(crate) fn longest_at<'a>(
        &'a self,
        folded: &Folded,
        at: usize,
    ) -> Option<(usize, &'a [Term])> {
        let most = *self.first.get(folded.word(at))?;
        let most = most.min(folded.words().len() - at);
        (1..=most).rev().find_map(|words| {
            let terms = self.get(folded.span(at, at + words));
            (!terms.is_empty()).then_some((words, terms))
        })
    }

    /// Every phrase with its terms.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[Term])> {
        self.phrases
            .iter()
            .map(|(phrase, terms)| (&**phrase, terms.as_slice()))
    }
}
