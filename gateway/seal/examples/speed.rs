//! How fast bodies are sealed and opened: `cargo run --release -p chancery-seal --example speed [MIB]`.

#![allow(clippy::print_stdout, reason = "it is what this is for")]

use std::time::Instant;

use chancery_hsm_api::{ContentKey, ContentKeys, KekId, KeyError, WrapScheme, WrappedKey};
use chancery_message::BodyId;
use chancery_seal::{BodySealer, MessageSealer, SEGMENT_BYTES};

/// Hands out one key, unwrapped: the custodian is not what is measured.
struct NoToken;

impl ContentKeys for NoToken {
    fn new_content_key(&self, kek: &KekId) -> Result<(ContentKey, WrappedKey), KeyError> {
        let wrapped = WrappedKey {
            kek: kek.clone(),
            generation: 1,
            scheme: WrapScheme::AesKw,
            blob: vec![0; 40],
        };
        Ok((ContentKey::new([7; 32]), wrapped))
    }

    fn unwrap_key(&self, _: &WrappedKey) -> Result<ContentKey, KeyError> {
        Ok(ContentKey::new([7; 32]))
    }

    fn rewrap_key(&self, wrapped: &WrappedKey, _: &KekId) -> Result<WrappedKey, KeyError> {
        Ok(wrapped.clone())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: usize = std::env::args()
        .nth(1)
        .map_or(Ok(512), |text| text.parse())?;
    let piece = vec![0x5a_u8; SEGMENT_BYTES];
    let pieces = mib * 1024 * 1024 / SEGMENT_BYTES;
    let rate = |start: Instant| mib as f64 / start.elapsed().as_secs_f64();

    let mut sealer = BodySealer::begin(&NoToken, &KekId::Intake, BodyId::from_bytes([1; 16]))?;
    let mut segments = Vec::with_capacity(pieces);
    let start = Instant::now();
    for _ in 0..pieces {
        segments.extend(sealer.push(&piece)?);
    }
    let finished = sealer.finish()?;
    segments.push(finished.last);
    println!("seal    {:8.0} MiB/s", rate(start));

    let mut opener = finished.body.open_own(&NoToken, &finished.permit)?;
    let start = Instant::now();
    for segment in segments {
        opener.open(segment.bytes)?;
    }
    opener.finish()?;
    println!("open    {:8.0} MiB/s", rate(start));

    let rounds = 20_000_u32;
    let start = Instant::now();
    for n in 0..rounds {
        let id = chancery_message::MessageId::from_bytes(
            [n.to_be_bytes(); 4].concat().try_into().unwrap_or([0; 16]),
        );
        let mut sealer = MessageSealer::begin(&NoToken, &KekId::Intake, id, None)?;
        sealer.part(0, b"subject and names")?;
        sealer.part(1, piece.get(..2048).unwrap_or_default())?;
        sealer.finish()?;
    }
    println!(
        "message {:8.0} of 2 KiB/s",
        f64::from(rounds) / start.elapsed().as_secs_f64()
    );
    Ok(())
}
