//! Closing without losing the last answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Most bytes that are still taken from a peer after the last answer.
const MOST: usize = 4 * 1024 * 1024;
/// Longest time for it.
const LONGEST: Duration = Duration::from_secs(2);

/// A stream whose shutdown takes in what the peer still sends, within bounds,
/// and throws it away. Closing a socket with unread bytes resets it, and the
/// peer would lose the refusal that it is about to read (RFC 9112 section 9.6).
#[derive(Debug)]
pub(crate) struct Linger<S> {
    inner: S,
    /// Runs from the moment at which our half is closed.
    timer: Option<Pin<Box<Sleep>>>,
    left: usize,
}

impl<S> Linger<S> {
    pub(crate) const fn new(inner: S) -> Self {
        Self {
            inner,
            timer: None,
            left: MOST,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.timer.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        }
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LONGEST)));
        let mut scratch = [0u8; 4096];
        loop {
            if this.left == 0 || timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scratch);
            // A peer that is gone has nothing to lose any more.
            if ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf)).is_err()
                || buf.filled().is_empty()
            {
                return Poll::Ready(Ok(()));
            }
            this.left = this.left.saturating_sub(buf.filled().len());
        }
    }
}
