//! Secrets with types of their own: wiped on drop, silent in `Debug`.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The key of one message or attachment (AES-256). It stands in one place on
/// the heap, which is wiped on drop: what is moved about is its address, so that
/// no copies are left on stacks.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentKey(Box<[u8; 32]>);

impl ContentKey {
    /// Takes over key bytes.
    #[must_use]
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let mut key = Self(Box::new([0; 32]));
        key.0.copy_from_slice(&bytes);
        bytes.zeroize();
        key
    }

    /// The bytes, for the cipher alone.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for ContentKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for ContentKey {}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(..)")
    }
}

impl Serialize for ContentKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(to)
    }
}

impl<'de> Deserialize<'de> for ContentKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// Reads byte by byte to where the key will stay.
        struct InPlace;
        impl<'de> Visitor<'de> for InPlace {
            type Value = ContentKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<ContentKey, A::Error> {
                let mut key = ContentKey(Box::new([0; 32]));
                for place in key.0.iter_mut() {
                    *place = bytes
                        .next_element()?
                        .ok_or_else(|| A::Error::custom("a key has 32 bytes"))?;
                }
                Ok(key)
            }
        }
        from.deserialize_tuple(32, InPlace)
    }
}

/// Overwrites what functions that returned have left on this thread's stack, to
/// a depth of 16 KiB. Libraries that hash or cipher keep copies of a key there;
/// call it in the function that called them.
#[inline(never)]
pub fn wipe_stack() {
    let mut dead = [0xff_u8; 16 * 1024];
    // Written in a way that the compiler may not leave out.
    dead.zeroize();
    std::hint::black_box(&dead);
}

/// The outcome of a key agreement (32 bytes for P-256).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
pub struct SharedSecret(Vec<u8>);

impl SharedSecret {
    /// Takes over the agreed bytes.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the key derivation alone.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_its_32_bytes_and_read_back() {
        let key = ContentKey::new(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let text = serde_json::to_string(&key).unwrap();
        let bytes: [u8; 32] = serde_json::from_str(&text).unwrap();
        assert_eq!(&bytes, key.expose());
        assert_eq!(serde_json::from_str::<ContentKey>(&text).unwrap(), key);
        for bad in ["[]", "[1,2,3]", "\"text\"", "[256]"] {
            serde_json::from_str::<ContentKey>(bad).unwrap_err();
        }
        wipe_stack();
    }
}
