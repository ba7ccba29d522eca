//! One connection from the peer's side: sockets, timeouts, TLS, shutdown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]
#![forbid(unsafe_code)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use chancery_mail::wire::{Connection, Door, Ended, Limits, Protocol, Settings, serve_connection};
use chancery_message::TransportEvidence;
use support::gate::Memory;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

struct Talk {
    peer: DuplexStream,
    gate: Arc<Memory>,
    served: JoinHandle<Ended>,
    shutdown: watch::Sender<bool>,
}

fn door(gate: Arc<Memory>, protocol: Protocol, limits: Limits) -> Arc<Door> {
    Arc::new(Door {
        settings: Settings {
            protocol,
            hostname: "gateway.example".to_owned(),
            domains: vec!["gateway.example".to_owned()],
            limits,
        },
        gate,
        upgrade: None,
    })
}

fn talk_with(gate: Memory, limits: Limits) -> Talk {
    let gate = Arc::new(gate);
    let (peer, server) = tokio::io::duplex(1 << 20);
    let (shutdown, closing) = watch::channel(false);
    let connection = Connection {
        door: door(Arc::clone(&gate), Protocol::Lmtp, limits),
        address: "local".to_owned(),
        transport: Some(TransportEvidence::Local),
        shutdown: closing,
    };
    let served = tokio::spawn(serve_connection(Box::new(server), connection));
    Talk {
        peer,
        gate,
        served,
        shutdown,
    }
}

impl Talk {
    async fn say(&mut self, text: &str) {
        self.peer.write_all(text.as_bytes()).await.unwrap();
    }

    async fn rest(&mut self) -> String {
        let mut text = String::new();
        self.peer.read_to_string(&mut text).await.unwrap();
        text
    }

    async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            text.push(self.peer.read_u8().await.unwrap());
        }
        String::from_utf8(text).unwrap()
    }
}

/// Timeouts short enough to be waited for.
fn hasty() -> Limits {
    let short = Duration::from_millis(200);
    Limits {
        command: short,
        data_block: short,
        message: short * 5,
        submit: short,
        ..Limits::default()
    }
}

const HEAD: &str = "LHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@gateway.example>\r\n";

#[tokio::test]
async fn a_pipelined_message_is_handed_over() {
    let mut talk = talk_with(Memory::default(), Limits::default());
    talk.say(&format!("{HEAD}DATA\r\nhello\r\n.\r\nQUIT\r\n"))
        .await;
    let text = talk.rest().await;
    assert!(text.contains("250 2.0.0 accepted as 7\r\n221"), "{text}");
    assert_eq!(talk.served.await.unwrap(), Ended::Closed);
    let submitted = talk.gate.submitted.lock().unwrap();
    let (inbound, raw) = &submitted[0];
    assert_eq!(&raw[..], b"hello\r\n");
    assert_eq!(inbound.envelope_to, ["x@gateway.example"]);
    assert_eq!(inbound.envelope_from.as_deref(), Some("a@b.example"));
    assert_eq!(inbound.peer.address, "local");
}

#[tokio::test]
async fn a_smuggled_end_is_recorded_and_closes() {
    let mut talk = talk_with(Memory::default(), Limits::default());
    talk.say(&format!(
        "{HEAD}DATA\r\nhello\n.\r\nMAIL FROM:<e@b.example>\r\n"
    ))
    .await;
    let text = talk.rest().await;
    assert!(text.ends_with("closing the connection\r\n"), "{text}");
    assert_eq!(talk.served.await.unwrap(), Ended::Closed);
    assert_eq!(talk.gate.reasons(), ["bare-lf"]);
    assert!(talk.gate.bodies().is_empty());
}

#[tokio::test]
async fn silence_ends_the_connection() {
    let mut talk = talk_with(Memory::default(), hasty());
    assert!(talk.rest().await.ends_with("421 4.4.2 timeout\r\n"));
    assert_eq!(talk.served.await.unwrap(), Ended::TimedOut);

    let mut talk = talk_with(Memory::default(), hasty());
    talk.say(&format!("{HEAD}DATA\r\nhel")).await;
    assert!(talk.rest().await.ends_with("421 4.4.2 timeout\r\n"));
    assert!(talk.gate.bodies().is_empty());
}

/// A peer that always sends a little is bounded by the time for a whole message.
#[tokio::test]
async fn a_drip_of_octets_ends_too() {
    let mut talk = talk_with(Memory::default(), hasty());
    talk.say(&format!("{HEAD}DATA\r\n")).await;
    let began = tokio::time::Instant::now();
    while !talk.served.is_finished() && began.elapsed() < Duration::from_secs(60) {
        if talk.peer.write_all(b"x").await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(talk.served.await.unwrap(), Ended::TimedOut);
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_temporary() {
    let silent = Memory {
        silent: true,
        ..Memory::default()
    };
    let mut talk = talk_with(silent, hasty());
    talk.say(&format!("{HEAD}DATA\r\nhello\r\n.\r\nQUIT\r\n"))
        .await;
    let text = talk.rest().await;
    assert!(text.contains("\r\n451 4.3.0"), "{text}");
}

#[tokio::test]
async fn a_closing_door_says_so_between_commands() {
    let mut talk = talk_with(Memory::default(), Limits::default());
    talk.until("ready\r\n").await;
    talk.shutdown.send(true).unwrap();
    assert!(talk.rest().await.starts_with("421 4.3.2"));
    assert_eq!(talk.served.await.unwrap(), Ended::Shutdown);
}

/// SMTP-040: the peer vanishes at every place of a conversation.
#[tokio::test]
async fn a_peer_that_vanishes_leaves_nothing_by_halves() {
    let script = format!("{HEAD}DATA\r\nhello\r\n.\r\n");
    for cut in 0..=script.len() {
        let mut talk = talk_with(Memory::default(), Limits::default());
        talk.say(script.get(..cut).unwrap()).await;
        talk.peer.shutdown().await.unwrap();
        talk.served.await.unwrap();
        let whole = usize::from(cut == script.len());
        assert_eq!(talk.gate.bodies().len(), whole, "cut at {cut}");
    }
}

#[tokio::test]
async fn who_sends_too_much_is_told_and_gone() {
    let gate = Memory {
        too_many: true,
        ..Memory::default()
    };
    let mut talk = talk_with(gate, Limits::default());
    talk.say(&format!("{HEAD}DATA\r\nhello\r\n.\r\nNOOP\r\n"))
        .await;
    let text = talk.rest().await;
    assert!(
        text.ends_with("421 4.7.0 too much from one address, try again later\r\n"),
        "{text}"
    );
    assert_eq!(talk.served.await.unwrap(), Ended::Closed);
    assert!(talk.gate.bodies().is_empty());
    assert_eq!(talk.gate.reasons(), ["too-many-requests"]);
}

#[tokio::test]
async fn a_connection_too_many_is_turned_away_before_the_greeting() {
    let (mut peer, server) = tokio::io::duplex(1024);
    chancery_mail::wire::turn_away(Box::new(server)).await;
    let mut text = String::new();
    peer.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("421 4.7.0 "), "{text}");
    assert!(text.ends_with("\r\n"), "{text}");
}
