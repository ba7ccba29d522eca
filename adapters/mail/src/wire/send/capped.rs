//! A TCP stream that reads no more than it may: lettre reads a reply line
//! whole before it looks at its length, so a relay without manners could fill
//! the memory.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Octets that may be read on one connection until they are granted anew: a
/// TLS handshake with a long chain, and a few replies.
pub(super) const GRANT: u64 = 256 * 1024;

/// What may still be read.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(GRANT)))
    }

    /// Grants the full amount again, for the next message on the connection.
    pub(super) fn renew(&self) {
        self.0.store(GRANT, Ordering::Relaxed);
    }

    fn spend(&self, octets: usize) -> io::Result<()> {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        let left = self.0.load(Ordering::Relaxed);
        let rest = left.checked_sub(octets).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the relay answers too much")
        })?;
        self.0.store(rest, Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Capped {
    stream: TcpStream,
    budget: Budget,
}

impl Capped {
    pub(super) const fn new(stream: TcpStream, budget: Budget) -> Self {
        Self { stream, budget }
    }
}

impl AsyncTokioStream for Capped {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Capped {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => Poll::Ready(
                this.budget
                    .spend(buffer.filled().len().saturating_sub(before)),
            ),
            other => other,
        }
    }
}

impl AsyncWrite for Capped {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
