//! What can go wrong between two processes, by whose fault it is.

use std::time::Duration;

/// Why an exchange or a connection failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The other process ended or closed the connection. The request may or
    /// may not have been carried out.
    #[error("the other process is gone: ask again when it is back")]
    Gone,
    /// This side closed the connection.
    #[error("the connection was closed on this side")]
    Closed,
    /// No connection came up before the deadline.
    #[error("no connection to `{0}`: is that process running?")]
    NotConnected(String),
    /// The other process speaks another version of the protocol.
    #[error(
        "the other process speaks protocol version {theirs}, this one {ours}: install the same release of both"
    )]
    Version {
        /// What this process speaks.
        ours: u16,
        /// What the other one announced.
        theirs: u16,
    },
    /// The other process broke the protocol; the connection was closed.
    #[error("the other process broke the protocol: {0}")]
    Violation(Violation),
    /// The other process gave up its side of this exchange.
    #[error("the other process gave the exchange up: {0}")]
    Reset(ResetCode),
    /// The other process does not read what is still being sent.
    #[error("the other process stopped reading")]
    Stopped,
    /// The deadline passed.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// A header is longer than a frame can carry.
    #[error("a header of {0} bytes is longer than the 65536 that a frame can carry")]
    HeaderTooLong(usize),
    /// A body is longer than its reader accepts.
    #[error("a body is longer than the {0} bytes that are accepted here")]
    BodyTooLong(usize),
    /// A value is not what this side expects at this place.
    #[error("a value from the other process cannot be read: it does not have the expected form")]
    Decode,
    /// A value cannot be written (a bug on this side).
    #[error("a value cannot be encoded")]
    Encode,
    /// The parts of an exchange were used out of order (a bug on this side).
    #[error("an exchange was used out of order: {0}")]
    Misuse(&'static str),
}

impl Error {
    /// Whether the same request may be asked again on a new connection, if it
    /// can be carried out twice without harm.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Gone | Self::NotConnected(_))
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        use std::io::ErrorKind;
        let kind = match &error {
            Error::Gone => ErrorKind::ConnectionReset,
            Error::Closed | Error::NotConnected(_) => ErrorKind::NotConnected,
            Error::Deadline(_) => ErrorKind::TimedOut,
            Error::Version { .. } => ErrorKind::Unsupported,
            Error::Violation(_) | Error::Decode => ErrorKind::InvalidData,
            Error::Reset(_) | Error::Stopped => ErrorKind::ConnectionAborted,
            Error::HeaderTooLong(_) | Error::BodyTooLong(_) | Error::Encode | Error::Misuse(_) => {
                ErrorKind::InvalidInput
            }
        };
        Self::new(kind, error)
    }
}

/// Why one side gave up an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetCode {
    /// Nobody waits for it any more.
    Cancelled,
    /// It is not offered on this link.
    Refused,
    /// Something failed on that side.
    Failed,
}

impl ResetCode {
    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::Cancelled => 0,
            Self::Refused => 1,
            Self::Failed => 2,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Cancelled),
            1 => Some(Self::Refused),
            2 => Some(Self::Failed),
            _ => None,
        }
    }
}

impl std::fmt::Display for ResetCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "nobody waits for it any more",
            Self::Refused => "it is not offered here",
            Self::Failed => "it failed there",
        })
    }
}

/// How the other process broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The first bytes are not those of this protocol.
    #[error("its first bytes are of another protocol")]
    Magic,
    /// Nothing came in time when the connection opened.
    #[error("it did not greet in time")]
    Greeting,
    /// Both ends are clients, or both servers.
    #[error("both ends have the same side")]
    SameSide,
    /// It announced limits that make no sense.
    #[error("it announced limits out of range")]
    Limits,
    /// A frame of a kind that does not exist.
    #[error("a frame of unknown kind {0}")]
    Kind(u8),
    /// A frame longer than 64 KiB, or of the wrong length for its kind.
    #[error("a frame of {0} bytes")]
    Length(usize),
    /// A frame for an exchange that is not open.
    #[error("a frame for an exchange that is not open")]
    NotOpen,
    /// An exchange was opened under a number that is in use or not its own.
    #[error("an exchange opened under a number that is taken or not its own")]
    Number,
    /// More exchanges at one time than granted.
    #[error("more exchanges at one time than granted")]
    Streams,
    /// More bytes under way than granted.
    #[error("more bytes than granted")]
    Window,
    /// An answer where none belongs, a second one, or a body before it.
    #[error("an answer or a body out of order")]
    Order,
    /// An unknown reason for a reset.
    #[error("an unknown reason for giving up")]
    Reason(u8),
}
