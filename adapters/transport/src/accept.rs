//! Handshakes, bounded: strangers' ClientHellos must not starve the token.

use std::sync::Arc;
use std::time::Duration;

use chancery_message::TransportEvidence;
use rustls::ServerConnection;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::Refused;
use crate::{HandshakeError, ServerTls, Stall, certificate};

/// Bounds on handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshakes {
    /// Handshakes with work for the token at one time.
    pub at_once: usize,
    /// Connections that may be in their handshake, counting those whose
    /// ClientHello has not come; more are refused at once.
    pub pending: usize,
    /// From the first byte to the end of the handshake.
    pub deadline: Duration,
    /// How long a peer may leave a write unread, now and after the handshake.
    pub write_stall: Duration,
}

impl Default for Handshakes {
    /// 16 at once, 256 pending, 10 s, 60 s.
    fn default() -> Self {
        Self {
            at_once: 16,
            pending: 256,
            deadline: Duration::from_secs(10),
            write_stall: Duration::from_secs(60),
        }
    }
}

/// A finished handshake.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The stream, encrypted from here on.
    pub stream: TlsStream<Stall<S>>,
    /// What was proven.
    pub evidence: TransportEvidence,
    /// The server name that the peer asked for (SNI), if it named one.
    pub server_name: Option<String>,
    /// The application protocol agreed on.
    pub alpn: Option<Vec<u8>>,
}

/// The semaphores behind [`Handshakes`].
#[derive(Debug)]
pub(crate) struct Gauge {
    bounds: Handshakes,
    pending: Semaphore,
    working: Semaphore,
}

impl Gauge {
    pub(crate) fn new(bounds: Handshakes) -> Self {
        Self {
            bounds,
            pending: Semaphore::new(bounds.pending.max(1)),
            working: Semaphore::new(bounds.at_once.max(1)),
        }
    }
}

impl ServerTls {
    /// Does a handshake within the bounds. Dropping the future drops the connection.
    ///
    /// # Errors
    /// [`HandshakeError`]; the peer was sent the alert that its protocol has.
    pub async fn accept<S>(&self, stream: S) -> Result<Accepted<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let bounds = self.gauge.bounds;
        let deadline = Instant::now() + bounds.deadline;
        let _pending = self
            .gauge
            .pending
            .try_acquire()
            .map_err(|_| HandshakeError::Busy)?;
        let stream = Stall::new(stream, bounds.write_stall);
        // The ClientHello is waited for outside the working bound: who sends
        // none holds back nobody who does.
        let start = timeout_at(
            deadline,
            LazyConfigAcceptor::new(Acceptor::default(), stream),
        )
        .await
        .map_err(|_| HandshakeError::TooSlow)?
        .map_err(|error| HandshakeError::from(&error))?;
        let _working = timeout_at(deadline, self.gauge.working.acquire())
            .await
            .map_err(|_| HandshakeError::Busy)?
            .map_err(|_| HandshakeError::Busy)?;
        let stream = timeout_at(deadline, start.into_stream(self.config()))
            .await
            .map_err(|_| HandshakeError::TooSlow)?
            .map_err(|error| HandshakeError::from(&error))?;
        let connection = stream.get_ref().1;
        Ok(Accepted {
            evidence: evidence(connection)?,
            server_name: connection.server_name().map(str::to_owned),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            stream,
        })
    }

    /// [`ServerTls::accept`] for a shared profile, as a task wants it.
    ///
    /// # Errors
    /// As there.
    pub async fn accept_owned<S>(self: Arc<Self>, stream: S) -> Result<Accepted<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.accept(stream).await
    }
}

fn evidence(connection: &ServerConnection) -> Result<TransportEvidence, HandshakeError> {
    let group = connection
        .negotiated_key_exchange_group()
        .map(|group| format!("{:?}", group.name()))
        .ok_or_else(|| {
            HandshakeError::Protocol("no key exchange group was negotiated".to_owned())
        })?;
    let Some(leaf) = connection.peer_certificates().and_then(<[_]>::first) else {
        return Ok(TransportEvidence::ServerTls { group });
    };
    let certificate =
        certificate::evidence(leaf).ok_or(HandshakeError::Certificate(Refused::Invalid))?;
    Ok(TransportEvidence::MutualTls { certificate, group })
}
