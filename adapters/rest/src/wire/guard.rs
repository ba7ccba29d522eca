//! What every request is checked for before it is routed, and the pieces of
//! requests that handlers take.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Extension, FromRequestParts, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, Uri};

use super::body::Tap;
use super::relay::{refuse, refuse_many};
use super::{Door, Peer};
use crate::content::Problem;
use chancery_pipeline::outcome::RefusalKind;

/// Longest path or query, bytes.
const MAX_TARGET: usize = 1024;
/// Longest id in a path or query (the gate's own bound).
const MAX_ID: usize = 128;
/// Longest idempotency key.
const MAX_KEY: usize = 128;

/// A refusal on its way to the peer.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(super) problem: Problem,
    pub(super) detail: &'static str,
}

impl Refused {
    pub(super) const fn new(problem: Problem, detail: &'static str) -> Self {
        Self { problem, detail }
    }

    const fn bad(detail: &'static str) -> Self {
        Self::new(Problem::BadRequest, detail)
    }

    pub(super) const fn not_found() -> Self {
        Self::new(
            Problem::Gateway(RefusalKind::NotFound),
            "there is nothing here for this caller",
        )
    }
}

/// Checks host, target and acceptable types; takes in what a refusal left unread.
pub(super) async fn guard(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    // Who waits for 100 Continue has sent nothing, and must not be asked to.
    let waits = request.headers().contains_key(EXPECT);
    let (parts, body) = request.into_parts();
    let tap = Tap::new(body);
    let response = match door.gate.admit(&peer.evidence) {
        Err(many) => refuse_many(&door, &peer, many).await,
        Ok(()) => match check(&peer, &parts.uri, &parts.headers) {
            Ok(()) => {
                next.run(Request::from_parts(parts, Body::new(tap.clone())))
                    .await
            }
            Err(refused) => refuse(&door, &peer, &refused).await,
        },
    };
    if response.status().is_client_error()
        && response.status() != StatusCode::REQUEST_TIMEOUT
        && !waits
    {
        tap.drain().await;
    }
    response
}

fn check(peer: &Peer, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
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
            Problem::Misdirected,
            "the request is for another host than the connection",
        ));
    }
    if !accepts(headers) {
        return Err(Refused::new(
            Problem::NotAcceptable,
            "answers are application/json, application/problem+json or application/octet-stream",
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

/// True unless the caller accepts nothing that there is (RFC 9110 section 12.5.1).
fn accepts(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(ACCEPT).iter().peekable();
    if fields.peek().is_none() {
        return true;
    }
    fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .any(|range| {
            let (media, parameters) = range.split_once(';').unwrap_or((range, ""));
            let none = parameters.split(';').any(|parameter| {
                let weight = parameter.trim().strip_prefix("q=").unwrap_or("1");
                weight.starts_with('0') && weight.bytes().skip(1).all(|b| b == b'.' || b == b'0')
            });
            let known = [
                "*/*",
                "application/*",
                "application/json",
                "application/problem+json",
                "application/octet-stream",
            ];
            !none && known.contains(&media.trim().to_ascii_lowercase().as_str())
        })
}

/// True if the body is said to be JSON in UTF-8 and not compressed.
pub(super) fn json_body(headers: &HeaderMap) -> Result<(), Refused> {
    not_encoded(headers)?;
    let kind = single(headers, &CONTENT_TYPE)?.unwrap_or_default();
    let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim();
    if !media.trim().eq_ignore_ascii_case("application/json")
        || !(parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8"))
    {
        return Err(Refused::new(
            Problem::UnsupportedMediaType,
            "submissions are application/json in UTF-8",
        ));
    }
    Ok(())
}

/// The media type of an upload: `type/subtype`, any but the forms of browsers.
pub(super) fn upload_type(headers: &HeaderMap) -> Result<String, Refused> {
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
            Problem::UnsupportedMediaType,
            "an upload is the raw bytes under their own media type, not a form",
        ));
    }
    Ok(media)
}

fn not_encoded(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refused::new(
            Problem::UnsupportedMediaType,
            "compressed bodies are not taken",
        ));
    }
    Ok(())
}

/// The size that the peer announced.
pub(super) fn announced(headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    single(headers, &CONTENT_LENGTH)?
        .map(|text| {
            text.parse()
                .map_err(|_| Refused::bad("the content length is not a number"))
        })
        .transpose()
}

/// The caller's key against doing the same twice.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
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

/// The ids in a path, decoded once. What cannot be an id is not found.
#[derive(Debug)]
pub(crate) struct Target(pub(super) Result<Vec<String>, Refused>);

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ids = RawPathParams::from_request_parts(parts, state)
            .await
            .ok()
            .and_then(|params| {
                params
                    .iter()
                    .map(|(_, value)| is_id(value).then(|| value.to_owned()))
                    .collect::<Option<Vec<_>>>()
            });
        Ok(Self(ids.ok_or(Refused::not_found())))
    }
}

/// Letters, digits and the few marks that ids and references are written with.
pub(super) fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:@".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

/// The parameters of an inbox listing: each at most once, no others.
pub(super) fn inbox_query(query: Option<&str>) -> Result<(u32, Option<String>, u32), Refused> {
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
pub(super) fn number(text: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    let digits = (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| digits && range.contains(number))
}
