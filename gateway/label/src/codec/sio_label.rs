//! The `SIO-Label` header of mail (RFC 7444) with the parameter continuations
//! and encodings of RFC 2231.
//!
//! `SIO-Label: marking="…"; fgcolor=black; bgcolor=yellow; type=":xml"; label="…"`

mod parameters;
mod read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Label;
use crate::codec::ess;
use crate::codec::stanag4774::{self, ConfidentialityLabel};
use crate::error::{Fault, LabelError, Place};
use crate::marking::{self, ReadOptions};
use crate::schemes::shipped;

pub(crate) use read::is_colour;
pub use read::read;

pub(crate) const RULE: &str = "RFC 7444, section 4; RFC 2231, section 3";

/// The header's value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SioLabel {
    /// The marking for people.
    pub marking: Option<String>,
    /// Language of the marking (RFC 2231), where it is said.
    pub language: Option<String>,
    /// Colour of the text: a name or `#RRGGBB`.
    pub fgcolor: Option<String>,
    /// Colour of the ground.
    pub bgcolor: Option<String>,
    /// The label for machines.
    pub label: Option<Typed>,
}

/// The label for machines, with its syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// `:ess`, `:x411`, `:xml` or a URI.
    pub kind: String,
    /// The label itself, decoded.
    pub bytes: Vec<u8>,
}

impl SioLabel {
    /// The header of a label: its marking and its STANAG 4774 form.
    ///
    /// # Errors
    /// As [`stanag4774::write`].
    pub fn of(label: &ConfidentialityLabel) -> Result<Self, LabelError> {
        Ok(Self {
            marking: Some(marking::format(&label.label()?)),
            label: Some(Typed {
                kind: ":xml".to_owned(),
                bytes: stanag4774::write(label)?.into_bytes(),
            }),
            ..Self::default()
        })
    }

    /// What the header means. Where it has both forms they must agree, but
    /// that the marking may leave out categories that the label states.
    ///
    /// # Errors
    /// [`LabelError`] for a form that cannot be read, or two that disagree.
    pub fn label(&self, options: &ReadOptions) -> Result<Label, LabelError> {
        let typed = self.label.as_ref().map(read_typed).transpose()?;
        let marked = self
            .marking
            .as_deref()
            .map(|text| marking::parse(text, options))
            .transpose()?;
        match (typed, marked) {
            (Some(typed), None) => Ok(typed),
            (None, Some(marked)) => Ok(marked),
            (Some(typed), Some(marked))
                if typed.level == marked.level && typed.dominates(&marked) =>
            {
                Ok(typed)
            }
            (Some(_), Some(_)) => Err(fault(
                Fault::Conflict,
                "marking",
                "the marking says what the label does not: a person must look",
            )),
            (None, None) => Err(fault(
                Fault::Missing,
                "SIO-Label",
                "neither a marking nor a label: unlabelled is not unclassified",
            )),
        }
    }
}

pub(crate) fn fault(fault: Fault, name: &str, what: &str) -> LabelError {
    LabelError::new(fault, what, Place::Field(name.to_owned()), RULE)
}

fn read_typed(typed: &Typed) -> Result<Label, LabelError> {
    match typed.kind.as_str() {
        ":xml" => {
            let text = std::str::from_utf8(&typed.bytes)
                .map_err(|_| fault(Fault::Malformed, "label", "not UTF-8 text"))?;
            stanag4774::read(text)?.label()
        }
        ":ess" => ess::to_label(shipped()?, &ess::read(&typed.bytes)?),
        _ => Err(fault(
            Fault::Unknown,
            "type",
            "a syntax that this reader does not have",
        )),
    }
}

/// Writes the header's value (without the name) in lines of at most 76
/// characters, folded with CRLF and one space.
#[must_use]
pub fn write(label: &SioLabel) -> String {
    let mut parameters = Vec::new();
    if let Some(marking) = &label.marking {
        parameters::text(
            &mut parameters,
            "marking",
            marking,
            label.language.as_deref(),
        );
    }
    for (name, value) in [("fgcolor", &label.fgcolor), ("bgcolor", &label.bgcolor)] {
        if let Some(value) = value {
            parameters::text(&mut parameters, name, value, None);
        }
    }
    if let Some(typed) = &label.label {
        parameters::text(&mut parameters, "type", &typed.kind, None);
        parameters::text(
            &mut parameters,
            "label",
            &STANDARD.encode(&typed.bytes),
            None,
        );
    }
    parameters.join(";\r\n ")
}
