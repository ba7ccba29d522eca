//! Markings as people write them: text in, label out, and back.
//!
//! ```
//! use chancery_label::marking::{self, ReadOptions};
//! let on = time::macros::date!(2026 - 01 - 01);
//! let label = marking::parse("restreint ue / eu restricted TLP:AMBER", &ReadOptions { country: None, on })?;
//! assert_eq!(marking::format(&label), "RESTREINT UE/EU RESTRICTED TLP:AMBER");
//! # Ok::<_, chancery_label::LabelError>(())
//! ```

mod read;
mod terms;
mod whole;
mod write;

use time::Date;

use crate::error::rule;
use crate::fold;
use crate::schemes::{Schemes, shipped};
use crate::{Country, Label, LabelError, Level, NationalMarking, Place};

pub(crate) use terms::candidates;
pub use write::format;

/// Longest marking text read, in bytes.
pub const MAX_TEXT: usize = 4096;

/// How to read a marking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The country whose marking a national word is. A national word that
    /// several States use is refused without it.
    pub country: Option<Country>,
    /// The day as of which the marking is read.
    pub on: Date,
}

/// What a marking says, with how it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its meaning to the gateway.
    pub label: Label,
    /// Id of the scheme: `EU`, `NATO`, `EUROPOL`, `TLP`, `PAP`, alpha-3.
    pub scheme: String,
    /// Code of the grade in that scheme; empty for a code without grade.
    pub grade: String,
    /// The grade as its scheme writes it; empty for a code without grade.
    pub marking: String,
    /// False for a marking that is no classification although it must be
    /// protected like [`Label::level`].
    pub classified: bool,
    /// The whole marking as its own scheme writes it.
    pub canonical: String,
    /// What a reader should know: no longer in use, an older name, and so on.
    pub notes: Vec<String>,
}

impl Reading {
    /// The EU equivalent; unclassified for what is no classification.
    #[must_use]
    pub fn eu_level(&self) -> Level {
        if self.classified {
            self.label.level
        } else {
            Level::Nc
        }
    }
}

/// Reads a whole marking: a level with its caveats, releasability, TLP, PAP
/// and handling codes, in any order after the level.
///
/// # Errors
/// [`LabelError`] for anything that is not wholly understood.
pub fn parse(text: &str, options: &ReadOptions) -> Result<Label, LabelError> {
    read(text, options).map(|reading| reading.label)
}

/// Reads a marking and says how it was understood.
///
/// # Errors
/// As [`parse`].
pub fn read(text: &str, options: &ReadOptions) -> Result<Reading, LabelError> {
    read_with(shipped()?, text, options)
}

/// Reads a marking with these schemes.
///
/// # Errors
/// As [`parse`].
pub fn read_with(
    schemes: &Schemes,
    text: &str,
    options: &ReadOptions,
) -> Result<Reading, LabelError> {
    read::read(schemes, text, options)
}

/// Reads `DEU GEHEIM`, a national marking with its scheme, that stands beside
/// an EU level and is not above it.
pub(crate) fn national(
    schemes: &Schemes,
    text: &str,
    level: Level,
) -> Result<NationalMarking, LabelError> {
    let folded = fold::fold_strict(text)?;
    read::beside(schemes, &folded, 0, folded.words().len(), level)
        .map(|it| NationalMarking {
            country: it.scheme.id.clone(),
            marking: it.written().to_owned(),
        })
        .map_err(|(fault, what)| {
            LabelError::new(
                fault,
                what,
                Place::Field("national".to_owned()),
                rule::EQUIVALENCE,
            )
        })
}

/// The EU level of a national marking in the schemes in force; of several the
/// highest.
pub(crate) fn level_of(it: &NationalMarking) -> Option<Level> {
    let schemes = shipped().ok()?;
    candidates(schemes, schemes.index().get(&fold::key(&it.marking)))
        .filter(|found| found.scheme.id == it.country)
        .map(|found| found.grade.eu)
        .max()
}

/// A marking with the categories of a label after it.
pub(crate) fn beside_categories(marking: &str, label: &Label) -> String {
    let mut text = marking.to_owned();
    write::with_categories(&mut text, label);
    text
}
