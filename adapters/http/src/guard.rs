//! What every request is checked for before it is routed, and the pieces of
//! requests that handlers take.

use chancery_pipeline::outcome::RefusalKind;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, Uri};

use crate::{Fault, Peer};

/// Longest path or query, bytes.
const MAX_TARGET: usize = 1024;
/// Longest id in a path or query (the gate's own bound).
const MAX_ID: usize = 128;
/// Longest idempotency key.
const MAX_KEY: usize = 128;

/// A refusal on its way to the peer.
#[derive(Debug)]
pub struct Refused {
    /// Its class.
    pub fault: Fault,
    /// What is wrong, without content.
    pub detail: &'static str,
}

impl Refused {
    /// A refusal of this class.
    #[must_use]
    pub const fn new(fault: Fault, detail: &'static str) -> Self {
        Self { fault, detail }
    }

    pub(crate) const fn bad(detail: &'static str) -> Self {
        Self::new(Fault::BadRequest, detail)
    }

    /// The same for what is not there and what the caller may not know of.
    #[must_use]
    pub const fn not_found() -> Self {
        Self::new(
            Fault::Gateway(RefusalKind::NotFound),
            "there is nothing here for this caller",
        )
    }
}

/// Checks host and target.
///
/// # Errors
/// [`Refused`], with what is wrong.
pub fn check(peer: &Peer, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
    if uri.path().len() > MAX_TARGET || uri.query().is_some_and(|query| query.len() > MAX_TARGET) {
        return Err(Refused::bad("the path or the query is too long"));
    }
    let host = host(uri, headers)?;
    if peer
        .server_name
        .as_deref()
        .is_some_and(|name| !name.eq_ignore_ascii_case(host))
    {
        return Err(Refused::new(
            Fault::Misdirected,
            "the request is for another host than the connection",
        ));
    }
    Ok(())
}

/// The host meant: the authority of the target, or the one `Host` field; both
/// must agree (RFC 9110 section 7.2).
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, Refused> {
    let field = single(headers, &HOST)?;
    let authority = match (uri.authority().map(http::uri::Authority::as_str), field) {
        (Some(target), Some(field)) if !target.eq_ignore_ascii_case(field) => {
            return Err(Refused::bad("target and host field name different hosts"));
        }
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => return Err(Refused::bad("there is no host field")),
    };
    let name = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => authority
            .split_once(':')
            .map_or(authority, |(name, _)| name),
    };
    Ok(name)
}

/// The value of a field that may come once, in visible ASCII and spaces.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refused> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Refused::bad(
            "a header field that may come once comes twice",
        ));
    }
    first
        .map(|value| {
            value
                .to_str()
                .map_err(|_| Refused::bad("a header field is not ASCII"))
        })
        .transpose()
}

/// The media type and parameters that the body is said to be of; nothing
/// compressed.
///
/// # Errors
/// [`Refused`] for a compressed body, or a field that comes twice.
pub fn media_type(headers: &HeaderMap) -> Result<(&str, &str), Refused> {
    not_encoded(headers)?;
    let kind = single(headers, &CONTENT_TYPE)?.unwrap_or_default();
    let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    Ok((media.trim(), parameters.trim()))
}

/// The media type of an upload: `type/subtype`, any but the forms of browsers.
///
/// # Errors
/// [`Refused`], with what is wrong.
pub fn upload_type(headers: &HeaderMap) -> Result<String, Refused> {
    not_encoded(headers)?;
    let kind = single(headers, &CONTENT_TYPE)?.unwrap_or("application/octet-stream");
    let media = kind
        .split_once(';')
        .map_or(kind, |(media, _)| media)
        .trim()
        .to_ascii_lowercase();
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let good = media
        .split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    if !good
        || media.len() > 255
        || media.starts_with("multipart/")
        || media == "application/x-www-form-urlencoded"
    {
        return Err(Refused::new(
            Fault::UnsupportedMediaType,
            "an upload is the raw bytes under their own media type, not a form",
        ));
    }
    Ok(media)
}

fn not_encoded(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refused::new(
            Fault::UnsupportedMediaType,
            "compressed bodies are not taken",
        ));
    }
    Ok(())
}

/// The size that the peer announced.
///
/// # Errors
/// [`Refused`], with what is wrong.
pub fn announced(headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    single(headers, &CONTENT_LENGTH)?
        .map(|text| {
            text.parse()
                .map_err(|_| Refused::bad("the content length is not a number"))
        })
        .transpose()
}

/// The caller's key against doing the same twice.
///
/// # Errors
/// [`Refused`], with what is wrong.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let key = single(headers, &HeaderName::from_static("idempotency-key"))?;
    if key.is_some_and(|key| {
        key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic())
    }) {
        return Err(Refused::bad(
            "the idempotency key is not 1 to 128 visible ASCII characters",
        ));
    }
    Ok(key.map(str::to_owned))
}

/// Letters, digits and the few marks that ids and references are written with.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:@".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

/// The parameters of an inbox listing: each at most once, no others.
///
/// # Errors
/// [`Refused`], with what is wrong.
pub fn inbox_query(query: Option<&str>) -> Result<(u32, Option<String>, u32), Refused> {
    const BAD: Refused = Refused::bad(
        "the query has `wait` (0 to 60), `after` (a delivery) and `limit` (1 to 200), each at most once",
    );
    let (mut wait, mut after, mut limit) = (None, None, None);
    for (name, value) in query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    {
        let seen = match name {
            "wait" => wait.replace(number(value, 0..=60).ok_or(BAD)?).is_some(),
            "limit" => limit.replace(number(value, 1..=200).ok_or(BAD)?).is_some(),
            "after" if is_id(value) => after.replace(value.to_owned()).is_some(),
            _ => return Err(BAD),
        };
        if seen {
            return Err(BAD);
        }
    }
    Ok((wait.unwrap_or(0), after, limit.unwrap_or(50)))
}

/// Digits alone, within the range.
#[must_use]
pub fn number(text: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    let digits = (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| digits && range.contains(number))
}
