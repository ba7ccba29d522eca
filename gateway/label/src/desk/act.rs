//! Writing, translating, comparing, binding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::Date;

use crate::binding::{self, BindingSigner, Content, Trust};
use crate::codec::sio_label::SioLabel;
use crate::codec::stanag4774::{self, ConfidentialityLabel};
use crate::codec::xep0258::SecurityLabel;
use crate::codec::{ess, json as json_form, misp, sio_label, stix, xep0258};
use crate::desk::{Issue, Syntax, answer};
use crate::error::{Fault, LabelError, Place, rule};
use crate::marking::{self, ReadOptions};
use crate::schemes::shipped;
use crate::{Country, Label, translate as translation};

/// A label from a marking or a JSON object.
fn label(text: &str, options: &ReadOptions) -> Result<Label, LabelError> {
    if text.trim_start().starts_with('{') {
        json_form::read(text.trim(), options)
    } else {
        marking::parse(text, options)
    }
}

/// Writes a label in another syntax.
///
/// # Errors
/// What reading and writing find.
pub fn format(
    text: &str,
    syntax: Syntax,
    issue: &Issue,
    options: &ReadOptions,
) -> Result<String, LabelError> {
    let label = label(text, options)?;
    let schemes = shipped()?;
    let stanag = || {
        ConfidentialityLabel::of(
            &label,
            issue.created,
            issue.review,
            issue.originator.clone(),
        )
    };
    Ok(match syntax {
        Syntax::Text => marking::format(&label),
        Syntax::Json => json_form::write(&label),
        Syntax::Stanag4774 => stanag4774::write(&stanag()?)?,
        Syntax::SioLabel => sio_label::write(&SioLabel::of(&stanag()?)?),
        Syntax::Ess => STANDARD.encode(ess::write(&ess::from_label(schemes, &label)?)?),
        Syntax::Xep0258 => xep0258::write(&SecurityLabel::of(&label)?)?,
        Syntax::Stix => {
            let made = stix::write(schemes, &label, issue.created)?;
            json!({ "object_marking_refs": made.refs, "definitions": made.definitions }).to_string()
        }
        Syntax::Misp => json!(misp::write(schemes, &label)).to_string(),
    })
}

/// Answers about the equivalent of a marking in another scheme: `scheme`,
/// `level` and `canonical` are the other scheme's, `marking` shows both side by
/// side, `markings` has every language. `from` and `to` are `EU`, `NATO`, `EUROPOL` or a State.
#[must_use]
pub fn translate(text: &str, from: Option<&str>, to: &str, on: Date) -> Value {
    run_translate(text, from, to, on).unwrap_or_else(|e| {
        let mut failed = answer::failed(text, &e);
        answer::put(&mut failed, "marking", Value::Null);
        failed
    })
}

/// Ids of organisations as they are, States by any of their codes.
fn scheme_id(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    Country::from_any(&upper).map_or(upper, |country| country.as_str().to_owned())
}

fn run_translate(text: &str, from: Option<&str>, to: &str, on: Date) -> Result<Value, LabelError> {
    let schemes = shipped()?;
    let from = from.map(scheme_id);
    let country = from.as_deref().and_then(|id| id.parse().ok());
    let reading = marking::read_with(schemes, text, &ReadOptions { country, on })?;
    if let Some(from) = &from
        && *from != reading.scheme
    {
        return Err(LabelError::new(
            Fault::Conflict,
            format!(
                "a marking of {}, not of the scheme it should come from",
                reading.scheme
            ),
            Place::Field("from".to_owned()),
            rule::EQUIVALENCE,
        ));
    }
    let found = translation::translate(schemes, &reading, &scheme_id(to), on)?;
    let markings: Vec<_> = found
        .markings
        .iter()
        .map(|(language, text)| json!({ "language": language, "text": text }))
        .collect();
    // The answer is about what came out; what went in stands under `from`.
    let mut answer = answer::of(schemes, text, &reading);
    let level = if found.scheme == "EU" {
        &found.grade
    } else {
        &found.marking
    };
    let canonical = marking::beside_categories(&found.marking, &reading.label);
    answer::put(
        &mut answer,
        "from",
        json!({ "scheme": reading.scheme, "canonical": reading.canonical }),
    );
    answer::put(&mut answer, "scheme", json!(found.scheme));
    answer::put(
        &mut answer,
        "scheme_name",
        json!(schemes.get(&found.scheme).map(|it| &it.name)),
    );
    answer::put(&mut answer, "level", json!(level));
    answer::put(&mut answer, "canonical", json!(canonical));
    answer::put(&mut answer, "markings", json!(markings));
    answer::put(&mut answer, "lossy", json!(found.lossy));
    answer::put(&mut answer, "label", json!(found.label));
    answer::put(&mut answer, "marking", json!(marking::format(&found.label)));
    Ok(answer)
}

/// Answers how two labels stand to each other, and what covers both.
#[must_use]
pub fn compare(a: &str, b: &str, options: &ReadOptions) -> Value {
    let (a, b) = match (label(a, options), label(b, options)) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(e), _) | (_, Err(e)) => {
            return json!({ "relation": null, "join": null, "error": answer::error_value(&e) });
        }
    };
    let relation = match (a.dominates(&b), b.dominates(&a)) {
        (true, true) => "equal",
        (true, false) => "above",
        (false, true) => "below",
        (false, false) => "incomparable",
    };
    let join = a.join(&b);
    json!({
        "a": marking::format(&a),
        "b": marking::format(&b),
        "relation": relation,
        "join": join.as_ref().ok().map(marking::format),
        "refused": join.err().map(|e| e.to_string()),
        "error": null,
    })
}

/// What is bound, and by whom.
#[derive(Clone, Copy)]
pub struct Binder<'a> {
    /// Name of the content: a file name without folders, or a `cid:` URI.
    pub name: &'a str,
    /// Its media type.
    pub content_type: &'a str,
    /// Its octets.
    pub content: &'a [u8],
    /// True to put the content into the binding.
    pub embedded: bool,
    /// Who signs.
    pub signer: &'a dyn BindingSigner,
}

impl std::fmt::Debug for Binder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binder")
            .field("embedded", &self.embedded)
            .finish_non_exhaustive()
    }
}

/// Binds a label to content: the 4778 binding as XML.
///
/// # Errors
/// What reading the label and binding find.
pub fn bind(
    text: &str,
    binder: &Binder<'_>,
    issue: &Issue,
    options: &ReadOptions,
) -> Result<String, LabelError> {
    let label = label(text, options)?;
    let label = ConfidentialityLabel::of(
        &label,
        issue.created,
        issue.review,
        issue.originator.clone(),
    )?;
    let content = if binder.embedded {
        Content::Embedded {
            content_type: binder.content_type,
            bytes: binder.content,
        }
    } else {
        Content::Detached {
            uri: binder.name,
            content_type: binder.content_type,
            digest: binding::digest(binder.content),
        }
    };
    binding::bind(&[label], &[content], binder.signer)
}

/// Answers whether a binding holds for this content. `key` is the public key
/// to trust (65 octets); without it the answer says that nothing was changed
/// and that the signer is unknown.
#[must_use]
pub fn verify(text: &str, content: Option<&[u8]>, key: Option<&[u8]>) -> Value {
    let sum = content.map(binding::digest);
    let trust = key.map_or(Trust::Embedded, Trust::Key);
    let held = binding::verify(text, &|_| sum, trust).and_then(|held| {
        let label = held
            .labels
            .first()
            .ok_or_else(|| {
                LabelError::new(Fault::Missing, "no label", Place::Whole, binding::RULE)
            })?
            .label()?;
        Ok((held, label))
    });
    match held {
        Ok((held, label)) => json!({
            "holds": true,
            "trusted": held.trusted,
            "signer": held.key_name,
            "canonical": marking::format(&label),
            "eu_level": label.level,
            "label": label,
            "note": (!held.trusted).then_some("nothing was changed since it was signed; give the signer's key to know by whom"),
            "error": null,
        }),
        Err(e) => {
            json!({ "holds": false, "trusted": false, "canonical": null, "error": answer::error_value(&e) })
        }
    }
}
