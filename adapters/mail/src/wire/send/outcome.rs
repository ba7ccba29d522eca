//! What a transfer says of where the message is.

use std::sync::atomic::{AtomicBool, Ordering};

use chancery_pipeline::protocol::MailSent;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::Response;

/// Knows whether the message's octets are all written, so that the final dot
/// may have gone out.
pub(super) struct Finish<'a> {
    mail: &'a [u8],
    done: AtomicBool,
}

/// Octets written at once.
const PIECE: usize = 64 * 1024;

impl<'a> Finish<'a> {
    pub(super) fn new(mail: &'a [u8]) -> Self {
        Self {
            // lettre ends the data with CRLF.CRLF: the message's own last CRLF is its first half.
            mail: mail.strip_suffix(b"\r\n").unwrap_or(mail),
            done: AtomicBool::new(false),
        }
    }

    /// The octets; when lettre asks for one piece more, the dot comes next.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &'a [u8]> {
        let end = std::iter::from_fn(|| {
            self.done.store(true, Ordering::Relaxed);
            None
        });
        self.mail.chunks(PIECE).chain(end)
    }

    /// What is known of a message whose transfer broke.
    pub(super) fn broken(&self, reason: &str) -> MailSent {
        if self.done.load(Ordering::Relaxed) {
            MailSent::Unknown {
                reason: reason.to_owned(),
            }
        } else {
            temporary(reason.to_owned())
        }
    }
}

pub(super) const fn temporary(reason: String) -> MailSent {
    MailSent::Temporary { reason }
}

/// What a reply with a 4xx or 5xx code means.
pub(super) fn refused(error: &Error) -> MailSent {
    let reason = said(error);
    if error.is_permanent() {
        MailSent::Permanent { reason }
    } else {
        temporary(reason)
    }
}

/// An error in words: the relay's text cut to 200 characters, without control
/// characters.
pub(super) fn said(error: &Error) -> String {
    clean(&error.to_string())
}

pub(super) fn spoken(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    clean(&format!("{} {}", response.code(), text.join(" ")))
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The renderer makes CRLF lines of at most 998 octets; anything else is a
/// fault of our own that must not reach another server.
pub(super) fn check(mail: &[u8]) -> Result<(), &'static str> {
    if !mail.ends_with(b"\r\n") {
        return Err("the rendered mail does not end with a line end");
    }
    for line in mail.split_inclusive(|&octet| octet == b'\n') {
        let Some(text) = line.strip_suffix(b"\r\n") else {
            return Err("the rendered mail has a bare line feed");
        };
        if text.iter().any(|octet| matches!(octet, b'\r' | 0)) {
            return Err("the rendered mail has a bare carriage return or NUL");
        }
        if text.len() > 998 {
            return Err("the rendered mail has a line that is too long");
        }
    }
    Ok(())
}
