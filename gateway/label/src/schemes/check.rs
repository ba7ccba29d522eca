//! Checking schemes: everything wrong at once, each with a sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::Country;
use crate::schemes::{
    Grade, Kind, SHIPPED, Scheme, Schemes, Term, load, parse_cases, parse_scheme, run_cases,
};

/// Something wrong in a scheme file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

/// Checks every scheme of a folder and runs its cases. An empty answer means
/// that the folder holds a whole set of schemes.
#[must_use]
pub fn check_dir(dir: &Path) -> Vec<Problem> {
    match load::scheme_files(dir) {
        Ok(files) => check_files(&files, &dir.display().to_string()).1,
        Err(e) => vec![problem(&dir.display().to_string(), &e.to_string())],
    }
}

/// The built-in schemes with those of a node's folder beside them; a file of
/// the same name takes a built-in one's place. `None` where the folder holds no
/// scheme.
///
/// # Errors
/// Everything that is wrong with the folder, alone or beside the built-in ones.
pub fn own(dir: &Path) -> Result<Option<Schemes>, Vec<Problem>> {
    let place = dir.display().to_string();
    let own = load::scheme_files(dir).map_err(|e| vec![problem(&place, &e.to_string())])?;
    if own.is_empty() {
        return Ok(None);
    }
    let mut files: BTreeMap<String, String> = SHIPPED
        .iter()
        .flat_map(|file| {
            [
                (format!("{}.toml", file.name), file.scheme.to_owned()),
                (format!("{}.cases.toml", file.name), file.cases.to_owned()),
            ]
        })
        .collect();
    files.extend(own);
    let files: Vec<_> = files.into_iter().collect();
    let (mut list, problems) = check_files(&files, &place);
    if !problems.is_empty() {
        return Err(problems);
    }
    list.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Some(Schemes::new(list)))
}

/// The schemes of these files, and everything that is wrong with them.
fn check_files(files: &[(String, String)], place: &str) -> (Vec<Scheme>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut schemes = Vec::new();
    let mut cases = BTreeMap::new();
    for (file, text) in files {
        if let Some(stem) = file.strip_suffix(".cases.toml") {
            match parse_cases(file, text) {
                Ok(read) => {
                    cases.insert(stem, read);
                }
                Err(e) => problems.push(problem(file, &e.to_string())),
            }
        } else {
            match parse_scheme(file, text) {
                Ok(read) => schemes.push((file.clone(), read)),
                Err(e) => problems.push(problem(file, &e.to_string())),
            }
        }
    }
    if schemes.is_empty() {
        problems.push(problem(place, "no scheme is here: add at least `eu.toml`"));
    }
    for (file, _) in &schemes {
        let stem = file.trim_end_matches(".toml");
        if cases.get(stem).is_none_or(|read| read.cases.is_empty()) {
            problems.push(problem(
                file,
                &format!("has no cases: write `{stem}.cases.toml`"),
            ));
        }
    }
    for stem in cases.keys() {
        let file = format!("{stem}.toml");
        if !files.iter().any(|(name, _)| *name == file) {
            problems.push(problem(
                &format!("{stem}.cases.toml"),
                &format!("has no scheme: write `{file}`"),
            ));
        }
    }
    problems.extend(check_schemes(&schemes));
    let all = Schemes::new(schemes.into_iter().map(|(_, scheme)| scheme).collect());
    // Cases are worth running on a sound set alone.
    if problems.is_empty() {
        for (stem, read) in &cases {
            for miss in run_cases(&all, read) {
                problems.push(problem(
                    &format!("{stem}.cases.toml"),
                    &format!("case {}: {}", miss.number, miss.why),
                ));
            }
        }
    }
    (all.into_list(), problems)
}

/// Checks these schemes, each given with its file's name, alone and together.
#[must_use]
pub fn check_schemes(schemes: &[(String, Scheme)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut ids = BTreeMap::new();
    let mut oids = BTreeMap::new();
    for (file, scheme) in schemes {
        let mut say = |what: String| problems.push(problem(file, &what));
        if let Some(other) = ids.insert(scheme.id.clone(), file) {
            say(format!("the scheme `{}` is also in {other}", scheme.id));
        }
        for policy in scheme.policies() {
            if !is_oid(&policy.oid) {
                say(format!(
                    "`{}` is not an object identifier such as 2.25.1",
                    policy.oid
                ));
            }
            if let Some(other) = oids.insert(policy.oid.clone(), file) {
                say(format!("the policy {} is also in {other}", policy.oid));
            }
        }
        for what in check_scheme(scheme) {
            say(what);
        }
    }
    let all: Vec<_> = schemes.iter().map(|(_, scheme)| scheme.clone()).collect();
    for (phrase, what) in clashes(&Schemes::new(all)) {
        problems.push(problem("schemes", &format!("`{phrase}` {what}")));
    }
    problems
}

fn check_scheme(scheme: &Scheme) -> Vec<String> {
    let mut wrong = Vec::new();
    if scheme.kind == Kind::National && scheme.id.parse::<Country>().is_err() {
        wrong.push(format!(
            "`{}`: a national scheme is named by ISO 3166-1 alpha-3",
            scheme.id
        ));
    }
    if scheme.kind == Kind::Codes && !scheme.grades.is_empty() {
        wrong.push("a scheme of codes has no grades".to_owned());
    }
    if scheme.kind != Kind::Codes && scheme.grades.is_empty() {
        wrong.push("no grade: write at least one `[[grade]]`".to_owned());
    }
    let mut codes = BTreeSet::new();
    for grade in &scheme.grades {
        if !codes.insert(&grade.code) {
            wrong.push(format!("the grade `{}` is there twice", grade.code));
        }
        wrong.extend(
            check_grade(scheme, grade)
                .into_iter()
                .map(|w| format!("grade `{}`: {w}", grade.code)),
        );
    }
    for (a, b) in pairs(&scheme.grades) {
        if a.hierarchy < b.hierarchy && a.eu > b.eu {
            wrong.push(format!(
                "`{}` is below `{}` but its EU level is above",
                a.code, b.code
            ));
        }
        if a.lacv == b.lacv && a.code < b.code && overlap(a, b) {
            wrong.push(format!(
                "`{}` and `{}` have the same lacv at the same time",
                a.code, b.code
            ));
        }
    }
    for category in &scheme.categories {
        if category.values.is_empty() == category.release.is_empty() {
            wrong.push(format!(
                "category `{}`: give values, or the words of `release`, not both",
                category.tag
            ));
        }
        for value in &category.values {
            for grade in &value.not_with {
                if scheme.grade(grade).is_none() {
                    wrong.push(format!("`{}`: there is no grade `{grade}`", value.code));
                }
            }
        }
    }
    wrong
}

fn check_grade(scheme: &Scheme, grade: &Grade) -> Vec<String> {
    let mut wrong = Vec::new();
    if grade.marking.is_empty() {
        wrong.push("no marking".to_owned());
    }
    for (language, text) in &grade.marking {
        if !language.is_empty() && !scheme.languages.contains(language) {
            wrong.push(format!("the language `{language}` is not in `languages`"));
        }
        if text.trim().is_empty() || text.contains(['[', ']', '\n']) {
            wrong.push("a marking is one line of text without square brackets".to_owned());
        }
    }
    if let (Some(from), Some(until)) = (grade.from, grade.until)
        && until <= from
    {
        wrong.push("`until` is the first day of no use and comes after `from`".to_owned());
    }
    wrong
}

fn pairs<T>(list: &[T]) -> impl Iterator<Item = (&T, &T)> {
    list.iter()
        .flat_map(move |a| list.iter().map(move |b| (a, b)))
}

fn overlap(a: &Grade, b: &Grade) -> bool {
    let before = |x: &Grade, y: &Grade| {
        x.until
            .zip(y.from)
            .is_some_and(|(until, from)| until <= from)
    };
    !before(a, b) && !before(b, a)
}

/// Phrases that mean two things where no country could decide.
fn clashes(schemes: &Schemes) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for (phrase, terms) in schemes.index().iter() {
        let of = |term: &Term| match *term {
            Term::Grade { scheme, .. }
            | Term::Portion { scheme, .. }
            | Term::Value { scheme, .. }
            | Term::Release { scheme, .. }
            | Term::Refused { scheme, .. } => scheme,
        };
        let national = |at: usize| {
            schemes
                .all()
                .get(at)
                .is_some_and(|s| s.kind == Kind::National)
        };
        let fixed: BTreeSet<_> = terms.iter().map(of).filter(|&at| !national(at)).collect();
        let release = terms
            .iter()
            .all(|term| matches!(term, Term::Release { .. }));
        if fixed.len() > 1 && !release && !same_meaning(schemes, terms) {
            found.push((
                phrase.to_owned(),
                "is in two schemes and no country decides between them",
            ));
        }
        if twins(schemes, terms) {
            found.push((
                phrase.to_owned(),
                "stands for two grades of one State at the same time: say `shared = true`",
            ));
        }
        if !fixed.is_empty() && terms.iter().map(of).any(national) {
            found.push((
                phrase.to_owned(),
                "is a national marking and one of a scheme without country",
            ));
        }
    }
    found.sort();
    found
}

/// True if two grades of one scheme share the phrase and their days.
fn twins(schemes: &Schemes, terms: &[Term]) -> bool {
    let grades: Vec<_> = crate::marking::candidates(schemes, terms).collect();
    pairs(&grades).any(|(a, b)| {
        a.scheme.id == b.scheme.id
            && a.grade.code < b.grade.code
            && !(a.grade.shared && b.grade.shared)
            && overlap(a.grade, b.grade)
    })
}

fn same_meaning(schemes: &Schemes, terms: &[Term]) -> bool {
    let mut meanings = terms.iter().map(|term| match *term {
        Term::Value {
            scheme,
            category,
            value,
        } => schemes
            .all()
            .get(scheme)
            .and_then(|s| s.categories.get(category))
            .and_then(|c| c.values.get(value))
            .map(|v| &v.means),
        Term::Grade { .. } | Term::Portion { .. } | Term::Release { .. } | Term::Refused { .. } => {
            None
        }
    });
    let Some(Some(first)) = meanings.next() else {
        return false;
    };
    meanings.all(|other| other == Some(first))
}

/// Dotted decimal, two arcs or more, no leading zeros.
pub(crate) fn is_oid(text: &str) -> bool {
    text.contains('.')
        && text.len() <= 128
        && text.split('.').all(|arc| {
            !arc.is_empty()
                && arc.bytes().all(|b| b.is_ascii_digit())
                && (arc == "0" || !arc.starts_with('0'))
        })
}

fn problem(file: &str, what: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        what: what.to_owned(),
    }
}
