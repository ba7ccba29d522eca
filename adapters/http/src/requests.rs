//! Requests that every channel has, framed for the gate.

use bytes::Bytes;
use chancery_message::{Inbound, Operation};
use chancery_pipeline::outcome::RefusalKind;
use chancery_pipeline::ports::Ask;
use http::{HeaderMap, Request, Uri};
use hyper::body::Body;
use tokio::time::Instant;

use crate::body::{BodyFault, Upload, whole};
use crate::guard::{Refused, announced, idempotency_key, inbox_query, upload_type};
use crate::{Answer, Door, Fault, Peer, answer};

/// A submission: `kind` says whether its body is of a type that is taken.
///
/// # Errors
/// [`Refused`], before anything was accepted.
pub async fn submit<B>(
    door: &Door,
    peer: &Peer,
    operation: Operation,
    request: Request<B>,
    kind: fn(&HeaderMap) -> Result<(), Refused>,
) -> Result<Answer, Refused>
where
    B: Body<Data = Bytes> + Unpin,
{
    let headers = request.headers();
    kind(headers)?;
    // A check has no effect that could happen twice.
    let idempotency_key = idempotency_key(headers)?.filter(|_| operation != Operation::Check);
    if announced(headers)?.is_some_and(|size| size > door.limits.submission) {
        return Err(TOO_LARGE);
    }
    let deadline = Instant::now() + door.limits.submission_time;
    let raw = whole(request.into_body(), door.limits.submission, deadline).await?;
    let inbound = Inbound {
        peer: peer.evidence.clone(),
        operation,
        idempotency_key,
        envelope_to: Vec::new(),
        envelope_from: None,
    };
    Ok(answer(door, door.gate.submit(inbound, raw).await))
}

/// Raw bytes under their own media type.
///
/// # Errors
/// [`Refused`]: nothing is kept.
pub async fn upload<B>(door: &Door, peer: &Peer, request: Request<B>) -> Result<Answer, Refused>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    let media_type = upload_type(request.headers())?;
    let announced = announced(request.headers())?;
    if announced.is_some_and(|size| size > door.limits.upload) {
        return Err(TOO_LARGE);
    }
    let mut body = Upload::new(request.into_body(), &door.limits);
    let held = door
        .gate
        .upload(peer.evidence.clone(), media_type, announced, &mut body)
        .await;
    match (held, body.fault) {
        (Err(_), Some(fault)) => Err(fault.into()),
        (held, _) => Ok(answer(door, held)),
    }
}

/// What waits.
///
/// # Errors
/// [`Refused`] for a query with something else than it has.
pub async fn inbox(door: &Door, peer: &Peer, uri: &Uri) -> Result<Answer, Refused> {
    let (wait_seconds, after, limit) = inbox_query(uri.query())?;
    let inbox = Ask::Inbox {
        wait_seconds,
        after,
        limit,
    };
    Ok(ask(door, peer, inbox).await)
}

/// Anything that is asked without a body.
pub async fn ask(door: &Door, peer: &Peer, what: Ask) -> Answer {
    answer(door, door.gate.ask(peer.evidence.clone(), what).await)
}

const TOO_LARGE: Refused = Refused::new(
    Fault::Gateway(RefusalKind::TooLarge),
    "larger than this may be",
);

impl From<BodyFault> for Refused {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::TooLarge => TOO_LARGE,
            BodyFault::TooSlow => Self::new(Fault::TooSlow, "the body did not come in time"),
            BodyFault::Broken => Self::new(Fault::BadRequest, "the body was cut off"),
        }
    }
}
