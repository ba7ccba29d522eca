//! The message itself: DATA and BDAT, and what ends them.

use super::{Action, Envelope, Message, Session, State};
use crate::wire::body::{Body, Progress};
use crate::wire::limits::Protocol;
use crate::wire::reply;

impl Session<'_> {
    pub(super) fn data(&mut self) {
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Open(envelope) if !envelope.to.is_empty() => {
                self.state =
                    State::Data(envelope, Body::dotted(self.settings.limits.message_bytes));
                self.say(reply::GO_AHEAD);
            }
            state @ State::Open(_) => {
                self.state = state;
                self.fail(reply::RCPT_FIRST);
            }
            state @ State::Chunks(..) => {
                self.state = state;
                self.fail(reply::MIXED_CHUNKS);
            }
            state => {
                self.state = state;
                self.fail(reply::MAIL_FIRST);
            }
        }
    }

    pub(super) fn bdat(&mut self, size: usize, last: bool) {
        let limit = self.settings.limits.message_bytes;
        let (envelope, body) = match std::mem::replace(&mut self.state, State::Ready) {
            State::Open(envelope) if !envelope.to.is_empty() => (envelope, Body::chunked(limit)),
            State::Chunks(envelope, body) => (envelope, body),
            state => {
                // The octets of the chunk come all the same (RFC 3030 section 2).
                let line = if matches!(state, State::Open(_)) {
                    reply::RCPT_FIRST
                } else {
                    reply::MAIL_FIRST
                };
                if size > limit {
                    self.refuse("too-large");
                    self.close_with(line);
                } else {
                    self.state = State::Skip(size, line, matches!(state, State::Fresh));
                }
                return;
            }
        };
        let room = limit - body.len();
        if size <= room {
            self.state = State::Chunk(envelope, body, size, last);
        } else if size <= limit {
            self.refuse("too-large");
            self.state = State::Skip(size, reply::TOO_LARGE, false);
        } else {
            self.refuse("too-large");
            self.close_with(reply::TOO_LARGE);
        }
    }

    pub(super) fn chunk_done(
        &mut self,
        envelope: Envelope,
        body: Body,
        last: bool,
    ) -> Option<Action> {
        if !last {
            self.state = State::Chunks(envelope, body);
            self.say(reply::CHUNK_OK);
            return None;
        }
        if let Err(violation) = body.finish_chunks() {
            self.broken(Progress::Violation(violation));
            return None;
        }
        self.whole(envelope, body)
    }

    /// The end of a message.
    pub(super) fn whole(&mut self, envelope: Envelope, body: Body) -> Option<Action> {
        if body.is_too_large() {
            self.refuse("too-large");
            self.state = State::Ready;
            // LMTP answers for every recipient (RFC 2033 section 4.2).
            let times = match self.settings.protocol {
                Protocol::Smtp => 1,
                Protocol::Lmtp => envelope.places.len(),
            };
            for _ in 1..times {
                self.say(reply::TOO_LARGE);
            }
            self.fail(reply::TOO_LARGE);
            return None;
        }
        self.state = State::Asked(envelope.places);
        Some(Action::Submit(Box::new(Message {
            from: envelope.from,
            to: envelope.to,
            bytes: body.into_bytes().into(),
        })))
    }

    /// A message that cannot go on: the connection ends, the buffer is dropped.
    pub(super) fn broken(&mut self, progress: Progress) {
        match progress {
            Progress::Violation(violation) => {
                self.refuse(violation.word());
                self.close_with(reply::BARE_LINE_END);
            }
            Progress::Drowned | Progress::More | Progress::Done => {
                self.refuse("too-large");
                self.close_with(reply::TOO_LARGE);
            }
        }
    }
}
