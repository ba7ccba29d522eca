//! The packets of an encrypted message, walked over before the library sees
//! them: session keys, then one encrypted container, whole and of known
//! length, and nothing else.
//!
//! It refuses early what no key need be asked for, and what the library does
//! not survive: sequoia-openpgp 2.4.2 panics at a container of less than 41
//! octets.

use super::MAX_SESSION_KEYS;
use crate::content::fault::{Fault, Read, rule};

/// SEIPD version 1: the version, a block of AES and its repeated end, and the
/// integrity packet.
const SMALLEST_V1: usize = 1 + 18 + 22;
/// SEIPD version 2: the header of 36 octets, and the last authentication tag.
const SMALLEST_V2: usize = 36 + 16;
/// Largest chunk size octet of SEIPD version 2: 4 MiB (RFC 9580 section 5.13.2).
const MAX_CHUNK: u8 = 16;

/// Refuses what is no encrypted message of the accepted form.
pub(crate) fn check(message: &[u8]) -> Read<()> {
    let mut rest = message;
    let mut session_keys = 0;
    let mut others = 0;
    loop {
        let tag = accepted(rest)?;
        let packet = next(&mut rest)?;
        match tag {
            SESSION_KEY => {
                session_keys += 1;
                if session_keys > MAX_SESSION_KEYS {
                    return Err(bad("the message has more than 100 encrypted session keys"));
                }
            }
            CONTAINER => {
                container(&packet)?;
                if session_keys == 0 {
                    return Err(bad("the message has no encrypted session key"));
                }
                return if rest.is_empty() {
                    Ok(())
                } else {
                    Err(bad("something follows the encrypted message"))
                };
            }
            // A marker means nothing (RFC 9580 section 5.8).
            _ => {
                others += 1;
                if others > 2 {
                    return Err(bad("the message has too many packets"));
                }
            }
        }
    }
}

const SESSION_KEY: u8 = 1;
const CONTAINER: u8 = 18;

/// The next packet's tag, if an encrypted message may have it.
fn accepted(rest: &[u8]) -> Read<u8> {
    let header = rest.first().copied().ok_or_else(|| bad(CUT))?;
    if header & 0x80 == 0 {
        return Err(bad("an octet where a packet must begin"));
    }
    match tag(header) {
        tag @ (SESSION_KEY | 10 | CONTAINER) => Ok(tag),
        3 => Err(bad("a message under a password is not accepted")),
        9 => Err(bad(
            "encryption without integrity protection is not accepted",
        )),
        20 => Err(bad(
            "this form of authenticated encryption is not accepted; use RFC 9580",
        )),
        2 | 4 | 8 | 11 => Err(bad("the OpenPGP part is not encrypted")),
        _ => Err(bad("a packet that no encrypted message has")),
    }
}

const fn tag(header: u8) -> u8 {
    if header & 0x40 == 0 {
        header >> 2 & 0x0f
    } else {
        header & 0x3f
    }
}

const CUT: &str = "the encrypted message is cut off";

struct Packet {
    tag: u8,
    /// The first octets of the body.
    head: [u8; 4],
    length: usize,
}

fn container(packet: &Packet) -> Read<()> {
    let [version, _symmetric, _aead, chunk] = packet.head;
    match version {
        1 if packet.length >= SMALLEST_V1 => Ok(()),
        2 if packet.length >= SMALLEST_V2 && chunk <= MAX_CHUNK => Ok(()),
        1 | 2 => Err(bad(
            "the encrypted container is too short, or has chunks that are too large",
        )),
        _ => Err(bad(
            "the encrypted container has a version that is not supported",
        )),
    }
}

/// Takes one packet from the front (RFC 9580 section 4.2).
fn next(rest: &mut &[u8]) -> Read<Packet> {
    let header = take(rest, 1)?.first().copied().unwrap_or_default();
    let mut packet = Packet {
        tag: tag(header),
        head: [0; 4],
        length: 0,
    };
    if header & 0x40 == 0 {
        let length = match header & 3 {
            0 => number(take(rest, 1)?),
            1 => number(take(rest, 2)?),
            2 => number(take(rest, 4)?),
            _ => return Err(bad("a packet without a length")),
        };
        let body = take(rest, length)?;
        packet.add(body);
        return Ok(packet);
    }
    loop {
        let first = take(rest, 1)?.first().copied().unwrap_or_default();
        let (length, partial) = match first {
            0..=191 => (usize::from(first), false),
            192..=223 => (
                ((usize::from(first) - 192) << 8) + number(take(rest, 1)?) + 192,
                false,
            ),
            224..=254 => (1 << (first & 0x1f), true),
            255 => (number(take(rest, 4)?), false),
        };
        // Only containers come in pieces, and not in small ones.
        if partial && (packet.tag != CONTAINER || (packet.length == 0 && length < 512)) {
            return Err(bad("a packet in pieces that may not be"));
        }
        let body = take(rest, length)?;
        packet.add(body);
        if !partial {
            return Ok(packet);
        }
    }
}

impl Packet {
    fn add(&mut self, body: &[u8]) {
        for (at, octet) in body.iter().take(4).enumerate() {
            if let Some(place) = self.head.get_mut(self.length + at) {
                *place = *octet;
            }
        }
        self.length += body.len();
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Read<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length).ok_or_else(|| bad(CUT))?;
    *rest = after;
    Ok(taken)
}

fn number(octets: &[u8]) -> usize {
    octets
        .iter()
        .fold(0, |value, octet| value << 8 | usize::from(*octet))
}

fn bad(what: &str) -> Fault {
    Fault::malformed(what, rule::OPENPGP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &[u8]) -> String {
        match check(message) {
            Ok(()) => "good".to_owned(),
            Err(Fault::Malformed(fault)) => fault.what,
            Err(other) => panic!("{other:?}"),
        }
    }

    /// New format with a one-octet length.
    fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut all = vec![0xc0 | tag, u8::try_from(body.len()).unwrap()];
        all.extend_from_slice(body);
        all
    }

    #[test]
    fn only_session_keys_and_one_container() {
        let key = packet(1, &[3]);
        let container = packet(18, &[1; 50]);
        let all = |parts: &[&[u8]]| parts.concat();
        assert_eq!(said(&all(&[&key, &container])), "good");
        assert_eq!(
            said(&all(&[&packet(10, b"PGP"), &key, &key, &container])),
            "good"
        );
        // Old format, and pieces.
        assert_eq!(said(&all(&[&[0x84, 1, 3], &container])), "good");
        let mut pieces = vec![0xd2, 0xe9];
        pieces.extend_from_slice(&[1; 512]);
        pieces.extend_from_slice(&[2, 1, 1]);
        assert_eq!(said(&all(&[&key, &pieces])), "good");
        for (message, what) in [
            (all(&[]), "cut off"),
            (all(&[&key]), "cut off"),
            (all(&[&container]), "no encrypted session key"),
            (all(&[&key, &container, &key]), "follows"),
            (all(&[&key, &container, &container]), "follows"),
            (all(&[&key, &packet(9, &[1; 50])]), "without integrity"),
            (all(&[&key, &packet(20, &[1; 50])]), "authenticated"),
            (all(&[&packet(3, &[4]), &container]), "password"),
            (all(&[&packet(11, b"b")]), "not encrypted"),
            (all(&[&packet(8, b"b")]), "not encrypted"),
            (all(&[&key, &packet(18, &[1; 40])]), "too short"),
            (all(&[&key, &packet(18, &[2; 40])]), "too short"),
            (
                all(&[&key, &packet(18, &[2, 9, 2, 56].repeat(20))]),
                "too large",
            ),
            (all(&[&key, &packet(18, &[3; 60])]), "version"),
            (all(&[&key, &packet(18, &[])]), "version"),
            (vec![0x87, 3], "without a length"),
            (all(&[&key, &[0xd2, 0xe1, 1, 1]]), "pieces"),
            (all(&[&[0xc1, 0xe9]]), "pieces"),
            (all(&[&key, &container[..51]]), "cut off"),
            (all(&[&key, &[0xd2, 255, 255, 255, 255, 255, 1]]), "cut off"),
            (b"-----BEGIN".to_vec(), "must begin"),
            (key.repeat(101), "more than 100"),
        ] {
            assert!(said(&message).contains(what), "{what}: {}", said(&message));
        }
    }
}
