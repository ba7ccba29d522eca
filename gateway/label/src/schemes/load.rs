//! Reading scheme files.

use std::path::Path;

use crate::error::{Fault, LabelError, Place};
use crate::schemes::{Cases, Scheme, Schemes};

const RULE: &str = "docs/adding-a-label-scheme.md";

/// Largest scheme file read.
const MAX_FILE: u64 = 1 << 20;

/// Reads one scheme.
///
/// # Errors
/// [`Fault::Scheme`] with the line that TOML complains of.
pub fn parse_scheme(name: &str, text: &str) -> Result<Scheme, LabelError> {
    toml::from_str(text).map_err(|e| bad(name, &e))
}

/// Writes one scheme as [`parse_scheme`] reads it.
///
/// # Errors
/// [`Fault::Scheme`] for what TOML cannot hold; no scheme that was read is.
pub fn write_scheme(scheme: &Scheme) -> Result<String, LabelError> {
    toml::to_string(scheme).map_err(|e| {
        LabelError::new(
            Fault::Scheme,
            e.to_string(),
            Place::Field(scheme.id.clone()),
            RULE,
        )
    })
}

/// Reads the cases of one scheme.
///
/// # Errors
/// As [`parse_scheme`].
pub fn parse_cases(name: &str, text: &str) -> Result<Cases, LabelError> {
    toml::from_str(text).map_err(|e| bad(name, &e))
}

fn bad(name: &str, error: &toml::de::Error) -> LabelError {
    LabelError::new(
        Fault::Scheme,
        error.message().to_owned(),
        Place::Field(match error.span() {
            Some(span) => format!("{name}, byte {}", span.start),
            None => name.to_owned(),
        }),
        RULE,
    )
}

/// Reads every `*.toml` of a folder that is not a cases file.
///
/// # Errors
/// [`Fault::Scheme`] naming the file that cannot be read.
pub fn load_dir(dir: &Path) -> Result<Schemes, LabelError> {
    let mut list = Vec::new();
    for (name, text) in scheme_files(dir)? {
        if !name.ends_with(".cases.toml") {
            list.push(parse_scheme(&name, &text)?);
        }
    }
    list.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Schemes::new(list))
}

/// Name and text of every `*.toml` file, sorted by name.
pub(crate) fn scheme_files(dir: &Path) -> Result<Vec<(String, String)>, LabelError> {
    let unreadable = |what: &str, name: &str| {
        LabelError::new(Fault::Scheme, what, Place::Field(name.to_owned()), RULE)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)
        .map_err(|_| unreadable("the folder of schemes cannot be read", "schemes"))?
    {
        let entry =
            entry.map_err(|_| unreadable("the folder of schemes cannot be read", "schemes"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".toml") {
            continue;
        }
        let size = entry
            .metadata()
            .map_err(|_| unreadable("the file cannot be read", &name))?
            .len();
        if size > MAX_FILE {
            return Err(unreadable("the file is larger than 1 MiB", &name));
        }
        let text = std::fs::read_to_string(entry.path())
            .map_err(|_| unreadable("the file cannot be read as UTF-8 text", &name))?;
        files.push((name, text));
    }
    files.sort();
    Ok(files)
}

/// A day as a TOML local date (`from = 2023-12-31`).
pub(crate) mod day {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use time::{Date, Month};
    use toml::value::{Date as TomlDate, Datetime};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Date>, D::Error> {
        let Some(value) = Option::<Datetime>::deserialize(deserializer)? else {
            return Ok(None);
        };
        match value {
            Datetime {
                date: Some(TomlDate { year, month, day }),
                time: None,
                offset: None,
            } => Month::try_from(month)
                .ok()
                .and_then(|month| Date::from_calendar_date(i32::from(year), month, day).ok())
                .map(Some)
                .ok_or_else(|| D::Error::custom("not a day of the calendar")),
            _ => Err(D::Error::custom(
                "write a day without time, such as 2023-12-31",
            )),
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        day: &Option<Date>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let value = day.and_then(|day| {
            Some(Datetime {
                date: Some(TomlDate {
                    year: u16::try_from(day.year()).ok()?,
                    month: day.month().into(),
                    day: day.day(),
                }),
                time: None,
                offset: None,
            })
        });
        value.serialize(serializer)
    }
}
