//! From the parts of a marking to its meaning.

use crate::error::{Fault, LabelError, Place, rule};
use crate::marking::read::Reader;
use crate::marking::terms::Candidate;
use crate::marking::{Reading, write};
use crate::schemes::{Kind, Meaning};
use crate::{Caveat, Label, Level, NationalMarking};

impl Reader<'_> {
    /// Everything is read: what it means, if it holds together.
    pub(super) fn finish(mut self) -> Result<Reading, LabelError> {
        let Some(first) = self.grade else {
            return self.without_grade();
        };
        let (eu, other) = match self.beside {
            Some(beside) if first.scheme.kind == Kind::Eu => (Some(first), Some(beside)),
            Some(beside) => (Some(beside), Some(first)),
            None if first.scheme.kind == Kind::Eu => (Some(first), None),
            None => (None, Some(first)),
        };
        self.label.level = eu.or(other).map_or(Level::Nc, |it| it.grade.eu);
        if let Some(other) = other {
            self.label.national = Some(NationalMarking {
                country: other.scheme.id.clone(),
                marking: other.written().to_owned(),
            });
            for meaning in &other.grade.implies {
                if !imply(&mut self.label, meaning) {
                    return Err(self.error(
                        Fault::Conflict,
                        "the marking leaves nobody to release to",
                        rule::RELEASABLE,
                    ));
                }
            }
            self.say_dates(other);
            self.notes.extend(other.grade.note.clone());
        }
        self.check_combination()?;
        // Alone, a national marking is written as its State writes it.
        let main = eu.unwrap_or(first);
        let canonical = match (eu, other) {
            (None, Some(other)) => {
                let mut text = other.written().to_owned();
                write::with_categories(&mut text, &self.label);
                text
            }
            _ => write::format(&self.label),
        };
        Ok(Reading {
            scheme: main.scheme.id.clone(),
            grade: main.grade.code.clone(),
            marking: main.written().to_owned(),
            classified: main.grade.classified,
            canonical,
            label: self.label,
            notes: self.notes,
        })
    }

    fn say_dates(&mut self, it: Candidate<'_>) {
        let on = self.options.on;
        if let Some(until) = it.grade.until.filter(|until| *until <= on) {
            self.notes.push(format!("no longer given since {until}"));
        }
        if let Some(from) = it.grade.from.filter(|from| *from > on) {
            self.notes
                .push(format!("not yet given on {on}: in use from {from}"));
        }
    }

    /// Only TLP, PAP, `LIMITE` and handling codes: they limit sharing and use
    /// of what is unclassified. The others add to a level.
    fn without_grade(self) -> Result<Reading, LabelError> {
        let adds = !self.label.releasable_to.is_empty()
            || self
                .label
                .caveats
                .iter()
                .any(|caveat| *caveat != Caveat::Limite);
        if adds {
            return Err(LabelError::new(
                Fault::Missing,
                "no level: what stands here adds to a classification, write the level or UNCLASSIFIED",
                Place::Whole,
                rule::FULL_MARKING,
            ));
        }
        let scheme = if self.label.tlp.is_some() {
            "TLP"
        } else if self.label.pap.is_some() {
            "PAP"
        } else if self.label.handling.is_empty() {
            "EU"
        } else {
            "EUROPOL"
        };
        Ok(Reading {
            scheme: scheme.to_owned(),
            grade: String::new(),
            marking: String::new(),
            classified: false,
            canonical: write::format(&self.label),
            label: self.label,
            notes: self.notes,
        })
    }

    fn check_combination(&self) -> Result<(), LabelError> {
        let code = self.label.level.code();
        for value in &self.values {
            if value.not_with.iter().any(|grade| grade == code) {
                return Err(LabelError::new(
                    Fault::Combination,
                    format!("{} does not stand beside {code}", value.code),
                    Place::Whole,
                    rule::RELEASABLE,
                ));
            }
        }
        Ok(())
    }
}

/// Adds what a grade implies. False if it leaves nobody to release to.
fn imply(label: &mut Label, meaning: &Meaning) -> bool {
    match meaning {
        Meaning::Caveat(caveat) => {
            label.caveats.insert(*caveat);
        }
        Meaning::Handling(code) => {
            label.handling.insert(*code);
        }
        Meaning::Tlp(tlp) => label.tlp = label.tlp.max(Some(*tlp)),
        Meaning::Pap(pap) => label.pap = label.pap.max(Some(*pap)),
        Meaning::ReleasableTo(codes) => {
            if label.releasable_to.is_empty() {
                label.releasable_to.clone_from(codes);
            } else {
                label.releasable_to.retain(|code| codes.contains(code));
                return !label.releasable_to.is_empty();
            }
        }
    }
    true
}
