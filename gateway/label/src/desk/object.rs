//! Labels in JSON documents: our own, STIX markings, MISP tags, IEP policies.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer;
use super::file::found;
use crate::codec::{MAX_LABEL, iep, json as own, misp, stix};
use crate::error::{Fault, LabelError, Place, rule};
use crate::marking::{self, ReadOptions};
use crate::schemes::Schemes;

/// STIX markings as [`format`](super::format()) writes them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stix {
    object_marking_refs: Vec<String>,
    #[serde(default)]
    definitions: Vec<Value>,
}

/// Answers about the label of a JSON document.
pub(super) fn read(
    schemes: &Schemes,
    name: &str,
    text: &str,
    options: &ReadOptions,
) -> Result<Value, LabelError> {
    // What is no JSON at all, or our own form, is that reader's.
    let other = (text.len() <= MAX_LABEL)
        .then(|| serde_json::from_str::<Value>(text).ok())
        .flatten();
    match other {
        Some(value) if iep::is_policy(&value) => {
            let policy = iep::read(&value, options)?;
            let reading = marking::read_with(schemes, &policy.tlp.to_string(), options)?;
            let mut answer = answer::of(schemes, name, &reading);
            answer::put(&mut answer, "syntax", json!("iep"));
            answer::put(&mut answer, "notes", json!(policy.asks));
            Ok(answer)
        }
        Some(Value::Array(tags)) => {
            let tags: Option<Vec<&str>> = tags.iter().map(Value::as_str).collect();
            let tags = tags.ok_or_else(|| malformed("not a list of tags, each a string"))?;
            let label = misp::read(schemes, tags, options)?.ok_or_else(|| none("tag"))?;
            Ok(found(schemes, name, &label, "misp", &[]))
        }
        Some(value) if value.get("object_marking_refs").is_some() => {
            let markings = Stix::deserialize(&value)
                .map_err(|_| malformed("not `object_marking_refs` with their `definitions`"))?;
            let refs: Vec<&str> = markings
                .object_marking_refs
                .iter()
                .map(String::as_str)
                .collect();
            let label = stix::read(schemes, &refs, &markings.definitions, options)?
                .ok_or_else(|| none("reference"))?;
            Ok(found(schemes, name, &label, "stix", &[]))
        }
        _ => {
            let label = own::read(text, options)?;
            Ok(found(schemes, name, &label, "json", &[]))
        }
    }
}

fn malformed(what: &str) -> LabelError {
    LabelError::new(Fault::Malformed, what, Place::Whole, rule::PRODUCT)
}

fn none(of: &str) -> LabelError {
    LabelError::new(
        Fault::Missing,
        format!("no {of} is a marking: unlabelled is not unclassified"),
        Place::Whole,
        rule::PRODUCT,
    )
}
