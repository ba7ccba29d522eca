//! What a mail listener is, and how much it takes.

use std::time::Duration;

/// Which protocol a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP: TLS is required before a message.
    Smtp,
    /// LMTP on a local socket, behind a mail server of the same machine.
    Lmtp,
}

/// One listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// The name that it greets with: a domain name.
    pub hostname: String,
    /// The mail domains of the gateway, lower case: recipients elsewhere are refused.
    pub domains: Vec<String>,
    /// How much it takes.
    pub limits: Limits,
}

/// How much a listener takes. The timeouts follow RFC 5321 section 4.5.3.2.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest message, bytes after dot-unstuffing (announced as SIZE).
    pub message_bytes: usize,
    /// Most recipients of one message.
    pub recipients: usize,
    /// Longest command line with its CRLF, bytes; MAIL and RCPT may be 512
    /// longer.
    pub line_bytes: usize,
    /// Errors of a peer after which the connection is closed.
    pub errors: u32,
    /// Messages on one connection.
    pub messages: u32,
    /// Waiting for a command.
    pub command: Duration,
    /// Waiting for the next bytes of a message.
    pub data_block: Duration,
    /// The whole transfer of a message.
    pub message: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
    /// The gateway's answer to a whole message.
    pub submit: Duration,
}

/// What the extensions may add to MAIL and RCPT lines (RFC 1870: 26, RFC 6152: 17,
/// RFC 6531: 10 and longer addresses).
pub(super) const PARAMETER_BYTES: usize = 512;

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 50 * 1024 * 1024,
            recipients: chancery_message::MAX_RECIPIENTS,
            line_bytes: 512,
            errors: 10,
            messages: 1000,
            command: Duration::from_secs(300),
            data_block: Duration::from_secs(180),
            message: Duration::from_secs(600),
            handshake: Duration::from_secs(30),
            submit: Duration::from_secs(600),
        }
    }
}
