//! Replies of the listener itself (RFC 5321 section 4.2, RFC 3463).

use chancery_pipeline::ports::{GateError, Reply, ReplyBody};

use super::command::CommandFault;
use crate::address::AddressFault;

/// Code and text of one reply.
pub(crate) type Line = (u16, &'static str);

pub(crate) const BYE: Line = (221, "2.0.0 bye");
pub(crate) const OK: Line = (250, "2.0.0 ok");
pub(crate) const SENDER_OK: Line = (250, "2.1.0 sender ok");
pub(crate) const RECIPIENT_OK: Line = (250, "2.1.5 recipient ok");
pub(crate) const CHUNK_OK: Line = (250, "2.0.0 chunk taken");
pub(crate) const VRFY: Line = (252, "2.1.5 send mail and see");
pub(crate) const HELP: Line = (214, "2.0.0 see RFC 5321");
pub(crate) const GO_AHEAD: Line = (354, "end data with <CR><LF>.<CR><LF>");
pub(crate) const TLS_READY: Line = (220, "2.0.0 ready to start TLS");

pub(crate) const SHUTDOWN: Line = (421, "4.3.2 closing for maintenance");
pub(crate) const TIMEOUT: Line = (421, "4.4.2 timeout");
pub(crate) const TOO_MANY_ERRORS: Line = (421, "4.7.0 too many errors");
pub(crate) const TOO_MANY_MESSAGES: Line = (421, "4.7.0 too many messages on one connection");
pub(crate) const TOO_MANY: Line = (421, "4.7.0 too much from one address, try again later");
pub(crate) const TOO_MANY_RECIPIENTS: Line = (452, "4.5.3 too many recipients");
pub(crate) const UNSURE: Line = (451, "4.3.0 the gateway did not answer in time, try again");

pub(crate) const LINE_TOO_LONG: Line = (500, "5.5.2 line too long");
pub(crate) const BAD_LINE_END: Line = (500, "5.5.2 lines end with <CR><LF>");
pub(crate) const WRONG_GREETING: Line = (500, "5.5.1 wrong greeting for this protocol");
pub(crate) const NOT_HERE: Line = (502, "5.5.1 command not implemented");
pub(crate) const HELLO_FIRST: Line = (503, "5.5.1 say hello first");
pub(crate) const MAIL_FIRST: Line = (503, "5.5.1 MAIL first");
pub(crate) const NESTED_MAIL: Line = (503, "5.5.1 a message was begun already");
pub(crate) const RCPT_FIRST: Line = (503, "5.5.1 no valid recipients");
pub(crate) const MIXED_CHUNKS: Line = (503, "5.5.1 a message with BDAT continues with BDAT");
pub(crate) const TLS_ALREADY: Line = (503, "5.5.1 TLS is on already");
pub(crate) const TLS_FIRST: Line = (530, "5.7.0 must issue a STARTTLS command first");
pub(crate) const TLS_PIPELINED: Line = (554, "5.5.0 nothing may follow STARTTLS before its reply");
pub(crate) const NO_IMPERSONATION: Line = (550, "5.7.0 not accepted from anyone");
pub(crate) const FOREIGN: Line = (554, "5.5.0 this is a mail server");
pub(crate) const NO_SUCH_RECIPIENT: Line = (550, "5.1.1 no such recipient here");
pub(crate) const TOO_LARGE: Line = (552, "5.3.4 message larger than this server accepts");
pub(crate) const BARE_LINE_END: Line = (
    554,
    "5.6.0 bare CR, LF or NUL in the message, closing the connection",
);

/// The reply to a line that is no command.
pub(crate) const fn fault(fault: CommandFault, recipient: bool) -> Line {
    match fault {
        CommandFault::Unknown => (500, "5.5.2 command not recognised"),
        CommandFault::Syntax | CommandFault::Chunk => (501, "5.5.4 syntax error in arguments"),
        CommandFault::Parameter => (555, "5.5.4 parameter not supported"),
        CommandFault::Address(fault) => address(fault, recipient),
    }
}

/// The reply to an address.
pub(crate) const fn address(fault: AddressFault, recipient: bool) -> Line {
    match (fault, recipient) {
        (AddressFault::Route, _) => (550, "5.7.1 no relaying, routes or address literals"),
        (AddressFault::Characters, true) => {
            (553, "5.1.3 address has characters that are not accepted")
        }
        (AddressFault::Syntax, true) => (553, "5.1.3 not a mailbox address"),
        (AddressFault::Characters, false) => {
            (553, "5.1.7 address has characters that are not accepted")
        }
        (AddressFault::Syntax, false) => (553, "5.1.7 not a mailbox address"),
    }
}

/// What the gateway answered, in one line for all recipients (SMTP). None: it
/// did not answer in time.
pub(crate) fn overall(answer: Option<Result<Reply, GateError>>) -> (u16, String) {
    match answer {
        Some(Ok(reply)) => match reply.body {
            ReplyBody::Whole(text) => line(reply.status, &String::from_utf8_lossy(&text)),
            ReplyBody::Stream { .. } => line(reply.status, ""),
        },
        Some(Err(GateError::Busy)) => line(451, "4.3.2 the gateway is busy, try again"),
        Some(Err(GateError::CutOff(_))) => line(451, "4.3.0 the transfer was cut off, try again"),
        Some(Err(GateError::TooLarge { .. })) => line(TOO_LARGE.0, TOO_LARGE.1),
        None => line(UNSURE.0, UNSURE.1),
    }
}

/// The same as one line for each recipient (LMTP).
pub(crate) fn for_each(
    answer: Option<Result<Reply, GateError>>,
    recipients: usize,
) -> Vec<(u16, String)> {
    match answer {
        Some(Ok(reply)) if reply.per_recipient.len() == recipients => {
            let lines = reply.per_recipient.into_iter();
            lines.map(|(code, text)| line(code, &text)).collect()
        }
        answer => vec![overall(answer); recipients],
    }
}

/// A reply whose code and text can stand on a line; what cannot becomes a
/// temporary failure, so that nothing is taken for accepted by mistake.
fn line(code: u16, text: &str) -> (u16, String) {
    let text: String = text
        .chars()
        .map(|c| if c.is_ascii_graphic() { c } else { ' ' })
        .take(400)
        .collect();
    let text = text.trim();
    match code {
        200..=299 | 400..=599 if !text.is_empty() => (code, text.to_owned()),
        250 => (code, OK.1.to_owned()),
        _ => (UNSURE.0, UNSURE.1.to_owned()),
    }
}
