//! The state of a connection, shared by its two tasks and all its handles.
//!
//! INVARIANT: the lock of the connection and that of a stream are never held
//! together, and neither is held across an await.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use zeroize::Zeroizing;

use crate::connection::Incoming;
use crate::connection::stream::Stream;
use crate::error::{Error, ResetCode, Violation};
use crate::exchange::Exchange;
use crate::limits::{LEAST_WINDOW, Limits, Side};
use crate::lock;
use crate::wire::{Head, Kind, charge};

/// Bytes of bodies that may wait for the writer, over all exchanges.
const ROOM: usize = 1024 * 1024;

/// What every user-visible part of a connection holds. When the last is gone,
/// the connection is closed.
#[derive(Debug)]
pub(crate) struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn new(
        side: Side,
        grants: Limits,
        incoming: mpsc::UnboundedSender<Incoming>,
    ) -> Arc<Self> {
        let state = State {
            streams: HashMap::new(),
            queue: VecDeque::new(),
            next: side.first_id(),
            theirs: 0,
            ended: None,
            incoming: Some(incoming),
        };
        Arc::new(Self {
            shared: Arc::new(Shared {
                side,
                grants,
                peer_window: OnceLock::new(),
                state: Mutex::new(state),
                work: Notify::new(),
                room: Semaphore::new(ROOM),
                slots: Semaphore::new(0),
                ended: watch::Sender::new(None),
            }),
        })
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.end(&Error::Closed);
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) side: Side,
    /// What this side grants the other.
    pub(crate) grants: Limits,
    /// What the other side grants per exchange, once it has greeted.
    peer_window: OnceLock<u32>,
    state: Mutex<State>,
    /// Something is there for the writer.
    pub(crate) work: Notify,
    /// Bytes that bodies may still put into the queue.
    pub(crate) room: Semaphore,
    /// Exchanges that this side may still open.
    slots: Semaphore,
    ended: watch::Sender<Option<Error>>,
}

#[derive(Debug)]
struct State {
    streams: HashMap<u32, Arc<Stream>>,
    queue: VecDeque<Frame>,
    next: u32,
    /// How many of `streams` the other side opened.
    theirs: u32,
    ended: Option<Error>,
    incoming: Option<mpsc::UnboundedSender<Incoming>>,
}

/// A frame that waits for the writer.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    stream: u32,
    payload: Bytes,
}

/// What the writer does next.
pub(crate) enum Batch {
    /// Write the buffer; so many bytes of room become free.
    Write(usize),
    /// Wait for work.
    Wait,
    /// The connection ended and nothing is left to say.
    Over,
}

// === impl Shared ===

impl Shared {
    /// The other side has greeted.
    pub(crate) fn greeted(&self, peer: Limits) {
        let _first = self.peer_window.set(peer.window);
        self.slots
            .add_permits(usize::try_from(peer.streams).unwrap_or(usize::MAX));
    }

    fn window_of_peer(&self) -> u32 {
        // INVARIANT: no exchange exists before the greeting; the fallback is
        // the least that any peer grants.
        self.peer_window.get().copied().unwrap_or(LEAST_WINDOW)
    }

    pub(crate) async fn open(&self, header: Bytes) -> Result<Arc<Stream>, Error> {
        let slot = self.slots.acquire().await.map_err(|_| self.reason())?;
        let stream = {
            let mut state = lock(&self.state);
            if let Some(error) = &state.ended {
                return Err(error.clone());
            }
            let mut id = state.next;
            while state.streams.contains_key(&id) {
                id = following(id, self.side);
            }
            state.next = following(id, self.side);
            let stream = Arc::new(Stream::new(
                id,
                true,
                self.window_of_peer(),
                self.grants.window,
            ));
            state.streams.insert(id, Arc::clone(&stream));
            state.queue.push_back(Frame {
                kind: Kind::Open,
                stream: id,
                payload: header,
            });
            stream
        };
        // Given back when the exchange is over on the wire.
        slot.forget();
        self.work.notify_one();
        Ok(stream)
    }

    /// Queues a frame; says why not when the connection ended.
    pub(crate) fn push(&self, kind: Kind, stream: u32, payload: Bytes) -> Result<(), Error> {
        {
            let mut state = lock(&self.state);
            if let Some(error) = &state.ended {
                return Err(error.clone());
            }
            state.queue.push_back(Frame {
                kind,
                stream,
                payload,
            });
        }
        self.work.notify_one();
        Ok(())
    }

    /// Queues the last frame of this side for an exchange and forgets the
    /// exchange when the other side is through as well. One step: what follows
    /// in the queue may use the number again.
    pub(crate) fn push_last(
        &self,
        kind: Kind,
        stream: &Stream,
        payload: Bytes,
    ) -> Result<(), Error> {
        let over = stream.close_ours();
        let result = {
            let mut state = lock(&self.state);
            match &state.ended {
                Some(error) => Err(error.clone()),
                None => {
                    state.queue.push_back(Frame {
                        kind,
                        stream: stream.id,
                        payload,
                    });
                    if over {
                        self.forget(&mut state, stream);
                    }
                    Ok(())
                }
            }
        };
        self.work.notify_one();
        result
    }

    fn forget(&self, state: &mut State, stream: &Stream) {
        if state.streams.remove(&stream.id).is_none() {
            return;
        }
        if stream.ours {
            self.slots.add_permits(1);
        } else {
            state.theirs = state.theirs.saturating_sub(1);
        }
    }

    /// Moves queued frames into `buffer`, up to about `most` bytes.
    pub(crate) fn take(&self, buffer: &mut Vec<u8>, most: usize) -> Batch {
        let mut state = lock(&self.state);
        let mut room = 0;
        while buffer.len() < most {
            let Some(frame) = state.queue.pop_front() else {
                break;
            };
            let head = Head {
                length: frame.payload.len(),
                stream: frame.stream,
                kind: frame.kind,
            };
            buffer.extend_from_slice(&head.encode());
            buffer.extend_from_slice(&frame.payload);
            if frame.kind == Kind::Data {
                room += usize::try_from(charge(frame.payload.len())).unwrap_or(usize::MAX);
            }
        }
        if !buffer.is_empty() {
            Batch::Write(room)
        } else if state.ended.is_some() {
            Batch::Over
        } else {
            Batch::Wait
        }
    }

    /// Ends the connection, once. What is queued is still written if it was
    /// this side that closed.
    pub(crate) fn end(&self, why: &Error) {
        let (streams, incoming) = {
            let mut state = lock(&self.state);
            if state.ended.is_some() {
                return;
            }
            state.ended = Some(why.clone());
            if *why != Error::Closed {
                state.queue.clear();
            }
            (std::mem::take(&mut state.streams), state.incoming.take())
        };
        drop(incoming);
        for stream in streams.into_values() {
            stream.fail(why);
        }
        self.slots.close();
        self.room.close();
        self.ended.send_replace(Some(why.clone()));
        self.work.notify_one();
    }

    pub(crate) fn ended(&self) -> Option<Error> {
        lock(&self.state).ended.clone()
    }

    pub(crate) fn reason(&self) -> Error {
        self.ended().unwrap_or(Error::Closed)
    }

    pub(crate) async fn until_ended(&self) -> Error {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(why) => (*why).clone().unwrap_or(Error::Closed),
            Err(_) => Error::Closed,
        }
    }

    /// The bytes of a payload, in memory of their own: a frame that is held
    /// must not hold a whole read buffer.
    fn own(&self, payload: &[u8]) -> Bytes {
        if self.grants.wipe && !payload.is_empty() {
            Bytes::from_owner(Zeroizing::new(payload.to_vec()))
        } else {
            Bytes::copy_from_slice(payload)
        }
    }

    /// One frame from the other side. `handle` is gone when this side closes.
    pub(crate) fn on_frame(
        &self,
        head: Head,
        payload: &[u8],
        handle: Option<Arc<Handle>>,
    ) -> Result<(), Violation> {
        if head.kind == Kind::Open {
            return self.on_open(head.stream, self.own(payload), handle);
        }
        let Some(stream) = lock(&self.state).streams.get(&head.stream).map(Arc::clone) else {
            // These two may cross with the end of their exchange.
            return match head.kind {
                Kind::Credit | Kind::Stop => Ok(()),
                _ => Err(Violation::NotOpen),
            };
        };
        let over = match head.kind {
            Kind::Open => return Err(Violation::Number),
            Kind::Answer => return stream.on_answer(self.own(payload)),
            Kind::Data => return stream.on_data(self.own(payload)),
            Kind::Stop => {
                stream.on_stop();
                return Ok(());
            }
            Kind::Credit => return stream.on_credit(payload),
            Kind::End => stream.on_end(Ok(()))?,
            Kind::Reset => {
                let byte = payload.first().copied().unwrap_or(u8::MAX);
                let code = ResetCode::from_byte(byte).ok_or(Violation::Reason(byte))?;
                stream.on_end(Err(Error::Reset(code)))?
            }
        };
        if over {
            self.forget(&mut lock(&self.state), &stream);
        }
        Ok(())
    }

    fn on_open(
        &self,
        id: u32,
        header: Bytes,
        handle: Option<Arc<Handle>>,
    ) -> Result<(), Violation> {
        if !self.side.other().owns(id) {
            return Err(Violation::Number);
        }
        let Some(handle) = handle else { return Ok(()) };
        let (stream, incoming) = {
            let mut state = lock(&self.state);
            if state.streams.contains_key(&id) {
                return Err(Violation::Number);
            }
            if state.theirs >= self.grants.streams {
                return Err(Violation::Streams);
            }
            if state.ended.is_some() {
                return Ok(());
            }
            state.theirs += 1;
            let stream = Arc::new(Stream::new(
                id,
                false,
                self.window_of_peer(),
                self.grants.window,
            ));
            state.streams.insert(id, Arc::clone(&stream));
            (stream, state.incoming.clone())
        };
        let arrived = Incoming {
            header,
            exchange: Exchange::new(&handle, &stream),
        };
        let unserved = match incoming {
            Some(incoming) => incoming.send(arrived).err().map(|error| error.0),
            None => Some(arrived),
        };
        if let Some(arrived) = unserved {
            arrived.refuse(ResetCode::Refused);
        }
        Ok(())
    }
}

fn following(id: u32, side: Side) -> u32 {
    id.checked_add(2).unwrap_or_else(|| side.first_id())
}
