//! What `chancery label` does, without files and terminals: strings in, JSON
//! answers out. The command reads arguments and prints.
//!
//! Every answer about a label has the same fields: `input`, `scheme`, `level`,
//! `eu_level`, `categories`, `canonical`, `error`, and some more for people.

mod act;
mod answer;
mod file;
mod object;

use serde_json::{Value, json};
use time::{Date, OffsetDateTime};

use crate::codec::stanag4774::Originator;
use crate::error::LabelError;
use crate::marking::{self, ReadOptions};
use crate::schemes::{Schemes, shipped};
use crate::{Country, UnknownCode};

pub use act::{Binder, bind, compare, format, translate, verify};
pub use answer::error_value;
pub use file::parse_file;

/// Syntaxes that [`format()`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// The canonical marking.
    Text,
    /// Our JSON object.
    Json,
    /// STANAG 4774 XML.
    Stanag4774,
    /// The value of an `SIO-Label` header.
    SioLabel,
    /// ESSSecurityLabel, DER in base64.
    Ess,
    /// XEP-0258 XML.
    Xep0258,
    /// STIX `object_marking_refs` and marking definitions, as JSON.
    Stix,
    /// MISP tags, as a JSON list.
    Misp,
}

impl Syntax {
    /// All syntaxes.
    pub const ALL: [Self; 8] = [
        Self::Text,
        Self::Json,
        Self::Stanag4774,
        Self::SioLabel,
        Self::Ess,
        Self::Xep0258,
        Self::Stix,
        Self::Misp,
    ];

    /// The name that people type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Stanag4774 => "4774",
            Self::SioLabel => "sio-label",
            Self::Ess => "ess",
            Self::Xep0258 => "xep0258",
            Self::Stix => "stix",
            Self::Misp => "misp",
        }
    }

    /// The syntax of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|syntax| syntax.name() == name)
    }
}

/// Who puts a label, and when: what structured labels say beside it.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Now.
    pub created: OffsetDateTime,
    /// When it is to be reviewed.
    pub review: Option<OffsetDateTime>,
    /// Who puts it.
    pub originator: Option<Originator>,
}

/// A country as `--country` takes it: alpha-3, or two letters with `EL`.
///
/// # Errors
/// [`UnknownCode`] for anything else.
pub fn country(text: &str) -> Result<Country, UnknownCode> {
    Country::from_any(&text.to_ascii_uppercase())
}

/// A day as `--on` takes it: `2026-01-31`.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
    Date::parse(
        text,
        time::macros::format_description!("[year]-[month]-[day]"),
    )
    .ok()
}

/// Answers one line of `chancery label parse --lines`: a marking, a label
/// object, or `{"input": "GEHEIM", "country": "DEU", "on": "2026-01-01"}`.
#[must_use]
pub fn parse_line(line: &str, options: &ReadOptions) -> Value {
    let line = line.trim_end_matches(['\r', '\n']);
    let answer = match shipped() {
        Ok(schemes) if line.trim_start().starts_with('{') => object(schemes, line, options),
        Ok(schemes) => marking::read_with(schemes, line, options)
            .map(|reading| answer::of(schemes, line, &reading)),
        Err(e) => Err(e),
    };
    answer.unwrap_or_else(|e| answer::failed(line, &e))
}

/// Answers every line, in order.
pub fn parse_lines<L: AsRef<str>>(
    lines: impl IntoIterator<Item = L>,
    options: ReadOptions,
) -> impl Iterator<Item = Value> {
    lines
        .into_iter()
        .map(move |line| parse_line(line.as_ref(), &options))
}

/// A JSON object on a line: a request with its own options, or a label.
fn object(schemes: &Schemes, line: &str, options: &ReadOptions) -> Result<Value, LabelError> {
    if let Ok(request) = serde_json::from_str::<Request>(line) {
        let fault = |e: LabelError| answer::failed(&request.input, &e);
        let options = match request.options(options) {
            Ok(options) => options,
            Err(e) => return Ok(fault(e)),
        };
        let reading = marking::read_with(schemes, &request.input, &options);
        return Ok(reading.map_or_else(fault, |reading| {
            answer::of(schemes, &request.input, &reading)
        }));
    }
    let label = crate::codec::json::read(line, options)?;
    Ok(answer::of_label(schemes, line, &label, "EU"))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    input: String,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    on: Option<String>,
}

impl Request {
    fn options(&self, outer: &ReadOptions) -> Result<ReadOptions, LabelError> {
        let wrong = |field: &str, what: &str| {
            LabelError::new(
                crate::Fault::Unknown,
                what,
                crate::Place::Field(field.to_owned()),
                "`chancery label parse --help`",
            )
        };
        let mut options = *outer;
        if let Some(text) = &self.country {
            options.country = Some(
                country(text).map_err(|_| wrong("country", "not a country, ISO 3166-1 alpha-3"))?,
            );
        }
        if let Some(text) = &self.on {
            options.on = day(text).ok_or_else(|| wrong("on", "not a day such as 2026-01-31"))?;
        }
        Ok(options)
    }
}

/// Every scheme in force, for `chancery label schemes` and for help.
///
/// # Errors
/// As [`shipped`].
pub fn schemes() -> Result<Value, LabelError> {
    let list = shipped()?.all().iter().map(|scheme| {
        json!({
            "scheme": scheme.id,
            "name": scheme.name,
            "kind": scheme.kind,
            "confidence": scheme.confidence,
            "source": scheme.source,
            "grades": scheme.grades.iter().map(|grade| json!({
                "code": grade.code,
                "eu_level": grade.eu,
                "marking": grade.marking,
                "from": grade.from.map(|day| day.to_string()),
                "until": grade.until.map(|day| day.to_string()),
            })).collect::<Vec<_>>(),
        })
    });
    Ok(Value::Array(list.collect()))
}
