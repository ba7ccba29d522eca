//! What processes of the node say to each other: a process that was taken over
//! must not break its neighbour.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use chancery_hsm_custodian::{Book, Client, Done, Event, Head, Limits as Gates, Recorder, Server};
use chancery_ipc::{Limits, Side, connection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

#[path = "../../../hsm/custodian/tests/soft/mod.rs"]
mod soft;

/// One thread, made once: it is what fuzzing has time for.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
});

/// Longer than anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Any bytes on the socket end the connection with a verdict, once the peer
/// closes at the latest; what was asked until then is answered.
pub fn ipc_frames_end_in_a_verdict(bytes: &[u8]) {
    RUNTIME.block_on(async {
        let (mut peer, ours) = UnixStream::pair().unwrap();
        let limits = Limits {
            streams: 4,
            ..Limits::default()
        };
        let (caller, mut incoming) = connection(ours, Side::Server, limits);
        let answering = tokio::spawn(async move {
            while let Some(asked) = incoming.next().await {
                let _either = asked.decode::<String>();
                let _gone = asked.reply(&7u32);
            }
        });
        // The greeting is a part of what is tried in half of the inputs.
        let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let mut said = Vec::new();
        if first & 1 == 0 {
            said.extend_from_slice(b"CHANCERY\x00\x01\x01\x00");
            said.extend_from_slice(&256_u32.to_be_bytes());
            said.extend_from_slice(&262_144_u32.to_be_bytes());
        }
        said.extend_from_slice(rest);
        let (mut reading, mut writing) = peer.split();
        let mut heard = Vec::new();
        let talk = async {
            // The other side may hang up in the middle.
            let _cut = writing.write_all(&said).await;
            let _cut = writing.shutdown().await;
        };
        let listen = reading.read_to_end(&mut heard);
        let both = async { tokio::join!(talk, listen) };
        let (_, _end) = tokio::time::timeout(DEADLINE, both)
            .await
            .expect("the connection ends when the peer is gone");
        tokio::time::timeout(DEADLINE, caller.until_ended())
            .await
            .expect("a verdict");
        tokio::time::timeout(DEADLINE, answering)
            .await
            .expect("no more is asked")
            .unwrap();
    });
}

/// Forgets: what is refused is not what is tested here.
struct Nowhere;

impl Recorder for Nowhere {
    fn record(&self, _event: &Event) -> io::Result<()> {
        Ok(())
    }

    fn head(&self) -> Head {
        Head::default()
    }

    fn was_done(&self, _operation: &str, _detail: &str) -> bool {
        false
    }

    fn done(&self) -> Vec<Done> {
        Vec::new()
    }

    fn latest(&self) -> i64 {
        0
    }
}

static CUSTODIAN: LazyLock<(tempfile::TempDir, Server<soft::SoftKeys>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(&folder.path().join("book"), soft::ORIGIN, &Nowhere).unwrap();
    let mut limits = Gates::for_sessions(4);
    for limit in [
        &mut limits.core,
        &mut limits.doors,
        &mut limits.readers,
        &mut limits.admin,
    ] {
        limit.per_second = u32::MAX;
    }
    let server = Server::new(
        soft::SoftKeys::default(),
        book,
        std::sync::Arc::new(Nowhere),
        limits,
    );
    (folder, server)
});

/// Any request of any client gets one answer, and the bytes after the first
/// choose nothing but the request.
pub fn custodian_requests_are_answered(bytes: &[u8]) {
    let Some((first, request)) = bytes.split_first() else {
        return;
    };
    let client = Client::ALL[usize::from(*first) % Client::ALL.len()];
    let answer = CUSTODIAN.1.handle(client, request);
    assert!(answer.len() > 1, "an answer has a version and a content");
}
