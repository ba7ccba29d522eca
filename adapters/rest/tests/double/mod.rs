//! A gate in memory that records what it was asked, and a peer's end of HTTP/1.1.
#![allow(dead_code, reason = "every test file uses its part")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chancery_message::{
    CertificateEvidence, Channel, Entropy, EntropyError, Inbound, PeerEvidence, Timestamp,
    TransportEvidence,
};
use chancery_pipeline::ports::{
    Ask, BoxFuture, Chunks, DoorRefusal, Gate, GateError, Reply, ReplyBody, TooMany,
};
use chancery_rest::wire::{Limits, Peer, Rest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What the double was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) submitted: Vec<(Inbound, Vec<u8>)>,
    pub(crate) asked: Vec<Ask>,
    pub(crate) uploads: Vec<(String, Option<u64>, u64)>,
    pub(crate) refused: Vec<String>,
}

/// Answers every ask with its own words.
#[derive(Default)]
pub(crate) struct Double {
    pub(crate) seen: Mutex<Seen>,
    /// Answered instead, once.
    pub(crate) instead: Mutex<Option<Result<Reply, GateError>>>,
    /// How long an ask takes.
    pub(crate) delay: Duration,
    /// Size of the attachment that is streamed.
    pub(crate) stream: u64,
    /// Chunks that the stream really has, 64 KiB each.
    pub(crate) chunks: u64,
    /// Answered to every request, before it is looked at.
    pub(crate) many: Option<TooMany>,
}

pub(crate) fn json(status: u16, body: &'static str) -> Reply {
    Reply {
        status,
        content_type: "application/json".to_owned(),
        headers: Vec::new(),
        body: ReplyBody::Whole(Bytes::from_static(body.as_bytes())),
        per_recipient: Vec::new(),
    }
}

impl Double {
    fn answer(&self, reply: Reply) -> Result<Reply, GateError> {
        self.instead.lock().unwrap().take().unwrap_or(Ok(reply))
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Gate for Double {
    fn submit(&self, inbound: Inbound, raw: Bytes) -> BoxFuture<'_, Result<Reply, GateError>> {
        self.seen
            .lock()
            .unwrap()
            .submitted
            .push((inbound, raw.to_vec()));
        let answer = self.answer(json(202, "{\"submitted\":true}"));
        Box::pin(async move { answer })
    }

    fn upload<'a>(
        &'a self,
        _: PeerEvidence,
        media_type: String,
        declared_size: Option<u64>,
        body: &'a mut dyn Chunks,
    ) -> BoxFuture<'a, Result<Reply, GateError>> {
        Box::pin(async move {
            let mut size = 0;
            while let Some(chunk) = body.next().await {
                let chunk = chunk?;
                assert!(chunk.len() <= 64 * 1024);
                size += chunk.len() as u64;
            }
            self.seen
                .lock()
                .unwrap()
                .uploads
                .push((media_type, declared_size, size));
            self.answer(json(201, "{\"uploaded\":true}"))
        })
    }

    fn ask(&self, _: PeerEvidence, ask: Ask) -> BoxFuture<'_, Result<Reply, GateError>> {
        let reply = if matches!(ask, Ask::FetchAttachment { .. }) {
            chancery_rest::content::attachment(self.stream, Box::new(Zeros(self.chunks)))
        } else {
            json(200, "{\"asked\":true}")
        };
        self.seen.lock().unwrap().asked.push(ask);
        let answer = self.answer(reply);
        let delay = self.delay;
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            answer
        })
    }

    fn admit(&self, _: &PeerEvidence) -> Result<(), TooMany> {
        self.many.map_or(Ok(()), Err)
    }

    fn refused(&self, refusal: DoorRefusal) -> BoxFuture<'_, ()> {
        self.seen.lock().unwrap().refused.push(refusal.reason);
        Box::pin(async {})
    }
}

/// So many chunks of zeros.
struct Zeros(u64);

impl Chunks for Zeros {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, GateError>>> {
        let more = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        Box::pin(async move { more.then(|| Ok(Bytes::from_static(&[0; 64 * 1024]))) })
    }
}

struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        buffer.fill(7);
        Ok(())
    }
}

pub(crate) fn peer() -> Peer {
    Peer {
        evidence: PeerEvidence {
            channel: Channel::Rest,
            transport: TransportEvidence::MutualTls {
                certificate: CertificateEvidence {
                    fingerprint: [1; 32],
                    spki: [2; 32],
                    not_after: Timestamp::from_micros(0),
                    key: "ecdsa_secp256r1_sha256".to_owned(),
                },
                group: "X25519MLKEM768".to_owned(),
            },
            address: "192.0.2.1:1".to_owned(),
        },
        server_name: Some("gateway.example".to_owned()),
    }
}

pub(crate) fn rest(gate: &Arc<Double>, limits: Limits) -> Rest {
    Rest::new(gate.clone(), Arc::new(Sevens), limits)
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn problem(&self) -> String {
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{}",
            self.head
        );
        let value: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(value["status"], self.status);
        value["type"]
            .as_str()
            .unwrap()
            .strip_prefix("urn:chancery:problem:")
            .unwrap()
            .to_owned()
    }
}

/// Sends raw bytes on a connection of its own and reads the answer to its end.
pub(crate) async fn raw(gate: &Arc<Double>, limits: Limits, request: &[u8]) -> Answer {
    let (near, far) = tokio::io::duplex(256 * 1024);
    let rest = rest(gate, limits);
    let server = tokio::spawn(async move { rest.serve(far, peer(), std::future::pending()).await });
    let (mut reading, mut writing) = tokio::io::split(near);
    let request = request.to_vec();
    // A refusal may come before the request is through.
    let sending = tokio::spawn(async move {
        drop(writing.write_all(&request).await);
        writing
    });
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), reading.read_to_end(&mut bytes)).await;
    drop(read.expect("an answer in time"));
    sending.abort();
    server.abort();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Answer {
        status: head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// A request with the usual head and `Connection: close`.
pub(crate) async fn request(gate: &Arc<Double>, line: &str, fields: &str, body: &str) -> Answer {
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let text = format!(
        "{line} HTTP/1.1\r\nhost: gateway.example:8443\r\nconnection: close\r\n{fields}{length}\r\n{body}"
    );
    raw(gate, Limits::default(), text.as_bytes()).await
}

/// Serves on a port of its own until the test ends.
pub(crate) async fn serve(gate: &Arc<Double>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}/api/v1", listener.local_addr().unwrap());
    let rest = rest(gate, Limits::default());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let rest = rest.clone();
            let peer = Peer {
                server_name: None,
                ..peer()
            };
            tokio::spawn(async move { rest.serve(stream, peer, std::future::pending()).await });
        }
    });
    root
}
