//! The two tasks of a connection: one reads the socket, one writes it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zeroize::Zeroize;

use crate::connection::shared::{Batch, Handle, Shared};
use crate::error::{Error, Violation};
use crate::limits::Side;
use crate::wire::{self, GREETING, HEAD, Head, MAX_PAYLOAD};

/// How long one that asks may take to greet. One that serves may take as long as
/// it wants: it may be starting, for example while it waits for its token, and
/// nobody makes a second socket until it is replaced.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes gathered for one write, and read at once.
const GATHER: usize = 128 * 1024;

pub(crate) fn start(stream: UnixStream, handle: &Arc<Handle>) {
    let (reading, writing) = stream.into_split();
    let shared = handle.shared();
    tokio::spawn(write(writing, Arc::clone(shared)));
    tokio::spawn(read(reading, Arc::clone(shared), Arc::downgrade(handle)));
}

async fn write(mut socket: OwnedWriteHalf, shared: Arc<Shared>) {
    let mut buffer = wire::greeting(shared.side, shared.grants);
    let mut room = 0;
    loop {
        if socket.write_all(&buffer).await.is_err() {
            shared.end(&Error::Gone);
            return;
        }
        if shared.grants.wipe {
            buffer.as_mut_slice().zeroize();
        }
        buffer.clear();
        shared.room.add_permits(room);
        room = loop {
            match shared.take(&mut buffer, GATHER) {
                Batch::Write(room) => break room,
                Batch::Wait => shared.work.notified().await,
                // The socket is shut when the half is dropped.
                Batch::Over => return,
            }
        };
    }
}

async fn read(mut socket: OwnedReadHalf, shared: Arc<Shared>, handle: Weak<Handle>) {
    let error = tokio::select! {
        error = read_on(&mut socket, &shared, &handle) => error,
        error = shared.until_ended() => error,
    };
    if matches!(error, Error::Violation(_) | Error::Version { .. }) {
        tracing::error!(%error, "connection between processes closed");
    }
    shared.end(&error);
}

async fn read_on(socket: &mut OwnedReadHalf, shared: &Shared, handle: &Weak<Handle>) -> Error {
    let mut greeting = [0; GREETING];
    let greeted = socket.read_exact(&mut greeting);
    let read = match shared.side {
        Side::Client => Ok(greeted.await),
        Side::Server => tokio::time::timeout(PATIENCE, greeted).await,
    };
    match read {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => return Error::Gone,
        Err(_) => return Error::Violation(Violation::Greeting),
    }
    match wire::read_greeting(greeting, shared.side) {
        Ok(peer) => shared.greeted(peer),
        Err(error) => return error,
    }
    let mut buffer = Buffer::new(shared.grants.wipe);
    loop {
        loop {
            match buffer.frame() {
                Ok(Some((head, payload))) => {
                    if let Err(violation) = shared.on_frame(head, payload, handle.upgrade()) {
                        return Error::Violation(violation);
                    }
                    buffer.consume(HEAD + head.length);
                }
                Ok(None) => break,
                Err(violation) => return Error::Violation(violation),
            }
        }
        match socket.read(buffer.space()).await {
            Ok(0) | Err(_) => return Error::Gone,
            Ok(more) => buffer.end += more,
        }
    }
}

/// Bytes read and not yet taken: `bytes[start..end]`.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    wipe: bool,
}

// === impl Buffer ===

impl Buffer {
    fn new(wipe: bool) -> Self {
        Self {
            bytes: vec![0; GATHER],
            start: 0,
            end: 0,
            wipe,
        }
    }

    /// The first frame, when all of it is here.
    fn frame(&self) -> Result<Option<(Head, &[u8])>, Violation> {
        let held = self.bytes.get(self.start..self.end).unwrap_or_default();
        let Some((head, rest)) = held.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let head = Head::decode(*head)?;
        Ok(rest.get(..head.length).map(|payload| (head, payload)))
    }

    fn consume(&mut self, length: usize) {
        let from = self.start;
        self.start = (self.start + length).min(self.end);
        if self.wipe {
            self.clear(from, self.start);
        }
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Where to read to. Never empty: the buffer holds more than one frame.
    fn space(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.start < HEAD + MAX_PAYLOAD {
            let (start, end) = (self.start, self.end);
            self.bytes.copy_within(start..end, 0);
            self.start = 0;
            self.end = end - start;
            if self.wipe {
                self.clear(self.end, end);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    fn clear(&mut self, from: usize, to: usize) {
        if let Some(stale) = self.bytes.get_mut(from..to) {
            stale.zeroize();
        }
    }
}
