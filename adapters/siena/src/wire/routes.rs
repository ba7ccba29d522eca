//! The routes: one request, framed for the gate.
//!
//! | method and path under `/siena/v1` | asks |
//! |---|---|
//! | `POST /messages`, `/check` | send; tell what would become of it |
//! | `POST /messages/ID/reply`, `/forward` | answer; pass on |
//! | `GET /messages/ID`, `POST /messages/ID/withdraw` | status; take back |
//! | `POST /attachments` | upload raw bytes |
//! | `GET /recipients` | whom the caller may know of |
//! | `GET /inbox?wait=&after=&limit=` | what waits |
//! | `GET /inbox/ID`, `/inbox/ID/attachments/N` | fetch |
//! | `POST /inbox/ID/ack` | acknowledge |
//! | `GET /consents`, `POST /consents/ID/grant`, `/consents/ID/refuse` | onward releases of the caller's information |
//! | `GET /schema.xsd` | the schema |

use bytes::Bytes;
use chancery_http::guard::{Refused, check, is_id, media_type, number};
use chancery_http::{Answer, Door, Peer, Tap, refuse, refuse_many, relay, requests};
use chancery_message::Operation;
use chancery_pipeline::ports::{Ask, Reply, ReplyBody};
use http::header::{ALLOW, EXPECT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use hyper::body::Incoming;

use super::ROOT;
use crate::content::{Fault, SCHEMA};

/// What a path means.
enum Route {
    Submit(Operation),
    Upload,
    Ask(Ask),
    Inbox,
    Schema,
}

/// Answers one request; takes in what a refusal left unread.
pub(super) async fn answer(door: &Door, peer: &Peer, request: Request<Incoming>) -> Answer {
    // Who waits for 100 Continue has sent nothing, and must not be asked to.
    let waits = request.headers().contains_key(EXPECT);
    let request = request.map(Tap::new);
    let tap = request.body().clone();
    let answer = dispatch(door, peer, request).await;
    if answer.status().is_client_error() && answer.status() != StatusCode::REQUEST_TIMEOUT && !waits
    {
        tap.drain().await;
    }
    answer
}

async fn dispatch(door: &Door, peer: &Peer, request: Request<Tap<Incoming>>) -> Answer {
    if let Err(many) = door.gate.admit(&peer.evidence) {
        return refuse_many(door, peer, many).await;
    }
    let routed = check(peer, request.uri(), request.headers()).and_then(|()| route(request.uri()));
    let (method, route) = match routed {
        Ok(routed) => routed,
        Err(refused) => return refuse(door, peer, &refused).await,
    };
    // HEAD is no GET here: a fetch has effects, so nothing is fetched by half.
    if *request.method() != method {
        let refused = Refused::new(
            Fault::MethodNotAllowed,
            "the field `allow` names the method that there is",
        );
        let mut answer = refuse(door, peer, &refused).await;
        let allow = if method == Method::GET { "GET" } else { "POST" };
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static(allow));
        return answer;
    }
    let answered = match route {
        Route::Submit(operation) => {
            requests::submit(door, peer, operation, request, xml_body).await
        }
        Route::Upload => requests::upload(door, peer, request).await,
        Route::Ask(ask) => Ok(requests::ask(door, peer, ask).await),
        Route::Inbox => requests::inbox(door, peer, request.uri()).await,
        Route::Schema => Ok(relay(door, schema())),
    };
    match answered {
        Ok(answer) => answer,
        Err(refused) => refuse(door, peer, &refused).await,
    }
}

/// The route of a path, and its method. Ids are taken as they are written:
/// nothing in one needs an escape, so an escaped one is not found.
fn route(uri: &Uri) -> Result<(Method, Route), Refused> {
    let path = uri
        .path()
        .strip_prefix(ROOT)
        .and_then(|path| path.strip_prefix('/'))
        .ok_or(Refused::not_found())?;
    let parts: Vec<&str> = path.split('/').collect();
    let id = |id: &str| {
        if is_id(id) {
            Ok(id.to_owned())
        } else {
            Err(Refused::not_found())
        }
    };
    Ok(match parts.as_slice() {
        ["messages"] => (Method::POST, Route::Submit(Operation::Send)),
        ["check"] => (Method::POST, Route::Submit(Operation::Check)),
        ["messages", message] => (
            Method::GET,
            Route::Ask(Ask::Status {
                message: id(message)?,
            }),
        ),
        ["messages", to, "reply"] => (
            Method::POST,
            Route::Submit(Operation::Reply { to: id(to)? }),
        ),
        ["messages", of, "forward"] => (
            Method::POST,
            Route::Submit(Operation::Forward { of: id(of)? }),
        ),
        ["messages", message, "withdraw"] => (
            Method::POST,
            Route::Ask(Ask::Withdraw {
                message: id(message)?,
            }),
        ),
        ["attachments"] => (Method::POST, Route::Upload),
        ["recipients"] => (Method::GET, Route::Ask(Ask::Recipients)),
        ["inbox"] => (Method::GET, Route::Inbox),
        ["inbox", delivery] => (
            Method::GET,
            Route::Ask(Ask::Fetch {
                delivery: id(delivery)?,
            }),
        ),
        ["inbox", delivery, "ack"] => (
            Method::POST,
            Route::Ask(Ask::Acknowledge {
                delivery: id(delivery)?,
            }),
        ),
        ["inbox", delivery, "attachments", index] => {
            let ask = Ask::FetchAttachment {
                delivery: id(delivery)?,
                index: number(index, 0..=999).ok_or(Refused::not_found())?,
            };
            (Method::GET, Route::Ask(ask))
        }
        ["consents"] => (Method::GET, Route::Ask(Ask::Consents)),
        ["consents", request, answer @ ("grant" | "refuse")] => (
            Method::POST,
            Route::Ask(Ask::Consent {
                request: id(request)?,
                grant: *answer == "grant",
            }),
        ),
        ["schema.xsd"] => (Method::GET, Route::Schema),
        _ => return Err(Refused::not_found()),
    })
}

/// True if the body is said to be XML in UTF-8 and not compressed.
fn xml_body(headers: &HeaderMap) -> Result<(), Refused> {
    let (media, parameters) = media_type(headers)?;
    let parameters = parameters.to_ascii_lowercase();
    let xml = ["application/xml", "text/xml"]
        .iter()
        .any(|known| media.eq_ignore_ascii_case(known));
    if !xml || !["", "charset=utf-8", "charset=\"utf-8\""].contains(&parameters.as_str()) {
        return Err(Refused::new(
            Fault::UnsupportedMediaType,
            "submissions are application/xml in UTF-8",
        ));
    }
    Ok(())
}

fn schema() -> Reply {
    Reply {
        status: 200,
        content_type: "application/xml; charset=utf-8".to_owned(),
        headers: Vec::new(),
        body: ReplyBody::Whole(Bytes::from_static(SCHEMA.as_bytes())),
        per_recipient: Vec::new(),
    }
}
