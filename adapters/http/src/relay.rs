//! Answers of the gateway, relayed to the peer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use chancery_pipeline::outcome::RefusalKind;
use chancery_pipeline::ports::{Chunks, GateError, Reply, ReplyBody, TooMany};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, SizeHint};

use crate::guard::Refused;
use crate::{Door, Fault, Peer};

/// What goes back: bytes, or a stream of them.
pub type Answer = Response<Either<Full<Bytes>, Relay>>;

/// A refusal made at the door: recorded, then told.
pub async fn refuse(door: &Door, peer: &Peer, refused: &Refused) -> Answer {
    door.record(peer, refused.fault.name()).await;
    relay(door, (door.words)(refused.fault, refused.detail, None))
}

/// A peer that asks for more than it may is told when to come back.
pub async fn refuse_many(door: &Door, peer: &Peer, many: TooMany) -> Answer {
    if many.first {
        door.record(peer, "too-many-requests").await;
    }
    let mut reply = (door.words)(
        Fault::Gateway(RefusalKind::Busy),
        "more requests or connections than one peer may have: come back later",
        None,
    );
    reply.headers = vec![("retry-after".to_owned(), many.retry_after.to_string())];
    relay(door, reply)
}

/// What the gate answered, or that it could not.
pub fn answer(door: &Door, answer: Result<Reply, GateError>) -> Answer {
    let reply = match answer {
        Ok(reply) => reply,
        Err(GateError::Busy) => (door.words)(
            Fault::Gateway(RefusalKind::Unavailable),
            "the gateway is busy; nothing was accepted, try again",
            None,
        ),
        Err(GateError::TooLarge { limit }) => (door.words)(
            Fault::Gateway(RefusalKind::TooLarge),
            &format!("larger than {limit} bytes"),
            None,
        ),
        Err(GateError::CutOff(_)) => (door.words)(
            Fault::BadRequest,
            "the transfer was cut off; nothing was accepted",
            None,
        ),
    };
    relay(door, reply)
}

/// A reply as HTTP. One that is not HTTP is a fault of the gateway: the peer
/// gets an opaque id, the log the same id with the cause.
pub fn relay(door: &Door, reply: Reply) -> Answer {
    response(reply).unwrap_or_else(|cause| {
        let mut random = [0u8; 16];
        let instance = match door.entropy.fill(&mut random) {
            Ok(()) => format!("urn:chancery:fault:{}", hex::encode(random)),
            Err(_) => "urn:chancery:fault:unknown".to_owned(),
        };
        tracing::error!(instance, cause, "an answer of the gateway is not HTTP");
        let reply = (door.words)(
            Fault::Internal,
            "quote the instance to the gateway's operators",
            Some(&instance),
        );
        response(reply).unwrap_or_else(|_| Response::new(Either::Left(Full::default())))
    })
}

fn response(reply: Reply) -> Result<Answer, &'static str> {
    let status = StatusCode::from_u16(reply.status).map_err(|_| "status")?;
    if status.is_informational() {
        return Err("status");
    }
    let body = match reply.body {
        ReplyBody::Whole(bytes) => Either::Left(Full::new(bytes)),
        ReplyBody::Stream { length, chunks } => Either::Right(Relay {
            left: length,
            state: State::Idle(chunks),
        }),
    };
    let length = body.size_hint().exact();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "header name")?;
        if OURS.contains(&name) {
            return Err("a header field that the door sets");
        }
        headers.insert(
            name,
            HeaderValue::from_str(&value).map_err(|_| "header value")?,
        );
    }
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(&reply.content_type).map_err(|_| "content type")?,
    );
    // What was released to one caller is in no cache, and is what it says it is.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

/// Fields that no reply may set.
const OURS: [HeaderName; 5] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    http::header::TRANSFER_ENCODING,
    http::header::CONNECTION,
    http::header::ACCESS_CONTROL_ALLOW_ORIGIN,
];

type Step = (Box<dyn Chunks>, Option<Result<Bytes, GateError>>);

enum State {
    Idle(Box<dyn Chunks>),
    Reading(Pin<Box<dyn Future<Output = Step> + Send>>),
    Done,
}

/// A stream of exactly so many bytes. One that ends early or goes on too long
/// breaks the connection, so that the peer never takes a part for the whole.
pub struct Relay {
    left: u64,
    state: State,
}

/// Why a relayed stream broke.
#[derive(Debug)]
pub struct Broken(&'static str);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Broken {}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut reading = match std::mem::replace(&mut self.state, State::Done) {
            State::Done => return Poll::Ready(None),
            State::Idle(_) if self.left == 0 => return Poll::Ready(None),
            State::Idle(mut chunks) => Box::pin(async move {
                let next = chunks.next().await;
                (chunks, next)
            }),
            State::Reading(reading) => reading,
        };
        let Poll::Ready((chunks, next)) = reading.as_mut().poll(cx) else {
            self.state = State::Reading(reading);
            return Poll::Pending;
        };
        let chunk = match next {
            None => return Poll::Ready(Some(Err(Broken("the stream ended early")))),
            Some(Err(_)) => return Poll::Ready(Some(Err(Broken("the stream was cut off")))),
            Some(Ok(chunk)) => chunk,
        };
        match self.left.checked_sub(chunk.len() as u64) {
            None => Poll::Ready(Some(Err(Broken("the stream went on too long")))),
            Some(left) => {
                self.left = left;
                self.state = State::Idle(chunks);
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
