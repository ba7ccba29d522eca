//! One SMTP or LMTP session as a state machine without input and output. Bytes
//! go in by a buffer, replies gather in [`Session::take_output`], and what only
//! the world can do comes out as an [`Action`].

mod envelope;
#[cfg(test)]
mod tests;
mod transfer;

use bytes::{Buf as _, Bytes, BytesMut};
use chancery_pipeline::ports::{GateError, Reply};

use super::body::{Body, Progress};
use super::command::{Command, CommandFault, parse};
use super::limits::{PARAMETER_BYTES, Protocol, Settings};
use super::reply::{self, Line};

/// What the driver must do before it goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start TLS, then call [`Session::secured`].
    Upgrade,
    /// Hand a whole message to the gateway, then call [`Session::answered`].
    Submit(Box<Message>),
    /// Write what is left and close.
    Close,
}

/// A whole message and its envelope.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// `MAIL FROM`; none for the null sender.
    pub(crate) from: Option<String>,
    /// `RCPT TO`, lower case, each once.
    pub(crate) to: Vec<String>,
    /// The message.
    pub(crate) bytes: Bytes,
}

/// What the session waits for, for the driver's timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A command.
    Command,
    /// More of a message.
    Data,
}

#[derive(Debug, Default)]
struct Envelope {
    from: Option<String>,
    utf8: bool,
    /// Each once.
    to: Vec<String>,
    /// For every accepted RCPT its place in `to`.
    places: Vec<usize>,
}

#[derive(Debug)]
enum State {
    /// Nobody said hello.
    Fresh,
    /// Between messages.
    Ready,
    /// After MAIL.
    Open(Envelope),
    /// In DATA.
    Data(Envelope, Body),
    /// Between chunks.
    Chunks(Envelope, Body),
    /// In a chunk: octets left, and whether it is the last.
    Chunk(Envelope, Body, usize, bool),
    /// In a chunk that is thrown away: octets left, what is answered after it,
    /// and whether hello was not said.
    Skip(usize, Line, bool),
    /// The gateway has the message; the places of the recipients.
    Asked(Vec<usize>),
    /// No more.
    Closed,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    settings: &'a Settings,
    can_upgrade: bool,
    secured: bool,
    state: State,
    output: Vec<u8>,
    errors: u32,
    messages: u32,
    refusals: Vec<&'static str>,
    seen: Vec<&'static str>,
}

impl<'a> Session<'a> {
    /// A new one, which begins with its greeting. `secured`: TLS is on already.
    pub(crate) fn new(settings: &'a Settings, can_upgrade: bool, secured: bool) -> Self {
        let mut session = Self {
            settings,
            can_upgrade,
            secured,
            state: State::Fresh,
            output: Vec::new(),
            errors: 0,
            messages: 0,
            refusals: Vec::new(),
            seen: Vec::new(),
        };
        let name = match settings.protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        session.line(220, &format!("{} {name} ready", settings.hostname));
        session
    }

    /// TLS is on: all that was said before is forgotten (RFC 3207 section 4.2).
    pub(crate) fn secured(&mut self) {
        self.secured = true;
        self.state = State::Fresh;
    }

    /// The gateway's answer to [`Action::Submit`]; none if it gave none in time.
    pub(crate) fn answered(&mut self, answer: Option<Result<Reply, GateError>>) {
        let State::Asked(places) = std::mem::replace(&mut self.state, State::Ready) else {
            return;
        };
        match self.settings.protocol {
            Protocol::Smtp => {
                let (code, text) = reply::overall(answer);
                self.line(code, &text);
            }
            Protocol::Lmtp => {
                let recipients = places.iter().max().map_or(0, |last| last + 1);
                let lines = reply::for_each(answer, recipients);
                for place in places {
                    if let Some((code, text)) = lines.get(place) {
                        self.line(*code, text);
                    }
                }
            }
        }
    }

    /// Says why and closes: a timeout, or the door is shutting down.
    pub(crate) fn close_with(&mut self, line: Line) {
        self.say(line);
        self.state = State::Closed;
    }

    /// What is to be written.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Refusals to be recorded, each reason once in a session.
    pub(crate) fn take_refusals(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.refusals)
    }

    /// What it waits for.
    pub(crate) const fn stage(&self) -> Stage {
        match self.state {
            State::Data(..) | State::Chunk(..) | State::Skip(..) => Stage::Data,
            State::Fresh
            | State::Ready
            | State::Open(_)
            | State::Chunks(..)
            | State::Asked(_)
            | State::Closed => Stage::Command,
        }
    }

    /// Takes what is in `input`. None: it needs more.
    pub(crate) fn advance(&mut self, input: &mut BytesMut) -> Option<Action> {
        loop {
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Closed => {
                    input.clear();
                    return Some(Action::Close);
                }
                State::Asked(places) => {
                    self.state = State::Asked(places);
                    return None;
                }
                State::Data(envelope, mut body) => match body.take_dotted(input) {
                    Progress::More => {
                        self.state = State::Data(envelope, body);
                        return None;
                    }
                    Progress::Done => {
                        if let Some(action) = self.whole(envelope, body) {
                            return Some(action);
                        }
                    }
                    other => self.broken(other),
                },
                State::Chunk(envelope, mut body, mut left, last) => {
                    match body.take_chunk(input, &mut left) {
                        Progress::More => {
                            self.state = State::Chunk(envelope, body, left, last);
                            return None;
                        }
                        Progress::Done => {
                            if let Some(action) = self.chunk_done(envelope, body, last) {
                                return Some(action);
                            }
                        }
                        other => self.broken(other),
                    }
                }
                State::Skip(left, line, fresh) => {
                    let skipped = left.min(input.len());
                    input.advance(skipped);
                    if skipped < left {
                        self.state = State::Skip(left - skipped, line, fresh);
                        return None;
                    }
                    self.state = if fresh { State::Fresh } else { State::Ready };
                    self.fail(line);
                }
                state @ (State::Fresh | State::Ready | State::Open(_) | State::Chunks(..)) => {
                    self.state = state;
                    let line = self.next_line(input)?;
                    match line {
                        Ok(line) => {
                            if let Some(action) = self.command(parse(&line), input) {
                                return Some(action);
                            }
                        }
                        Err(line) => {
                            self.refuse("bad-line");
                            self.close_with(line);
                        }
                    }
                }
            }
        }
    }

    /// The next whole line without its CRLF; an error ends the session.
    fn next_line(&self, input: &mut BytesMut) -> Option<Result<BytesMut, Line>> {
        let longest = self.settings.limits.line_bytes + PARAMETER_BYTES;
        let Some(end) = input.iter().take(longest).position(|&b| b == b'\n') else {
            return (input.len() >= longest).then_some(Err(reply::LINE_TOO_LONG));
        };
        let mut line = input.split_to(end + 1);
        let extended = line.get(..4).is_some_and(|verb| {
            verb.eq_ignore_ascii_case(b"MAIL") || verb.eq_ignore_ascii_case(b"RCPT")
        });
        if line.len() > self.settings.limits.line_bytes && !extended {
            return Some(Err(reply::LINE_TOO_LONG));
        }
        line.truncate(line.len() - 1);
        if line.last() != Some(&b'\r') {
            return Some(Err(reply::BAD_LINE_END));
        }
        line.truncate(line.len() - 1);
        if line.iter().any(|b| matches!(b, b'\r' | 0)) {
            return Some(Err(reply::BAD_LINE_END));
        }
        Some(Ok(line))
    }

    fn command(
        &mut self,
        command: Result<Command, CommandFault>,
        input: &mut BytesMut,
    ) -> Option<Action> {
        let command = match command {
            Ok(command) => command,
            Err(fault) => {
                match fault {
                    CommandFault::Chunk => {
                        self.refuse("bad-line");
                        self.close_with(reply::fault(fault, false));
                        return None;
                    }
                    CommandFault::Address(_) => self.refuse("bad-address"),
                    CommandFault::Unknown | CommandFault::Syntax | CommandFault::Parameter => {}
                }
                self.fail(reply::fault(fault, false));
                return None;
            }
        };
        match command {
            Command::Ehlo | Command::Helo | Command::Lhlo => self.hello(&command),
            Command::Mail { from, size, utf8 } => self.mail(from, size, utf8),
            Command::Rcpt { path } => self.rcpt(&path),
            Command::Data => self.data(),
            Command::Bdat { size, last } => self.bdat(size, last),
            Command::StartTls => return self.start_tls(input),
            Command::Rset => {
                if !matches!(self.state, State::Fresh) {
                    self.state = State::Ready;
                }
                self.say(reply::OK);
            }
            Command::Noop => self.say(reply::OK),
            Command::Vrfy => self.say(reply::VRFY),
            Command::Help => self.say(reply::HELP),
            Command::Quit => self.close_with(reply::BYE),
            Command::Auth if self.needs_tls() => self.fail(reply::TLS_FIRST),
            Command::Auth | Command::NotHere => self.fail(reply::NOT_HERE),
            Command::Impersonate => {
                self.refuse("impersonation");
                self.fail(reply::NO_IMPERSONATION);
            }
            Command::Foreign => {
                self.refuse("foreign-protocol");
                self.close_with(reply::FOREIGN);
            }
        }
        None
    }

    const fn needs_tls(&self) -> bool {
        matches!(self.settings.protocol, Protocol::Smtp) && !self.secured
    }

    fn start_tls(&mut self, input: &mut BytesMut) -> Option<Action> {
        if self.secured {
            self.fail(reply::TLS_ALREADY);
        } else if !self.can_upgrade {
            self.fail(reply::NOT_HERE);
        } else if !input.is_empty() {
            // Sent before TLS, they would be taken for words said inside it.
            self.refuse("starttls-injection");
            self.close_with(reply::TLS_PIPELINED);
        } else {
            self.say(reply::TLS_READY);
            self.state = State::Fresh;
            return Some(Action::Upgrade);
        }
        None
    }

    /// A refusal that counts as an error of the peer.
    fn fail(&mut self, line: Line) {
        self.say(line);
        self.errors += 1;
        if self.errors >= self.settings.limits.errors {
            self.refuse("too-many-errors");
            self.close_with(reply::TOO_MANY_ERRORS);
        }
    }

    fn refuse(&mut self, reason: &'static str) {
        if !self.seen.contains(&reason) {
            self.seen.push(reason);
            self.refusals.push(reason);
        }
    }

    fn say(&mut self, (code, text): Line) {
        self.line(code, text);
    }

    fn line(&mut self, code: u16, text: &str) {
        self.output
            .extend_from_slice(format!("{code} {text}\r\n").as_bytes());
    }
}
