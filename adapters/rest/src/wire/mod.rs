//! HTTP over a stream that is already encrypted: routes and their entries in the
//! OpenAPI document. What all channels over HTTP share is `chancery_http`.

mod guard;
pub(crate) mod routes;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use chancery_http::Door;
pub use chancery_http::{Limits, Peer};
use chancery_message::Entropy;
use chancery_pipeline::ports::Gate;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::content::problem;

/// Where the interface lives.
pub const ROOT: &str = "/api/v1";

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

impl Rest {
    /// The interface over `gate`. `entropy` makes the opaque ids of faults.
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>, entropy: Arc<dyn Entropy>, limits: Limits) -> Self {
        let limits = Arc::new(limits);
        let door = Door {
            gate,
            entropy,
            limits: Arc::clone(&limits),
            words: problem,
        };
        Self {
            router: routes::router(door),
            limits,
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
        let service = TowerToHyperService::new(self.router.clone().layer(Extension(peer)));
        chancery_http::serve(&self.limits, stream, service, closing).await
    }
}
