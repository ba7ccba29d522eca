//! What is sealed is opened, at every size, and only with what it takes.

use chancery_hsm_api::{ContentKeys as _, KekId, KeyError, KeyErrorKind, MacUse};
use chancery_label::{Label, Level};
use sha2::{Digest as _, Sha256};

use super::{Keyring, NOW, TestPermit, body, body_id, kek, label, message_id, noise, sealed};
use crate::{
    BodyOpener, IndexKey, MessageSealer, OpenError, PART_HEADER, PART_TEXT, RowKey, RowMismatch,
    SEGMENT_BYTES, SealError, SealedBody, SealedMessage, SealedSegment, TAG_BYTES,
};

const SIZES: [usize; 9] = [
    0,
    1,
    17,
    SEGMENT_BYTES - 1,
    SEGMENT_BYTES,
    SEGMENT_BYTES + 1,
    2 * SEGMENT_BYTES,
    2 * SEGMENT_BYTES + 1,
    3 * 1024 * 1024,
];

fn read(mut opener: BodyOpener<'_>, segments: &[SealedSegment]) -> Result<Vec<u8>, OpenError> {
    let mut plain = Vec::new();
    for segment in segments {
        let chunk = opener.open(segment.bytes.clone())?;
        assert_eq!(chunk.last, segment.index + 1 == opener.segments());
        plain.extend_from_slice(chunk.bytes.expose());
    }
    opener.finish()?;
    Ok(plain)
}

#[test]
fn parts_of_every_size_open() {
    let keys = Keyring::default();
    for size in SIZES {
        let text = noise("text", size);
        let stored = sealed(&keys, 1, &text, None).encode().expect("encodes");
        let message = SealedMessage::decode(&stored).expect("decodes");
        let permit = TestPermit(message_id(1));
        let open = message
            .open(&keys, &permit, Some(&label()), NOW)
            .expect("opens");
        assert_eq!(open.message(), message_id(1));
        assert_eq!(
            open.part(PART_HEADER).expect("header").expose(),
            b"subject: a canary"
        );
        assert_eq!(open.part(PART_TEXT).expect("text").expose(), text);
        assert_eq!(open.part(7).err(), Some(OpenError::Absent("part")));
        let facts = open.parts()[1];
        assert_eq!((facts.index, facts.size), (PART_TEXT, size as u64));
        assert_eq!(facts.sha256, <[u8; 32]>::from(Sha256::digest(&text)));
        // Nothing of the plaintext stands in the row.
        assert!(!stored.windows(8).any(|window| window == b"a canary"));
        assert!(!stored.windows(32).any(|window| window == facts.sha256));
    }
}

#[test]
fn bodies_of_every_size_open_whatever_the_pieces() {
    let keys = Keyring::default();
    for size in SIZES {
        let content = noise("body", size);
        for piece in [1000, SEGMENT_BYTES, SEGMENT_BYTES + 7] {
            let (finished, segments) = body(&keys, 2, &content, piece);
            assert_eq!(
                segments.len() as u64,
                (size as u64).div_ceil(SEGMENT_BYTES as u64).max(1)
            );
            assert_eq!(finished.facts.segments() as usize, segments.len());
            assert!(
                segments
                    .iter()
                    .all(|segment| segment.bytes.len() <= SEGMENT_BYTES + TAG_BYTES)
            );
            assert!(
                segments
                    .iter()
                    .enumerate()
                    .all(|(at, segment)| segment.index as usize == at)
            );
            assert_eq!(
                finished.facts.sha256,
                <[u8; 32]>::from(Sha256::digest(&content))
            );

            let own = finished
                .body
                .open_own(&keys, &finished.permit)
                .expect("opens");
            assert_eq!(read(own, &segments).expect("reads"), content);

            // Under its label, bound to its message.
            let moved = finished.body.rewrapped(&keys, &kek(1)).expect("rewraps");
            let moved = SealedBody::decode(&moved.encode().expect("encodes")).expect("decodes");
            assert_eq!(moved.wrapped().kek, kek(1));
            assert_eq!(moved.facts(&keys), Ok(finished.facts));
            let message = sealed(&keys, 1, b"text", Some(&finished));
            let permit = TestPermit(message_id(1));
            let open = message
                .open(&keys, &permit, Some(&label()), NOW)
                .expect("opens");
            assert_eq!(open.bodies(), [finished.facts]);
            assert_eq!(
                read(open.body(&keys, &moved).expect("bound"), &segments).expect("reads"),
                content
            );
        }
    }
}

#[test]
fn a_message_without_label_stays_under_the_intake_key() {
    let keys = Keyring::default();
    let begin = |kek: &KekId, label: Option<&Label>| {
        MessageSealer::begin(&keys, kek, message_id(1), label).map(drop)
    };
    assert_eq!(begin(&KekId::Intake, None), Ok(()));
    assert_eq!(begin(&kek(1), None), Err(SealError::KekLevel));
    assert_eq!(
        begin(&KekId::Intake, Some(&label())),
        Err(SealError::KekLevel)
    );
    for level in Level::ALL {
        for rank in 0..5 {
            let expected = if level.rank() == rank {
                Ok(())
            } else {
                Err(SealError::KekLevel)
            };
            assert_eq!(begin(&kek(rank), Some(&Label::of(level))), expected);
        }
    }
    let mut sealer = MessageSealer::begin(&keys, &KekId::Intake, message_id(1), None).expect("key");
    sealer.part(PART_TEXT, b"from whom?").expect("part");
    let message = sealer.finish().expect("sealed");
    let permit = TestPermit(message_id(1));
    assert_eq!(
        message.open(&keys, &permit, Some(&label()), NOW).err(),
        Some(OpenError::Label)
    );
    let open = message.open(&keys, &permit, None, NOW).expect("opens");
    assert_eq!(open.part(PART_TEXT).expect("part").expose(), b"from whom?");
}

#[test]
fn a_permit_opens_its_own_message_alone() {
    let keys = Keyring::default();
    let (finished, _) = body(&keys, 2, b"mine", 4);
    let (other, _) = body(&keys, 3, b"other", 4);
    let message = sealed(&keys, 1, b"text", Some(&finished));
    let permit = TestPermit(message_id(9));
    assert_eq!(
        message.open(&keys, &permit, Some(&label()), NOW).err(),
        Some(OpenError::Permit)
    );
    assert_eq!(
        other.body.open_own(&keys, &finished.permit).err(),
        Some(OpenError::Permit)
    );
    let permit = TestPermit(message_id(1));
    let later = NOW.after(std::time::Duration::from_micros(1));
    let late = message.open(&keys, &permit, Some(&label()), later);
    assert_eq!(late.err(), Some(OpenError::Expired));
    let open = message
        .open(&keys, &permit, Some(&label()), NOW)
        .expect("opens");
    assert_eq!(
        open.body(&keys, &other.body).err(),
        Some(OpenError::Absent("body"))
    );
    assert_eq!(open.body_facts(&body_id(3)), None);
}

#[test]
fn parts_and_bodies_stand_once_and_within_bounds() {
    let keys = Keyring::default();
    let (finished, _) = body(&keys, 2, b"x", 1);
    let mut sealer =
        MessageSealer::begin(&keys, &kek(1), message_id(1), Some(&label())).expect("key");
    sealer.part(5, b"x").expect("first");
    assert_eq!(sealer.part(5, b"y"), Err(SealError::Parts));
    sealer.bind(finished.facts).expect("first");
    assert_eq!(sealer.bind(finished.facts), Err(SealError::Parts));
    for index in 6..261 {
        sealer.part(index, b"").expect("room");
    }
    assert_eq!(sealer.part(300, b""), Err(SealError::Parts));
}

#[test]
fn a_wrong_kek_opens_nothing() {
    let keys = Keyring::default();
    let message = sealed(&keys, 1, b"text", None);
    let permit = TestPermit(message_id(1));
    // Another node's keys.
    let error = message
        .open(&Keyring::of("another"), &permit, Some(&label()), NOW)
        .err();
    assert!(matches!(error, Some(OpenError::Key(error)) if error.kind == KeyErrorKind::Data));
    let rewrapped = message.rewrapped(&keys).expect("rewraps");
    assert_ne!(rewrapped.wrapped().blob, message.wrapped().blob);
    rewrapped
        .open(&keys, &permit, Some(&label()), NOW)
        .expect("opens");
    assert_eq!(
        keys.unwrap_key(rewrapped.wrapped()),
        keys.unwrap_key(message.wrapped())
    );
}

#[test]
fn secrets_are_silent() {
    let keys = Keyring::default();
    let (finished, segments) = body(&keys, 2, b"canary", 6);
    let message = sealed(&keys, 1, b"canary", Some(&finished));
    let permit = TestPermit(message_id(1));
    let open = message
        .open(&keys, &permit, Some(&label()), NOW)
        .expect("opens");
    let mut opener = open.body(&keys, &finished.body).expect("bound");
    let chunk = opener.open(segments[0].bytes.clone()).expect("opens");
    let shown = format!(
        "{message:?} {open:?} {opener:?} {chunk:?} {segments:?} {:?} {:?} {:?}",
        RowKey::new([7; 32]),
        IndexKey::new([7; 32]),
        finished.body
    );
    assert!(
        !shown.contains("canary") && !shown.contains("[7") && !shown.contains("99, 97"),
        "{shown}"
    );
}

#[test]
fn row_digests_bind_every_field() {
    let key = RowKey::new([1; 32]);
    let mac = key.mac("message", b"id", 1, b"row");
    assert_eq!(key.verify("message", b"id", 1, b"row", &mac), Ok(()));
    for (table, id, version, row) in [
        ("messages", &b"id"[..], 1, &b"row"[..]),
        ("message", b"ix", 1, b"row"),
        ("message", b"id", 2, b"row"),
        ("message", b"id", 1, b"roW"),
        // Bytes moved from one field to the next.
        ("messagei", b"d", 1, b"row"),
        ("message", b"", 1, b"row"),
    ] {
        assert_eq!(
            key.verify(table, id, version, row, &mac),
            Err(RowMismatch),
            "{table}"
        );
    }
    assert_eq!(
        RowKey::new([2; 32]).verify("message", b"id", 1, b"row", &mac),
        Err(RowMismatch)
    );
    let mut flipped = mac;
    flipped[31] ^= 1;
    assert_eq!(
        key.verify("message", b"id", 1, b"row", &flipped),
        Err(RowMismatch)
    );
}

#[test]
fn index_digests_keep_kinds_apart() {
    let key = IndexKey::new([1; 32]);
    let digest = key.digest(&[b"reference", b"cert-eu", b"2026/17"]);
    assert_eq!(digest, key.digest(&[b"reference", b"cert-eu", b"2026/17"]));
    for fields in [
        &[&b"external-id"[..], b"cert-eu", b"2026/17"][..],
        &[b"reference", b"cert-e", b"u2026/17"],
        &[b"reference", b"cert-eu2026/17"],
        &[b"reference", b"cert-eu", b"2026/17", b""],
    ] {
        assert_ne!(digest, key.digest(fields));
    }
    assert_ne!(
        digest,
        IndexKey::new([2; 32]).digest(&[b"reference", b"cert-eu", b"2026/17"])
    );
}

/// A token with so many generations of each digest key.
struct Turned;

impl chancery_hsm_api::Macs for Turned {
    fn mac(&self, usage: MacUse, data: &[u8]) -> Result<[u8; 32], KeyError> {
        self.mac_of(usage, 1, data)
    }

    fn mac_of(&self, usage: MacUse, generation: u32, _: &[u8]) -> Result<[u8; 32], KeyError> {
        let side = if usage == MacUse::Row { 100 } else { 200 };
        Ok([side + u8::try_from(generation).unwrap(); 32])
    }
}

#[test]
fn after_a_rotation_old_digests_are_found_and_new_ones_are_under_the_new_key() {
    let row = RowKey::derive(&Turned, &[1]).unwrap();
    let old = row.mac("message", b"id", 1, b"row");
    assert!(!row.renew(&Turned, &[1]).unwrap(), "nothing changed");
    assert!(row.renew(&Turned, &[2, 1]).unwrap());
    let new = row.mac("message", b"id", 1, b"row");
    assert_ne!(old, new);
    for mac in [old, new] {
        assert_eq!(row.verify("message", b"id", 1, b"row", &mac), Ok(()));
        assert!(row.verify("message", b"id", 2, b"row", &mac).is_err());
    }
    // One whose time is over opens nothing any more.
    row.renew(&Turned, &[2]).unwrap();
    assert!(row.verify("message", b"id", 1, b"row", &old).is_err());
    row.renew(&Turned, &[]).unwrap_err();
    assert_eq!(row.verify("message", b"id", 1, b"row", &new), Ok(()));

    let index = IndexKey::derive(&Turned, &[1]).unwrap();
    let old = index.digest(&[b"reference"]);
    index.renew(&Turned, &[2, 1]).unwrap();
    assert_eq!(
        index.digests(&[b"reference"]),
        [index.digest(&[b"reference"]), old]
    );
    assert_ne!(index.digest(&[b"reference"]), old);
}
