//! Tests with an in-memory keyring that wraps as the custodian does.

mod round_trip;
mod tamper;

use std::collections::HashMap;
use std::sync::Mutex;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use chancery_hsm_api::{
    ContentKey, ContentKeys, KekId, KeyError, KeyErrorKind, WrapScheme, WrappedKey,
};
use chancery_label::{Label, Level};
use chancery_message::{BodyId, MessageId, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::permit::closed::Closed;
use crate::{BodySealer, FinishedBody, MessageSealer, OpeningPermit, SealedMessage, SealedSegment};

/// KEKs in memory; a wrapped key opens under its own KEK and generation alone.
#[derive(Default)]
pub(super) struct Keyring {
    node: &'static str,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keks: HashMap<KekId, [u8; 32]>,
    count: u64,
}

impl Keyring {
    pub(super) fn of(node: &'static str) -> Self {
        Self {
            node,
            ..Self::default()
        }
    }

    fn kek(&self, id: &KekId) -> (Aes256Gcm, u64) {
        let mut state = self.state.lock().expect("no panic under the lock");
        state.count += 1;
        let count = state.count;
        let kek = *state
            .keks
            .entry(id.clone())
            .or_insert_with(|| bytes(self.node, count));
        (Aes256Gcm::new(&kek.into()), count)
    }

    fn wrap(&self, id: &KekId, key: &ContentKey) -> WrappedKey {
        let (kek, count) = self.kek(id);
        let nonce: [u8; 12] = bytes("nonce", count)[..12].try_into().expect("12 bytes");
        let payload = Payload {
            msg: key.expose(),
            aad: &1_u32.to_be_bytes(),
        };
        let wrapped = kek
            .encrypt(Nonce::from_slice(&nonce), payload)
            .expect("short");
        let blob = [&nonce[..], &wrapped].concat();
        WrappedKey {
            kek: id.clone(),
            generation: 1,
            scheme: WrapScheme::AesGcm,
            blob,
        }
    }
}

impl ContentKeys for Keyring {
    fn new_content_key(&self, kek: &KekId) -> Result<(ContentKey, WrappedKey), KeyError> {
        let (_, count) = self.kek(kek);
        let key = ContentKey::new(bytes("content key", count));
        let wrapped = self.wrap(kek, &key);
        Ok((key, wrapped))
    }

    fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, KeyError> {
        let refused = || {
            KeyError::new(
                KeyErrorKind::Data,
                "unwrap a content key",
                "not of this KEK",
            )
        };
        let (kek, _) = self.kek(&wrapped.kek);
        let (nonce, text) = wrapped.blob.split_at_checked(12).ok_or_else(refused)?;
        if wrapped.scheme != WrapScheme::AesGcm {
            return Err(refused());
        }
        let payload = Payload {
            msg: text,
            aad: &wrapped.generation.to_be_bytes(),
        };
        let key = kek
            .decrypt(Nonce::from_slice(nonce), payload)
            .map_err(|_| refused())?;
        Ok(ContentKey::new(key.try_into().map_err(|_| refused())?))
    }

    fn rewrap_key(&self, wrapped: &WrappedKey, to: &KekId) -> Result<WrappedKey, KeyError> {
        Ok(self.wrap(to, &self.unwrap_key(wrapped)?))
    }
}

/// When the tests happen: a [`TestPermit`] holds until then.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_764_000_000_000_000);

/// A permit as `chancery_policy` would make it.
pub(super) struct TestPermit(pub(super) MessageId);

impl Closed for TestPermit {}

impl OpeningPermit for TestPermit {
    fn message(&self) -> MessageId {
        self.0
    }

    fn holds_at(&self, now: Timestamp) -> bool {
        now <= NOW
    }
}

/// Bytes that look random and are the same in every run.
fn bytes(what: &str, count: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(what)
        .chain_update(count.to_be_bytes())
        .finalize()
        .into()
}

pub(super) fn noise(what: &str, length: usize) -> Vec<u8> {
    (0_u64..)
        .flat_map(|count| bytes(what, count))
        .take(length)
        .collect()
}

/// Reproducible numbers for sampling.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 += 1;
        let bytes = bytes("dice", self.0);
        let number = u64::from_be_bytes(bytes[..8].try_into().expect("8 bytes"));
        usize::try_from(number % bound as u64).expect("below a usize")
    }
}

pub(super) fn dice() -> Dice {
    Dice(0)
}

pub(super) fn message_id(n: u8) -> MessageId {
    MessageId::from_bytes([n; 16])
}

pub(super) fn body_id(n: u8) -> BodyId {
    BodyId::from_bytes([n; 16])
}

pub(super) fn kek(rank: u8) -> KekId {
    KekId::Label {
        rank,
        compartment: "cert-eu".parse().expect("compartment"),
    }
}

pub(super) fn label() -> Label {
    let mut label = Label::of(Level::Restricted);
    label.tlp = Some(chancery_label::Tlp::Amber);
    label
}

/// A message of two parts and, perhaps, a body.
pub(super) fn sealed(
    keys: &Keyring,
    n: u8,
    text: &[u8],
    body: Option<&FinishedBody>,
) -> SealedMessage {
    let mut sealer =
        MessageSealer::begin(keys, &kek(1), message_id(n), Some(&label())).expect("key");
    sealer
        .part(crate::PART_HEADER, b"subject: a canary")
        .expect("first");
    sealer.part(crate::PART_TEXT, text).expect("second");
    if let Some(body) = body {
        sealer.bind(body.facts).expect("bound");
    }
    sealer.finish().expect("sealed")
}

/// A body, sealed in pieces of that size.
pub(super) fn body(
    keys: &Keyring,
    n: u8,
    content: &[u8],
    piece: usize,
) -> (FinishedBody, Vec<SealedSegment>) {
    let mut sealer = BodySealer::begin(keys, &KekId::Intake, body_id(n)).expect("key");
    let mut segments = Vec::new();
    for piece in content.chunks(piece) {
        segments.extend(sealer.push(piece).expect("room"));
    }
    let finished = sealer.finish().expect("sealed");
    segments.push(finished.last.clone());
    (finished, segments)
}
