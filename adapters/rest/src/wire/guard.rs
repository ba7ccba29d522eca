//! What every request is checked for before it is routed, and the pieces of
//! requests that handlers take.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Extension, FromRequestParts, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use chancery_http::guard::{Refused, check, is_id, media_type};
use chancery_http::{Door, Fault, Peer, Tap, refuse, refuse_many};
use http::header::{ACCEPT, EXPECT};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};

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
        Err(many) => refuse_many(&door, &peer, many).await.map(Body::new),
        Ok(()) => match checked(&peer, &parts.uri, &parts.headers) {
            Ok(()) => {
                next.run(Request::from_parts(parts, Body::new(tap.clone())))
                    .await
            }
            Err(refused) => refuse(&door, &peer, &refused).await.map(Body::new),
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

fn checked(peer: &Peer, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
    check(peer, uri, headers)?;
    if !accepts(headers) {
        return Err(Refused::new(
            Fault::NotAcceptable,
            "answers are application/json, application/problem+json or application/octet-stream",
        ));
    }
    Ok(())
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
    let (media, parameters) = media_type(headers)?;
    if !media.eq_ignore_ascii_case("application/json")
        || !(parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8"))
    {
        return Err(Refused::new(
            Fault::UnsupportedMediaType,
            "submissions are application/json in UTF-8",
        ));
    }
    Ok(())
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
