//! Values as bytes: postcard, and nothing may be left over.
//!
//! Postcard has no names of fields: a struct's form is its definition, so both
//! ends must be of the same release, which the protocol version stands for.
//! An enum variant that this side does not know is refused.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::Error;

/// The bytes of a value.
///
/// # Errors
/// [`Error::Encode`] when the value's type cannot be written by postcard.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(value).map_err(|_| Error::Encode)
}

/// The value in `bytes`, all of them.
///
/// # Errors
/// [`Error::Decode`] when they have another form, or when bytes are left over.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(Error::Decode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize, Serialize)]
    enum Ask {
        One(u32),
        Two { name: String },
    }

    #[derive(Debug, PartialEq, serde::Deserialize, Serialize)]
    enum More {
        One(u32),
        Two { name: String },
        Three,
    }

    #[test]
    fn a_value_comes_back() {
        for value in [Ask::One(7), Ask::Two { name: "x".into() }] {
            assert_eq!(decode::<Ask>(&encode(&value).unwrap()).unwrap(), value);
        }
    }

    #[test]
    fn a_byte_too_many_is_refused() {
        let mut bytes = encode(&Ask::One(7)).unwrap();
        bytes.push(0);
        assert_eq!(decode::<Ask>(&bytes), Err(Error::Decode));
    }

    #[test]
    fn a_byte_too_few_is_refused() {
        let mut bytes = encode(&Ask::Two { name: "abc".into() }).unwrap();
        bytes.pop();
        assert_eq!(decode::<Ask>(&bytes), Err(Error::Decode));
        assert_eq!(decode::<Ask>(&[]), Err(Error::Decode));
    }

    #[test]
    fn an_unknown_variant_is_refused() {
        let bytes = encode(&More::Three).unwrap();
        assert_eq!(decode::<Ask>(&bytes), Err(Error::Decode));
    }

    #[test]
    fn a_claimed_length_does_not_reserve_memory() {
        // A list that claims 2^60 entries in ten bytes.
        let claim = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(decode::<Vec<u64>>(&claim), Err(Error::Decode));
    }
}
