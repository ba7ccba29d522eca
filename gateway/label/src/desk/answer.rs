//! The JSON answer about one label.

use serde_json::{Value, json};

use crate::codec::information;
use crate::error::LabelError;
use crate::marking::{self, Reading};
use crate::schemes::{CategoryKind, Kind, Schemes};
use crate::{Label, Level};

/// The answer for a reading.
pub(super) fn of(schemes: &Schemes, input: &str, reading: &Reading) -> Value {
    let codes = reading.grade.is_empty();
    // TLP, PAP and handling codes say nothing about a level.
    let eu_level = (!codes || reading.scheme == "EU").then(|| reading.eu_level());
    let level = match (codes, reading.scheme.as_str()) {
        (true, "TLP") => reading.label.tlp.map(|tlp| tlp.to_string()),
        (true, "PAP") => reading.label.pap.map(|pap| pap.to_string()),
        (true, _) => None,
        (false, "EU") => Some(reading.grade.clone()),
        (false, _) => Some(reading.marking.clone()),
    };
    let mut answer = base(schemes, input, &reading.label, &reading.scheme);
    put(&mut answer, "level", json!(level));
    put(&mut answer, "eu_level", json!(eu_level));
    put(&mut answer, "canonical", json!(reading.canonical));
    put(
        &mut answer,
        "classified",
        json!(reading.classified && reading.label.level > Level::Nc),
    );
    put(&mut answer, "notes", json!(reading.notes));
    answer
}

/// The answer for a label that came in a structured syntax.
pub(super) fn of_label(schemes: &Schemes, input: &str, label: &Label, scheme: &str) -> Value {
    let mut answer = base(schemes, input, label, scheme);
    put(&mut answer, "level", json!(label.level));
    put(&mut answer, "eu_level", json!(label.level));
    put(&mut answer, "canonical", json!(marking::format(label)));
    put(&mut answer, "classified", json!(label.level > Level::Nc));
    put(&mut answer, "notes", json!([]));
    answer
}

pub(super) fn put(answer: &mut Value, key: &str, value: Value) {
    if let Some(fields) = answer.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

fn base(schemes: &Schemes, input: &str, label: &Label, scheme: &str) -> Value {
    json!({
        "input": input,
        "scheme": scheme,
        "scheme_name": schemes.get(scheme).map(|it| &it.name),
        "categories": categories(schemes, label),
        "marking": marking::format(label),
        "protect_as": label.level,
        "national": label.national,
        "label": label,
        "error": null,
    })
}

/// Type, tag and values, as the EU policy groups them.
fn categories(schemes: &Schemes, label: &Label) -> Value {
    let Ok(information) = information::from_label(schemes, label) else {
        return json!([]);
    };
    let list = information.categories.iter().map(|tag| {
        let kind = match tag.kind {
            CategoryKind::Restrictive => "RESTRICTIVE",
            CategoryKind::Permissive => "PERMISSIVE",
            CategoryKind::Informative => "INFORMATIVE",
        };
        json!({ "type": kind, "tag": tag.name, "values": tag.values })
    });
    Value::Array(list.collect())
}

/// The answer for what could not be read.
pub(super) fn failed(input: &str, error: &LabelError) -> Value {
    json!({
        "input": input,
        "scheme": null,
        "level": null,
        "eu_level": null,
        "categories": [],
        "canonical": null,
        "error": error_value(error),
    })
}

/// What, where and which rule.
#[must_use]
pub fn error_value(error: &LabelError) -> Value {
    json!({
        "fault": format!("{:?}", error.fault).to_lowercase(),
        "what": error.what,
        "where": error.place.to_string(),
        "rule": error.rule,
        "review": error.fault.needs_review(),
    })
}

/// The scheme whose marking the label bears.
pub(super) fn scheme_of(schemes: &Schemes, label: &Label) -> String {
    match &label.national {
        Some(national) => national.country.clone(),
        None => schemes
            .all()
            .iter()
            .find(|scheme| scheme.kind == Kind::Eu)
            .map_or_else(String::new, |scheme| scheme.id.clone()),
    }
}
