//! Single fields: subject, ids, precedence, and the ones that only this
//! gateway's own mail has (`Chancery-…`, believed only inside the protection).

use chancery_message::{Evaluation, MAX_SUBJECT_BYTES, Precedence, Purpose, Text};

use super::fault::{Fault, Read, rule};
use super::mime::charset::is_bidi_control;
use super::mime::entity::Entity;
use super::mime::words::decode_words;
use super::pgp::verify::Verified;
use super::protected::Merged;

/// Longest id or reference, bytes.
const MAX_ID: usize = 250;
/// Most `derived from` entries.
const MAX_DERIVED: usize = 50;

/// The subject as text.
pub(crate) fn subject(value: Option<&str>) -> Read<String> {
    let text = decode_words(value.unwrap_or_default())?;
    if text.len() > MAX_SUBJECT_BYTES {
        return Err(Fault::malformed(
            "a subject of more than 998 bytes",
            rule::LIMITS,
        ));
    }
    if text.chars().any(is_bidi_control) {
        return Err(Fault::suspicious(
            "a subject with characters that reverse the direction of writing",
            "Unicode UAX #9",
        ));
    }
    Ok(text.replace('\t', " "))
}

/// A message id: `<left@right>`, visible ASCII.
pub(crate) fn message_id(value: &str) -> Read<&str> {
    let inner = value
        .strip_prefix('<')
        .and_then(|value| value.strip_suffix('>'));
    let good = inner.is_some_and(|inner| {
        inner.len() <= MAX_ID
            && inner
                .split_once('@')
                .is_some_and(|(left, right)| !left.is_empty() && !right.is_empty())
            && inner
                .bytes()
                .all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'\\'))
    });
    if good {
        Ok(value)
    } else {
        Err(Fault::malformed(
            "a message id that is none",
            "RFC 5322 section 3.6.4",
        ))
    }
}

/// What the sender's message is known by when it comes again: the protected
/// Message-ID; else, since anybody may change an unprotected one, the digest
/// that the good signature covers; else the outer Message-ID.
pub(crate) fn external_id(headers: &Merged<'_>, verified: &Verified) -> Read<Text> {
    let id = message_id(headers.message_id.unwrap_or_default())?;
    Ok(match &verified.digest {
        Some(digest) if !headers.id_protected => {
            let hex: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
            Text::new(format!("signed-digest:{hex}"))
        }
        _ => Text::new(id),
    })
}

/// The message that this one answers: In-Reply-To, or the last of References.
pub(crate) fn in_reply_to(headers: &Merged<'_>) -> Read<Option<Text>> {
    let last = |value: &str| {
        value
            .split_ascii_whitespace()
            .next_back()
            .map(str::to_owned)
    };
    let id = match (headers.in_reply_to, headers.references) {
        (Some(value), _) => value.split_ascii_whitespace().next().map(str::to_owned),
        (None, Some(value)) => last(value),
        (None, None) => None,
    };
    id.map(|id| message_id(&id).map(Text::new)).transpose()
}

/// MMHS-Primary-Precedence: a number or its name, and a comment (RFC 6477
/// section 3.8).
pub(crate) fn precedence(headers: &Merged<'_>) -> Read<Precedence> {
    let Some(value) = headers.precedence else {
        return Ok(Precedence::default());
    };
    let word = value
        .split('(')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    Precedence::ALL
        .into_iter()
        .enumerate()
        .find(|(number, precedence)| word == number.to_string() || word == precedence.name())
        .map(|(_, precedence)| precedence)
        .ok_or_else(|| Fault::malformed("a precedence that does not exist", "RFC 6477 section 3.8"))
}

/// `Chancery-Purpose`.
pub(crate) fn purpose(inner: &Entity<'_>) -> Read<Option<Purpose>> {
    word(inner, "chancery-purpose")
}

/// `Chancery-Evaluation`.
pub(crate) fn evaluation(inner: &Entity<'_>) -> Read<Option<Evaluation>> {
    word(inner, "chancery-evaluation")
}

/// `Chancery-Personal-Data: yes|no`.
pub(crate) fn personal_data(inner: &Entity<'_>) -> Read<Option<bool>> {
    match inner.headers.one("chancery-personal-data")? {
        None => Ok(None),
        Some("yes") => Ok(Some(true)),
        Some("no") => Ok(Some(false)),
        Some(_) => Err(own("chancery-personal-data")),
    }
}

/// `Chancery-Originator`: a participant's id.
pub(crate) fn originator(inner: &Entity<'_>) -> Read<Option<String>> {
    let name = "chancery-originator";
    let Some(value) = inner.headers.one(name)? else {
        return Ok(None);
    };
    match value.parse::<chancery_message::ParticipantId>() {
        Ok(id) => Ok(Some(id.to_string())),
        Err(_) => Err(own(name)),
    }
}

/// `Chancery-Derived-From`: references, separated by spaces.
pub(crate) fn derived_from(inner: &Entity<'_>) -> Read<Vec<Text>> {
    let name = "chancery-derived-from";
    let Some(value) = inner.headers.one(name)? else {
        return Ok(Vec::new());
    };
    let all: Vec<_> = value.split_ascii_whitespace().collect();
    if all.is_empty() || all.len() > MAX_DERIVED || all.iter().any(|one| one.len() > MAX_ID) {
        return Err(own(name));
    }
    Ok(all.into_iter().map(Text::new).collect())
}

/// MMHS-Originator-Reference: 1 to 69 characters (RFC 6477 section 3.7).
pub(crate) fn reference(inner: &Entity<'_>) -> Read<Option<Text>> {
    let Some(value) = inner.headers.one("mmhs-originator-reference")? else {
        return Ok(None);
    };
    let text = decode_words(value)?;
    if (1..=69).contains(&text.chars().count()) {
        Ok(Some(Text::new(text)))
    } else {
        Err(Fault::malformed(
            "a reference that is empty or too long",
            "RFC 6477 section 3.7",
        ))
    }
}

fn word<T: std::str::FromStr>(inner: &Entity<'_>, name: &str) -> Read<Option<T>> {
    inner
        .headers
        .one(name)?
        .map(|value| value.parse().map_err(|_| own(name)))
        .transpose()
}

fn own(name: &str) -> Fault {
    Fault::malformed(
        format!("a {name} field with a value that it may not have"),
        "product rule: own header fields",
    )
}
