//! A peer that does not keep to the protocol is cut off, and told apart.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use chancery_ipc::{Caller, Error, IncomingStream, Limits, Side, Violation, connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const OPEN: u8 = 1;
const ANSWER: u8 = 2;
const DATA: u8 = 3;
const END: u8 = 4;
const RESET: u8 = 5;
const STOP: u8 = 6;
const CREDIT: u8 = 7;

/// A server connection, and the raw socket of its client.
fn server() -> (UnixStream, Caller, IncomingStream) {
    let (raw, ours) = UnixStream::pair().unwrap();
    let limits = Limits {
        streams: 4,
        ..Limits::default()
    };
    let (caller, incoming) = connection(ours, Side::Server, limits);
    (raw, caller, incoming)
}

fn greeting() -> Vec<u8> {
    let mut bytes = b"CHANCERY\x00\x01\x01\x00".to_vec();
    bytes.extend_from_slice(&256_u32.to_be_bytes());
    bytes.extend_from_slice(&262_144_u32.to_be_bytes());
    bytes
}

fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    bytes
}

/// What the server makes of these bytes after a good greeting.
async fn verdict(frames: &[Vec<u8>]) -> Error {
    let (mut raw, caller, mut incoming) = server();
    let keep = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Some(asked) = incoming.next().await {
            held.push(asked);
        }
    });
    raw.write_all(&greeting()).await.unwrap();
    for frame in frames {
        raw.write_all(frame).await.unwrap();
    }
    let why = tokio::time::timeout(Duration::from_secs(20), caller.until_ended())
        .await
        .unwrap();
    // The socket is closed, not left hanging.
    let mut rest = Vec::new();
    let _reset = raw.read_to_end(&mut rest).await;
    keep.await.unwrap();
    why
}

#[tokio::test]
async fn frames_that_break_the_protocol() {
    let open = frame(1, OPEN, b"");
    let full = vec![0; 65_536];
    let cases: Vec<(&str, Vec<Vec<u8>>, Violation)> = vec![
        ("unknown kind", vec![frame(1, 9, b"")], Violation::Kind(9)),
        (
            "too long",
            vec![vec![0, 1, 0, 1, 0, 0, 0, 1, OPEN]],
            Violation::Length(65_537),
        ),
        (
            "not its number",
            vec![frame(2, OPEN, b"")],
            Violation::Number,
        ),
        ("number zero", vec![frame(0, OPEN, b"")], Violation::Number),
        (
            "number taken",
            vec![open.clone(), open.clone()],
            Violation::Number,
        ),
        (
            "data unopened",
            vec![frame(1, DATA, b"x")],
            Violation::NotOpen,
        ),
        ("end unopened", vec![frame(1, END, b"")], Violation::NotOpen),
        (
            "answer to own",
            vec![open.clone(), frame(1, ANSWER, b"")],
            Violation::Order,
        ),
        (
            "empty data",
            vec![open.clone(), frame(1, DATA, b"")],
            Violation::Length(0),
        ),
        (
            "data after end",
            vec![open.clone(), frame(1, END, b""), frame(1, DATA, b"x")],
            Violation::NotOpen,
        ),
        (
            "two ends",
            vec![open.clone(), frame(1, END, b""), frame(1, END, b"")],
            Violation::NotOpen,
        ),
        (
            "beyond the window",
            std::iter::once(open.clone())
                .chain((0..5).map(|_| frame(1, DATA, &full)))
                .collect(),
            Violation::Window,
        ),
        (
            "tiny frames beyond the window",
            std::iter::once(open.clone())
                .chain((0..1025).map(|_| frame(1, DATA, b"x")))
                .collect(),
            Violation::Window,
        ),
        (
            "credit for nothing",
            vec![open.clone(), frame(1, CREDIT, &1_u32.to_be_bytes())],
            Violation::Window,
        ),
        (
            "credit of nothing",
            vec![open.clone(), frame(1, CREDIT, &0_u32.to_be_bytes())],
            Violation::Window,
        ),
        (
            "unknown reason",
            vec![open.clone(), frame(1, RESET, &[99])],
            Violation::Reason(99),
        ),
        (
            "too many at once",
            (0..5).map(|n| frame(2 * n + 1, OPEN, b"")).collect(),
            Violation::Streams,
        ),
    ];
    for (name, frames, violation) in cases {
        assert_eq!(
            verdict(&frames).await,
            Error::Violation(violation),
            "{name}"
        );
    }
}

#[tokio::test]
async fn late_credit_and_stop_are_no_violation() {
    let (mut raw, caller, mut incoming) = server();
    raw.write_all(&greeting()).await.unwrap();
    raw.write_all(&frame(1, CREDIT, &5_u32.to_be_bytes()))
        .await
        .unwrap();
    raw.write_all(&frame(1, STOP, b"")).await.unwrap();
    raw.write_all(&frame(3, OPEN, b"still here")).await.unwrap();
    let asked = incoming.next().await.unwrap();
    assert_eq!(&asked.header[..], b"still here");
    assert_eq!(caller.ended(), None);
}

#[tokio::test]
async fn another_version_is_named() {
    let (mut raw, caller, _incoming) = server();
    let mut bytes = greeting();
    bytes[9] = 7;
    raw.write_all(&bytes).await.unwrap();
    assert_eq!(
        caller.until_ended().await,
        Error::Version { ours: 1, theirs: 7 }
    );
    assert_eq!(
        caller.until_ended().await.to_string(),
        "the other process speaks protocol version 7, this one 1: install the same release of both"
    );
}

#[tokio::test]
async fn another_protocol_is_cut_off() {
    let (mut raw, caller, _incoming) = server();
    raw.write_all(b"GET / HTTP/1.1\r\nHost: core\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(
        caller.until_ended().await,
        Error::Violation(Violation::Magic)
    );
}

#[tokio::test]
async fn who_does_not_greet_is_cut_off() {
    let (_raw, caller, _incoming) = server();
    assert_eq!(
        caller.until_ended().await,
        Error::Violation(Violation::Greeting)
    );
}

#[tokio::test]
async fn bytes_may_come_in_any_pieces() {
    let (mut raw, _caller, mut incoming) = server();
    let mut bytes = greeting();
    bytes.extend(frame(1, OPEN, b"slow"));
    bytes.extend(frame(1, DATA, b"but"));
    bytes.extend(frame(1, DATA, b" sure"));
    bytes.extend(frame(1, END, b""));
    tokio::spawn(async move {
        for byte in bytes {
            raw.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut rest = Vec::new();
        let _end = raw.read_to_end(&mut rest).await;
    });
    let mut asked = incoming.next().await.unwrap();
    assert_eq!(&asked.header[..], b"slow");
    assert_eq!(
        &asked.exchange.receive.collect(100).await.unwrap()[..],
        b"but sure"
    );
}

#[tokio::test]
async fn random_bytes_after_the_greeting_never_hang_or_panic() {
    // A small linear congruential generator: the same bytes every time.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        let noise: Vec<u8> = (0..600)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Mostly small numbers, so that heads are often valid.
                let byte = seed.to_be_bytes()[0];
                if byte < 200 { byte % 8 } else { byte }
            })
            .collect();
        let (mut raw, caller, mut incoming) = server();
        let keep = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Some(asked) = incoming.next().await {
                held.push(asked);
            }
        });
        raw.write_all(&greeting()).await.unwrap();
        let _cut_off = raw.write_all(&noise).await;
        drop(raw);
        let why = tokio::time::timeout(Duration::from_secs(20), caller.until_ended())
            .await
            .unwrap();
        assert!(matches!(why, Error::Violation(_) | Error::Gone), "{why:?}");
        keep.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_may_take_its_time_to_greet() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (caller, _incoming) = connection(ours, Side::Client, Limits::default());
    // One that waits for its token before it serves: longer than a client may.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(caller.ended(), None);
    let asked = tokio::spawn(async move { caller.ask("who".into()).await });
    let (_server, mut incoming) = connection(theirs, Side::Server, Limits::default());
    let request = incoming.next().await.unwrap();
    request.reply_bytes("late".into()).unwrap();
    assert_eq!(&asked.await.unwrap().unwrap()[..], b"late");
}
