//! Reading MoU files. Everything that is wrong is told at once.

use std::collections::BTreeSet;
use std::fmt;

use super::{Mou, Register};
use crate::directory::{Directory, Problem};

/// Why a register does not load: everything that is wrong with its files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct MouError {
    problems: Vec<Problem>,
}

impl MouError {
    /// What is wrong.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for MouError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the MoU register does not load")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Register {
    /// Reads MoU files, given as name and content.
    ///
    /// # Errors
    /// [`MouError`] with everything that is wrong: unreadable text by line,
    /// unknown parties, reversed dates, a second MoU of one id, two private
    /// parties, articles that demand nothing.
    pub fn from_toml<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        directory: &Directory,
    ) -> Result<Self, MouError> {
        let mut problems = Vec::new();
        let mut mous = Vec::new();
        for (name, text) in files {
            let mut wrong = Vec::new();
            let read: Option<Mou> = crate::directory::read_toml(name, text, &mut wrong);
            match read {
                Some(mou) => mous.push((name.to_owned(), text, mou)),
                None => problems.append(&mut wrong),
            }
        }
        let mut ids = BTreeSet::new();
        for (name, text, mou) in &mous {
            let mut wrong = Vec::new();
            check(name, mou, directory, &mut wrong);
            if !ids.insert(&mou.id) {
                wrong.push(Problem::new(
                    name,
                    format!("id: another file has the MoU {} too", mou.id),
                ));
            }
            problems.extend(wrong.into_iter().map(|one| placed(one, text)));
        }
        if !problems.is_empty() {
            return Err(MouError { problems });
        }
        Ok(Self::of(mous.into_iter().map(|(_, _, mou)| mou).collect()))
    }

    /// A register of MoUs made in memory.
    ///
    /// # Errors
    /// As [`Register::from_toml`].
    pub fn new(mous: Vec<Mou>, directory: &Directory) -> Result<Self, MouError> {
        let mut problems = Vec::new();
        let mut ids = BTreeSet::new();
        for mou in &mous {
            check(mou.id.as_str(), mou, directory, &mut problems);
            if !ids.insert(&mou.id) {
                problems.push(Problem::new(
                    mou.id.as_str(),
                    "there is another MoU of this id",
                ));
            }
        }
        if !problems.is_empty() {
            return Err(MouError { problems });
        }
        Ok(Self::of(mous))
    }
}

/// A problem with the line that it is about: that of the name which it quotes,
/// else of the article or the field that its words begin with.
fn placed(problem: Problem, text: &str) -> Problem {
    let quoted = problem
        .what
        .split('`')
        .nth(1)
        .map(|name| format!("\"{name}\""));
    let mut words = problem.what.split([' ', ':', ',']);
    let first = words.next().unwrap_or_default();
    let article = (first == "article")
        .then(|| words.next())
        .flatten()
        .map(|number| format!("number = \"{number}\""));
    let is_it = |line: &str| {
        let line = line.trim();
        match (&quoted, &article) {
            (Some(name), _) => line.contains(name.as_str()),
            (None, Some(number)) => line.starts_with(number.as_str()),
            (None, None) => line.split([' ', '=']).next() == Some(first),
        }
    };
    match text.lines().position(is_it) {
        Some(at) => Problem::new(format!("{}:{}", problem.place, at + 1), problem.what),
        None => problem,
    }
}

/// Reads one MoU, without looking whom it names.
///
/// # Errors
/// [`MouError`] with the line.
pub fn read(name: &str, text: &str) -> Result<Mou, MouError> {
    let mut problems = Vec::new();
    crate::directory::read_toml(name, text, &mut problems).ok_or(MouError { problems })
}

/// One MoU by itself and against the directory.
fn check(place: &str, mou: &Mou, directory: &Directory, problems: &mut Vec<Problem>) {
    let mut wrong = |what: String| problems.push(Problem::new(place, what));
    if mou.validity().is_reversed() {
        wrong("valid_until is before valid_from".to_owned());
    }
    let parties: BTreeSet<_> = mou.parties.iter().collect();
    if parties.len() < 2 || parties.len() != mou.parties.len() {
        wrong("parties names two or more participants, each once".to_owned());
    }
    for party in mou.parties.iter().filter(|party| !directory.knows(party)) {
        wrong(format!("`{party}` is not a participant of the directory"));
    }
    for article in &mou.articles {
        for id in article
            .senders
            .iter()
            .chain(&article.recipients)
            .filter(|id| !parties.contains(id))
        {
            wrong(format!("article {}: `{id}` is not a party", article.number));
        }
        if article.is_idle() {
            wrong(format!(
                "article {} demands nothing: give it max_level, max_tlp, no_personal_data or forbidden",
                article.number
            ));
        }
    }
    let private: BTreeSet<_> = directory
        .participants()
        .iter()
        .filter(|one| one.is_private() && parties.contains(&one.id))
        .map(|one| &one.organisation)
        .collect();
    if private.len() > 1 {
        wrong(
            "parties: two private ones would learn of each other: make an MoU for each".to_owned(),
        );
    }
    if mou.communities.is_empty() || mou.purposes.is_empty() || mou.compartments.is_empty() {
        wrong("communities, purposes and compartments say what it covers: an empty list covers nothing".to_owned());
    }
    if mou.silence_hours == Some(0) {
        wrong("silence_hours is at least 1".to_owned());
    }
}
