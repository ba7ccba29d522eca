//! Two well-behaved ends: requests, bodies, back-pressure, cancelling.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use bytes::Bytes;
use chancery_ipc::{Caller, Error, Exchange, IncomingStream, Limits, ResetCode, Side, connection};
use tokio::net::UnixStream;

const SOON: Duration = Duration::from_secs(20);

fn pair(limits: Limits) -> ((Caller, IncomingStream), (Caller, IncomingStream)) {
    let (a, b) = UnixStream::pair().unwrap();
    (
        connection(a, Side::Client, limits),
        connection(b, Side::Server, limits),
    )
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future)
        .await
        .expect("it should not hang")
}

/// Answers every number with the next one.
fn count_up(mut incoming: IncomingStream) {
    tokio::spawn(async move {
        while let Some(asked) = incoming.next().await {
            let number: u64 = asked.decode().unwrap();
            asked.reply(&(number + 1)).unwrap();
        }
    });
}

#[tokio::test]
async fn a_call_is_answered() {
    let ((caller, _a), (_b, incoming)) = pair(Limits::default());
    count_up(incoming);
    for number in 0..1000_u64 {
        let answer: u64 = within(caller.call(&number, SOON)).await.unwrap();
        assert_eq!(answer, number + 1);
    }
}

#[tokio::test]
async fn both_sides_may_ask_at_the_same_time() {
    let ((one, to_one), (two, to_two)) = pair(Limits::secret());
    count_up(to_one);
    count_up(to_two);
    let (a, b) = within(async {
        tokio::join!(
            one.call::<u64, u64>(&1, SOON),
            two.call::<u64, u64>(&10, SOON)
        )
    })
    .await;
    assert_eq!((a.unwrap(), b.unwrap()), (2, 11));
}

#[tokio::test]
async fn more_calls_than_granted_wait_for_their_turn() {
    let ((caller, _a), (_b, incoming)) = pair(Limits {
        streams: 3,
        ..Limits::default()
    });
    count_up(incoming);
    let calls: Vec<_> = (0..200_u64)
        .map(|number| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.call::<u64, u64>(&number, SOON).await })
        })
        .collect();
    for (number, call) in (0..200_u64).zip(calls) {
        assert_eq!(within(call).await.unwrap().unwrap(), number + 1);
    }
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let ((caller, _a), (_b, mut incoming)) = pair(Limits::default());
    tokio::spawn(async move {
        let Exchange {
            mut send,
            mut receive,
        } = incoming.next().await.unwrap().exchange;
        send.header("echo").unwrap();
        while let Some(piece) = receive.next().await {
            send.data(piece.unwrap()).await.unwrap();
        }
        send.finish().unwrap();
    });
    let Exchange {
        mut send,
        mut receive,
    } = caller.open("echo this").await.unwrap();
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let sent = Bytes::from(body.clone());
    let sending = tokio::spawn(async move {
        send.data(sent).await.unwrap();
        send.finish().unwrap();
    });
    assert_eq!(within(receive.header::<String>()).await.unwrap(), "echo");
    let back = within(receive.collect(body.len())).await.unwrap();
    sending.await.unwrap();
    assert!(back == body, "the body came back changed");
}

#[tokio::test]
async fn a_slow_reader_slows_its_writer_and_nobody_else() {
    let ((caller, _a), (_b, mut incoming)) = pair(Limits::default());
    let Exchange {
        mut send,
        receive: _receive,
    } = caller.open("slow").await.unwrap();
    let slow = within(incoming.next()).await.unwrap();
    count_up(incoming);

    let writer = tokio::spawn(async move {
        let mut sent = 0_usize;
        loop {
            let piece = Bytes::from(vec![7; 64 * 1024]);
            match tokio::time::timeout(Duration::from_millis(300), send.data(piece)).await {
                Ok(result) => result.unwrap(),
                Err(_) => return (send, sent),
            }
            sent += 64 * 1024;
        }
    });
    // The other exchange goes on.
    for number in 0..50_u64 {
        assert_eq!(
            within(caller.call::<u64, u64>(&number, SOON))
                .await
                .unwrap(),
            number + 1
        );
    }
    let (mut send, sent) = within(writer).await.unwrap();
    assert_eq!(sent, 256 * 1024, "exactly the window was sent");

    // Reading sets it going again.
    let Exchange {
        send: _answer,
        mut receive,
    } = slow.exchange;
    let reader = tokio::spawn(async move { receive.collect(10_000_000).await.unwrap().len() });
    within(send.data(Bytes::from(vec![7; 500_000])))
        .await
        .unwrap();
    send.finish().unwrap();
    assert_eq!(within(reader).await.unwrap(), sent + 500_000);
}

#[tokio::test]
async fn half_a_body_is_never_taken_for_a_whole() {
    let ((caller, _a), (_b, mut incoming)) = pair(Limits::default());
    let Exchange {
        mut send,
        receive: _receive,
    } = caller.open("upload").await.unwrap();
    send.data(Bytes::from_static(b"half of")).await.unwrap();
    drop(send);
    let mut asked = within(incoming.next()).await.unwrap();
    assert_eq!(
        within(asked.exchange.receive.collect(100)).await,
        Err(Error::Reset(ResetCode::Cancelled))
    );
}

#[tokio::test]
async fn who_cancels_is_noticed_at_the_other_side() {
    let ((caller, _a), (_b, mut incoming)) = pair(Limits::default());
    let ask = caller.call::<str, u64>("take your time", Duration::from_millis(50));
    let (answer, asked) = within(async { tokio::join!(ask, incoming.next()) }).await;
    assert_eq!(answer, Err(Error::Deadline(Duration::from_millis(50))));
    let asked = asked.unwrap();
    assert_eq!(within(asked.exchange.send.stopped()).await, Error::Stopped);
    let mut send = asked.exchange.send;
    send.header("late").unwrap();
    assert_eq!(
        send.data(Bytes::from_static(b"x")).await,
        Err(Error::Stopped)
    );
}

#[tokio::test]
async fn an_answer_may_come_before_the_body_was_read() {
    let ((caller, _a), (_b, mut incoming)) = pair(Limits::default());
    tokio::spawn(async move {
        let asked = incoming.next().await.unwrap();
        asked.reply("too large").unwrap();
        // Held open, as a server does.
        incoming.next().await
    });
    let Exchange {
        mut send,
        mut receive,
    } = caller.open("upload").await.unwrap();
    let stopped = within(async {
        loop {
            if let Err(error) = send.data(Bytes::from(vec![0; 64 * 1024])).await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(stopped, Error::Stopped);
    assert_eq!(
        within(receive.header::<String>()).await.unwrap(),
        "too large"
    );
    assert!(within(receive.next()).await.is_none());
}

#[tokio::test]
async fn refusals_say_why() {
    let ((caller, _a), (_b, mut incoming)) = pair(Limits::default());
    tokio::spawn(async move {
        incoming.next().await.unwrap().refuse(ResetCode::Refused);
        drop(incoming.next().await.unwrap());
        drop(incoming);
        // What comes after is refused for us; the connection stays.
    });
    for expected in [ResetCode::Refused, ResetCode::Failed, ResetCode::Refused] {
        let answer = within(caller.call::<u64, u64>(&1, SOON)).await;
        assert_eq!(answer, Err(Error::Reset(expected)));
    }
}

#[tokio::test]
async fn exchanges_that_end_make_room_however_they_end() {
    let ((caller, _a), (_b, mut incoming)) = pair(Limits {
        streams: 2,
        ..Limits::default()
    });
    tokio::spawn(async move {
        let mut turn = 0_u32;
        while let Some(asked) = incoming.next().await {
            turn += 1;
            match turn % 4 {
                0 => asked.refuse(ResetCode::Refused),
                1 => asked.reply(&turn).unwrap(),
                2 => drop(asked),
                _ => {
                    let Exchange { mut send, receive } = asked.exchange;
                    drop(receive);
                    send.header(&turn).unwrap();
                    send.data(Bytes::from_static(b"a body nobody asked for"))
                        .await
                        .ok();
                }
            }
        }
    });
    for number in 0..400_u32 {
        let exchange = within(caller.open(&number)).await.unwrap();
        match number % 3 {
            0 => drop(exchange),
            1 => {
                let Exchange { send, receive } = exchange;
                drop(receive);
                send.finish().unwrap();
            }
            _ => {
                let Exchange { send, mut receive } = exchange;
                send.finish().unwrap();
                let _answer = within(receive.header_bytes()).await;
            }
        }
    }
}

#[tokio::test]
async fn the_end_of_one_side_ends_everything_at_the_other() {
    let ((caller, mut a), (b, incoming)) = pair(Limits::default());
    let waiting = tokio::spawn({
        let caller = caller.clone();
        async move { caller.call::<u64, u64>(&1, SOON).await }
    });
    tokio::task::yield_now().await;
    drop((b, incoming));
    let answer = within(waiting).await.unwrap();
    assert!(
        matches!(answer, Err(Error::Gone | Error::Reset(_))),
        "{answer:?}"
    );
    assert!(within(a.next()).await.is_none());
    assert_eq!(within(caller.until_ended()).await, Error::Gone);
    assert!(caller.ended().is_some_and(|why| why.is_retryable()));
    assert_eq!(
        within(caller.call::<u64, u64>(&1, SOON)).await,
        Err(Error::Gone)
    );
}

#[tokio::test]
async fn what_was_queued_is_sent_when_the_last_handle_is_dropped() {
    let ((caller, a), (_b, mut incoming)) = pair(Limits::default());
    let Exchange { mut send, receive } = caller.open("last words").await.unwrap();
    send.data(Bytes::from(vec![1; 200_000])).await.unwrap();
    send.finish().unwrap();
    drop((caller, a, receive));
    let mut asked = within(incoming.next()).await.unwrap();
    assert_eq!(
        within(asked.exchange.receive.collect(200_000))
            .await
            .unwrap()
            .len(),
        200_000
    );
}

#[tokio::test]
async fn limits_of_one_value_are_kept() {
    let ((caller, _a), (_b, mut incoming)) = pair(Limits::default());
    let long = vec![0_u8; 64 * 1024 + 1];
    assert_eq!(
        caller.open_bytes(long.into()).await.err(),
        Some(Error::HeaderTooLong(65_537))
    );
    tokio::spawn(async move {
        let mut asked = incoming.next().await.unwrap();
        assert_eq!(asked.header.len(), 65_536);
        assert_eq!(
            asked.exchange.receive.collect(10).await,
            Err(Error::BodyTooLong(10))
        );
        asked
            .exchange
            .send
            .header_bytes(vec![1; 65_536].into())
            .unwrap();
        assert_eq!(
            asked.exchange.send.header_bytes(Bytes::new()),
            Err(Error::Misuse("the header was sent before"))
        );
        asked.exchange.send.finish().unwrap();
        incoming.next().await
    });
    let exchange = caller.open_bytes(vec![0; 65_536].into()).await.unwrap();
    let Exchange {
        mut send,
        mut receive,
    } = exchange;
    send.data(Bytes::from_static(b"eleven bytes"))
        .await
        .unwrap();
    send.finish().unwrap();
    assert_eq!(within(receive.header_bytes()).await.unwrap().len(), 65_536);
}
