//! One command line. The grammar is smtp-proto's; on top of it stand stricter
//! rules, since that grammar drops source routes and quotes on its way and
//! reads numbers of more than 19 digits as others (0.2.5: `BDAT` followed by 23
//! nines as 999). Addresses and sizes are read again here, and both readings
//! must agree.

use smtp_proto::{
    Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_SMTPUTF8, MailFrom, RcptTo, Request,
};

use crate::address::{Address, AddressFault};

/// A command that this server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// EHLO.
    Ehlo,
    /// HELO.
    Helo,
    /// LHLO.
    Lhlo,
    /// MAIL.
    Mail {
        /// None for the null sender.
        from: Option<Address>,
        /// SIZE as declared; 0 without.
        size: usize,
        /// SMTPUTF8 was asked for.
        utf8: bool,
    },
    /// RCPT; the address is judged by the session, which knows SMTPUTF8.
    Rcpt {
        /// What stood between `<` and `>`.
        path: String,
    },
    /// DATA.
    Data,
    /// BDAT.
    Bdat {
        /// Octets of the chunk.
        size: usize,
        /// The last one.
        last: bool,
    },
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// STARTTLS.
    StartTls,
    /// VRFY.
    Vrfy,
    /// HELP.
    Help,
    /// AUTH: not offered.
    Auth,
    /// XCLIENT, XFORWARD: never.
    Impersonate,
    /// Known, and not for this gateway: EXPN, ETRN, TURN and others.
    NotHere,
    /// Another protocol (HTTP, PROXY): the connection ends.
    Foreign,
}

/// A line that is no acceptable command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandFault {
    /// No such command.
    Unknown,
    /// Wrong arguments.
    Syntax,
    /// A parameter that was not offered.
    Parameter,
    /// The address.
    Address(AddressFault),
    /// BDAT whose size cannot be read: where its octets end is unknown.
    Chunk,
}

/// Reads a line, which is without CRLF and has no CR, LF or NUL.
pub(crate) fn parse(line: &[u8]) -> Result<Command, CommandFault> {
    let text = std::str::from_utf8(line).map_err(|_| CommandFault::Syntax)?;
    if text.chars().any(char::is_control) {
        return Err(CommandFault::Syntax);
    }
    let (verb, arguments) = text.split_once(' ').unwrap_or((text, ""));
    match verb.to_ascii_uppercase().as_str() {
        "XCLIENT" | "XFORWARD" => return Ok(Command::Impersonate),
        "TURN" | "ATRN" | "ETRN" | "EXPN" | "BURL" | "SEND" | "SOML" | "SAML" => {
            return Ok(Command::NotHere);
        }
        "AUTH" => return Ok(Command::Auth),
        "GET" | "POST" | "PUT" | "HEAD" | "CONNECT" | "OPTIONS" | "PROXY" | "HOST:" => {
            return Ok(Command::Foreign);
        }
        "BDAT" => return chunk(arguments),
        "DATA" | "RSET" | "QUIT" | "STARTTLS" if !arguments.is_empty() => {
            return Err(CommandFault::Syntax);
        }
        _ => {}
    }
    let mut whole = Vec::with_capacity(line.len() + 2);
    whole.extend_from_slice(line);
    whole.extend_from_slice(b"\r\n");
    match Request::parse(&mut whole.iter()) {
        Ok(request) => accept(request.into_owned(), arguments),
        Err(Error::UnknownCommand | Error::NeedsMoreData { .. }) => Err(CommandFault::Unknown),
        Err(Error::UnsupportedParameter { .. }) => Err(CommandFault::Parameter),
        // An address that smtp-proto refuses is named by our own reading.
        Err(Error::InvalidSenderAddress | Error::InvalidRecipientAddress) => {
            let path = path(arguments)?;
            Err(CommandFault::Address(
                Address::parse(path, true)
                    .err()
                    .unwrap_or(AddressFault::Syntax),
            ))
        }
        Err(_) => Err(CommandFault::Syntax),
    }
}

fn accept(request: Request<String>, arguments: &str) -> Result<Command, CommandFault> {
    Ok(match request {
        Request::Ehlo { .. } => Command::Ehlo,
        Request::Helo { .. } => Command::Helo,
        Request::Lhlo { .. } => Command::Lhlo,
        Request::Mail { from } => mail(&from, arguments)?,
        Request::Rcpt { to } => rcpt(&to, arguments)?,
        Request::Data => Command::Data,
        Request::Bdat { .. } => return Err(CommandFault::Chunk),
        Request::Rset => Command::Rset,
        Request::Noop { .. } => Command::Noop,
        Request::Quit => Command::Quit,
        Request::StartTls => Command::StartTls,
        Request::Vrfy { .. } => Command::Vrfy,
        Request::Help { .. } => Command::Help,
        Request::Auth { .. } => Command::Auth,
        Request::Expn { .. }
        | Request::Etrn { .. }
        | Request::Atrn { .. }
        | Request::Burl { .. } => Command::NotHere,
    })
}

fn mail(from: &MailFrom<String>, arguments: &str) -> Result<Command, CommandFault> {
    let offered = MAIL_BODY_7BIT | MAIL_BODY_8BITMIME | MAIL_SMTPUTF8;
    let plain = from.trans_id.is_none()
        && from.env_id.is_none()
        && from.solicit.is_none()
        && from.mtrk.is_none()
        && from.auth.is_none()
        && (from.by, from.hold_for, from.hold_until, from.mt_priority) == (0, 0, 0, 0);
    if from.flags & !offered != 0 || !plain {
        return Err(CommandFault::Parameter);
    }
    let utf8 = from.flags & MAIL_SMTPUTF8 != 0;
    let path = path(arguments)?;
    let sender = if path.is_empty() {
        None
    } else {
        Some(Address::parse(path, utf8).map_err(CommandFault::Address)?)
    };
    if from.address != path || declared_size(arguments) != Some(from.size) {
        return Err(CommandFault::Syntax);
    }
    Ok(Command::Mail {
        from: sender,
        size: from.size,
        utf8,
    })
}

fn rcpt(to: &RcptTo<String>, arguments: &str) -> Result<Command, CommandFault> {
    if to.flags != 0 || to.orcpt.is_some() || to.rrvs != 0 {
        return Err(CommandFault::Parameter);
    }
    let path = path(arguments)?;
    // What our own reading refuses the session names; else both must agree.
    if to.address != path && Address::parse(path, true).is_ok() {
        return Err(CommandFault::Syntax);
    }
    Ok(Command::Rcpt {
        path: path.to_owned(),
    })
}

/// `BDAT SP chunk-size [SP LAST]` (RFC 3030 section 2).
fn chunk(arguments: &str) -> Result<Command, CommandFault> {
    let (size, last) = match arguments.split_once(' ') {
        None => (arguments, false),
        Some((size, last)) if last.eq_ignore_ascii_case("LAST") => (size, true),
        Some(_) => return Err(CommandFault::Chunk),
    };
    let size = number(size).ok_or(CommandFault::Chunk)?;
    Ok(Command::Bdat { size, last })
}

/// The SIZE parameter (RFC 1870 section 5); 0 without; none if it is no number.
fn declared_size(arguments: &str) -> Option<usize> {
    let mut sizes = arguments.split(' ').filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        name.eq_ignore_ascii_case("SIZE").then_some(value)
    });
    match (sizes.next(), sizes.next()) {
        (None, _) => Some(0),
        (Some(value), None) => number(value),
        (Some(_), Some(_)) => None,
    }
}

fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// What stands between `FROM:<` or `TO:<` and `>`; after it nothing or a space.
fn path(arguments: &str) -> Result<&str, CommandFault> {
    let (_, rest) = arguments.split_once(':').ok_or(CommandFault::Syntax)?;
    let rest = rest.strip_prefix('<').ok_or(CommandFault::Syntax)?;
    let (path, after) = rest.split_once('>').ok_or(CommandFault::Syntax)?;
    if after.is_empty() || after.starts_with(' ') {
        Ok(path)
    } else {
        Err(CommandFault::Syntax)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail_from(address: Option<&str>, size: usize, utf8: bool) -> Command {
        Command::Mail {
            from: address.map(|text| Address::parse(text, true).unwrap()),
            size,
            utf8,
        }
    }

    #[test]
    fn good_lines_are_read() {
        for (line, command) in [
            ("EHLO client.example", Command::Ehlo),
            ("ehlo [127.0.0.1]", Command::Ehlo),
            ("HELO client.example", Command::Helo),
            ("LHLO client.example", Command::Lhlo),
            (
                "MAIL FROM:<a@b.example>",
                mail_from(Some("a@b.example"), 0, false),
            ),
            ("MAIL FROM:<>", mail_from(None, 0, false)),
            (
                "mail from:<a@b.example> SIZE=1000 BODY=8BITMIME",
                mail_from(Some("a@b.example"), 1000, false),
            ),
            (
                "MAIL FROM:<връзка@b.example> SMTPUTF8",
                mail_from(Some("връзка@b.example"), 0, true),
            ),
            (
                "RCPT TO:<a@b.example>",
                Command::Rcpt {
                    path: "a@b.example".to_owned(),
                },
            ),
            ("DATA", Command::Data),
            (
                "BDAT 86 LAST",
                Command::Bdat {
                    size: 86,
                    last: true,
                },
            ),
            (
                "BDAT 0",
                Command::Bdat {
                    size: 0,
                    last: false,
                },
            ),
            ("RSET", Command::Rset),
            ("NOOP x", Command::Noop),
            ("QUIT", Command::Quit),
            ("STARTTLS", Command::StartTls),
            ("VRFY root", Command::Vrfy),
            ("XCLIENT ADDR=127.0.0.1", Command::Impersonate),
            ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2", Command::Foreign),
            ("GET / HTTP/1.1", Command::Foreign),
            ("ETRN x", Command::NotHere),
            ("AUTH PLAIN AAAA", Command::Auth),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn bad_lines_are_refused() {
        use AddressFault::{Characters, Route};
        let address = CommandFault::Address;
        for (line, fault) in [
            ("", CommandFault::Unknown),
            ("FOO", CommandFault::Unknown),
            ("EHLO", CommandFault::Syntax),
            ("MAIL FROM: <a@b.example>", CommandFault::Syntax),
            ("MAIL FROM:a@b.example", CommandFault::Syntax),
            ("MAIL FROM:<a@b.example>x", CommandFault::Parameter),
            ("MAIL TO:<a@b.example>", CommandFault::Syntax),
            ("MAIL FROM:<;sleep 66;>", address(AddressFault::Syntax)),
            ("MAIL FROM:<`id`@x.example>", address(Characters)),
            ("MAIL FROM:<@a.example:u@b.example>", address(Route)),
            ("MAIL FROM:<\"a b\"@x.example>", address(Characters)),
            ("MAIL FROM:<a@b.example> RET=HDRS", CommandFault::Parameter),
            (
                "MAIL FROM:<a@b.example> BODY=BINARYMIME",
                CommandFault::Parameter,
            ),
            ("MAIL FROM:<a@b.example> XYZ=1", CommandFault::Parameter),
            (
                "MAIL FROM:<a@b.example> REQUIRETLS",
                CommandFault::Parameter,
            ),
            ("MAIL FROM:<връзка@b.example>", address(Characters)),
            (
                "RCPT TO:<a@b.example> NOTIFY=NEVER",
                CommandFault::Parameter,
            ),
            (
                "RCPT TO:<a@b.example> ORCPT=rfc822;a@b.example",
                CommandFault::Parameter,
            ),
            ("DATA now", CommandFault::Syntax),
            ("STARTTLS now", CommandFault::Syntax),
            ("BDAT", CommandFault::Chunk),
            ("BDAT -1", CommandFault::Chunk),
            ("BDAT +1", CommandFault::Chunk),
            ("BDAT 1 LAST x", CommandFault::Chunk),
            ("BDAT 1  LAST", CommandFault::Chunk),
            (
                "MAIL FROM:<a@b.example> SIZE=99999999999999999999999",
                CommandFault::Syntax,
            ),
            (
                "MAIL FROM:<a@b.example> SIZE=1 SIZE=2",
                CommandFault::Syntax,
            ),
            ("BDAT 99999999999999999999999", CommandFault::Chunk),
            ("NOOP \u{7}", CommandFault::Syntax),
        ] {
            assert_eq!(parse(line.as_bytes()), Err(fault), "{line}");
        }
        assert_eq!(parse(b"NOOP \xff"), Err(CommandFault::Syntax));
    }
}
