//! Reading words strictly. Derived readers of unit variants would also take
//! `{"NC": null}` for `"NC"`; these take strings alone.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// One word.
pub(super) fn word<'de, D: Deserializer<'de>, T: FromStr>(input: D) -> Result<T, D::Error> {
    input.deserialize_str(One(PhantomData))
}

/// One word, or null.
pub(super) fn word_or_null<'de, D: Deserializer<'de>, T: FromStr>(
    input: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Word<T>>::deserialize(input)?.map(|Word(value)| value))
}

/// A list of words; one that stands twice counts once.
pub(super) fn words<'de, D: Deserializer<'de>, T: FromStr + Ord>(
    input: D,
) -> Result<BTreeSet<T>, D::Error> {
    input.deserialize_seq(Many(PhantomData))
}

struct Word<T>(T);

impl<'de, T: FromStr> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        word(input).map(Self)
    }
}

struct One<T>(PhantomData<T>);

impl<T: FromStr> Visitor<'_> for One<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word of the table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse()
            .map_err(|_| E::custom("a value that this field cannot have"))
    }
}

struct Many<T>(PhantomData<T>);

impl<'de, T: FromStr + Ord> Visitor<'de> for Many<T> {
    type Value = BTreeSet<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of words of the table")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeSet::new();
        while let Some(Word(value)) = list.next_element()? {
            values.insert(value);
        }
        Ok(values)
    }
}
