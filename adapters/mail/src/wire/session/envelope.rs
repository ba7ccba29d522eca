//! What is said before a message: hello, sender, recipients.

use super::{Envelope, Session, State};
use crate::address::Address;
use crate::wire::command::Command;
use crate::wire::limits::Protocol;
use crate::wire::reply;

impl Session<'_> {
    pub(super) fn hello(&mut self, command: &Command) {
        let lmtp = self.settings.protocol == Protocol::Lmtp;
        if lmtp != (*command == Command::Lhlo) {
            self.fail(reply::WRONG_GREETING);
            return;
        }
        self.state = State::Ready;
        let hostname = self.settings.hostname.clone();
        if *command == Command::Helo {
            self.line(250, &hostname);
            return;
        }
        let mut lines = vec![hostname];
        lines.extend([
            "PIPELINING".to_owned(),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
        ]);
        lines.push("CHUNKING".to_owned());
        lines.push(format!("SIZE {}", self.settings.limits.message_bytes));
        if self.can_upgrade && !self.secured {
            lines.push("STARTTLS".to_owned());
        }
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        let last = lines.len() - 1;
        for (index, line) in lines.iter().enumerate() {
            let dash = if index == last { ' ' } else { '-' };
            self.output
                .extend_from_slice(format!("250{dash}{line}\r\n").as_bytes());
        }
    }

    pub(super) fn mail(&mut self, from: Option<Address>, size: usize, utf8: bool) {
        if matches!(self.state, State::Fresh) {
            self.fail(reply::HELLO_FIRST);
        } else if self.needs_tls() {
            self.refuse("no-tls");
            self.fail(reply::TLS_FIRST);
        } else if !matches!(self.state, State::Ready) {
            self.fail(reply::NESTED_MAIL);
        } else if size > self.settings.limits.message_bytes {
            self.refuse("too-large");
            self.fail(reply::TOO_LARGE);
        } else if self.messages >= self.settings.limits.messages {
            self.close_with(reply::TOO_MANY_MESSAGES);
        } else {
            self.messages += 1;
            self.state = State::Open(Envelope {
                from: from.map(|address| address.as_str().to_owned()),
                utf8,
                ..Envelope::default()
            });
            self.say(reply::SENDER_OK);
        }
    }

    pub(super) fn rcpt(&mut self, path: &str) {
        let State::Open(envelope) = &mut self.state else {
            self.fail(reply::MAIL_FIRST);
            return;
        };
        let address = match Address::parse(path, envelope.utf8) {
            Ok(address) => address,
            Err(fault) => {
                self.refuse("bad-address");
                self.fail(reply::address(fault, true));
                return;
            }
        };
        let domain = address.domain().to_ascii_lowercase();
        // Participants' names are ASCII: another script is only a likeness.
        if !self.settings.domains.contains(&domain) || !address.local().is_ascii() {
            self.refuse("no-such-recipient");
            self.fail(reply::NO_SUCH_RECIPIENT);
            return;
        }
        let name = address.to_lowercase();
        let known = envelope.to.iter().position(|other| *other == name);
        if known.is_none() && envelope.to.len() >= self.settings.limits.recipients
            || envelope.places.len() >= self.settings.limits.recipients * 2
        {
            self.refuse("too-many-recipients");
            self.fail(reply::TOO_MANY_RECIPIENTS);
            return;
        }
        let place = known.unwrap_or_else(|| {
            envelope.to.push(name);
            envelope.to.len() - 1
        });
        envelope.places.push(place);
        self.say(reply::RECIPIENT_OK);
    }
}
