//! Values as columns hold them, and back.

use chancery_message::{Channel, Precedence, Timestamp};

use crate::fault::{Done, Fault};

/// A count as a column; there is none beyond `i64`.
pub(crate) fn number(value: u64) -> Done<i64> {
    i64::try_from(value)
        .map_err(|_| Fault::Refused("a number is too large for the database".into()))
}

/// A column as a count.
pub(crate) fn count<T: TryFrom<i64>>(value: i64, what: &str) -> Done<T> {
    T::try_from(value).map_err(|_| Fault::damaged(what))
}

/// A blob of fixed length: an id, a hash.
pub(crate) fn fixed<const N: usize>(value: &[u8], what: &str) -> Done<[u8; N]> {
    value.try_into().map_err(|_| Fault::damaged(what))
}

/// A blob of fixed length that may be absent.
pub(crate) fn fixed_or_none<const N: usize>(
    value: Option<Vec<u8>>,
    what: &str,
) -> Done<Option<[u8; N]>> {
    value.map(|bytes| fixed(&bytes, what)).transpose()
}

/// A name or word.
pub(crate) fn word<T: std::str::FromStr>(value: &str, what: &str) -> Done<T> {
    value.parse().map_err(|_| Fault::damaged(what))
}

/// A name that may be absent.
pub(crate) fn word_or_none<T: std::str::FromStr>(
    value: Option<String>,
    what: &str,
) -> Done<Option<T>> {
    value.map(|text| word(&text, what)).transpose()
}

/// A word of a row's own enumeration.
pub(crate) fn known<T>(value: Option<T>, what: &str) -> Done<T> {
    value.ok_or_else(|| Fault::damaged(what))
}

/// A channel.
pub(crate) fn channel(value: &str, what: &str) -> Done<Channel> {
    word(value, what)
}

/// Precedence, turned so that 0 is the most urgent.
pub(crate) fn urgency(precedence: Precedence) -> i16 {
    match precedence {
        Precedence::Override => 0,
        Precedence::Flash => 1,
        Precedence::Immediate => 2,
        Precedence::Priority => 3,
        Precedence::Routine => 4,
        Precedence::Deferred => 5,
    }
}

/// And back.
pub(crate) fn precedence(urgency: i16, what: &str) -> Done<Precedence> {
    known(
        Precedence::ALL
            .into_iter()
            .find(|value| self::urgency(*value) == urgency),
        what,
    )
}

/// A time that may be absent.
pub(crate) fn time_or_none(value: Option<i64>) -> Option<Timestamp> {
    value.map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgency_goes_both_ways_and_falls_with_precedence() {
        for pair in Precedence::ALL.windows(2) {
            assert!(urgency(pair[0]) > urgency(pair[1]));
        }
        for value in Precedence::ALL {
            assert_eq!(precedence(urgency(value), "urgency"), Ok(value));
        }
        assert!(precedence(6, "urgency").is_err());
    }
}
