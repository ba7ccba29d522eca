//! How fast one connection is: `cargo run --release -p chancery-ipc --example
//! throughput`. Two processes: this program and itself as the server.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring program speaks to a person and ends on any error"
)]

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chancery_ipc::blocking::Channel;
use chancery_ipc::{Caller, Exchange, Limits, Links, Side, Tag, connection};

const SOON: Duration = Duration::from_secs(60);

fn main() {
    let mut arguments = std::env::args();
    if arguments.nth(1).as_deref() == Some("serve") {
        let limits = if arguments.next().as_deref() == Some("wipe") {
            Limits::secret()
        } else {
            Limits::default()
        };
        return runtime().block_on(serve(limits));
    }
    for limits in [Limits::default(), Limits::secret()] {
        println!(
            "\n{}",
            if limits.wipe {
                "with wiped buffers"
            } else {
                "plain"
            }
        );
        runtime().block_on(measure(limits));
        blocking(limits);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Another process that serves; the socket is its standard input.
fn server(limits: Limits) -> (UnixStream, std::process::Child) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["serve", if limits.wipe { "wipe" } else { "plain" }])
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    (ours, child)
}

async fn serve(limits: Limits) {
    use std::os::fd::AsFd;
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    socket.set_nonblocking(true).unwrap();
    let socket = tokio::net::UnixStream::from_std(socket).unwrap();
    let (_caller, mut incoming) = connection(socket, Side::Server, limits);
    while let Some(asked) = incoming.next().await {
        if &asked.header[..] == b"sink" {
            tokio::spawn(async move {
                let Exchange {
                    mut send,
                    mut receive,
                } = asked.exchange;
                let mut total = 0_u64;
                while let Some(Ok(piece)) = receive.next().await {
                    total += u64::try_from(piece.len()).unwrap();
                }
                send.header(&total).unwrap();
                send.finish().unwrap();
            });
        } else {
            let header = asked.header.clone();
            let _gone = asked.reply_bytes(header);
        }
    }
}

async fn measure(limits: Limits) {
    let (socket, mut child) = server(limits);
    socket.set_nonblocking(true).unwrap();
    let socket = tokio::net::UnixStream::from_std(socket).unwrap();
    let (caller, _incoming) = connection(socket, Side::Client, limits);

    for (piece, total) in [(64 * 1024, 1_usize << 30), (4096, 1 << 28), (64, 1 << 22)] {
        body(&caller, piece, total).await;
    }
    for at_once in [1, 16, 128] {
        calls(&caller, at_once).await;
    }
    drop((caller, _incoming));
    child.wait().unwrap();
}

async fn body(caller: &Caller, piece: usize, total: usize) {
    let Exchange {
        mut send,
        mut receive,
    } = caller.open_bytes("sink".into()).await.unwrap();
    let bytes = Bytes::from(vec![7; piece]);
    let begun = Instant::now();
    for _ in 0..total / piece {
        send.data(bytes.clone()).await.unwrap();
    }
    send.finish().unwrap();
    let _counted: u64 = receive.header().await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "printed with four digits")]
    let (frames, mib) = ((total / piece) as f64, total as f64 / 1_048_576.0);
    println!(
        "body in pieces of {piece:>5} bytes: {:>8.0} frames/s {:>7.0} MiB/s",
        frames / seconds,
        mib / seconds
    );
}

async fn calls(caller: &Caller, at_once: usize) {
    const EACH: usize = 20_000;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..at_once)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move {
                for _ in 0..EACH / at_once {
                    caller.ask(Bytes::from_static(&[7; 100])).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    report("calls of 100 bytes", at_once, EACH, begun);
}

fn blocking(limits: Limits) {
    let (socket, mut child) = server(limits);
    let tag = Tag::fixed("custodian.core");
    let links = Links::by_hand();
    links.give(&tag, socket);
    let channel = Arc::new(Channel::new(&links, tag, limits).unwrap());
    channel.roundtrip(b"first", SOON).unwrap();
    for at_once in [1, 8] {
        const EACH: usize = 20_000;
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    for _ in 0..EACH / at_once {
                        channel.roundtrip(&[7; 100], SOON).unwrap();
                    }
                });
            }
        });
        report("blocking calls of 100 bytes", at_once, EACH, begun);
    }
    drop(channel);
    child.wait().unwrap();
}

fn report(what: &str, at_once: usize, count: usize, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "printed with four digits")]
    let (count, together) = (count as f64, at_once as f64);
    println!(
        "{what}, {at_once:>3} at once: {:>8.0}/s, {:>6.1} us each",
        count / seconds,
        seconds / count * together * 1e6
    );
}
