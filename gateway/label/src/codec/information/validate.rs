//! Checking labels that were not read but made.

use crate::codec::information::{eu, holds};
use crate::error::{Fault, LabelError, Place, rule};
use crate::schemes::Schemes;
use crate::{Label, ReleaseCode, marking};

/// Checks a label that did not come from a reader: its codes exist, its
/// national marking is one, its combinations are allowed.
///
/// # Errors
/// [`LabelError`] naming the field.
pub fn validate(schemes: &Schemes, label: &Label) -> Result<(), LabelError> {
    for code in &label.releasable_to {
        if ReleaseCode::existing(code.as_str()).is_none() {
            return Err(LabelError::new(
                Fault::Unknown,
                "not a country (ISO 3166-1 alpha-3), EU or NATO",
                Place::Field("releasable_to".to_owned()),
                rule::RELEASABLE,
            ));
        }
    }
    if let Some(national) = &label.national {
        let text = format!("{} {}", national.country, national.marking);
        let found = marking::national(schemes, &text, label.level)?;
        if found != *national {
            return Err(LabelError::new(
                Fault::Unknown,
                "the national marking is not written as its State writes it",
                Place::Field("national".to_owned()),
                rule::EQUIVALENCE,
            ));
        }
    }
    let eu = eu(schemes)?;
    let code = eu
        .grades
        .iter()
        .find(|grade| grade.eu == label.level)
        .map(|grade| &grade.code);
    for value in eu.categories.iter().flat_map(|category| &category.values) {
        if holds(label, &value.means) && code.is_some_and(|code| value.not_with.contains(code)) {
            return Err(LabelError::new(
                Fault::Combination,
                format!(
                    "{} does not stand beside {}",
                    value.code,
                    label.level.code()
                ),
                Place::Field("level".to_owned()),
                rule::RELEASABLE,
            ));
        }
    }
    Ok(())
}
