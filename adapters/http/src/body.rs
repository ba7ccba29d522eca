//! Bodies of requests: read whole within cap and time, or handed on in chunks.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chancery_pipeline::ports::{BoxFuture, Chunks, GateError};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, timeout, timeout_at};

use crate::Limits;

/// Largest chunk that the gate takes, bytes.
const CHUNK: usize = 64 * 1024;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    TooLarge,
    TooSlow,
    Broken,
}

/// A body that outlives its handler: what a refusal left unread is taken in
/// afterwards, within bounds, so that the peer reads the refusal and not a
/// reset of its stream.
#[derive(Debug)]
pub struct Tap<B>(Arc<Mutex<B>>);

impl<B> Clone for Tap<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Tap<B> {
    /// Over this body.
    pub fn new(body: B) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Takes in at most 4 MiB of what is left, for at most one second.
    pub async fn drain(mut self) {
        let mut left = 4 * 1024 * 1024usize;
        let all = async {
            while let Some(Ok(frame)) = self.frame().await {
                let taken = frame.into_data().map_or(0, |data| data.len());
                match left.checked_sub(taken) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // Whether it was all or not, the answer goes out now.
        drop(timeout(Duration::from_secs(1), all).await);
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Tap<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .size_hint()
    }
}

/// A whole body of at most `limit` bytes, by `deadline`.
pub(crate) async fn whole<B>(mut body: B, limit: u64, deadline: Instant) -> Result<Bytes, BodyFault>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::new();
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(BodyFault::TooSlow),
            Ok(None) => return Ok(whole.freeze()),
            Ok(Some(Err(_))) => return Err(BodyFault::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers say nothing here.
        if let Ok(data) = frame.into_data() {
            if (whole.len() as u64).saturating_add(data.len() as u64) > limit {
                return Err(BodyFault::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
    }
}

/// A body as the gate takes it: chunk by chunk, none read before it is wanted,
/// with a cap, a longest pause and a slowest rate.
pub(crate) struct Upload<B> {
    body: B,
    /// Read and not handed on yet.
    rest: Bytes,
    received: u64,
    begun: Instant,
    limit: u64,
    pause: Duration,
    grace: Duration,
    rate: u64,
    /// What ended it, for the peer's answer.
    pub(crate) fault: Option<BodyFault>,
}

impl<B: Body<Data = Bytes> + Unpin> Upload<B> {
    pub(crate) fn new(body: B, limits: &Limits) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            received: 0,
            begun: Instant::now(),
            limit: limits.upload,
            pause: limits.upload_pause,
            grace: limits.upload_grace,
            rate: limits.upload_rate.max(1),
            fault: None,
        }
    }

    /// By when the next bytes must come.
    fn deadline(&self) -> Instant {
        let earned = Duration::from_secs(self.received / self.rate);
        (Instant::now() + self.pause).min(self.begun + self.grace + earned)
    }

    async fn advance(&mut self) -> Option<Result<Bytes, GateError>> {
        while self.rest.is_empty() {
            let frame = match timeout_at(self.deadline(), self.body.frame()).await {
                Err(_) => return self.fail(BodyFault::TooSlow),
                Ok(None) => return None,
                Ok(Some(Err(_))) => return self.fail(BodyFault::Broken),
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data() {
                self.received = self.received.saturating_add(data.len() as u64);
                if self.received > self.limit {
                    return self.fail(BodyFault::TooLarge);
                }
                self.rest = data;
            }
        }
        let chunk = self.rest.split_to(self.rest.len().min(CHUNK));
        Some(Ok(chunk))
    }

    fn fail(&mut self, fault: BodyFault) -> Option<Result<Bytes, GateError>> {
        self.fault = Some(fault);
        Some(Err(match fault {
            BodyFault::TooLarge => GateError::TooLarge { limit: self.limit },
            BodyFault::TooSlow => GateError::CutOff("the peer sent too slowly".to_owned()),
            BodyFault::Broken => GateError::CutOff("the peer stopped sending".to_owned()),
        }))
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin> Chunks for Upload<B> {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, GateError>>> {
        Box::pin(self.advance())
    }
}
