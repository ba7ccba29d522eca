//! Days of validity.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chancery_message::Timestamp;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Time};

/// A calendar day, UTC. In TOML a date (`2027-12-31`) or the same as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

/// Text that is not a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a day: write it as 2027-12-31")]
pub struct InvalidDay;

/// From when until when something is in force, both days included. A side
/// that is absent is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Validity {
    /// In force from 00:00:00Z of this day.
    pub from: Option<Day>,
    /// In force through 23:59:59Z of this day.
    pub until: Option<Day>,
}

const FORM: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

// === impl Day ===

impl Day {
    /// Its first moment.
    #[must_use]
    pub fn start(self) -> Timestamp {
        let seconds = self
            .0
            .with_time(Time::MIDNIGHT)
            .assume_utc()
            .unix_timestamp();
        Timestamp::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// The first moment after it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.start().after(DAY)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Day {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        Date::parse(text, FORM).map(Self).map_err(|_| InvalidDay)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        if input.is_human_readable() {
            input.deserialize_any(DayVisitor)
        } else {
            input.deserialize_str(DayVisitor)
        }
    }
}

struct DayVisitor;

impl<'de> Visitor<'de> for DayVisitor {
    type Value = Day;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day such as 2027-12-31")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Day, E> {
        text.parse().map_err(E::custom)
    }

    /// The form in which TOML's own dates reach serde.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Day, A::Error> {
        let date =
            toml::value::Datetime::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        date.to_string().parse().map_err(A::Error::custom)
    }
}

// === impl Validity ===

impl Validity {
    /// True at this moment.
    #[must_use]
    pub fn holds(self, now: Timestamp) -> bool {
        self.from.is_none_or(|day| day.start() <= now)
            && self.until.is_none_or(|day| now < day.end())
    }

    /// True once the last day is over.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        self.until.is_some_and(|day| day.end() <= now)
    }

    /// True if it ends before it begins.
    #[must_use]
    pub fn is_reversed(self) -> bool {
        matches!((self.from, self.until), (Some(from), Some(until)) if until < from)
    }

    /// True if both are in force on some day.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let before = |a: Self, b: Self| matches!((a.until, b.from), (Some(until), Some(from)) if until < from);
        !before(self, other) && !before(other, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_last_day_counts_to_its_last_microsecond() {
        let validity = Validity {
            from: Some("2025-01-01".parse().unwrap()),
            until: Some("2027-12-31".parse().unwrap()),
        };
        assert!(!validity.holds(at("2024-12-31T23:59:59.999999Z")));
        assert!(validity.holds(at("2025-01-01T00:00:00Z")));
        assert!(validity.holds(at("2027-12-31T23:59:59Z")));
        assert!(validity.holds(at("2027-12-31T23:59:59.999999Z")));
        assert!(!validity.holds(at("2028-01-01T00:00:00Z")));
        assert!(!validity.is_over(at("2027-12-31T23:59:59.999999Z")));
        assert!(validity.is_over(at("2028-01-01T00:00:00Z")));
    }

    #[test]
    fn days_are_read_from_toml_dates_and_from_text() {
        #[derive(Deserialize, Serialize)]
        struct One {
            day: Day,
        }
        for text in ["day = 2027-12-31", "day = \"2027-12-31\""] {
            let one: One = toml::from_str(text).unwrap();
            assert_eq!(one.day.to_string(), "2027-12-31");
            let again: One = toml::from_str(&toml::to_string(&one).unwrap()).unwrap();
            assert_eq!(again.day, one.day);
        }
        for text in [
            "day = 2027-12-31T00:00:00Z",
            "day = \"31.12.2027\"",
            "day = 20271231",
            "day = 2027-02-30",
        ] {
            assert!(toml::from_str::<One>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn validities_that_touch_do_not_overlap() {
        let of = |from: &str, until: &str| Validity {
            from: from.parse().ok(),
            until: until.parse().ok(),
        };
        assert!(!of("2025-01-01", "2025-06-30").overlaps(of("2025-07-01", "")));
        assert!(of("2025-01-01", "2025-06-30").overlaps(of("2025-06-30", "")));
        assert!(of("", "").overlaps(of("2025-01-01", "2025-01-01")));
        assert!(of("2025-02-01", "2025-01-01").is_reversed());
    }
}
