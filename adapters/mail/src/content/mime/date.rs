//! The `Date` field, checked and not used: what cannot be a date is a sign of
//! an attack on whoever reads it.

use crate::content::fault::{Fault, Read, rule};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Accepts `[day-name ","] day month year hh:mm[:ss] zone`, one short comment
/// after it, and nothing else.
pub(crate) fn check(text: &str) -> Read<()> {
    if is_date(text) {
        Ok(())
    } else {
        Err(Fault::malformed("a Date field that is no date", rule::DATE))
    }
}

fn is_date(text: &str) -> bool {
    if text.len() > 80 || !text.is_ascii() {
        return false;
    }
    let text = match text.split_once('(') {
        None => text,
        Some((date, comment)) => match comment.strip_suffix(')') {
            Some(inner) if !inner.contains(['(', ')', '\\']) => date,
            _ => return false,
        },
    };
    let lower = text.to_ascii_lowercase();
    let rest = match lower.split_once(',') {
        None => lower.as_str(),
        Some((day, rest)) if DAYS.contains(&day.trim()) => rest,
        Some(_) => return false,
    };
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let [day, month, year, time, zone] = words.as_slice() else {
        return false;
    };
    let clock: Vec<&str> = time.split(':').collect();
    let time = match clock.as_slice() {
        [hour, minute] => number(hour, 2, 23) && number(minute, 2, 59),
        [hour, minute, second] => {
            number(hour, 2, 23) && number(minute, 2, 59) && number(second, 2, 60)
        }
        _ => false,
    };
    let zone = match zone.split_at_checked(1) {
        Some(("+" | "-", digits)) => {
            let (hours, minutes) = digits.split_at_checked(2).unwrap_or(("", ""));
            number(hours, 2, 14) && number(minutes, 2, 59)
        }
        _ => matches!(*zone, "gmt" | "ut" | "utc"),
    };
    let day_good = (number(day, 1, 9) || number(day, 2, 31)) && !matches!(*day, "0" | "00");
    let year_good = number(year, 4, 2199) && *year >= "1970";
    day_good && MONTHS.contains(month) && year_good && time && zone
}

/// Exactly so many digits, and not above `most`.
fn number(text: &str, digits: usize, most: u32) -> bool {
    text.len() == digits
        && text.bytes().all(|b| b.is_ascii_digit())
        && text.parse::<u32>().is_ok_and(|value| value <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_what_is_none() {
        for text in [
            "Sun, 22 Nov 2026 09:00:00 +0000",
            "22 Nov 2026 09:00 +0100",
            "Sun, 2 Nov 2026 23:59:60 -0930 (CET)",
            "Sun, 22 Nov 2026 09:00:00 GMT",
        ] {
            check(text).expect(text);
        }
        for text in [
            "",
            "Sun, 22 Nov 292277026596 09:00:00 +0000",
            "Sun, 22 Nov 2026 09:00:00 +9999",
            "Sun, 22 Nov 2026 09:00:00 +0000 ((()))",
            "Sun, 22 Nov 2026 24:00:00 +0000",
            "Sun, 0 Nov 2026 09:00:00 +0000",
            "Xxx, 22 Nov 2026 09:00:00 +0000",
            "Sun, 22 Nov 1969 09:00:00 +0000",
            "Sun, 22 Nov 2026 09:00:00",
            "Sun, 22 Nov 2026 09:00:00 +00é",
            "yesterday",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        assert!(check(&"(".repeat(100_000)).is_err());
    }
}
