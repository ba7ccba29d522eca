//! A budget for JSON, spent before anything is built from it: two parsers must
//! not read one document in two ways, and a small document must not cost much.

use std::collections::HashSet;
use std::fmt;

use chancery_message::Malformed;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use chancery_http::text::malformed;

/// Deepest nesting.
const MAX_DEPTH: u32 = 16;
/// Most values in one document.
const MAX_VALUES: u32 = 10_000;
/// Longest name of a field, bytes.
const MAX_KEY: usize = 128;

const RULE: &str = "RFC 8259; RFC 7493 section 2.3; depth 16, 10000 values";

/// Refuses what is not one JSON document within the budget: syntax, UTF-8,
/// repeated names in one object at any depth, nesting, number of values,
/// numbers that not every reader reads the same (RFC 7493 section 2.2).
pub(super) fn check(raw: &[u8]) -> Result<(), Malformed> {
    let mut reader = serde_json::Deserializer::from_slice(raw);
    let mut values = 0;
    let seed = Value {
        depth: 0,
        values: &mut values,
    };
    seed.deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| malformed(describe(&error), RULE))
}

/// What is wrong and where, from an error that may quote the document: only
/// words that this program chose are kept.
pub(super) fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // serde_json ends every message with the place.
    let (said, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
    let what = if !error.is_data() {
        "not valid JSON".to_owned()
    } else if said.starts_with("missing field") || OWN.contains(&said) {
        said.to_owned()
    } else if said.starts_with("unknown field") {
        "a field that is not in the schema".to_owned()
    } else {
        // "invalid type: …, expected X": X is ours, what is before it the peer's.
        match said.rsplit_once(", expected ") {
            Some((_, expected)) => format!("a value that is not {expected}"),
            None => "a value that is not in the schema".to_owned(),
        }
    };
    format!("{what}, line {}, column {}", error.line(), error.column())
}

const TOO_DEEP: &str = "nested too deep";
const TOO_MANY: &str = "too many values";
const TWICE: &str = "a name twice in one object";
const LONG_NAME: &str = "a name that is too long";
const BAD_NUMBER: &str = "a number that is not exact in every reader";
const OWN: [&str; 5] = [TOO_DEEP, TOO_MANY, TWICE, LONG_NAME, BAD_NUMBER];

/// Reads one value and keeps nothing.
struct Value<'a> {
    depth: u32,
    values: &'a mut u32,
}

impl Value<'_> {
    fn spend<E: Error>(&mut self) -> Result<(), E> {
        *self.values += 1;
        if *self.values > MAX_VALUES {
            return Err(E::custom(TOO_MANY));
        }
        Ok(())
    }

    fn inner<E: Error>(&mut self) -> Result<Value<'_>, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(TOO_DEEP));
        }
        Ok(Value {
            depth: self.depth + 1,
            values: self.values,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        self.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        if number > MAX_EXACT {
            return Err(E::custom(BAD_NUMBER));
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit_u64(number.unsigned_abs())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom(BAD_NUMBER))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = object.next_key::<String>()? {
            if name.len() > MAX_KEY {
                return Err(A::Error::custom(LONG_NAME));
            }
            if !names.insert(name) {
                return Err(A::Error::custom(TWICE));
            }
            object.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }
}

/// 2^53 - 1: above it a reader that keeps numbers as doubles loses digits.
const MAX_EXACT: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        check(text.as_bytes()).expect_err(text).what
    }

    #[test]
    fn good_documents_pass() {
        let deep = format!("{}1{}", "[".repeat(16), "]".repeat(16));
        for good in [
            "{}",
            r#"{"a":{"b":1},"b":[null,true,"x"]}"#,
            "9007199254740991",
            &deep,
            " \"é\" ",
        ] {
            check(good.as_bytes()).expect(good);
        }
    }

    #[test]
    fn names_twice_are_found_at_any_depth() {
        for bad in [
            r#"{"label":"R","label":"U"}"#,
            r#"{"a":[{"b":{"c":1,"c":1}}]}"#,
            // The same name in another spelling.
            r#"{"label":"R","\u006cabel":"U"}"#,
        ] {
            assert!(refusal(bad).starts_with(TWICE), "{bad}");
        }
    }

    #[test]
    fn bombs_are_cheap() {
        assert!(refusal(&"[".repeat(100_000)).starts_with(TOO_DEEP));
        assert!(refusal(&r#"{"a":"#.repeat(100_000)).starts_with(TOO_DEEP));
        let wide = format!("[{}0]", "0,".repeat(1_000_000));
        assert!(refusal(&wide).starts_with(TOO_MANY));
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        for bad in [
            "",
            "{",
            "{} {}",
            "{\"a\":1,}",
            "[1,]",
            "'a'",
            "NaN",
            "01",
            "1e309",
            "-0",
            "0.1",
            "9007199254740993",
            "{\"a\":\"\\ud800\"}",
            "\u{FEFF}{}",
            "{a:1}",
            "// x\n{}",
            "\"a\nb\"",
        ] {
            check(bad.as_bytes()).expect_err(bad);
        }
        for bad in [
            &b"\"\xff\""[..],
            b"\"\xc0\xaf\"",
            b"\"\xed\xa0\x80\"",
            b"\xfe\xff\x00{",
        ] {
            check(bad).expect_err("not UTF-8");
        }
    }
}
