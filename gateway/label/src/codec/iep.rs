//! Policies of the Information Exchange Policy framework (FIRST, IEP 2.0) are
//! read for their TLP label. What else a policy asks is no label: it is told in
//! words and never dropped in silence. None are written.

use serde::Deserialize;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use crate::error::{Fault, LabelError, Place};
use crate::{ReadOptions, Tlp};

const RULE: &str = "FIRST IEP 2.0, policy";

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its label. IEP 2.0 has the four of TLP 1.0; `white` is `CLEAR`.
    pub tlp: Tlp,
    /// What else it asks, field by field.
    pub asks: Vec<String>,
}

/// True if this is a policy, or means to be one.
#[must_use]
pub fn is_policy(value: &Value) -> bool {
    value.get("iep_version").is_some()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "a policy without them, or with other fields, is refused"
)]
struct Document {
    id: String,
    name: String,
    description: Option<String>,
    iep_version: f64,
    start_date: String,
    end_date: Option<String>,
    encrypt_in_transit: String,
    permitted_actions: String,
    affected_party_notifications: String,
    tlp: String,
    attribution: String,
    unmodified_resale: String,
    #[serde(alias = "external_reference")]
    external_references: Option<Vec<String>>,
}

/// Reads a policy as of the day of `options`.
///
/// # Errors
/// [`Fault::Malformed`] for other fields, [`Fault::Unknown`] for other words,
/// [`Fault::Conflict`] for a policy that is not in force that day.
pub fn read(value: &Value, options: &ReadOptions) -> Result<Policy, LabelError> {
    let document = Document::deserialize(value).map_err(|_| {
        error(
            Fault::Malformed,
            "not a policy with the known fields, each once",
            "iep",
        )
    })?;
    if document.iep_version.to_bits() != 2.0_f64.to_bits() {
        return Err(error(
            Fault::Unknown,
            "a version other than 2.0",
            "iep_version",
        ));
    }
    let start = day("start_date", &document.start_date)?;
    let end = document
        .end_date
        .as_deref()
        .map(|text| day("end_date", text))
        .transpose()?;
    if options.on < start || end.is_some_and(|end| options.on > end) {
        return Err(error(
            Fault::Conflict,
            "a policy that is not in force on the day asked; ask its provider for the one that is",
            "start_date and end_date",
        ));
    }
    let tlp = match document.tlp.as_str() {
        "white" => Tlp::Clear,
        "green" => Tlp::Green,
        "amber" => Tlp::Amber,
        "red" => Tlp::Red,
        _ => return Err(error(Fault::Unknown, "a label other than four", "tlp")),
    };
    let fields = [
        ("encrypt_in_transit", &document.encrypt_in_transit, ENCRYPT),
        ("permitted_actions", &document.permitted_actions, ACTIONS),
        (
            "affected_party_notifications",
            &document.affected_party_notifications,
            &["may", "must-not"],
        ),
        (
            "attribution",
            &document.attribution,
            &["may", "must", "must-not"],
        ),
        (
            "unmodified_resale",
            &document.unmodified_resale,
            &["may", "must-not"],
        ),
    ];
    let mut asks = Vec::with_capacity(fields.len());
    for (field, said, known) in fields {
        if !known.contains(&said.as_str()) {
            return Err(error(Fault::Unknown, "a word that it may not have", field));
        }
        asks.push(format!("{}: {said}", field.replace('_', " ")));
    }
    Ok(Policy { tlp, asks })
}

const ENCRYPT: &[&str] = &["must", "may"];
const ACTIONS: &[&str] = &[
    "none",
    "contact-for-instruction",
    "internally-visible-actions",
    "externally-visible-indirect-actions",
    "externally-visible-direct-actions",
];

fn day(field: &str, text: &str) -> Result<Date, LabelError> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(OffsetDateTime::date)
        .map_err(|_| error(Fault::Malformed, "not a time of RFC 3339", field))
}

fn error(fault: Fault, what: &str, field: &str) -> LabelError {
    LabelError::new(fault, what, Place::Field(field.to_owned()), RULE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::date;

    use super::*;

    fn tried(change: impl FnOnce(&mut Value)) -> Result<Policy, Fault> {
        let mut value = json!({
            "id": "01bc4353-4829-4d55-8d52-0ab7e0790df9", "name": "example",
            "iep_version": 2.0, "start_date": "2017-01-01T00:00:00Z", "end_date": null,
            "encrypt_in_transit": "may", "permitted_actions": "none",
            "affected_party_notifications": "may", "tlp": "amber",
            "attribution": "must-not", "unmodified_resale": "must-not",
        });
        change(&mut value);
        let options = ReadOptions {
            country: None,
            on: date!(2026 - 01 - 01),
        };
        read(&value, &options).map_err(|error| error.fault)
    }

    #[test]
    fn a_policy_is_its_tlp_and_what_it_asks() {
        let read = tried(|_| ());
        assert_eq!(read.as_ref().map(|it| it.tlp), Ok(Tlp::Amber));
        assert!(read.is_ok_and(|it| it.asks.contains(&"attribution: must-not".to_owned())));
        let white = tried(|it| it["tlp"] = json!("white")).map(|it| it.tlp);
        assert_eq!(white, Ok(Tlp::Clear));
    }

    #[test]
    fn what_no_policy_says_is_refused() {
        for (field, value, fault) in [
            ("tlp", json!("TLP:AMBER"), Fault::Unknown),
            ("tlp", json!(null), Fault::Malformed),
            ("attribution", json!("never"), Fault::Unknown),
            ("iep_version", json!(1.0), Fault::Unknown),
            ("iep_version", json!("2.0"), Fault::Malformed),
            ("colour", json!("red"), Fault::Malformed),
            ("start_date", json!("2017"), Fault::Malformed),
            ("start_date", json!("2030-01-01T00:00:00Z"), Fault::Conflict),
            ("end_date", json!("2018-01-01T00:00:00Z"), Fault::Conflict),
        ] {
            let found = tried(|it| it[field] = value.clone());
            assert_eq!(found, Err(fault), "{field} {value}");
        }
    }
}
