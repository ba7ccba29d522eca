//! The routes. Each handler frames one request for the gate; the attributes
//! above it are its entry in the OpenAPI document.

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use bytes::Bytes;
use chancery_http::guard::{Refused, number};
use chancery_http::{Answer, Door, Peer, refuse, relay, requests};
use chancery_message::Operation;
use chancery_pipeline::ports::{Ask, Reply, ReplyBody};

use super::ROOT;
use super::guard::{Target, guard, json_body};
use crate::content::{OPENAPI, Problem, schemas};

pub(super) fn router(door: Door) -> Router {
    let api = Router::new()
        .route("/messages", post(send))
        .route("/check", post(check))
        .route("/messages/{id}", read(status))
        .route("/messages/{id}/reply", post(reply))
        .route("/messages/{id}/forward", post(forward))
        .route("/messages/{id}/withdraw", post(withdraw))
        .route("/attachments", post(upload))
        .route("/recipients", read(recipients))
        .route("/inbox", read(inbox))
        .route("/inbox/{delivery}", read(fetch))
        .route(
            "/inbox/{delivery}/attachments/{index}",
            read(fetch_attachment),
        )
        .route("/inbox/{delivery}/ack", post(acknowledge))
        .route("/consents", read(consents))
        .route("/consents/{request}/grant", post(grant_consent))
        .route("/consents/{request}/refuse", post(refuse_consent))
        .route("/openapi.json", read(openapi));
    Router::new()
        .nest(ROOT, api)
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(door.clone(), guard))
        .with_state(door)
}

/// GET without HEAD: a fetch has effects, so nothing is fetched by half.
fn read<H, T>(handler: H) -> MethodRouter<Door>
where
    H: Handler<T, Door>,
    T: 'static,
{
    get(handler).head(method_not_allowed)
}

async fn method_not_allowed(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
) -> Response {
    let refused = Refused::new(
        Problem::MethodNotAllowed,
        "the field `allow` names the methods that there are",
    );
    told(&door, &peer, Err(refused)).await
}

async fn not_found(State(door): State<Door>, Extension(peer): Extension<Peer>) -> Response {
    told(&door, &peer, Err(Refused::not_found())).await
}

/// Send a message.
#[utoipa::path(post, path = "/messages", tag = "messages", request_body = schemas::SubmissionRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters; the same request under the same key is done once")),
    responses(
        (status = 202, description = "Accepted and durable, with the verdict for each recipient; or kept for an officer", body = schemas::Taken),
        (status = "default", description = "Refused; nothing changed", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn send(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    submit(&door, &peer, Operation::Send, request).await
}

/// Ask what would become of a message, without sending it.
#[utoipa::path(post, path = "/check", tag = "messages", request_body = schemas::SubmissionRequest,
    responses(
        (status = 200, description = "What the rules say for each recipient", body = schemas::VerdictsAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn check(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    submit(&door, &peer, Operation::Check, request).await
}

/// Answer a message or delivery.
#[utoipa::path(post, path = "/messages/{id}/reply", tag = "messages", request_body = schemas::SubmissionRequest,
    params(("id" = String, Path, description = "The message or delivery answered"),
        ("Idempotency-Key" = Option<String>, Header, description = "As for sending")),
    responses(
        (status = 202, description = "As for sending", body = schemas::Taken),
        (status = "default", description = "Refused; nothing changed", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn reply(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
    request: Request,
) -> Response {
    match one(target) {
        Ok(to) => submit(&door, &peer, Operation::Reply { to }, request).await,
        Err(refused) => told(&door, &peer, Err(refused)).await,
    }
}

/// Pass on a message that was delivered to the caller.
#[utoipa::path(post, path = "/messages/{id}/forward", tag = "messages", request_body = schemas::SubmissionRequest,
    params(("id" = String, Path, description = "The message or delivery passed on"),
        ("Idempotency-Key" = Option<String>, Header, description = "As for sending")),
    responses(
        (status = 202, description = "As for sending", body = schemas::Taken),
        (status = "default", description = "Refused; nothing changed", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn forward(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
    request: Request,
) -> Response {
    match one(target) {
        Ok(of) => submit(&door, &peer, Operation::Forward { of }, request).await,
        Err(refused) => told(&door, &peer, Err(refused)).await,
    }
}

/// What became of a message of the caller's.
#[utoipa::path(get, path = "/messages/{id}", tag = "messages",
    params(("id" = String, Path, description = "The message")),
    responses(
        (status = 200, description = "Where it stands for each recipient", body = schemas::StatusAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn status(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
) -> Response {
    about(&door, &peer, target, |message| Ask::Status { message }).await
}

/// Take back what is not yet delivered.
#[utoipa::path(post, path = "/messages/{id}/withdraw", tag = "messages",
    params(("id" = String, Path, description = "The message")),
    responses(
        (status = 200, description = "Where it stands now for each recipient", body = schemas::StatusAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn withdraw(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
) -> Response {
    about(&door, &peer, target, |message| Ask::Withdraw { message }).await
}

/// Upload an attachment: its raw bytes under its own media type. Kept for 24
/// hours, for the caller alone.
#[utoipa::path(post, path = "/attachments", tag = "messages",
    request_body(content = schemas::RawBytes, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "Held", body = schemas::UploadAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn upload(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let done = requests::upload(&door, &peer, request).await;
    told(&door, &peer, done).await
}

/// The participants that the caller may know of.
#[utoipa::path(get, path = "/recipients", tag = "directory",
    responses(
        (status = 200, description = "Whom submissions may name", body = schemas::RecipientsAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn recipients(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
) -> Response {
    ask(&door, &peer, Ask::Recipients).await
}

/// What waits for the caller.
#[utoipa::path(get, path = "/inbox", tag = "inbox",
    params(("wait" = Option<u32>, Query, minimum = 0, maximum = 60, description = "Wait so many seconds for something; 0 where absent"),
        ("after" = Option<String>, Query, description = "Only what comes after this delivery"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most so many; 50 where absent")),
    responses(
        (status = 200, description = "Deliveries that the rules permit now", body = schemas::InboxAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn inbox(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    uri: http::Uri,
) -> Response {
    let done = requests::inbox(&door, &peer, &uri).await;
    told(&door, &peer, done).await
}

/// Fetch a delivery. It is decided, recorded and given out; it stays in the
/// inbox until it is acknowledged.
#[utoipa::path(get, path = "/inbox/{delivery}", tag = "inbox",
    params(("delivery" = String, Path, description = "The delivery")),
    responses(
        (status = 200, description = "The message", body = schemas::DeliveryAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn fetch(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
) -> Response {
    about(&door, &peer, target, |delivery| Ask::Fetch { delivery }).await
}

/// Fetch the bytes of one attachment.
#[utoipa::path(get, path = "/inbox/{delivery}/attachments/{index}", tag = "inbox",
    params(("delivery" = String, Path, description = "The delivery"),
        ("index" = u32, Path, description = "The attachment's index")),
    responses(
        (status = 200, description = "The bytes", body = schemas::RawBytes, content_type = "application/octet-stream"),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn fetch_attachment(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
) -> Response {
    let place = target.0.and_then(|ids| match ids.as_slice() {
        [delivery, index] => number(index, 0..=999)
            .map(|index| (delivery.clone(), index))
            .ok_or(Refused::not_found()),
        _ => Err(Refused::not_found()),
    });
    match place {
        Ok((delivery, index)) => ask(&door, &peer, Ask::FetchAttachment { delivery, index }).await,
        Err(refused) => told(&door, &peer, Err(refused)).await,
    }
}

/// Acknowledge a delivery: the caller has it safely, it leaves the inbox.
#[utoipa::path(post, path = "/inbox/{delivery}/ack", tag = "inbox",
    params(("delivery" = String, Path, description = "The delivery")),
    responses(
        (status = 200, description = "The receipt; the same each time", body = schemas::AcknowledgedAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn acknowledge(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
) -> Response {
    about(&door, &peer, target, |delivery| Ask::Acknowledge {
        delivery,
    })
    .await
}

/// Onward releases of the caller's information that wait for its consent.
#[utoipa::path(get, path = "/consents", tag = "consent",
    responses(
        (status = 200, description = "What waits, the most urgent first", body = schemas::ConsentsAnswer),
        (status = "default", description = "Refused", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn consents(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
) -> Response {
    ask(&door, &peer, Ask::Consents).await
}

/// Consent to an onward release.
#[utoipa::path(post, path = "/consents/{request}/grant", tag = "consent",
    params(("request" = String, Path, description = "The request")),
    responses(
        (status = 200, description = "Recorded; it counts once", body = schemas::ConsentAnswer),
        (status = "default", description = "Refused; nothing changed", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn grant_consent(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
) -> Response {
    let grant = |request| Ask::Consent {
        request,
        grant: true,
    };
    about(&door, &peer, target, grant).await
}

/// Refuse an onward release.
#[utoipa::path(post, path = "/consents/{request}/refuse", tag = "consent",
    params(("request" = String, Path, description = "The request")),
    responses(
        (status = 200, description = "Recorded; it counts once", body = schemas::ConsentAnswer),
        (status = "default", description = "Refused; nothing changed", body = schemas::ProblemAnswer, content_type = "application/problem+json")))]
pub(crate) async fn refuse_consent(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    target: Target,
) -> Response {
    let refuse = |request| Ask::Consent {
        request,
        grant: false,
    };
    about(&door, &peer, target, refuse).await
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "directory",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub(crate) async fn openapi(State(door): State<Door>) -> Response {
    let document = Reply {
        status: 200,
        content_type: "application/json".to_owned(),
        headers: Vec::new(),
        body: ReplyBody::Whole(Bytes::from_static(OPENAPI.as_bytes())),
        per_recipient: Vec::new(),
    };
    relay(&door, document).map(Body::new)
}

/// What was done, or why not.
async fn told(door: &Door, peer: &Peer, done: Result<Answer, Refused>) -> Response {
    let answer = match done {
        Ok(answer) => answer,
        Err(refused) => refuse(door, peer, &refused).await,
    };
    answer.map(Body::new)
}

async fn submit(door: &Door, peer: &Peer, operation: Operation, request: Request) -> Response {
    let done = requests::submit(door, peer, operation, request, json_body).await;
    told(door, peer, done).await
}

fn one(target: Target) -> Result<String, Refused> {
    target
        .0
        .and_then(|ids| ids.into_iter().next().ok_or(Refused::not_found()))
}

async fn about(
    door: &Door,
    peer: &Peer,
    target: Target,
    make: impl FnOnce(String) -> Ask,
) -> Response {
    match one(target) {
        Ok(id) => ask(door, peer, make(id)).await,
        Err(refused) => told(door, peer, Err(refused)).await,
    }
}

async fn ask(door: &Door, peer: &Peer, what: Ask) -> Response {
    requests::ask(door, peer, what).await.map(Body::new)
}
