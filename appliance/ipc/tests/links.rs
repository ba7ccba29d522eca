//! Connections by name, and their renewal, within one process.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_ipc::blocking::Channel;
use chancery_ipc::{Error, Limits, Links, Side, Tag, connection};
use tokio::task::JoinHandle;

const TAG: Tag = Tag::fixed("core.door-mail");
/// Calls that a server holds without answering.
static HELD: AtomicUsize = AtomicUsize::new(0);
const SOON: Duration = Duration::from_secs(20);

/// A server that answers with its own name, until aborted.
fn serve(links: &Links, name: &'static str) -> JoinHandle<()> {
    let links = links.clone();
    tokio::spawn(async move {
        loop {
            let stream = links.accept(&TAG).await.unwrap();
            let (_caller, mut incoming) = connection(stream, Side::Server, Limits::default());
            while let Some(asked) = incoming.next().await {
                if asked.header.first() == Some(&b'?') {
                    // Never answered.
                    HELD.fetch_add(1, Ordering::SeqCst);
                    let _cancelled = asked.exchange.send.stopped().await;
                    continue;
                }
                asked.reply_bytes(name.as_bytes().to_vec().into()).unwrap();
            }
        }
    })
}

#[tokio::test]
async fn a_call_waits_for_the_server_to_come() {
    let (server, client) = (Links::by_hand(), Links::by_hand());
    let asking = client.client(TAG, Limits::default());
    let early = asking.caller(Duration::from_millis(50)).await;
    assert_eq!(
        early.err(),
        Some(Error::NotConnected("core.door-mail".into()))
    );

    let waiting =
        tokio::spawn(async move { asking.caller(SOON).await.unwrap().ask("who".into()).await });
    tokio::task::yield_now().await;
    let _server = serve(&server, "first");
    Links::join(&server, &client, &TAG).unwrap();
    assert_eq!(&waiting.await.unwrap().unwrap()[..], b"first");
}

#[tokio::test]
async fn the_successor_of_a_server_is_asked() {
    let (first, second, client) = (Links::by_hand(), Links::by_hand(), Links::by_hand());
    let asking = client.client(TAG, Limits::default());
    let serving = serve(&first, "first");
    Links::join(&first, &client, &TAG).unwrap();
    let caller = asking.caller(SOON).await.unwrap();
    assert_eq!(&caller.ask("who".into()).await.unwrap()[..], b"first");

    serving.abort();
    assert!(caller.until_ended().await.is_retryable());
    assert!(!asking.is_connected());

    let _serving = serve(&second, "second");
    Links::join(&second, &client, &TAG).unwrap();
    let caller = asking.caller(SOON).await.unwrap();
    assert_eq!(&caller.ask("who".into()).await.unwrap()[..], b"second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_ask_at_once_and_see_the_server_change() {
    let (first, second, client) = (Links::by_hand(), Links::by_hand(), Links::by_hand());
    let channel = Channel::new(&client, TAG, Limits::secret()).unwrap();
    let serving = serve(&first, "first");
    Links::join(&first, &client, &TAG).unwrap();

    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        assert_eq!(channel.roundtrip(b"who", SOON).unwrap(), b"first");
                    }
                });
            }
        });
    });

    // One call is under way when the server dies: it may be asked again.
    std::thread::scope(|scope| {
        let lost = scope.spawn(|| channel.roundtrip(b"?", SOON));
        while HELD.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        serving.abort();
        let lost = lost.join().unwrap().unwrap_err();
        // A task that is aborted gives its exchanges up one by one before the
        // socket closes; a killed process (see `supervise.rs`) only closes.
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted];
        assert!(kinds.contains(&lost.kind()), "{lost}");
    });

    // The end of the connection may be noticed a moment later.
    let (nobody, waited) = loop {
        let begun = Instant::now();
        let error = channel
            .roundtrip(b"who", Duration::from_millis(60))
            .unwrap_err();
        if error.kind() != ErrorKind::ConnectionReset {
            break (error, begun.elapsed());
        }
    };
    assert_eq!(nobody.kind(), ErrorKind::NotConnected, "{nobody}");
    assert!(waited >= Duration::from_millis(60));

    let _serving = serve(&second, "second");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| channel.roundtrip(b"who", SOON));
        Links::join(&second, &client, &TAG).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), b"second");
    });
    let late = channel
        .roundtrip(b"?", Duration::from_millis(60))
        .unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
    // The channel goes on.
    assert_eq!(channel.roundtrip(b"who", SOON).unwrap(), b"second");

    let long = channel.roundtrip(&vec![0; 65_537], SOON).unwrap_err();
    assert_eq!(long.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_socket_by_path_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let tag = Tag::fixed("core.admin");
    // A socket that was left behind is replaced, a file is not.
    std::fs::write(&path, "precious").unwrap();
    let links = Links::by_hand();
    assert_eq!(
        links.bind(&tag, &path).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    std::fs::remove_file(&path).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    links.bind(&tag, &path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let connecting = tokio::net::UnixStream::connect(&path);
    let (accepted, connected) = tokio::join!(links.accept(&tag), connecting);
    let (_caller, mut incoming) = connection(accepted.unwrap(), Side::Server, Limits::default());
    let (caller, _) = connection(connected.unwrap(), Side::Client, Limits::default());
    tokio::spawn(async move { incoming.next().await.unwrap().reply(&7_u8) });
    assert_eq!(caller.call::<str, u8>("how many", SOON).await, Ok(7));
}

#[tokio::test]
async fn a_daemon_started_by_hand_says_so() {
    // Standard input of a test is no control socket.
    let links = Links::from_process(std::path::Path::new("/run/chancery"));
    assert_eq!(
        links.unwrap_err().to_string(),
        "this program is started by `chancery run` or by systemd, not by hand"
    );
}
