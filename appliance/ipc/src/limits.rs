//! What one side of a connection grants the other.

use crate::wire::MAX_PAYLOAD;

/// Which end of a connection this is. The two ends number their exchanges
/// apart (client odd, server even), so both may open them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that asks.
    Client,
    /// The end that answers.
    Server,
}

impl Side {
    pub(crate) const fn first_id(self) -> u32 {
        match self {
            Self::Client => 1,
            Self::Server => 2,
        }
    }

    /// Whether this side numbers its exchanges so.
    pub(crate) const fn owns(self, id: u32) -> bool {
        id != 0 && id % 2 == self.first_id() % 2
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Limits that this side sets for what the other side may send. They are told
/// to the other side when the connection opens; who exceeds them is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Exchanges that the other side may have open at one time.
    pub streams: u32,
    /// Bytes of body that may be under way in one exchange and one direction
    /// before they are read; at least one frame, 64 KiB.
    pub window: u32,
    /// Wipe buffers after use. For connections that carry keys: it costs
    /// up to a third of the throughput (`examples/throughput.rs` measures it).
    pub wipe: bool,
}

impl Limits {
    /// For connections that carry key material: as the default, and buffers are wiped.
    #[must_use]
    pub fn secret() -> Self {
        Self {
            wipe: true,
            ..Self::default()
        }
    }

    /// The most that a peer may announce or this side may set: 4096 exchanges, 16 MiB.
    pub(crate) const MOST: (u32, u32) = (4096, 16 * 1024 * 1024);

    /// The same limits within what the protocol can carry.
    pub(crate) fn within(self) -> Self {
        Self {
            streams: self.streams.clamp(1, Self::MOST.0),
            window: self.window.clamp(LEAST_WINDOW, Self::MOST.1),
            wipe: self.wipe,
        }
    }
}

impl Default for Limits {
    /// 256 exchanges, a window of 256 KiB, no wiping.
    fn default() -> Self {
        Self {
            streams: 256,
            window: 256 * 1024,
            wipe: false,
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "65536 fits in 32 bits")]
pub(crate) const LEAST_WINDOW: u32 = MAX_PAYLOAD as u32;
