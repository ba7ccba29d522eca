//! HTTP over a stream that is already encrypted: the routes. What all channels
//! over HTTP share is `chancery_http`.

mod routes;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use chancery_http::Door;
pub use chancery_http::{Limits, Peer};
use chancery_message::Entropy;
use chancery_pipeline::ports::Gate;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::content::fault;

/// Where the interface lives.
pub const ROOT: &str = "/siena/v1";

/// The SIENA-style interface over a gate: made once, serves every connection.
#[derive(Clone)]
pub struct Siena {
    door: Door,
}

impl fmt::Debug for Siena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Siena")
            .field("limits", &self.door.limits)
            .finish_non_exhaustive()
    }
}

impl Siena {
    /// The interface over `gate`. `entropy` makes the opaque ids of faults.
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>, entropy: Arc<dyn Entropy>, limits: Limits) -> Self {
        Self {
            door: Door {
                gate,
                entropy,
                limits: Arc::new(limits),
                words: fault,
            },
        }
    }

    /// Serves one connection ([`chancery_http::serve`]).
    ///
    /// # Errors
    /// A sentence for the log when the connection ended by a fault.
    pub async fn serve<S>(
        &self,
        stream: S,
        peer: Peer,
        closing: impl Future<Output = ()>,
    ) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Arc::new(peer);
        let service = service_fn(|request| {
            let (door, peer) = (self.door.clone(), Arc::clone(&peer));
            async move { Ok::<_, Infallible>(routes::answer(&door, &peer, request).await) }
        });
        chancery_http::serve(&self.door.limits, stream, service, closing).await
    }
}
