//! OpenPGP by sequoia, with the gateway's keys in the token.

pub(crate) mod algorithm;
pub(crate) mod armor;
pub(crate) mod framing;
pub(crate) mod open;
pub(crate) mod own;
pub(crate) mod policy;
pub(crate) mod registered;
pub(crate) mod token;
pub(crate) mod verify;

/// Largest content that is taken out of one encrypted message, bytes.
pub(crate) const MAX_PLAINTEXT: usize = 64 * 1024 * 1024;
/// What a message may grow by decompression: this many times its size, where
/// that is more than [`GROWTH_FLOOR`].
pub(crate) const MAX_GROWTH: usize = 200;
/// Up to here growth is not looked at, bytes.
pub(crate) const GROWTH_FLOOR: usize = 4 * 1024 * 1024;
/// Most encrypted session keys in a message.
pub(crate) const MAX_SESSION_KEYS: usize = 100;
/// Most key agreements that one message may cause in the token.
pub(crate) const MAX_AGREEMENTS: usize = 8;
/// Most packets of other kinds.
pub(crate) const MAX_PACKETS: usize = 16;
