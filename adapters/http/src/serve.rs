//! One connection: who is on it, what its handlers have, how it is served.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use chancery_message::{Entropy, PeerEvidence};
use chancery_pipeline::ports::{DoorRefusal, Gate, Reply};
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::linger::Linger;
use crate::{Fault, Limits};

/// One peer on one connection, as the transport proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who.
    pub evidence: PeerEvidence,
    /// The server name that it asked for in the handshake (SNI); requests for
    /// another host are refused.
    pub server_name: Option<String>,
}

/// How a channel writes a refusal: its class, a sentence without content, and
/// an opaque id that the log has too.
pub type Words = fn(Fault, &str, Option<&str>) -> Reply;

/// What every handler has.
#[derive(Clone)]
pub struct Door {
    /// Where requests go.
    pub gate: Arc<dyn Gate>,
    /// For the opaque ids of faults.
    pub entropy: Arc<dyn Entropy>,
    /// Bounds.
    pub limits: Arc<Limits>,
    /// How refusals are written.
    pub words: Words,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// Records a refusal made here. It does not keep the peer's answer waiting
    /// for long.
    pub async fn record(&self, peer: &Peer, reason: &str) {
        let refusal = DoorRefusal {
            peer: peer.evidence.clone(),
            reason: reason.to_owned(),
        };
        if tokio::time::timeout(self.limits.record, self.gate.refused(refusal))
            .await
            .is_err()
        {
            tracing::warn!(reason, "a refusal at the door was not recorded in time");
        }
    }
}

/// Serves one connection until the peer closes it, breaks a limit, or
/// `closing` resolves: then requests under way are finished (within
/// [`Limits::drain`]) and no new ones taken.
///
/// # Errors
/// A sentence for the log when the connection ended by a fault; peers
/// cause them at will, they are no fault of the gateway.
pub async fn serve<S, V, B>(
    limits: &Limits,
    stream: S,
    service: V,
    closing: impl Future<Output = ()>,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    V::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_headers(limits.header_fields)
        .max_buf_size(limits.header_bytes)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.requests)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_frame_size(16 * 1024)
        .initial_stream_window_size(limits.window)
        .initial_connection_window_size(limits.window.saturating_mul(2))
        .max_send_buf_size(256 * 1024)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(20)
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.headers);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(Linger::new(stream)), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.drain, connection).await {
                Ok(ended) => ended,
                Err(_) => return Err("requests did not end in time while closing".to_owned()),
            }
        }
    };
    ended.map_err(|error| format!("the connection ended by a fault: {error}"))
}
