//! Reading `crypto.toml`: strict, everything that is wrong at once, by line.

use std::collections::BTreeMap;

use chancery_label::{Caveat, Level};
use serde::Deserialize;
use toml::Spanned;

use super::{Allowed, CryptoPolicy, FILE, TlsVersion, Use};
use crate::day::{Day, Validity};
use crate::directory::line_at;
use crate::engine::Problem;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    hybrid: Hybrid,
    level: BTreeMap<Level, LevelText>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Hybrid {
    caveats: Vec<Caveat>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LevelText {
    tls: Tls,
    openpgp: OpenPgp,
    key_wrap: KeyWrap,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    min_version: Spanned<TlsVersion>,
    groups: Terms,
    signatures: Terms,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenPgp {
    encryption: Terms,
    signing: Terms,
    symmetric: Terms,
    hash: Terms,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyWrap {
    algorithms: Terms,
}

type Terms = BTreeMap<String, Spanned<Term>>;

/// From when until when an algorithm is allowed.
#[derive(Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "a last day such as 2031-12-31, \"open\", or { from = DAY, until = DAY }"
)]
enum Term {
    Until(Day),
    Open(Open),
    Between(Between),
}

#[derive(Clone, Copy, Deserialize)]
enum Open {
    #[serde(rename = "open")]
    Open,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Between {
    #[serde(default)]
    from: Option<Day>,
    #[serde(default)]
    until: Option<Day>,
}

impl From<Term> for Validity {
    fn from(term: Term) -> Self {
        match term {
            Term::Open(Open::Open) => Self::default(),
            Term::Until(day) => Self {
                from: None,
                until: Some(day),
            },
            Term::Between(Between { from, until }) => Self { from, until },
        }
    }
}

/// Where each term stands, for what is told about it.
type Places = BTreeMap<(u8, Use, String), usize>;

impl CryptoPolicy {
    /// The shipped one.
    ///
    /// # Errors
    /// What is wrong; the tests read the same text, so that nothing is.
    pub fn shipped() -> Result<Self, Vec<Problem>> {
        Self::read(super::SHIPPED)
    }

    /// Reads a policy.
    ///
    /// # Errors
    /// Everything that is wrong, each by line: text that is no such file, a
    /// level that is missing, unknown algorithms, reversed dates, a higher level
    /// that allows more or longer than a lower one.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let problem = |line: Option<usize>, what: String| Problem {
            file: FILE.to_owned(),
            line,
            what,
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| line_at(text, span.start));
            vec![problem(line, error.message().to_owned())]
        })?;
        let mut problems = Vec::new();
        let mut places = Places::new();
        let mut levels: [Allowed; 5] = Default::default();
        for (level, allowed) in Level::ALL.into_iter().zip(&mut levels) {
            let Some(given) = file.level.get(&level) else {
                problems.push(problem(
                    None,
                    format!("[level.{level}] is missing: say what is allowed for it"),
                ));
                continue;
            };
            allowed.min_version = *given.tls.min_version.get_ref();
            for (use_, terms) in given.uses() {
                for (name, term) in terms {
                    let line = line_at(text, term.span().start);
                    let validity = Validity::from(*term.get_ref());
                    if !use_.names().contains(&name.as_str()) {
                        problems.push(problem(
                            Some(line),
                            format!(
                                "`{name}` is no algorithm that this gateway knows there: one of {}",
                                use_.names().join(", ")
                            ),
                        ));
                        continue;
                    }
                    if validity.is_reversed() {
                        problems.push(problem(
                            Some(line),
                            format!("`{name}`: until is before from"),
                        ));
                    }
                    places.insert((level.rank(), use_, name.clone()), line);
                    allowed.terms.insert((use_, name.clone()), validity);
                }
            }
        }
        if problems.is_empty() {
            compare(&levels, &places, |line, what| {
                problems.push(problem(line, what));
            });
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            levels,
            hybrid_caveats: file.hybrid.caveats,
        })
    }
}

impl LevelText {
    const fn uses(&self) -> [(Use, &Terms); 7] {
        [
            (Use::TlsGroup, &self.tls.groups),
            (Use::TlsSignature, &self.tls.signatures),
            (Use::OpenPgpEncryption, &self.openpgp.encryption),
            (Use::OpenPgpSigning, &self.openpgp.signing),
            (Use::OpenPgpSymmetric, &self.openpgp.symmetric),
            (Use::OpenPgpHash, &self.openpgp.hash),
            (Use::KeyWrap, &self.key_wrap.algorithms),
        ]
    }
}

/// A higher level never allows what the one below does not, nor longer.
fn compare(levels: &[Allowed; 5], places: &Places, mut wrong: impl FnMut(Option<usize>, String)) {
    for (pair, levels) in Level::ALL.windows(2).zip(levels.windows(2)) {
        let ([lower, higher], [below, above]) = (pair, levels) else {
            continue;
        };
        if above.min_version < below.min_version {
            wrong(
                None,
                format!("min_version of {higher} is below that of {lower}"),
            );
        }
        for ((use_, name), term) in &above.terms {
            let line = places.get(&(higher.rank(), *use_, name.clone())).copied();
            match below.terms.get(&(*use_, name.clone())) {
                None => wrong(
                    line,
                    format!("`{name}` is allowed for {higher} and not for {lower}"),
                ),
                Some(under) if !within(*term, *under) => wrong(
                    line,
                    format!("`{name}` is allowed longer for {higher} than for {lower}"),
                ),
                Some(_) => {}
            }
        }
    }
}

/// True if the inner days are all among the outer ones.
fn within(inner: Validity, outer: Validity) -> bool {
    let starts = outer
        .from
        .is_none_or(|from| inner.from.is_some_and(|inner| inner >= from));
    let ends = outer
        .until
        .is_none_or(|until| inner.until.is_some_and(|inner| inner <= until));
    starts && ends
}
