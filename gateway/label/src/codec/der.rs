//! As much DER as security labels need: definite minimal lengths, nothing
//! trailing. Members of a SET are taken in any order, since published labels
//! have them in BER order.

use crate::error::{Fault, LabelError, Place};

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0C;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

const RULE: &str = "X.690, DER; RFC 2634, section 3";

/// A run of values not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
    /// Offset of `rest` in the whole.
    at: usize,
}

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn error(&self, fault: Fault, what: &str) -> LabelError {
        LabelError::new(fault, what, Place::Byte(self.at as u64), RULE)
    }

    /// The next tag, if any.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value: its tag and content.
    pub(crate) fn any(&mut self) -> Result<(u8, Self), LabelError> {
        let cut = |input: &Self| input.error(Fault::Malformed, "the value is cut short");
        let [tag, first, rest @ ..] = self.rest else {
            return Err(cut(self));
        };
        let (length, rest, header) = match (*first, rest) {
            (short @ 0..=0x7F, rest) => (usize::from(short), rest, 2),
            (0x81, [length @ 0x80..=0xFF, rest @ ..]) => (usize::from(*length), rest, 3),
            (0x82, [high @ 1..=0xFF, low, rest @ ..]) => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest, 4)
            }
            _ => {
                return Err(self.error(
                    Fault::Malformed,
                    "a length that is not definite and minimal, or over 64 KiB",
                ));
            }
        };
        let (content, after) = rest.split_at_checked(length).ok_or_else(|| cut(self))?;
        let inner = Self {
            rest: content,
            at: self.at + header,
        };
        self.at += header + length;
        self.rest = after;
        Ok((*tag, inner))
    }

    /// The next value, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Self, LabelError> {
        let here = *self;
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(here.error(
                Fault::Malformed,
                "a value of another type than the label has here",
            )),
        }
    }

    /// Nothing is left.
    pub(crate) fn end(&self) -> Result<(), LabelError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.error(Fault::Malformed, "bytes after the end"))
        }
    }

    /// A non-negative integer of at most 32 bits.
    pub(crate) fn integer(&self) -> Result<u32, LabelError> {
        let wrong = || {
            self.error(
                Fault::Malformed,
                "not a small non-negative integer in its shortest form",
            )
        };
        let digits = match self.rest {
            [0] => return Ok(0),
            [0, high @ 0x80..=0xFF, ..] | [high @ 1..=0x7F, ..] if *high > 0 => self.rest,
            _ => return Err(wrong()),
        };
        digits
            .iter()
            .try_fold(0u32, |sum, byte| {
                sum.checked_mul(256)?.checked_add(u32::from(*byte))
            })
            .ok_or_else(wrong)
    }

    /// An object identifier, dotted.
    pub(crate) fn oid(&self) -> Result<String, LabelError> {
        let wrong = || self.error(Fault::Malformed, "not an object identifier");
        let mut arcs: Vec<u128> = Vec::new();
        let mut arc: Option<u128> = None;
        for byte in self.rest {
            let value = match arc {
                None if *byte == 0x80 => return Err(wrong()),
                None => 0,
                Some(value) => value,
            };
            if value >> 121 != 0 {
                return Err(wrong());
            }
            let value = value << 7 | u128::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                arcs.push(value);
                arc = None;
            } else {
                arc = Some(value);
            }
        }
        let (None, Some((first, rest))) = (arc, arcs.split_first()) else {
            return Err(wrong());
        };
        let top = (first / 40).min(2);
        let mut text = format!("{top}.{}", first - 40 * top);
        for arc in rest {
            text.push('.');
            text.push_str(&arc.to_string());
        }
        Ok(text)
    }

    /// The numbers of the bits that are set.
    pub(crate) fn bits(&self) -> Result<Vec<u32>, LabelError> {
        let wrong = || self.error(Fault::Malformed, "not a bit string with clean padding");
        let (unused, bytes) = self.rest.split_first().ok_or_else(wrong)?;
        let mask = 1u8
            .checked_shl(u32::from(*unused))
            .filter(|_| *unused < 8)
            .ok_or_else(wrong)?
            - 1;
        if bytes.last().map_or(*unused != 0, |last| last & mask != 0) {
            return Err(wrong());
        }
        let set = bytes.iter().zip(0u32..).flat_map(|(byte, index)| {
            (0..8u32)
                .filter(move |bit| byte & (0x80 >> bit) != 0)
                .map(move |bit| index * 8 + bit)
        });
        Ok(set.collect())
    }

    /// UTF-8 text.
    pub(crate) fn text(&self) -> Result<&'a str, LabelError> {
        std::str::from_utf8(self.rest)
            .map_err(|_| self.error(Fault::Malformed, "text that is not UTF-8"))
    }
}

// === writing ===

/// Appends one value.
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    let length = content.len();
    if let Ok(short @ 0..=0x7F) = u8::try_from(length) {
        out.push(short);
    } else {
        let bytes = length.to_be_bytes();
        let start = bytes
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(bytes.len());
        let digits = bytes.get(start..).unwrap_or(&[]);
        out.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
        out.extend_from_slice(digits);
    }
    out.extend_from_slice(content);
}

/// Content of a non-negative integer.
pub(crate) fn integer(value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
    let mut out = bytes.get(start..).unwrap_or(&[]).to_vec();
    if out.first().is_some_and(|first| first & 0x80 != 0) {
        out.insert(0, 0);
    }
    out
}

/// Content of an object identifier; `None` if it is none.
pub(crate) fn oid(text: &str) -> Option<Vec<u8>> {
    let arcs: Vec<u128> = text
        .split('.')
        .map(|arc| arc.parse().ok())
        .collect::<Option<_>>()?;
    let [first, second, rest @ ..] = arcs.as_slice() else {
        return None;
    };
    if *first > 2 || (*first < 2 && *second >= 40) {
        return None;
    }
    let mut out = Vec::new();
    for arc in
        std::iter::once(first.checked_mul(40)?.checked_add(*second)?).chain(rest.iter().copied())
    {
        let mut digits = Vec::new();
        let mut value = arc;
        loop {
            digits.push(u8::try_from(value & 0x7F).ok()?);
            value >>= 7;
            if value == 0 {
                break;
            }
        }
        for (index, digit) in digits.iter().enumerate().rev() {
            out.push(if index == 0 { *digit } else { digit | 0x80 });
        }
    }
    Some(out)
}

/// Content of a bit string with these bits set, as short as it can be.
pub(crate) fn bits(set: &[u32]) -> Vec<u8> {
    let Some(highest) = set.iter().max() else {
        return vec![0];
    };
    let length = usize::try_from(highest / 8).unwrap_or(0) + 1;
    let mut out = vec![0u8; length + 1];
    for bit in set {
        let at = usize::try_from(bit / 8).unwrap_or(0) + 1;
        if let Some(byte) = out.get_mut(at) {
            *byte |= 0x80 >> (bit % 8);
        }
    }
    if let Some(unused) = out.first_mut() {
        *unused = u8::try_from(7 - highest % 8).unwrap_or(0);
    }
    out
}
