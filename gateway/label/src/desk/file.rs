//! Labels in files of any syntax.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Label;
use crate::binding;
use crate::codec::{MAX_LABEL, ess, sio_label, stanag4774, xep0258};
use crate::desk::{answer, object};
use crate::error::{Fault, LabelError, Place, rule};
use crate::marking::{self, ReadOptions};
use crate::schemes::{Schemes, shipped};

/// Largest head of a mail that is looked through for its label.
const MAX_HEAD: usize = 1 << 20;

/// Answers about the label in a file: STANAG 4774, a 4778 binding, a mail with
/// `SIO-Label`, XEP-0258, ESS in DER or base64, our JSON, STIX markings, MISP
/// tags, an IEP policy, or a marking as text. `input` is the file's name,
/// `syntax` what was found.
#[must_use]
pub fn parse_file(name: &str, bytes: &[u8], options: &ReadOptions) -> Value {
    shipped()
        .and_then(|schemes| read(schemes, name, bytes, options))
        .unwrap_or_else(|e| answer::failed(name, &e))
}

fn read(
    schemes: &Schemes,
    name: &str,
    bytes: &[u8],
    options: &ReadOptions,
) -> Result<Value, LabelError> {
    if bytes.first() == Some(&0x31)
        && bytes
            .get(1)
            .is_some_and(|byte| !byte.is_ascii_digit() && *byte != b'\n')
    {
        let label = ess::to_label(schemes, &ess::read(bytes)?)?;
        return Ok(found(schemes, name, &label, "ess", &[]));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        LabelError::new(
            Fault::Malformed,
            "neither UTF-8 text nor an ESS label in DER",
            Place::Whole,
            rule::PRODUCT,
        )
    })?;
    let start = text.trim_start_matches('\u{FEFF}').trim_start();
    if let Some(der) = ess_in_base64(start) {
        let label = ess::to_label(schemes, &ess::read(&der)?)?;
        return Ok(found(schemes, name, &label, "ess", &[]));
    }
    match start.chars().next() {
        Some('<') => xml(schemes, name, start),
        Some('{' | '"') => object::read(schemes, name, start.trim_end(), options),
        Some('[') if start.starts_with("[\"") || start.starts_with("[]") => {
            object::read(schemes, name, start.trim_end(), options)
        }
        _ if is_mail(text) => {
            let header = sio_label_of(text)?;
            let label = sio_label::read(&header)?.label(options)?;
            Ok(found(schemes, name, &label, "sio-label", &[]))
        }
        _ => {
            let reading = marking::read_with(schemes, text.trim(), options)?;
            let mut answer = answer::of(schemes, name, &reading);
            answer::put(&mut answer, "syntax", json!("text"));
            Ok(answer)
        }
    }
}

/// The bytes of a text that is the base64 of a DER SET and nothing else. No
/// marking is: its first letters would be `MQ` to `Mf`.
fn ess_in_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end();
    let bytes = STANDARD.decode(text).ok()?;
    (text.len() <= MAX_LABEL && bytes.first() == Some(&0x31)).then_some(bytes)
}

pub(super) fn found(
    schemes: &Schemes,
    name: &str,
    label: &Label,
    syntax: &str,
    notes: &[&str],
) -> Value {
    let mut answer = answer::of_label(schemes, name, label, &answer::scheme_of(schemes, label));
    answer::put(&mut answer, "syntax", json!(syntax));
    answer::put(&mut answer, "notes", json!(notes));
    answer
}

fn xml(schemes: &Schemes, name: &str, text: &str) -> Result<Value, LabelError> {
    // The namespace decides; the strict readers then check it for real.
    let head: String = text.chars().take(4096).collect();
    if head.contains(binding::NAMESPACE) {
        let read = binding::read(text)?;
        let labels: Vec<Label> = read
            .labels
            .iter()
            .map(stanag4774::ConfidentialityLabel::label)
            .collect::<Result<_, _>>()?;
        let (first, rest) = labels.split_first().ok_or_else(|| {
            LabelError::new(Fault::Missing, "no label", Place::Whole, binding::RULE)
        })?;
        if rest.iter().any(|other| other.level != first.level) {
            return Err(LabelError::new(
                Fault::Conflict,
                "the labels of the binding have different levels",
                Place::Field("Metadata".to_owned()),
                binding::RULE,
            ));
        }
        let note = if read.signed {
            "signed, not verified here: use `chancery label verify`"
        } else {
            "not signed: the label may belong to anything"
        };
        return Ok(found(schemes, name, first, "4778", &[note]));
    }
    if head.contains(xep0258::NAMESPACE) {
        let label = xep0258::read(text)?.label()?;
        return Ok(found(schemes, name, &label, "xep0258", &[]));
    }
    let read = stanag4774::read(text)?;
    let mut answer = found(schemes, name, &read.label()?, "4774", &[]);
    answer::put(&mut answer, "created", json!(read.created.to_string()));
    Ok(answer)
}

/// True if the text begins with a header field.
fn is_mail(text: &str) -> bool {
    let line = text.lines().next().unwrap_or("");
    line.split_once(':').is_some_and(|(name, rest)| {
        let field =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let code = matches!(name.to_ascii_uppercase().as_str(), "TLP" | "PAP");
        field && !code && (rest.is_empty() || rest.starts_with([' ', '\t']))
    })
}

/// The value of the one `SIO-Label` field in the head of a mail.
fn sio_label_of(text: &str) -> Result<String, LabelError> {
    let error = |fault, what: &str| {
        LabelError::new(
            fault,
            what,
            Place::Field("SIO-Label".to_owned()),
            "RFC 7444, section 4",
        )
    };
    let mut value: Option<String> = None;
    let mut inside = false;
    let mut size = 0;
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        size += line.len();
        if line.is_empty() {
            break;
        }
        if size > MAX_HEAD {
            return Err(error(Fault::TooLarge, "a head larger than 1 MiB"));
        }
        if line.starts_with([' ', '\t']) {
            if let Some(value) = value.as_mut().filter(|_| inside) {
                value.push_str("\r\n");
                value.push_str(line);
                if value.len() > 2 * MAX_LABEL {
                    return Err(error(Fault::TooLarge, "a header larger than 128 KiB"));
                }
            }
            continue;
        }
        inside = false;
        if let Some((name, rest)) = line.split_once(':')
            && name.eq_ignore_ascii_case("SIO-Label")
        {
            if value.is_some() {
                return Err(error(
                    Fault::Conflict,
                    "two SIO-Label fields where one is allowed",
                ));
            }
            value = Some(rest.to_owned());
            inside = true;
        }
    }
    value.ok_or_else(|| {
        error(
            Fault::Missing,
            "no SIO-Label field: unlabelled is not unclassified",
        )
    })
}
