//! One exchange inside a connection.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};

use crate::error::{Error, Violation};
use crate::lock;
use crate::wire::charge;

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
    pub(super) fn new(id: u32, ours: bool, credit: u32, window: u32) -> Self {
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
    pub(super) fn close_ours(&self) -> bool {
        let mut inner = lock(&self.inner);
        inner.closed_ours = true;
        inner.closed_theirs
    }

    pub(super) fn on_answer(&self, header: Bytes) -> Result<(), Violation> {
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

    pub(super) fn on_data(&self, data: Bytes) -> Result<(), Violation> {
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
    pub(super) fn on_end(&self, end: Result<(), Error>) -> Result<bool, Violation> {
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

    pub(super) fn on_stop(&self) {
        lock(&self.inner).halt.get_or_insert(Error::Stopped);
        self.credit.close();
        self.halted.notify_waiters();
    }

    pub(super) fn on_credit(&self, payload: &[u8]) -> Result<(), Violation> {
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
    pub(super) fn fail(&self, why: &Error) {
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
