//! What was changed, moved or cut off does not open.

use chancery_hsm_api::KekId;
use chancery_label::{Label, Level};

use super::{Keyring, NOW, TestPermit, body, dice, kek, label, message_id, noise, sealed};
use crate::{
    BodySealer, FinishedBody, OpenError, PART_HEADER, PART_TEXT, SEGMENT_BYTES, SealedBody,
    SealedMessage, SealedSegment,
};

/// All plaintext of a message and its body from what is stored; an error as
/// soon as anything is wrong.
fn read_all(
    keys: &Keyring,
    n: u8,
    message: &[u8],
    body: &[u8],
    segments: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, OpenError> {
    let message = SealedMessage::decode(message)?;
    let permit = TestPermit(message_id(n));
    let open = message.open(keys, &permit, Some(&label()), NOW)?;
    let mut plain = vec![
        open.part(PART_HEADER)?.expose().to_vec(),
        open.part(PART_TEXT)?.expose().to_vec(),
    ];
    let body = SealedBody::decode(body)?;
    let mut opener = open.body(keys, &body)?;
    for segment in segments {
        plain.push(opener.open(segment.clone())?.bytes.expose().to_vec());
    }
    opener.finish()?;
    Ok(plain)
}

fn bytes(segments: &[SealedSegment]) -> Vec<Vec<u8>> {
    segments
        .iter()
        .map(|segment| segment.bytes.clone())
        .collect()
}

#[test]
fn ten_thousand_flipped_bits_all_show() {
    let keys = Keyring::default();
    let mut dice = dice();
    let content = noise("body", 3 * 1024 + 5);
    let (finished, segments) = body(&keys, 2, &content, 1024);
    let message = sealed(&keys, 1, &noise("text", 700), Some(&finished))
        .encode()
        .expect("encodes");
    let row = finished.body.encode().expect("encodes");
    let segments = bytes(&segments);
    read_all(&keys, 1, &message, &row, &segments).expect("whole as it is");

    // Regions in turn, so that small ones are hit as often as large ones.
    for round in 0..10_000 {
        let (mut message, mut row, mut segments) = (message.clone(), row.clone(), segments.clone());
        let region = match round % 3 {
            0 => &mut message,
            1 => &mut row,
            _ => segments.first_mut().expect("one"),
        };
        let at = dice.below(region.len());
        region[at] ^= 1 << dice.below(8);
        let result = read_all(&keys, 1, &message, &row, &segments);
        // A flipped id makes it the row of something else.
        let shows = |error: OpenError| {
            error.is_corruption() || matches!(error, OpenError::Permit | OpenError::Absent("body"))
        };
        assert!(
            result.is_err_and(shows),
            "round {round}: byte {at} of region {}",
            round % 3
        );
    }
}

#[test]
fn every_bit_of_a_small_message_and_body_shows() {
    let keys = Keyring::default();
    let (finished, segments) = body(&keys, 2, b"0123456789", 4);
    let stored = [
        sealed(&keys, 1, b"short", Some(&finished))
            .encode()
            .expect("encodes"),
        finished.body.encode().expect("encodes"),
        segments[0].bytes.clone(),
    ];
    let read = |stored: &[Vec<u8>; 3]| read_all(&keys, 1, &stored[0], &stored[1], &stored[2..]);
    read(&stored).expect("whole as it is");
    for region in 0..3 {
        for bit in 0..stored[region].len() * 8 {
            let mut changed = stored.clone();
            changed[region][bit / 8] ^= 1 << (bit % 8);
            assert!(read(&changed).is_err(), "region {region} bit {bit}");
        }
        for length in 0..stored[region].len() {
            let mut changed = stored.clone();
            changed[region].truncate(length);
            assert!(read(&changed).is_err(), "region {region} cut to {length}");
        }
        let mut changed = stored.clone();
        changed[region].push(0);
        assert!(read(&changed).is_err(), "region {region} and one byte more");
    }
}

#[test]
fn segments_elsewhere_missing_or_too_many_show() {
    let keys = Keyring::default();
    let content = noise("body", 3 * SEGMENT_BYTES + 10);
    let (finished, segments) = body(&keys, 2, &content, SEGMENT_BYTES);
    let (other, other_segments) = body(
        &keys,
        3,
        &noise("other", 3 * SEGMENT_BYTES + 10),
        SEGMENT_BYTES,
    );
    let message = sealed(&keys, 1, b"text", Some(&finished))
        .encode()
        .expect("encodes");
    let row = finished.body.encode().expect("encodes");
    let (segments, other_segments) = (bytes(&segments), bytes(&other_segments));
    let read = |segments: &[Vec<u8>]| {
        read_all(&keys, 1, &message, &row, segments).map(|plain| plain.len())
    };
    assert_eq!(read(&segments), Ok(6));

    let changed = Err(OpenError::Changed("segment"));
    let pick = |order: &[usize]| {
        order
            .iter()
            .map(|at| segments[*at].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(read(&pick(&[1, 0, 2, 3])), changed, "two swapped");
    assert_eq!(read(&pick(&[0, 1, 3])), changed, "one left out");
    assert_eq!(read(&pick(&[0, 1, 1, 3])), changed, "one twice");
    assert_eq!(
        read(&pick(&[0, 1, 2, 3, 3])),
        Err(OpenError::AfterEnd),
        "one too many"
    );
    for end in 0..4 {
        assert_eq!(
            read(&segments[..end]),
            Err(OpenError::Truncated),
            "cut after {end}"
        );
    }
    for at in 0..4 {
        let mut mixed = segments.clone();
        mixed[at] = other_segments[at].clone();
        assert_eq!(read(&mixed), changed, "segment {at} of another body");
    }
    // A full segment that poses as the last.
    let mut short = segments.clone();
    short[3] = segments[2].clone();
    assert_eq!(read(&short), changed);
    // The other body as a whole in this one's place.
    let other_row = other.body.encode().expect("encodes");
    assert_eq!(
        read_all(&keys, 1, &message, &other_row, &other_segments).map(drop),
        Err(OpenError::Absent("body"))
    );
}

#[test]
fn after_an_error_nothing_more_is_opened() {
    let keys = Keyring::default();
    let (finished, segments) = body(&keys, 2, &noise("body", 2 * SEGMENT_BYTES), SEGMENT_BYTES);
    let mut opener = finished
        .body
        .open_own(&keys, &finished.permit)
        .expect("opens");
    let mut bad = segments[0].bytes.clone();
    bad[0] ^= 1;
    assert_eq!(opener.open(bad).err(), Some(OpenError::Changed("segment")));
    assert_eq!(
        opener.open(segments[0].bytes.clone()).err(),
        Some(OpenError::AfterEnd)
    );
    assert_eq!(opener.finish(), Err(OpenError::Truncated));
}

#[test]
fn a_body_sealed_anew_under_the_same_id_is_not_the_one_bound() {
    let keys = Keyring::default();
    let (bound, _) = body(&keys, 2, b"as it was bound", 100);
    let (forged, segments) = body(&keys, 2, b"as it is stored", 100);
    let message = sealed(&keys, 1, b"text", Some(&bound))
        .encode()
        .expect("encodes");
    let row = forged.body.encode().expect("encodes");
    assert_eq!(
        read_all(&keys, 1, &message, &row, &bytes(&segments)).map(drop),
        Err(OpenError::Changed("body"))
    );
}

/// The fields of a stored message, to be exchanged between two.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Row {
    format: u8,
    message: [u8; 16],
    wrapped: chancery_hsm_api::WrappedKey,
    manifest: Vec<u8>,
    parts: Vec<(u32, Vec<u8>)>,
}

fn fields(message: &SealedMessage) -> Row {
    // An id's bytes carry their length, as the uuid crate writes them.
    let bytes = message.encode().expect("encodes");
    let (format, rest) = bytes.split_first().expect("format");
    let (id, rest) = postcard::take_from_bytes::<chancery_message::MessageId>(rest).expect("id");
    let (wrapped, rest) = postcard::take_from_bytes(rest).expect("wrapped");
    let (manifest, rest) = postcard::take_from_bytes(rest).expect("manifest");
    let parts = postcard::from_bytes(rest).expect("parts");
    Row {
        format: *format,
        message: *id.as_bytes(),
        wrapped,
        manifest,
        parts,
    }
}

fn joined(row: &Row) -> Vec<u8> {
    let mut bytes = vec![row.format];
    let id = chancery_message::MessageId::from_bytes(row.message);
    for piece in [
        postcard::to_allocvec(&id),
        postcard::to_allocvec(&row.wrapped),
        postcard::to_allocvec(&row.manifest),
        postcard::to_allocvec(&row.parts),
    ] {
        bytes.extend(piece.expect("encodes"));
    }
    bytes
}

#[test]
fn pieces_of_two_messages_do_not_mix() {
    let keys = Keyring::default();
    let (one, two) = (
        sealed(&keys, 1, b"text one", None),
        sealed(&keys, 2, b"text two", None),
    );
    let (one, two) = (fields(&one), fields(&two));
    let open = |row: &Row| -> Result<Vec<u8>, OpenError> {
        let message = SealedMessage::decode(&joined(row))?;
        let permit = TestPermit(message_id(1));
        let open = message.open(&keys, &permit, Some(&label()), NOW)?;
        open.part(PART_HEADER)?;
        Ok(open.part(PART_TEXT)?.expose().to_vec())
    };
    assert_eq!(open(&one).expect("as sealed"), b"text one");

    let mixed = |change: &dyn Fn(&mut Row)| {
        let mut row = one.clone();
        change(&mut row);
        open(&row).err()
    };
    assert_eq!(
        mixed(&|row| row.message = two.message),
        Some(OpenError::Permit)
    );
    assert_eq!(
        mixed(&|row| row.wrapped = two.wrapped.clone()),
        Some(OpenError::Changed("manifest"))
    );
    assert_eq!(
        mixed(&|row| row.manifest = two.manifest.clone()),
        Some(OpenError::Changed("manifest"))
    );
    assert_eq!(
        mixed(&|row| {
            row.wrapped = two.wrapped.clone();
            row.manifest = two.manifest.clone();
        }),
        Some(OpenError::Changed("manifest")),
        "all of the other but its id"
    );
    assert_eq!(
        mixed(&|row| row.parts = two.parts.clone()),
        Some(OpenError::Changed("segment"))
    );
    assert_eq!(
        mixed(&|row| row.parts[1].1 = row.parts[0].1.clone()),
        Some(OpenError::Changed("segment"))
    );
    assert_eq!(
        mixed(&|row| row.parts.swap(0, 1)),
        Some(OpenError::Changed("list of parts"))
    );
    assert_eq!(
        mixed(&|row| drop(row.parts.pop())),
        Some(OpenError::Changed("list of parts"))
    );
    assert_eq!(
        mixed(&|row| row.parts.push((2, Vec::new()))),
        Some(OpenError::Changed("list of parts"))
    );
    assert_eq!(
        mixed(&|row| {
            let (first, second) = (row.parts[0].1.clone(), row.parts[1].1.clone());
            row.parts[0].1 = second;
            row.parts[1].1 = first;
        }),
        Some(OpenError::Changed("segment")),
        "part 0 in the place of part 1"
    );
    assert_eq!(
        mixed(&|row| row.parts[1].1.clear()),
        Some(OpenError::Truncated)
    );
    assert_eq!(
        mixed(&|row| row.format = 2),
        Some(OpenError::Format("message"))
    );
    assert!(
        mixed(&|row| row.wrapped.kek = kek(0)).is_some_and(|error| error.is_corruption()),
        "another KEK"
    );
    assert!(
        mixed(&|row| row.wrapped.kek = KekId::Intake).is_some_and(|error| error.is_corruption())
    );
}

#[test]
fn segments_of_a_long_part_do_not_swap() {
    let keys = Keyring::default();
    let text = noise("text", 2 * SEGMENT_BYTES + 3);
    let row = fields(&sealed(&keys, 1, &text, None));
    let sealed_segment = SEGMENT_BYTES + crate::TAG_BYTES;
    let open = |segments: Vec<u8>| {
        let mut row = row.clone();
        row.parts[1].1 = segments;
        let message = SealedMessage::decode(&joined(&row)).expect("decodes");
        let permit = TestPermit(message_id(1));
        let open = message
            .open(&keys, &permit, Some(&label()), NOW)
            .expect("opens");
        open.part(PART_TEXT).map(drop)
    };
    let whole = row.parts[1].1.clone();
    assert_eq!(open(whole.clone()), Ok(()));
    let (first, rest) = whole.split_at(sealed_segment);
    let (second, last) = rest.split_at(sealed_segment);
    assert_eq!(
        open([second, first, last].concat()),
        Err(OpenError::Changed("segment"))
    );
    assert_eq!(
        open([first, last].concat()),
        Err(OpenError::Changed("segment"))
    );
    assert_eq!(open([first, second].concat()), Err(OpenError::Truncated));
    assert_eq!(
        open([first, second, last, last].concat()),
        Err(OpenError::Changed("segment"))
    );
}

#[test]
fn a_label_moved_to_other_content_shows() {
    let keys = Keyring::default();
    let message = sealed(&keys, 1, b"text", None);
    let permit = TestPermit(message_id(1));
    let mut wider = label();
    wider.tlp = None;
    for other in [
        Some(Label::of(Level::Nc)),
        Some(Label::of(Level::Restricted)),
        Some(wider),
        None,
    ] {
        assert_eq!(
            message.open(&keys, &permit, other.as_ref(), NOW).err(),
            Some(OpenError::Label)
        );
    }
}

#[test]
fn streams_interrupted_and_begun_again_share_no_key() {
    let keys = Keyring::default();
    let seal = |content: &[u8]| -> FinishedBody {
        let mut sealer = BodySealer::begin(&keys, &KekId::Intake, super::body_id(2)).expect("key");
        assert!(sealer.push(content).expect("room").is_empty());
        sealer.finish().expect("sealed")
    };
    let (one, two) = (seal(&[0; 64]), seal(&[0; 64]));
    assert_ne!(
        one.last.bytes, two.last.bytes,
        "the same plaintext at the same place, twice"
    );
}
