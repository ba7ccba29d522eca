//! One request and its answer, both with a streamed body.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::codec;
use crate::connection::{Found, Handle, Stream};
use crate::error::{Error, ResetCode};
use crate::wire::{Kind, MAX_PAYLOAD, charge};

/// Both directions of an exchange.
#[derive(Debug)]
pub struct Exchange {
    /// What this side says.
    pub send: Sender,
    /// What the other side says.
    pub receive: Receiver,
}

impl Exchange {
    pub(crate) fn new(handle: &Arc<Handle>, stream: &Arc<Stream>) -> Self {
        Self {
            send: Sender {
                handle: Arc::clone(handle),
                stream: Arc::clone(stream),
                // The opener's header went out with the opening.
                headed: stream.ours,
                done: false,
            },
            receive: Receiver {
                handle: Arc::clone(handle),
                stream: Arc::clone(stream),
            },
        }
    }
}

/// Sends this side's half. Dropped before [`Sender::finish`] it tells the other
/// side that what came is not all, so that nobody takes half a body for a whole.
#[derive(Debug)]
pub struct Sender {
    handle: Arc<Handle>,
    stream: Arc<Stream>,
    headed: bool,
    done: bool,
}

// === impl Sender ===

impl Sender {
    /// The answer's header: once, before any body; on the answering side only
    /// (the opener's header was given when it opened the exchange).
    ///
    /// # Errors
    /// [`Error::Misuse`] out of order, [`Error::HeaderTooLong`] above 64 KiB,
    /// [`Error::Encode`], or why the connection ended.
    pub fn header<T: Serialize + ?Sized>(&mut self, header: &T) -> Result<(), Error> {
        self.header_bytes(codec::encode(header)?.into())
    }

    /// As [`Sender::header`], with a header that is bytes already.
    ///
    /// # Errors
    /// As [`Sender::header`].
    pub fn header_bytes(&mut self, header: Bytes) -> Result<(), Error> {
        if self.headed {
            return Err(Error::Misuse("the header was sent before"));
        }
        if header.len() > MAX_PAYLOAD {
            return Err(Error::HeaderTooLong(header.len()));
        }
        self.handle
            .shared()
            .push(Kind::Answer, self.stream.id, header)?;
        self.headed = true;
        Ok(())
    }

    /// A piece of body of any length; waits until the other side has read
    /// enough of what came before. Dropping the future sends whole frames or
    /// nothing of each.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the other side reads no further,
    /// [`Error::Misuse`] before the answer's header, or why the connection ended.
    pub async fn data(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        if !self.headed {
            return Err(Error::Misuse("a body before its header"));
        }
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(MAX_PAYLOAD));
            self.piece(piece).await?;
        }
        Ok(())
    }

    async fn piece(&self, piece: Bytes) -> Result<(), Error> {
        let shared = self.handle.shared();
        let cost = charge(piece.len());
        let halted = |_| self.stream.halt().unwrap_or(Error::Stopped);
        let credit = self
            .stream
            .credit
            .acquire_many(cost)
            .await
            .map_err(halted)?;
        let room = shared
            .room
            .acquire_many(cost)
            .await
            .map_err(|_| shared.reason())?;
        self.stream.sent(cost);
        shared.push(Kind::Data, self.stream.id, piece)?;
        // They come back from the other side's reading, and from the writer.
        credit.forget();
        room.forget();
        Ok(())
    }

    /// All was said.
    ///
    /// # Errors
    /// [`Error::Misuse`] before the answer's header, or why the connection ended.
    pub fn finish(mut self) -> Result<(), Error> {
        if !self.headed {
            return Err(Error::Misuse("an answer ends before its header"));
        }
        self.done = true;
        self.handle
            .shared()
            .push_last(Kind::End, &self.stream, Bytes::new())
    }

    /// Gives this half up, with a reason.
    pub fn reset(mut self, code: ResetCode) {
        self.give_up(code);
    }

    /// Waits until the other side reads no further (it cancelled, or it is
    /// gone) and says which. For work that should end when nobody waits for it.
    pub async fn stopped(&self) -> Error {
        loop {
            let halted = self.stream.halted.notified();
            tokio::pin!(halted);
            // Registered before the look, so that no wake-up falls between.
            halted.as_mut().enable();
            if let Some(why) = self.stream.halt() {
                return why;
            }
            halted.await;
        }
    }

    fn give_up(&mut self, code: ResetCode) {
        if !self.done {
            self.done = true;
            let payload = Bytes::copy_from_slice(&[code.to_byte()]);
            // When the connection ended there is nobody to tell.
            let _ended = self
                .handle
                .shared()
                .push_last(Kind::Reset, &self.stream, payload);
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let code = if self.stream.ours {
            ResetCode::Cancelled
        } else {
            ResetCode::Failed
        };
        self.give_up(code);
    }
}

/// Receives the other side's half. Dropped before its end it tells the other
/// side to stop.
#[derive(Debug)]
pub struct Receiver {
    handle: Arc<Handle>,
    stream: Arc<Stream>,
}

// === impl Receiver ===

impl Receiver {
    /// The answer's header, on the opening side.
    ///
    /// # Errors
    /// [`Error::Decode`] when it is something else, [`Error::Reset`] when the
    /// other side gave up, [`Error::Misuse`] on the answering side or the
    /// second time, or why the connection ended.
    pub async fn header<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        codec::decode(&self.header_bytes().await?)
    }

    /// As [`Receiver::header`], undecoded.
    ///
    /// # Errors
    /// As [`Receiver::header`].
    pub async fn header_bytes(&mut self) -> Result<Bytes, Error> {
        if !self.stream.ours {
            return Err(Error::Misuse("the request's header came with the exchange"));
        }
        loop {
            match self.stream.take_answer() {
                Found::Item(answer, _) => return Ok(answer),
                Found::End(Ok(())) => {
                    return Err(Error::Misuse("the answer's header was taken before"));
                }
                Found::End(Err(error)) => return Err(error),
                Found::Nothing => self.stream.arrived.notified().await,
            }
        }
    }

    /// The next piece of body, at most 64 KiB; `None` when all was said. An
    /// error means that what came is not all.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            match self.stream.take_data() {
                Found::Item(piece, credit) => {
                    if let Some(credit) = credit {
                        let payload = Bytes::copy_from_slice(&credit.to_be_bytes());
                        // When the connection ended, the next look says so.
                        let _ended =
                            self.handle
                                .shared()
                                .push(Kind::Credit, self.stream.id, payload);
                    }
                    return Some(Ok(piece));
                }
                Found::End(Ok(())) => return None,
                Found::End(Err(error)) => return Some(Err(error)),
                Found::Nothing => self.stream.arrived.notified().await,
            }
        }
    }

    /// The whole body, of at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::BodyTooLong`] as soon as it is longer (the other side is told
    /// to stop when this half is dropped); others as [`Receiver::next`].
    pub async fn collect(&mut self, limit: usize) -> Result<Bytes, Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if piece.len() > limit - whole.len() {
                return Err(Error::BodyTooLong(limit));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if self.stream.deafen() {
            // When the connection ended there is nobody to tell.
            let _ended = self
                .handle
                .shared()
                .push(Kind::Stop, self.stream.id, Bytes::new());
        }
    }
}
