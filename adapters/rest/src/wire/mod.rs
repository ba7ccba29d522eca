//! HTTP over a stream that is already encrypted: framing, caps, relaying. The
//! content of a request is never looked at here.
//!
//! ```text
//! stream → hyper (1.1 or 2) → guard → route → Gate → Reply → relay
//! ```
//! The peer's identity is an argument of the connection; nothing in a request
//! can change it.

mod body;
mod guard;
mod limits;
mod linger;
mod relay;
pub(crate) mod routes;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use chancery_message::{Entropy, PeerEvidence};
use chancery_pipeline::ports::{DoorRefusal, Gate};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

pub use limits::Limits;
use linger::Linger;

/// Where the interface lives.
pub const ROOT: &str = "/api/v1";

/// One peer on one connection, as the transport proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who.
    pub evidence: PeerEvidence,
    /// The server name that it asked for in the handshake (SNI); requests for
    /// another host are refused.
    pub server_name: Option<String>,
}

/// The REST interface over a gate: made once, serves every connection.
#[derive(Clone)]
pub struct Rest {
    router: Router,
    limits: Arc<Limits>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What every handler has.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) limits: Arc<Limits>,
}

impl Door {
    /// Records a refusal made here. It does not keep the peer's answer waiting
    /// for long.
    pub(crate) async fn record(&self, peer: &Peer, reason: &str) {
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

impl Rest {
    /// The interface over `gate`. `entropy` makes the opaque ids of faults.
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>, entropy: Arc<dyn Entropy>, limits: Limits) -> Self {
        let limits = Arc::new(limits);
        let door = Door {
            gate,
            entropy,
            limits: Arc::clone(&limits),
        };
        Self {
            router: routes::router(door),
            limits,
        }
    }

    /// Serves one connection until the peer closes it, breaks a limit, or
    /// `closing` resolves: then requests under way are finished (within
    /// [`Limits::drain`]) and no new ones taken.
    ///
    /// # Errors
    /// A sentence for the log when the connection ended by a fault; peers
    /// cause them at will, they are no fault of the gateway.
    pub async fn serve<S>(
        &self,
        stream: S,
        peer: Peer,
        closing: impl Future<Output = ()>,
    ) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = &self.limits;
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
        let service = TowerToHyperService::new(self.router.clone().layer(Extension(peer)));
        let mut connection =
            pin!(builder.serve_connection(TokioIo::new(Linger::new(stream)), service));
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
}
