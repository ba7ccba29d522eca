//! How many operations a second a token does: asked directly, through the
//! server in this process, and over a link as core asks.
//!
//! `cargo run -p chancery-custodian --example rates -- --config FILE` with the
//! settings of a provisioned custodian; `SECONDS` sets how long each is measured.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement prints, and may end where it fails"
)]

use std::os::unix::process::CommandExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chancery_hsm_api::{
    ContentKeys, DoorZone, KekId, MacUse, Macs, PgpSigning, TlsSigning, WrappedKey,
};
use chancery_hsm_custodian::{
    Book, ChainLog, Client, CustodianSettings, CustodyClient, Limits, ModuleKind, PinSource, Server,
};
use chancery_hsm_pkcs11::{Module, Pin, Token, TokenConfig, Tries};
use chancery_ipc::blocking::Channel;
use chancery_ipc::{Links, Tag};

fn main() {
    let config = std::env::args()
        .skip_while(|arg| arg != "--config")
        .nth(1)
        .unwrap();
    let settings: CustodianSettings =
        toml::from_str(&std::fs::read_to_string(&config).unwrap()).unwrap();
    let folder = std::path::absolute(&config)
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let store = folder.join(settings.token.store.clone().unwrap());
    let (variable, file) = match settings.token.kind {
        ModuleKind::Kryoptic => ("KRYOPTIC_CONF", store.join("token.conf")),
        _ => ("SOFTHSM2_CONF", store.join("softhsm2.conf")),
    };
    if std::env::var_os(variable).is_none() {
        let error = std::process::Command::new(std::env::current_exe().unwrap())
            .args(std::env::args().skip(1))
            .env(variable, file)
            .exec();
        panic!("{error}");
    }
    let PinSource::File(pin) = &settings.pin else {
        panic!("a PIN file is wanted")
    };
    let state = tempdir(&folder);
    let token = Token::open(
        Module::load(&folder.join(&settings.token.module), None).unwrap(),
        TokenConfig {
            max_sessions: usize::try_from(settings.token.max_sessions).unwrap(),
            ..TokenConfig::new(settings.token.label.clone())
        },
        Pin::from_file(&folder.join(pin)).unwrap(),
        Tries::new(state.join("tries")),
    )
    .unwrap();

    let log = Arc::new(ChainLog::open(&state.join("log"), || 0).unwrap());
    let book = Book::open(&state.join("book"), "chancery/rates", log.as_ref()).unwrap();
    let mut limits = Limits::for_sessions(settings.token.max_sessions);
    for limit in [&mut limits.core, &mut limits.doors] {
        limit.per_second = 1_000_000;
    }
    measure(token, book, log, limits);
    std::fs::remove_dir_all(state).unwrap();
}

fn tempdir(folder: &std::path::Path) -> std::path::PathBuf {
    let state = folder.join("rates");
    std::fs::create_dir_all(&state).unwrap();
    state
}

/// What is measured, for core; handshakes are the door's.
trait Keys: ContentKeys + Macs + PgpSigning {}
impl<T: ContentKeys + Macs + PgpSigning> Keys for T {}

fn measure(token: Token, book: Book, log: Arc<ChainLog>, limits: Limits) {
    let server = Arc::new(Server::new(token, book, log, limits));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let here = local(&server, Client::Core);
    let link = linked(&server, Client::Core, "custodian.core");
    let door = linked(&server, Client::Door(DoorZone::Rest), "custodian.door-rest");
    let token = server.keys();

    println!(
        "{:28} {:>7} {:>10} {:>10} {:>10}",
        "operations/s", "callers", "direct", "server", "link"
    );
    let kek = KekId::Intake;
    let (_, wrapped) = token.new_content_key(&kek).unwrap();
    type Work<'a> = (&'a str, Box<dyn Fn(&dyn Keys) + Sync + 'a>);
    let works: [Work<'_>; 4] = [
        (
            "new content key, wrapped",
            Box::new(|keys| drop(keys.new_content_key(&kek).unwrap())),
        ),
        ("unwrap", Box::new(|keys| unwrap(keys, &wrapped))),
        ("digest of 64 bytes", Box::new(|keys| digest(keys))),
        ("OpenPGP signature", Box::new(|keys| sign(keys))),
    ];
    for callers in [1, 2, 8] {
        for (name, work) in &works {
            let direct = rate(callers, || work(token));
            let through = rate(callers, || work(&here));
            let over = rate(callers, || work(&link));
            println!("{name:28} {callers:>7} {direct:>10.0} {through:>10.0} {over:>10.0}");
        }
        let mut message = vec![0x20; 64];
        message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
        message.extend_from_slice(&[7; 32]);
        let direct = rate(callers, || handshake(token, &message));
        let over = rate(callers, || handshake(&door, &message));
        println!(
            "{:28} {callers:>7} {direct:>10.0} {:>10} {over:>10.0}",
            "TLS signature", ""
        );
    }
}

fn unwrap(keys: &dyn Keys, wrapped: &WrappedKey) {
    drop(keys.unwrap_key(wrapped).unwrap());
}

fn digest(keys: &dyn Keys) {
    keys.mac(MacUse::Row, &[7; 64]).unwrap();
}

fn sign(keys: &dyn Keys) {
    keys.pgp_sign(&[7; 32]).unwrap();
}

fn handshake(keys: &dyn TlsSigning, message: &[u8]) {
    keys.tls_sign(DoorZone::Rest, message).unwrap();
}

fn local(server: &Arc<Server<Token>>, client: Client) -> CustodyClient {
    let server = Arc::clone(server);
    CustodyClient::new(move |request| Ok(server.handle(client, request).to_vec()))
}

fn linked(server: &Arc<Server<Token>>, client: Client, tag: &'static str) -> CustodyClient {
    let tag = Tag::new(tag).unwrap();
    let (there, here) = (Links::by_hand(), Links::by_hand());
    Links::join(&there, &here, &tag).unwrap();
    tokio::spawn(chancery_custodian::answer_link(
        there,
        tag.clone(),
        client,
        Arc::clone(server),
    ));
    let channel = Channel::new(&here, tag, chancery_ipc::Limits::secret()).unwrap();
    CustodyClient::new(move |request| channel.roundtrip(request, Duration::from_secs(10)))
}

fn rate(callers: usize, work: impl Fn() + Sync) -> f64 {
    let seconds = std::env::var("SECONDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(1.0);
    let span = Duration::from_secs_f64(seconds);
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let since = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    work();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while since.elapsed() < span {
                std::thread::park_timeout(span.saturating_sub(since.elapsed()));
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
    #[allow(clippy::cast_precision_loss, reason = "a rate has few digits")]
    let count = count.load(Ordering::Relaxed) as f64;
    count / since.elapsed().as_secs_f64()
}
