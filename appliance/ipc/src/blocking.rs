//! The client of a link for code without a runtime: many threads ask at once
//! and wait.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::limits::Limits;
use crate::links::{Client, Links, Tag};
use crate::wire::MAX_PAYLOAD;

/// Asks one server, from any number of threads at once. The frames are carried
/// by a thread of its own, so a call may block a runtime's thread (say so with
/// `block_in_place` there) and may be made where there is no runtime.
///
/// When the server dies, calls under way fail with
/// [`io::ErrorKind::ConnectionReset`] and may be asked again; new calls wait
/// for its successor up to their deadline.
#[derive(Debug)]
pub struct Channel {
    client: Client,
    tag: Tag,
    /// Dropped to end the thread.
    _end: oneshot::Sender<()>,
}

// === impl Channel ===

impl Channel {
    /// The channel of a link on which this process asks. Starts a thread: call
    /// it inside the sandbox.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(links: &Links, tag: Tag, limits: Limits) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = {
            let _inside = runtime.enter();
            links.client(tag.clone(), limits)
        };
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("channel".into())
            .spawn(move || {
                // Ends with an error when the channel is dropped: that is the sign.
                runtime.block_on(async { ended.await.unwrap_or(()) });
            })?;
        Ok(Self {
            client,
            tag,
            _end: end,
        })
    }

    /// Sends `request`, of at most 64 KiB, and waits for the answer.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionReset`] when the server died meanwhile,
    /// [`io::ErrorKind::NotConnected`] when it did not come back before the
    /// deadline, [`io::ErrorKind::TimedOut`] when it did not answer before it;
    /// others as [`Error`] becomes [`io::Error`].
    pub fn roundtrip(&self, request: &[u8], deadline: Duration) -> io::Result<Vec<u8>> {
        if request.len() > MAX_PAYLOAD {
            return Err(Error::HeaderTooLong(request.len()).into());
        }
        let request = Bytes::from_owner(Zeroizing::new(request.to_vec()));
        match wait(self.client.ask(request), deadline) {
            Some(answer) => Ok(answer?.to_vec()),
            None if self.client.is_connected() => Err(Error::Deadline(deadline).into()),
            None => Err(Error::NotConnected(self.tag.to_string()).into()),
        }
    }
}

/// Drives a future on this thread until it is done or the time is up.
fn wait<T>(future: impl Future<Output = T>, at_most: Duration) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let begun = Instant::now();
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        // A wake-up since the poll makes this return at once.
        thread::park_timeout(
            at_most
                .checked_sub(begun.elapsed())
                .filter(|left| !left.is_zero())?,
        );
    }
}
