//! Reading the header's value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::codec::MAX_LABEL;
use crate::codec::sio_label::{SioLabel, Typed, fault, parameters};
use crate::error::{Fault, LabelError};

/// Reads a header's value, folded or not, without its name. Unknown
/// parameters are ignored, as the RFC demands.
///
/// # Errors
/// [`LabelError`] naming the parameter.
pub fn read(header: &str) -> Result<SioLabel, LabelError> {
    let mut values = parameters::split(header)?;
    let marking = values.remove("marking");
    let mut colour = |name: &str| match values.remove(name) {
        Some(value) if !is_colour(&value.text) => {
            Err(fault(Fault::Unknown, name, "not a colour name or #RRGGBB"))
        }
        Some(_) if marking.is_none() => {
            Err(fault(Fault::Conflict, name, "a colour without marking"))
        }
        value => Ok(value.map(|value| value.text)),
    };
    let fgcolor = colour("fgcolor")?;
    let bgcolor = colour("bgcolor")?;
    let label = match (values.remove("type"), values.remove("label")) {
        (None, None) => None,
        (Some(kind), Some(label)) => Some(Typed {
            kind: syntax(&kind.text)?,
            bytes: decode(&label.text)?,
        }),
        (Some(_), None) => return Err(fault(Fault::Missing, "label", "a type without label")),
        (None, Some(_)) => return Err(fault(Fault::Missing, "type", "a label without type")),
    };
    if marking.is_none() && label.is_none() {
        return Err(fault(
            Fault::Missing,
            "SIO-Label",
            "neither a marking nor a label",
        ));
    }
    let (marking, language) =
        marking.map_or((None, None), |value| (Some(value.text), value.language));
    Ok(SioLabel {
        marking,
        language,
        fgcolor,
        bgcolor,
        label,
    })
}

fn syntax(kind: &str) -> Result<String, LabelError> {
    let known = matches!(kind, ":ess" | ":x411" | ":xml");
    // A URI has a scheme of letters before its first colon.
    let uri = kind.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.is_empty()
    });
    if known || uri {
        Ok(kind.to_owned())
    } else {
        Err(fault(
            Fault::Unknown,
            "type",
            "not :ess, :x411, :xml or a URI",
        ))
    }
}

fn decode(text: &str) -> Result<Vec<u8>, LabelError> {
    let joined: String = text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect();
    if joined.len() / 4 * 3 > MAX_LABEL {
        return Err(fault(Fault::TooLarge, "label", "larger than 64 KiB"));
    }
    STANDARD
        .decode(joined)
        .map_err(|_| fault(Fault::Malformed, "label", "not base64"))
}

/// The 17 names of RFC 7444, section 4, and `#RRGGBB`.
pub(crate) fn is_colour(text: &str) -> bool {
    const NAMES: [&str; 17] = [
        "aqua", "black", "blue", "fuschia", "gray", "green", "lime", "maroon", "navy", "olive",
        "orange", "purple", "red", "silver", "teal", "white", "yellow",
    ];
    NAMES.iter().any(|name| name.eq_ignore_ascii_case(text))
        || text.strip_prefix('#').is_some_and(|digits| {
            digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit())
        })
}
