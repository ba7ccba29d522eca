//! A small log with checkpoints, signed as the custodian signs.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "shared by several tests; a helper that fails is a failed test"
)]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use chancery_audit::{
    Actor, CheckpointKey, Event, EventKind, Exporter, Frontier, Hash, Key, LogId, PeerId, Record,
    Tree, leaf_hash,
};
use chancery_message::{DeliveryId, MessageId, Timestamp};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};

pub(crate) struct Signing {
    pub(crate) log: LogId,
    secret: SigningKey,
}

impl Signing {
    pub(crate) fn new(log: &str, seed: u8) -> Self {
        let secret = SigningKey::from_slice(&[seed; 32]).expect("a scalar");
        Self {
            log: log.parse().expect("a log id"),
            secret,
        }
    }

    pub(crate) fn key(&self) -> CheckpointKey {
        let point = self.secret.verifying_key().to_encoded_point(false);
        CheckpointKey::from_point(&self.log, point.as_bytes()).expect("a point")
    }

    /// The note over a head, made without the code under test.
    pub(crate) fn note(&self, size: u64, root: &Hash) -> String {
        let text = format!("{}\n{size}\n{}\n", self.log, BASE64_STANDARD.encode(root));
        let signature: Signature = self.secret.sign(text.as_bytes());
        let id = Sha256::new()
            .chain_update(self.log.as_str())
            .chain_update([0x0a, 0x02])
            .chain_update(self.key().spki())
            .finalize();
        let blob = [&id[..4], signature.to_der().as_bytes()].concat();
        format!(
            "{text}\n\u{2014} {} {}\n",
            self.log,
            BASE64_STANDARD.encode(blob)
        )
    }
}

pub(crate) fn message(n: u8) -> MessageId {
    MessageId::from_bytes([n; 16])
}

pub(crate) fn delivery(n: u8) -> DeliveryId {
    DeliveryId::from_bytes([0x80 | n; 16])
}

/// The event at a place: of all kinds, with and without ids and details.
pub(crate) fn event(seq: u64) -> Event {
    let kind = EventKind::ALL[seq as usize % EventKind::ALL.len()];
    let actor = match seq % 4 {
        0 => Actor::System,
        1 => Actor::process("core"),
        2 => Actor::Participant("cert-eu".parse().expect("id")),
        _ => Actor::Peer(PeerId::Certificate([seq as u8; 32])),
    };
    let mut event = Event::new(
        kind,
        Timestamp::from_micros(1_764_000_000_000_000 + seq as i64 * 1000),
        actor,
    )
    .detail(
        Key::Reason,
        format!("because of {seq} \"quoted\" \\ \u{e9}\n"),
    );
    if !seq.is_multiple_of(3) {
        event = event.message(message((seq % 5) as u8));
    }
    if seq.is_multiple_of(7) {
        event = event.delivery(delivery((seq % 5) as u8));
    }
    for key in kind.keys().iter().take(2) {
        event = event.detail(*key, ["first", "second"]);
    }
    event
}

pub(crate) struct Log {
    pub(crate) signing: Signing,
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) leaves: Vec<Hash>,
    pub(crate) tree: Tree,
    /// Sizes at which there is a checkpoint.
    pub(crate) checkpoints: Vec<u64>,
}

impl Log {
    pub(crate) fn new(count: u64, checkpoints: &[u64]) -> Self {
        let signing = Signing::new("chancery/node-1", 7);
        let records: Vec<_> = (0..count)
            .map(|seq| Record::new(&signing.log, seq, event(seq)).encode())
            .collect();
        Self::of(signing, records, checkpoints)
    }

    pub(crate) fn of(signing: Signing, records: Vec<Vec<u8>>, checkpoints: &[u64]) -> Self {
        let leaves: Vec<_> = records.iter().map(|record| leaf_hash(record)).collect();
        let tree = Tree::rebuild(leaves.iter().copied());
        Self {
            signing,
            records,
            leaves,
            tree,
            checkpoints: checkpoints.to_vec(),
        }
    }

    pub(crate) fn note(&self, size: u64) -> String {
        self.signing.note(
            size,
            &self.tree.root_at(size, &self.leaves[..]).expect("in range"),
        )
    }

    pub(crate) fn export(&self, from: u64, to: u64) -> Vec<u8> {
        let before = if from == 0 {
            Frontier::default()
        } else {
            self.tree
                .frontier_at(from, &self.leaves[..])
                .expect("in range")
        };
        let sizes: Vec<_> = self
            .checkpoints
            .iter()
            .copied()
            .filter(|size| (from..=to).contains(size))
            .collect();
        let mut export = Exporter::begin(
            Vec::new(),
            &self.signing.key(),
            &before,
            to,
            sizes.len() as u64,
        )
        .expect("begins");
        for seq in from..=to {
            if sizes.contains(&export.size()) {
                export.checkpoint(&self.note(seq)).expect("writes");
            }
            if seq < to {
                let at = seq as usize;
                export
                    .record(&self.records[at], Some(&self.leaves[at]))
                    .expect("writes");
            }
        }
        export.finish().expect("whole")
    }
}

/// Reproducible numbers.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 += 1;
        let hash = Sha256::digest(self.0.to_be_bytes());
        let number = u64::from_be_bytes(hash[..8].try_into().expect("8 bytes"));
        (number % bound as u64) as usize
    }
}
