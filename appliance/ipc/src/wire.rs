//! The bytes on the socket: a greeting, then frames.
//!
//! ```text
//! greeting  "CHANCERY" | version u16 | side u8 | 0 | streams u32 | window u32
//! frame     length u32 | stream u32 | kind u8 | payload (length bytes, at most 64 KiB)
//! ```
//!
//! Numbers are big-endian. An exchange has two directions, each closed by its
//! own sender, with `End` (all was said) or `Reset` (given up):
//!
//! ```text
//! opener    Open(header)   Data* End|Reset
//! answerer  Answer(header) Data* End|Reset     or Reset alone
//! reader    Credit(n) after n bytes were read; Stop when it reads no further
//! ```
//!
//! An exchange is over when both directions are closed. `Credit` and `Stop`
//! may cross with that and are then ignored; everything else about an exchange
//! that is not open breaks the protocol.

use crate::error::{Error, Violation};
use crate::limits::{LEAST_WINDOW, Limits, Side};

/// The version of the protocol; the two ends must agree exactly.
pub const VERSION: u16 = 1;

/// The longest payload of one frame, in bytes: 64 KiB.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// Bytes before a frame's payload.
pub(crate) const HEAD: usize = 9;

/// Bytes of the greeting.
pub(crate) const GREETING: usize = 20;

/// What the smallest frame of a body costs of the window: a flood of tiny
/// frames must not take more memory than the same window in large ones.
pub(crate) const LEAST_CHARGE: u32 = 256;

const MAGIC: [u8; 8] = *b"CHANCERY";

/// What a frame of `length` bytes of body costs of the window.
pub(crate) fn charge(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX).max(LEAST_CHARGE)
}

/// The kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Answer,
    Data,
    End,
    Reset,
    Stop,
    Credit,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Open,
        Self::Answer,
        Self::Data,
        Self::End,
        Self::Reset,
        Self::Stop,
        Self::Credit,
    ];

    const fn to_byte(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Answer => 2,
            Self::Data => 3,
            Self::End => 4,
            Self::Reset => 5,
            Self::Stop => 6,
            Self::Credit => 7,
        }
    }

    const fn allows(self, length: usize) -> bool {
        match self {
            Self::Open | Self::Answer => length <= MAX_PAYLOAD,
            Self::Data => length != 0 && length <= MAX_PAYLOAD,
            Self::End | Self::Stop => length == 0,
            Self::Reset => length == 1,
            Self::Credit => length == 4,
        }
    }
}

/// What stands before a frame's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) stream: u32,
    pub(crate) kind: Kind,
}

impl Head {
    pub(crate) fn encode(self) -> [u8; HEAD] {
        let [l0, l1, l2, l3] = u32::try_from(self.length).unwrap_or(u32::MAX).to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        [l0, l1, l2, l3, s0, s1, s2, s3, self.kind.to_byte()]
    }

    pub(crate) fn decode(bytes: [u8; HEAD]) -> Result<Self, Violation> {
        let [l0, l1, l2, l3, s0, s1, s2, s3, kind] = bytes;
        let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let kind = Kind::ALL
            .into_iter()
            .find(|known| known.to_byte() == kind)
            .ok_or(Violation::Kind(kind))?;
        if !kind.allows(length) {
            return Err(Violation::Length(length));
        }
        Ok(Self {
            length,
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            kind,
        })
    }
}

/// The greeting of a side.
pub(crate) fn greeting(side: Side, limits: Limits) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(GREETING);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.push(side_byte(side));
    bytes.push(0);
    bytes.extend_from_slice(&limits.streams.to_be_bytes());
    bytes.extend_from_slice(&limits.window.to_be_bytes());
    bytes
}

/// What the other side grants, from its greeting.
pub(crate) fn read_greeting(bytes: [u8; GREETING], ours: Side) -> Result<Limits, Error> {
    let [
        magic @ ..,
        v0,
        v1,
        side,
        zero,
        s0,
        s1,
        s2,
        s3,
        w0,
        w1,
        w2,
        w3,
    ] = bytes;
    if magic != MAGIC {
        return Err(Error::Violation(Violation::Magic));
    }
    let theirs = u16::from_be_bytes([v0, v1]);
    if theirs != VERSION {
        return Err(Error::Version {
            ours: VERSION,
            theirs,
        });
    }
    if side != side_byte(ours.other()) {
        return Err(Error::Violation(Violation::SameSide));
    }
    let streams = u32::from_be_bytes([s0, s1, s2, s3]);
    let window = u32::from_be_bytes([w0, w1, w2, w3]);
    let (most_streams, most_window) = Limits::MOST;
    let sound = zero == 0
        && (1..=most_streams).contains(&streams)
        && (LEAST_WINDOW..=most_window).contains(&window);
    if !sound {
        return Err(Error::Violation(Violation::Limits));
    }
    Ok(Limits {
        streams,
        window,
        wipe: false,
    })
}

const fn side_byte(side: Side) -> u8 {
    match side {
        Side::Client => 1,
        Side::Server => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greet(side: Side) -> [u8; GREETING] {
        greeting(side, Limits::default()).try_into().unwrap()
    }

    #[test]
    fn heads_come_back() {
        for kind in Kind::ALL {
            let length = (0..=4).find(|length| kind.allows(*length)).unwrap();
            let head = Head {
                length,
                stream: 0x0102_0304,
                kind,
            };
            assert_eq!(Head::decode(head.encode()), Ok(head));
        }
    }

    #[test]
    fn kinds_have_their_lengths() {
        let head = |length: u32, kind: u8| {
            let mut bytes = [0; HEAD];
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            bytes[8] = kind;
            Head::decode(bytes)
        };
        assert_eq!(head(0, 0), Err(Violation::Kind(0)));
        assert_eq!(head(0, 8), Err(Violation::Kind(8)));
        assert_eq!(head(65_537, 1), Err(Violation::Length(65_537)));
        assert_eq!(head(u32::MAX, 3), Err(Violation::Length(4_294_967_295)));
        assert_eq!(head(0, 3), Err(Violation::Length(0)));
        assert_eq!(head(1, 4), Err(Violation::Length(1)));
        assert_eq!(head(0, 5), Err(Violation::Length(0)));
        assert_eq!(head(8, 7), Err(Violation::Length(8)));
        assert!(head(65_536, 3).is_ok());
    }

    #[test]
    fn greetings_are_checked() {
        let limits = read_greeting(greet(Side::Client), Side::Server).unwrap();
        assert_eq!((limits.streams, limits.window), (256, 262_144));
        assert_eq!(
            read_greeting(greet(Side::Client), Side::Client),
            Err(Error::Violation(Violation::SameSide))
        );
        let mut other = greet(Side::Client);
        other[0] = b'H';
        assert_eq!(
            read_greeting(other, Side::Server),
            Err(Error::Violation(Violation::Magic))
        );
        let mut newer = greet(Side::Client);
        newer[9] = 2;
        assert_eq!(
            read_greeting(newer, Side::Server),
            Err(Error::Version { ours: 1, theirs: 2 })
        );
        for place in [11, 12, 16] {
            let mut wrong = greet(Side::Client);
            wrong[place] = 0xff;
            assert_eq!(
                read_greeting(wrong, Side::Server),
                Err(Error::Violation(Violation::Limits))
            );
        }
    }

    #[test]
    fn sides_number_apart() {
        assert!(Side::Client.owns(1) && Side::Client.owns(7) && !Side::Client.owns(2));
        assert!(Side::Server.owns(2) && !Side::Server.owns(7));
        assert!(!Side::Client.owns(0) && !Side::Server.owns(0));
    }
}
