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

/// One exchange, as both its handles and the connection see it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    /// Whether this side opened it.
    pub(crate) ours: bool,
    /// Bytes that this side may still send.
    pub(crate) credit: Semaphore,
    /// Something came for the receiver.
    pub(crate) arrived: Notify,
    /// The other side reads no further.
    pub(crate) halted: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    answer: Option<Bytes>,
    answered: bool,
    data: VecDeque<Bytes>,
    /// How the other side's direction ended.
    end: Option<Result<(), Error>>,
    /// Bytes that the other side may still send.
    window: u32,
    /// Bytes read and not yet given back as credit.
    read: u32,
    /// At how many bytes read credit is given back.
    give_back: u32,
    /// Bytes sent for which no credit came back yet.
    unread: u32,
    /// Nobody here reads any further.
    deaf: bool,
    /// Why the other side takes nothing any more.
    halt: Option<Error>,
    closed_ours: bool,
    closed_theirs: bool,
}

/// What a receiver found.
pub(crate) enum Found<T> {
    Item(T, Option<u32>),
    End(Result<(), Error>),
    Nothing,
}

// === impl Stream ===

impl Stream {
    fn new(id: u32, ours: bool, credit: u32, window: u32) -> Self {
        Self {
            id,
            ours,
            credit: Semaphore::new(usize::try_from(credit).unwrap_or(0)),
            arrived: Notify::new(),
            halted: Notify::new(),
            inner: Mutex::new(Inner {
                answer: None,
                answered: false,
                data: VecDeque::new(),
                end: None,
                window,
                read: 0,
                give_back: window / 2,
                unread: 0,
                deaf: false,
                halt: None,
                closed_ours: false,
                closed_theirs: false,
            }),
        }
    }

    /// Marks this side's direction closed; true when both are now.
    fn close_ours(&self) -> bool {
        let mut inner = lock(&self.inner);
        inner.closed_ours = true;
        inner.closed_theirs
    }

    fn on_answer(&self, header: Bytes) -> Result<(), Violation> {
        let mut inner = lock(&self.inner);
        if !self.ours || inner.answered || inner.closed_theirs {
            return Err(Violation::Order);
        }
        inner.answered = true;
        inner.answer = Some(header);
        drop(inner);
        self.arrived.notify_one();
        Ok(())
    }

    fn on_data(&self, data: Bytes) -> Result<(), Violation> {
        let mut inner = lock(&self.inner);
        if inner.closed_theirs {
            return Err(Violation::NotOpen);
        }
        if self.ours && !inner.answered {
            return Err(Violation::Order);
        }
        inner.window = inner
            .window
            .checked_sub(charge(data.len()))
            .ok_or(Violation::Window)?;
        if !inner.deaf {
            inner.data.push_back(data);
        }
        drop(inner);
        self.arrived.notify_one();
        Ok(())
    }

    /// The other side's direction ended; true when both have.
    fn on_end(&self, end: Result<(), Error>) -> Result<bool, Violation> {
        let mut inner = lock(&self.inner);
        if inner.closed_theirs {
            return Err(Violation::NotOpen);
        }
        if self.ours && !inner.answered && end.is_ok() {
            return Err(Violation::Order);
        }
        inner.closed_theirs = true;
        inner.end = Some(end);
        let over = inner.closed_ours;
        drop(inner);
        self.arrived.notify_one();
        Ok(over)
    }

    fn on_stop(&self) {
        lock(&self.inner).halt.get_or_insert(Error::Stopped);
        self.credit.close();
        self.halted.notify_waiters();
    }

    fn on_credit(&self, payload: &[u8]) -> Result<(), Violation> {
        let bytes = payload
            .try_into()
            .map_err(|_| Violation::Length(payload.len()))?;
        let granted = u32::from_be_bytes(bytes);
        {
            let mut inner = lock(&self.inner);
            if granted == 0 {
                return Err(Violation::Window);
            }
            inner.unread = inner.unread.checked_sub(granted).ok_or(Violation::Window)?;
        }
        self.credit
            .add_permits(usize::try_from(granted).unwrap_or(0));
        Ok(())
    }

    /// The connection ended.
    fn fail(&self, why: &Error) {
        {
            let mut inner = lock(&self.inner);
            inner.end.get_or_insert_with(|| Err(why.clone()));
            inner.halt.get_or_insert_with(|| why.clone());
            inner.closed_theirs = true;
        }
        self.credit.close();
        self.arrived.notify_one();
        self.halted.notify_waiters();
    }

    /// Why nothing may be sent any more, if so.
    pub(crate) fn halt(&self) -> Option<Error> {
        lock(&self.inner).halt.clone()
    }

    /// Notes bytes about to be sent.
    pub(crate) fn sent(&self, charge: u32) {
        let mut inner = lock(&self.inner);
        inner.unread = inner.unread.saturating_add(charge);
    }

    pub(crate) fn take_answer(&self) -> Found<Bytes> {
        let mut inner = lock(&self.inner);
        match inner.answer.take() {
            Some(answer) => Found::Item(answer, None),
            None => inner.end.clone().map_or(Found::Nothing, Found::End),
        }
    }

    /// The next piece of body, and the credit to give back for it if any.
    pub(crate) fn take_data(&self) -> Found<Bytes> {
        let mut inner = lock(&self.inner);
        let Some(data) = inner.data.pop_front() else {
            return inner.end.clone().map_or(Found::Nothing, Found::End);
        };
        inner.read = inner.read.saturating_add(charge(data.len()));
        let credit = if inner.read >= inner.give_back && !inner.closed_theirs {
            let read = std::mem::take(&mut inner.read);
            inner.window = inner.window.saturating_add(read);
            Some(read)
        } else {
            None
        };
        Found::Item(data, credit)
    }

    /// Nobody reads any further; true when the other side should be told.
    pub(crate) fn deafen(&self) -> bool {
        let mut inner = lock(&self.inner);
        inner.deaf = true;
        inner.answer = None;
        inner.data.clear();
        !inner.closed_theirs
    }
}
