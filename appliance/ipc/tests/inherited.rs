//! Links on an appliance: `systemd-socket-activate` hands over the socket as
//! systemd does, to this test program started again (see `as_a_daemon`).
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use chancery_ipc::{Command as Order, Limits, Links, Side, Tag, connection};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::UnixStream;

const ADMIN: Tag = Tag::fixed("core.admin");
const OTHER: Tag = Tag::fixed("custodian.admin");
const SOON: Duration = Duration::from_secs(30);

/// No test of its own: what is started with inherited sockets.
#[test]
fn as_a_daemon() {
    let Some(run) = std::env::var_os("TEST_RUN") else {
        return;
    };
    let links = Links::from_process(Path::new(&run)).unwrap();
    links.start().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let serving = links.clone();
        tokio::spawn(async move {
            let missing = serving
                .accept(&Tag::fixed("core.nobody"))
                .await
                .unwrap_err();
            assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
            loop {
                let stream = serving.accept(&ADMIN).await.unwrap();
                let (_caller, mut incoming) = connection(stream, Side::Server, Limits::default());
                // Answers with what it is told by the one it asks by path.
                let asked = serving.client(OTHER, Limits::default());
                tokio::spawn(async move {
                    let _caller = _caller;
                    while let Some(request) = incoming.next().await {
                        let number: u32 = request.decode().unwrap();
                        let answer: u32 = asked.call(&number, SOON).await.unwrap();
                        request.reply(&answer).unwrap();
                    }
                });
            }
        });
        let port = links.port("rest").unwrap();
        assert!(port.local_addr().unwrap().ip().is_loopback());
        let mut orders = links.commands();
        let mut next = Box::pin(orders.next());
        // The signals are taken over before it says that it is ready.
        let early = tokio::time::timeout(Duration::from_millis(1), &mut next).await;
        assert!(early.is_err());
        links.ready().unwrap();
        assert_eq!(next.await, Order::Reload);
        assert_eq!(orders.next().await, Order::Stop);
    });
    std::process::exit(7);
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // Ended already where the test went well.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

fn start(run: &Path, admin: &Path, notify: &Path, port: u16) -> Started {
    let child = Command::new("systemd-socket-activate")
        .arg(format!("--listen={}", admin.display()))
        .arg(format!("--listen=127.0.0.1:{port}"))
        .arg("--fdname=core.admin:rest")
        .arg("-E")
        .arg(format!("TEST_RUN={}", run.display()))
        .arg("-E")
        .arg(format!("NOTIFY_SOCKET={}", notify.display()))
        .arg(std::env::current_exe().unwrap())
        .args(["as_a_daemon", "--exact", "--nocapture"])
        .spawn()
        .unwrap_or_else(|error| panic!("systemd-socket-activate (package systemd): {error}"));
    Started(child)
}

/// A port that is free now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn sockets_are_inherited_and_connected_by_path() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let notify = UnixDatagram::bind(at("notify")).unwrap();
    notify.set_read_timeout(Some(SOON)).unwrap();
    let mut daemon = start(
        folder.path(),
        &at("core.admin.sock"),
        &at("notify"),
        free_port(),
    );

    // The first connection starts it.
    let stream = loop {
        match UnixStream::connect(at("core.admin.sock")).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let (caller, _) = connection(stream, Side::Client, Limits::default());
    let asking = tokio::spawn({
        let caller = caller.clone();
        async move { caller.call::<u32, u32>(&20, SOON).await }
    });

    // The server that it asks comes later, is gone, and comes again.
    let other = Links::by_hand();
    other.bind(&OTHER, &at("custodian.admin.sock")).unwrap();
    let stream = tokio::time::timeout(SOON, other.accept(&OTHER))
        .await
        .unwrap()
        .unwrap();
    let (first, mut incoming) = connection(stream, Side::Server, Limits::default());
    let request = incoming.next().await.unwrap();
    let number: u32 = request.decode().unwrap();
    request.reply(&(number + 1)).unwrap();
    assert_eq!(asking.await.unwrap(), Ok(21));
    first.close();
    let again = tokio::time::timeout(SOON, other.accept(&OTHER))
        .await
        .unwrap();
    assert!(again.is_ok());

    let mut told = [0; 64];
    let length = notify.recv(&mut told).unwrap();
    assert_eq!(told.get(..length), Some(&b"READY=1"[..]));
    let pid = Pid::from_child(&daemon.0);
    kill_process(pid, Signal::HUP).unwrap();
    // The orders are taken one after the other.
    tokio::time::sleep(Duration::from_millis(50)).await;
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(daemon.0.wait().unwrap().code(), Some(7));
}
