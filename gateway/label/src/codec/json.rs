//! Labels in JSON: the marking as one string, or an object with the fields of
//! [`Label`], as the REST interface takes it.

use serde::Deserialize;

use crate::Label;
use crate::codec::{MAX_LABEL, information};
use crate::error::{Fault, LabelError, Place, rule};
use crate::marking::{self, ReadOptions};
use crate::schemes::shipped;

const RULE: &str = "REST interface, schema of `label`";

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Fields(Box<Label>),
}

/// Reads either form.
///
/// # Errors
/// [`Fault::Malformed`] for JSON that is neither form (unknown or repeated
/// fields, unknown values), or what [`marking::parse`] and
/// [`information::validate`] find.
pub fn read(text: &str, options: &ReadOptions) -> Result<Label, LabelError> {
    if text.len() > MAX_LABEL {
        return Err(LabelError::new(
            Fault::TooLarge,
            "a label larger than 64 KiB",
            Place::Whole,
            rule::BUDGET,
        ));
    }
    if text.trim_start().starts_with('{') {
        let label: Label = serde_json::from_str(text).map_err(|e| malformed(&e))?;
        information::validate(shipped()?, &label)?;
        Ok(label)
    } else {
        let text: String = serde_json::from_str(text).map_err(|e| malformed(&e))?;
        marking::parse(&text, options)
    }
}

fn malformed(error: &serde_json::Error) -> LabelError {
    LabelError::new(
        Fault::Malformed,
        "not a label object with known fields and values, each once, nor a string",
        Place::Field(format!("line {}, column {}", error.line(), error.column())),
        RULE,
    )
}

/// Reads a value that is part of a larger document.
///
/// # Errors
/// As [`read`].
pub fn read_value(value: &serde_json::Value, options: &ReadOptions) -> Result<Label, LabelError> {
    match Form::deserialize(value) {
        Ok(Form::Text(text)) => marking::parse(&text, options),
        Ok(Form::Fields(label)) => {
            information::validate(shipped()?, &label)?;
            Ok(*label)
        }
        Err(e) => Err(malformed(&e)),
    }
}

/// The object form, in canonical order without white space.
#[must_use]
pub fn write(label: &Label) -> String {
    serde_json::to_string(label).unwrap_or_default()
}
