//! STIX 2.1 markings: TLP by the exact identifiers of its versions 1 and 2,
//! everything else as a statement whose text is the canonical marking.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use crate::codec::MAX_CATEGORIES;
use crate::error::{Fault, LabelError, Place, rule};
use crate::marking::{self, ReadOptions};
use crate::schemes::{Meaning, Schemes};
use crate::{Label, Level, Tlp};

const RULE: &str = "STIX 2.1, section 4.1; FIRST TLP 2.0; OASIS common objects";

/// The extension that TLP 2.0 markings carry.
const TLP2_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";

/// STIX timestamps: milliseconds, UTC.
const STAMP: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What goes into a STIX object and beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Markings {
    /// For `object_marking_refs`.
    pub refs: Vec<String>,
    /// Marking definitions that the bundle must hold. TLP's are known to all
    /// and not repeated.
    pub definitions: Vec<Value>,
}

/// The markings of a label. The same label gives the same identifiers.
///
/// # Errors
/// [`Fault::Malformed`] for a date that STIX cannot write.
pub fn write(
    schemes: &Schemes,
    label: &Label,
    created: OffsetDateTime,
) -> Result<Markings, LabelError> {
    let mut refs = Vec::new();
    let mut definitions = Vec::new();
    if let Some(tlp) = label.tlp {
        refs.push(tlp_id(schemes, tlp)?);
    }
    let rest = Label {
        tlp: None,
        ..label.clone()
    };
    if rest != Label::of(Level::Nc) || refs.is_empty() {
        let text = marking::format(&rest);
        let id = statement_id(&text);
        let created = created
            .to_offset(time::UtcOffset::UTC)
            .format(STAMP)
            .map_err(|_| error(Fault::Malformed, "created", "a date that STIX cannot write"))?;
        definitions.push(json!({
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": id,
            "created": created,
            "definition_type": "statement",
            "definition": { "statement": text },
        }));
        refs.push(id);
    }
    Ok(Markings { refs, definitions })
}

fn error(fault: Fault, field: &str, what: &str) -> LabelError {
    LabelError::new(fault, what, Place::Field(field.to_owned()), RULE)
}

/// The identifier of TLP 2.0.
fn tlp_id(schemes: &Schemes, tlp: Tlp) -> Result<String, LabelError> {
    ids(schemes)
        .find(|(_, version, meaning)| *version == 2 && *meaning == tlp)
        .map(|(id, ..)| id.to_owned())
        .ok_or_else(|| error(Fault::Scheme, "tlp", "the TLP scheme lacks the identifiers"))
}

fn ids(schemes: &Schemes) -> impl Iterator<Item = (&str, u8, Tlp)> {
    schemes
        .all()
        .iter()
        .flat_map(|scheme| &scheme.categories)
        .flat_map(|category| &category.values)
        .filter_map(|value| match value.means {
            Meaning::Tlp(tlp) => Some((value, tlp)),
            Meaning::Caveat(_)
            | Meaning::Handling(_)
            | Meaning::Pap(_)
            | Meaning::ReleasableTo(_) => None,
        })
        .flat_map(|(value, tlp)| {
            value
                .stix
                .iter()
                .map(move |it| (it.id.as_str(), it.version, tlp))
        })
}

/// A UUID made from the text, so that one marking has one identifier.
fn statement_id(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0u8; 16];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = from;
    }
    // RFC 9562: version 4 in the high bits of octet 6, the variant in octet 8.
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
    format!(
        "marking-definition--{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

/// What an object's markings mean: its `object_marking_refs`, and the marking
/// definitions that came with it. `None` if it has no marking.
///
/// # Errors
/// [`LabelError`] for an identifier that is neither TLP's nor defined, a
/// definition that contradicts its identifier, two TLP labels, two levels.
pub fn read(
    schemes: &Schemes,
    refs: &[&str],
    definitions: &[Value],
    options: &ReadOptions,
) -> Result<Option<Label>, LabelError> {
    if refs.len() > MAX_CATEGORIES {
        return Err(LabelError::new(
            Fault::TooLarge,
            "more than 64 markings",
            Place::Field("object_marking_refs".to_owned()),
            rule::BUDGET,
        ));
    }
    let mut label: Option<Label> = None;
    for (index, id) in refs.iter().enumerate() {
        let place = format!("object_marking_refs, entry {}", index + 1);
        let definition = definitions
            .iter()
            .find(|it| it.get("id").and_then(Value::as_str) == Some(id));
        let one = match (ids(schemes).find(|(known, ..)| known == id), definition) {
            (Some((_, version, tlp)), definition) => {
                if definition.is_some_and(|it| tlp_of(it) != Some((version, tlp))) {
                    return Err(error(
                        Fault::Conflict,
                        &place,
                        "the definition is not the one of its identifier",
                    ));
                }
                let mut one = Label::of(Level::Nc);
                one.tlp = Some(tlp);
                one
            }
            (None, Some(definition)) => statement(schemes, definition, &place, options)?,
            (None, None) => {
                return Err(error(
                    Fault::Unknown,
                    &place,
                    "a marking that is neither TLP's nor defined here: treat it as the strictest",
                ));
            }
        };
        label = Some(match label {
            None => one,
            Some(before) => unite(&before, &one).ok_or_else(|| {
                error(
                    Fault::Conflict,
                    &place,
                    "two markings that cannot both hold",
                )
            })?,
        });
    }
    Ok(label)
}

/// Two markings of one object: each dimension is stated once.
fn unite(a: &Label, b: &Label) -> Option<Label> {
    let twice = (a.tlp.is_some() && b.tlp.is_some())
        || (a.level > Level::Nc && b.level > Level::Nc)
        || (a.pap.is_some() && b.pap.is_some());
    if twice { None } else { a.join(b).ok() }
}

/// Version and label of a TLP marking definition.
fn tlp_of(definition: &Value) -> Option<(u8, Tlp)> {
    let word = |text: &str| -> Option<Tlp> {
        let upper = text.to_ascii_uppercase();
        (text.to_ascii_lowercase() == text)
            .then(|| upper.parse().ok())
            .flatten()
    };
    let second = definition
        .get("extensions")
        .and_then(|all| all.get(TLP2_EXTENSION))
        .and_then(|extension| extension.get("tlp_2_0"));
    let first = definition.get("definition").and_then(|it| it.get("tlp"));
    match (
        first.and_then(Value::as_str),
        second.and_then(Value::as_str),
    ) {
        (None, Some(text)) => Some((2, word(text)?)),
        (Some("white"), None) => Some((1, Tlp::Clear)),
        (Some(text @ ("green" | "amber" | "red")), None) => Some((1, word(text)?)),
        _ => None,
    }
}

fn statement(
    schemes: &Schemes,
    definition: &Value,
    place: &str,
    options: &ReadOptions,
) -> Result<Label, LabelError> {
    let wrong = |what: &str| error(Fault::Unknown, place, what);
    if definition.get("type").and_then(Value::as_str) != Some("marking-definition") {
        return Err(wrong("not a marking definition"));
    }
    if tlp_of(definition).is_some()
        || definition.get("definition_type").and_then(Value::as_str) == Some("tlp")
    {
        return Err(error(
            Fault::Conflict,
            place,
            "a TLP label under an identifier that is not TLP's",
        ));
    }
    let text = definition
        .get("definition")
        .and_then(|it| it.get("statement"))
        .and_then(Value::as_str)
        .ok_or_else(|| wrong("a marking definition that is no statement"))?;
    let reading = marking::read_with(schemes, text, options).map_err(|e| LabelError {
        place: Place::Field(format!("{place}, statement")),
        ..e
    })?;
    Ok(reading.label)
}
