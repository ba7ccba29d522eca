//! The label as the sender put it: the `SIO-Label` field inside the
//! protection, else the first line of the text.

use chancery_label::codec::sio_label;
use chancery_label::{Label, ReadOptions, found};
use chancery_message::{AssertedLabel, LabelSource, Timestamp};

use super::fault::{Fault, Read, rule};
use super::mime::entity::Entity;
use super::mime::words::decode_words;

/// The label, and the text without the marking lines that say the same.
pub(crate) struct Asserted {
    pub(crate) label: AssertedLabel,
    pub(crate) body: String,
}

/// Reads the label of the protected part.
pub(crate) fn assert(inner: &Entity<'_>, body: &str, now: Timestamp) -> Read<Asserted> {
    let options = options(now)?;
    let label = match inner.headers.one("sio-label")? {
        Some(value) => of_field(value, &options),
        None => match found::first_line(body, &options) {
            None => AssertedLabel::Absent,
            Some(Ok(label)) => AssertedLabel::Valid {
                label,
                source: LabelSource::FirstLine,
            },
            Some(Err(error)) => AssertedLabel::Invalid {
                reason: error.to_string(),
                source: LabelSource::FirstLine,
            },
        },
    };
    let body = match &label {
        AssertedLabel::Valid { label, .. } => without_banners(body, label, &options).to_owned(),
        AssertedLabel::Absent | AssertedLabel::Invalid { .. } => body.to_owned(),
    };
    Ok(Asserted { label, body })
}

/// The label of a part that is an attachment.
pub(crate) fn of_part(part: &Entity<'_>, now: Timestamp) -> Read<AssertedLabel> {
    Ok(match part.headers.one("sio-label")? {
        Some(value) => of_field(value, &options(now)?),
        None => AssertedLabel::Absent,
    })
}

/// Refuses to choose where the outside says another label than the inside:
/// the field outside, or the subject outside where the inside has its own.
pub(crate) fn check_outside(
    outer: &Entity<'_>,
    inner: &Entity<'_>,
    asserted: &AssertedLabel,
) -> Read<()> {
    let conflict = || {
        Fault::suspicious(
            "the label outside the protection is not the one inside",
            rule::HEADERS,
        )
    };
    let inside = match asserted {
        AssertedLabel::Valid { label, .. } => Some(label),
        AssertedLabel::Absent | AssertedLabel::Invalid { .. } => None,
    };
    if let Some(value) = outer.headers.one("sio-label")? {
        let read = sio_label::read(value).ok();
        let marking = |label: &Label| chancery_label::marking::format(label);
        // Only the same label is no conflict; as of which day does not matter
        // for a label that was written by a machine.
        let same = inside.is_some_and(|inside| {
            read.as_ref()
                .is_some_and(|read| read.marking.as_deref() == Some(marking(inside).as_str()))
                || inner.headers.one("sio-label").ok().flatten() == Some(value)
        });
        if !same {
            return Err(conflict());
        }
    }
    if inner.headers.one("subject")?.is_some()
        && let Some(subject) = outer.headers.one("subject")?
    {
        let markings = found::scan_subject(&decode_words(subject)?);
        let covered = inside.map_or(markings.is_empty(), |inside| {
            !found::conflicts(inside, &markings)
        });
        if !covered {
            return Err(conflict());
        }
    }
    Ok(())
}

fn of_field(value: &str, options: &ReadOptions) -> AssertedLabel {
    let source = LabelSource::SioLabel;
    match sio_label::read(value).and_then(|field| field.label(options)) {
        Ok(label) => AssertedLabel::Valid { label, source },
        Err(error) => AssertedLabel::Invalid {
            reason: error.to_string(),
            source,
        },
    }
}

fn options(now: Timestamp) -> Read<ReadOptions> {
    let on = now
        .date()
        .ok_or_else(|| Fault::Unavailable("the clock is outside the calendar".to_owned()))?;
    Ok(ReadOptions { country: None, on })
}

/// The text without its first and last line, where they state this very label:
/// they are the marking, not the text, and a renderer writes them anew.
fn without_banners<'a>(body: &'a str, label: &Label, options: &ReadOptions) -> &'a str {
    let is_banner =
        |line: &str| matches!(found::first_line(line, options), Some(Ok(read)) if read == *label);
    let mut text = body;
    if let Some((line, rest)) = first(text)
        && is_banner(line)
    {
        text = rest.strip_prefix('\n').unwrap_or(rest);
        if let Some((before, line)) = last(text)
            && is_banner(line)
        {
            text = before.strip_suffix('\n').unwrap_or(before);
        }
    }
    text
}

/// The first line that is not empty, and what follows its line end.
fn first(text: &str) -> Option<(&str, &str)> {
    let start = text.len() - text.trim_start_matches('\n').len();
    let (_, from) = text.split_at_checked(start)?;
    match from.split_once('\n') {
        Some(parts) => Some(parts),
        None if from.is_empty() => None,
        None => Some((from, "")),
    }
}

/// What is before the last line that is not empty (with its line end), and
/// that line.
fn last(text: &str) -> Option<(&str, &str)> {
    let trimmed = text.trim_end_matches('\n');
    let start = trimmed.rfind('\n').map_or(0, |at| at + 1);
    let (before, line) = trimmed.split_at_checked(start)?;
    (!line.is_empty()).then_some((before, line))
}
