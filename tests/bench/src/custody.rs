//! How many operations a second a token does, asked directly and through the
//! custodian's socket, by role and by the number of callers; TLS handshakes with
//! the key in the token, and what they do to other work of the same process.
//!
//! The two ways take turns of a fraction of a second, so that a machine that is
//! busy is busy for both; processor time is told beside, which others do not
//! change: where all cores work, its ratio is that of the rates. The custodian's side is the server as it serves:
//! role table, register with its periods, counting, limits lifted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chancery_hsm_api::{
    ContentKeys as _, DoorZone, Inventory as _, KekId, MacUse, Macs as _, PgpDecryption as _,
    PgpSigning as _, PublicKeys, Randomness as _, TlsSigning,
};
use chancery_hsm_custodian::{
    Book, ChainLog, Client, CustodyClient, Governance, Limits, Periods, Recorder, Register, Server,
};
use chancery_hsm_pkcs11::Token;
use chancery_ipc::blocking::Channel;
use chancery_ipc::{Links, Tag};
use chancery_machine::SystemClock;
use chancery_transport::{ClientProfile, ClientTls, Clients, Handshakes, ServerProfile, ServerTls};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::measure::quantile;
use crate::node::{Node, field};

/// One turn of one way.
const TURN: Duration = Duration::from_millis(250);

/// Both tokens, one after the other, each in a program of its own: a module is
/// configured by the environment.
pub(crate) fn run(arguments: &[String]) {
    let seconds = arguments.first().map_or("2", String::as_str);
    for (kind, variable, conf) in [
        ("kryoptic", "KRYOPTIC_CONF", "token.conf"),
        ("softhsm", "SOFTHSM2_CONF", "softhsm2.conf"),
    ] {
        let node = Node::make("mail,siena,rest", &["--token", kind]);
        let out = node.path("csirt-alpha").display().to_string();
        node.enroll("csirt-alpha", &["--channel", "rest", "--out", &out]);
        println!("-- {kind}");
        let ended = Command::new(std::env::current_exe().unwrap())
            .arg("custody-alone")
            .arg(node.path("node"))
            .arg(node.profile("csirt-alpha", "rest"))
            .arg(seconds)
            .env(variable, node.path("node/data/token").join(conf))
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(ended.success(), "{kind} was not measured");
    }
}

/// The program: one token.
pub(crate) fn alone(arguments: &[String]) {
    let [node, profile, seconds] = arguments else {
        panic!("custody-alone NODE PROFILE SECONDS")
    };
    let span = Duration::from_secs_f64(seconds.parse().unwrap());
    let server = governed(Path::new(node));
    let runtime = Runtime::new().unwrap();
    {
        let _inside = runtime.enter();
        operations(&server, span);
    }
    handshakes(Path::new(node), Path::new(profile), &server, &runtime, span);
}

/// The custodian's server, with register and roster as it serves.
fn governed(node: &Path) -> Arc<Server<Token>> {
    let (token, settings, state) = crate::alone::token(node);
    let log: Arc<dyn Recorder> = Arc::new(ChainLog::open(&state.join("log"), || 0).unwrap());
    let book = Book::open(&state.join("book"), "chancery/alone", log.as_ref()).unwrap();
    let register = Register::open(
        Arc::clone(&log),
        Periods::default(),
        Arc::new(|| chancery_message::Clock::now(&SystemClock).as_micros()),
    )
    .unwrap();
    let there: Vec<_> = token
        .keys()
        .unwrap()
        .into_iter()
        .map(|key| (key.role, key.generation))
        .collect();
    register.reconcile(&token, &there).unwrap();
    let table = state.join("role-table.json");
    let origin = "chancery/alone".to_owned();
    let governance = Governance::open(origin, Arc::clone(&log), register, None, table).unwrap();
    let mut limits = Limits::for_sessions(settings.token.max_sessions);
    for limit in [&mut limits.core, &mut limits.doors, &mut limits.readers] {
        limit.per_second = 1_000_000;
        limit.at_once = 64;
    }
    Arc::new(Server::new(token, book, log, limits).with_governance(governance))
}

/// A client over a link of its own, as a process has it.
fn linked(server: &Arc<Server<Token>>, client: Client, tag: &'static str) -> Arc<CustodyClient> {
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
    Arc::new(CustodyClient::new(move |request| {
        channel.roundtrip(request, Duration::from_secs(20))
    }))
}

/// Something asked once, the one way and the other.
struct Work {
    name: &'static str,
    direct: Box<dyn Fn(&Token) + Sync>,
    linked: Box<dyn Fn() + Sync>,
}

/// The same call on the token and on a client of the custodian.
macro_rules! work {
    ($name:literal, $client:expr, |$keys:ident| $call:expr) => {{
        let client = Arc::clone(&$client);
        Work {
            name: $name,
            direct: Box::new(move |$keys: &Token| {
                std::hint::black_box($call);
            }),
            linked: Box::new(move || {
                let $keys = client.as_ref();
                std::hint::black_box($call);
            }),
        }
    }};
}

fn operations(server: &Arc<Server<Token>>, span: Duration) {
    let core = linked(server, Client::Core, "custodian.core");
    let door = linked(server, Client::Door(DoorZone::Rest), "custodian.door-rest");
    let reader = linked(
        server,
        Client::Reader(DoorZone::Mail),
        "custodian.reader-mail",
    );
    let token = server.keys();
    let nc: KekId = "kek/0/csirt-alpha".parse().unwrap();
    let (_, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    let (moved, to) = (wrapped.clone(), nc.clone());
    let point = p256::SecretKey::from_slice(&[7; 32])
        .unwrap()
        .public_key()
        .to_sec1_bytes()
        .to_vec();
    let works = [
        work!("kek: new content key", core, |keys| {
            keys.new_content_key(&KekId::Intake).unwrap()
        }),
        {
            let (one, two) = (wrapped.clone(), wrapped);
            let client = Arc::clone(&core);
            Work {
                name: "kek: unwrap",
                direct: Box::new(move |keys| drop(keys.unwrap_key(&one).unwrap())),
                linked: Box::new(move || drop(client.unwrap_key(&two).unwrap())),
            }
        },
        {
            let (one, to_one) = (moved.clone(), nc);
            let client = Arc::clone(&core);
            Work {
                name: "kek: rewrap",
                direct: Box::new(move |keys| drop(keys.rewrap_key(&one, &to_one).unwrap())),
                linked: Box::new(move || drop(client.rewrap_key(&moved, &to).unwrap())),
            }
        },
        work!("mac/row: 64 bytes", core, |keys| {
            keys.mac(MacUse::Row, &[7; 64]).unwrap()
        }),
        work!("random: 32 bytes", core, |keys| {
            keys.fill(&mut [0; 32]).unwrap()
        }),
        work!("pgp/sign", core, |keys| keys.pgp_sign(&[7; 32]).unwrap()),
        {
            let (one, two) = (point.clone(), point);
            Work {
                name: "pgp/decrypt: agree",
                direct: Box::new(move |keys| drop(keys.pgp_agree(&one).unwrap())),
                linked: Box::new(move || drop(reader.pgp_agree(&two).unwrap())),
            }
        },
        work!("tls/rest: sign", door, |keys| {
            keys.tls_sign(DoorZone::Rest, &handshake_message()).unwrap()
        }),
    ];
    println!(
        "{:24} {:>7} {:>11} {:>11} {:>7} {:>14} {:>14} {:>7}",
        "operations per second",
        "callers",
        "direct",
        "socket",
        "ratio",
        "direct, cpu us",
        "socket, cpu us",
        "ratio"
    );
    for work in &works {
        for callers in [1, 2, 8] {
            let [direct, socket] = turns(callers, span, || (work.direct)(token), &work.linked);
            println!(
                "{:24} {callers:>7} {:>11.0} {:>11.0} {:>7.2} {:>14.1} {:>14.1} {:>7.2}",
                work.name,
                direct.rate(),
                socket.rate(),
                socket.rate() / direct.rate(),
                direct.each_us(),
                socket.each_us(),
                direct.each_us() / socket.each_us()
            );
        }
    }
}

fn handshake_message() -> Vec<u8> {
    let mut message = vec![0x20; 64];
    message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
    message.extend_from_slice(&[7; 32]);
    message
}

/// What a way took: so many a second by the clock, and processor time of one.
#[derive(Default)]
struct Way {
    count: u64,
    seconds: f64,
    busy: f64,
}

impl Way {
    #[allow(clippy::cast_precision_loss, reason = "a rate has few digits")]
    fn rate(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    #[allow(clippy::cast_precision_loss, reason = "a rate has few digits")]
    fn each_us(&self) -> f64 {
        self.busy * 1e6 / self.count.max(1) as f64
    }
}

/// Processor time of this process so far, all its threads, in seconds.
fn busy() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next().unwrap().parse::<f64>().unwrap();
    // USER_HZ is 100 on every Linux that runs this.
    (next() + next()) / 100.0
}

/// Two ways that take turns.
fn turns(callers: usize, span: Duration, one: impl Fn() + Sync, two: impl Fn() + Sync) -> [Way; 2] {
    let mut ways = [Way::default(), Way::default()];
    let begin = Instant::now();
    while begin.elapsed() < span * 2 {
        for (which, way) in ways.iter_mut().enumerate() {
            let (since, before) = (Instant::now(), busy());
            way.count += if which == 0 {
                turn(callers, &one)
            } else {
                turn(callers, &two)
            };
            way.seconds += since.elapsed().as_secs_f64();
            way.busy += busy() - before;
        }
    }
    ways
}

fn turn(callers: usize, work: &(impl Fn() + Sync)) -> u64 {
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
        while since.elapsed() < TURN {
            std::thread::park_timeout(TURN.saturating_sub(since.elapsed()));
        }
        stop.store(true, Ordering::Relaxed);
    });
    count.load(Ordering::Relaxed)
}

// === handshakes ===

/// A door's TLS over the custodian's socket, with as many clients as callers;
/// beside it, in the same runtime, a timer of 5 ms that tells how late it is.
fn handshakes(
    node: &Path,
    profile: &Path,
    server: &Arc<Server<Token>>,
    runtime: &Runtime,
    span: Duration,
) {
    let custody = {
        let _inside = runtime.enter();
        linked(server, Client::Door(DoorZone::Rest), "custodian.door-rest")
    };
    let settings = chancery_settings::Settings::load(&node.join("chancery.toml")).unwrap();
    let door = settings.doors.rest.unwrap();
    let read = |file: &PathBuf| std::fs::read(file).unwrap();
    let shown = ServerProfile {
        zone: DoorZone::Rest,
        certificate_chain: read(&door.certificate),
        clients: Clients::Required {
            ca: read(&door.client_ca),
            crl: None,
        },
        alpn: vec!["http/1.1"],
    };
    let keys: &dyn PublicKeys = custody.as_ref();
    let signing: Arc<dyn TlsSigning> = Arc::<CustodyClient>::clone(&custody);
    let tls = ServerTls::new(
        &shown,
        Handshakes::default(),
        keys,
        signing,
        Arc::new(SystemClock),
    )
    .unwrap();
    let tls = Arc::new(tls);
    let base = profile.parent().unwrap();
    let file = |name| std::fs::read(base.join(field(profile, name))).unwrap();
    let client = ClientTls::new(
        &ClientProfile {
            ca: file("ca"),
            certificate_chain: file("certificate"),
            key: file("key"),
            alpn: vec!["http/1.1"],
        },
        Arc::new(SystemClock),
    )
    .unwrap();
    let url: http::Uri = field(profile, "url").parse().unwrap();
    let name = url.host().unwrap().to_owned();
    println!(
        "{:24} {:>7} {:>11} {:>11} {:>11} {:>11}",
        "TLS handshakes per second", "clients", "handshakes", "late p50", "late p99", "most"
    );
    for callers in [0, 1, 2, 8] {
        let (count, late) = runtime.block_on(knock(&tls, &client, &name, callers, span));
        #[allow(clippy::cast_precision_loss, reason = "a rate has few digits")]
        let rate = count as f64 / span.as_secs_f64();
        println!(
            "{:24} {callers:>7} {rate:>11.0} {:>11.2?} {:>11.2?} {:>11.2?}",
            "",
            quantile(&late, 0.5),
            quantile(&late, 0.99),
            quantile(&late, 1.0)
        );
    }
}

async fn knock(
    tls: &Arc<ServerTls>,
    client: &ClientTls,
    name: &str,
    callers: usize,
    span: Duration,
) -> (u64, Vec<Duration>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (done, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let accepting = {
        let (tls, done) = (Arc::clone(tls), Arc::clone(&done));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, done) = (Arc::clone(&tls), Arc::clone(&done));
                tokio::spawn(async move {
                    if tls.accept(stream).await.is_ok() {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        })
    };
    // The clients' own work is another process' in life: threads of their own.
    let clients: Vec<_> = (0..callers)
        .map(|_| {
            let (client, name, stop) = (client.clone(), name.to_owned(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let own = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                own.block_on(async {
                    while !stop.load(Ordering::Relaxed) {
                        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                        drop(client.connect(&name, stream).await.unwrap());
                    }
                });
            })
        })
        .collect();
    let timing = tokio::spawn(async move {
        let mut late = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < span {
            let since = Instant::now();
            tokio::time::sleep(Duration::from_millis(5)).await;
            late.push(since.elapsed().saturating_sub(Duration::from_millis(5)));
        }
        late
    });
    let late = timing.await.unwrap();
    let count = done.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        tokio::task::block_in_place(|| client.join().unwrap());
    }
    accepting.abort();
    (count, late)
}
