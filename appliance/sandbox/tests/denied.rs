//! Every profile from the inside: this test program started again, sandboxed,
//! tries what it may and what it may not (see `as_a_probe`).
//!
//! A program of its own, without the usual test runner: the sandbox wants a
//! process with one thread.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and a probe prints what it found"
)]

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chancery_sandbox::{Files, Grants, Hardening, Network, PROFILES, Profile, SandboxError, apply};

/// A library that no test program has loaded, in a folder that may be granted.
const LIBRARY: &str = "libresolv.so.2";

// === the probe ===

/// What the probe is told: profile, whether Unix sockets are granted, granted
/// folder, granted port, other port, library.
struct Told {
    profile: &'static Profile,
    unix: bool,
    folder: PathBuf,
    port: u16,
    other_port: u16,
    library: PathBuf,
}

impl Told {
    fn read() -> Option<Self> {
        let told = |name: &str| std::env::var(format!("PROBE_{name}"));
        let name = told("PROFILE").ok()?;
        Some(Self {
            profile: PROFILES
                .into_iter()
                .find(|profile| profile.name == name)
                .unwrap(),
            unix: told("UNIX").unwrap() == "true",
            folder: told("FOLDER").unwrap().into(),
            port: told("PORT").unwrap().parse().unwrap(),
            other_port: told("OTHER_PORT").unwrap().parse().unwrap(),
            library: told("LIBRARY").unwrap().into(),
        })
    }

    fn grants(&self) -> Grants {
        let mut grants = Grants {
            unix: self.unix,
            ..Grants::default()
        };
        match self.profile.files {
            Files::None => {}
            Files::Read => grants.read = vec![self.folder.clone()],
            Files::Write => {
                grants.write = vec![self.folder.clone()];
                // Readable, and still it cannot be loaded.
                grants.read = vec![self.library.clone()];
            }
        }
        if self.profile.network == Network::Connect {
            grants.connect = vec![self.port];
        }
        grants
    }
}

const TESTS: &[(&str, fn())] = &[
    ("a_reader_has_nothing", a_reader_has_nothing),
    (
        "a_door_reads_what_it_was_granted_and_makes_no_connection",
        a_door_reads_what_it_was_granted_and_makes_no_connection,
    ),
    (
        "a_door_that_delivers_reaches_its_relay_alone",
        a_door_that_delivers_reaches_its_relay_alone,
    ),
    (
        "core_and_custodian_keep_their_folder_and_no_network",
        core_and_custodian_keep_their_folder_and_no_network,
    ),
    (
        "the_custodian_of_a_network_hsm_may_load_and_connect",
        the_custodian_of_a_network_hsm_may_load_and_connect,
    ),
    (
        "unix_sockets_are_a_grant_and_open_no_internet",
        unix_sockets_are_a_grant_and_open_no_internet,
    ),
    (
        "threads_that_run_already_are_not_overlooked",
        threads_that_run_already_are_not_overlooked,
    ),
    (
        "a_grant_beyond_the_profile_is_a_mistake",
        a_grant_beyond_the_profile_is_a_mistake,
    ),
];

/// The probe when it is told to be one; else the tests, by the arguments that
/// test runners give: `--list`, `--exact`, `--ignored`, and a part of a name.
fn main() {
    if let Some(told) = Told::read() {
        return as_a_probe(&told);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    for (name, test) in TESTS {
        let named = |part: &&String| {
            if has("--exact") {
                *part == name
            } else {
                name.contains(*part)
            }
        };
        if has("--ignored") || !(wanted.is_empty() || wanted.iter().any(named)) {
            continue;
        }
        if has("--list") {
            println!("{name}: test");
        } else {
            test();
            println!("test {name} ... ok");
        }
    }
}

/// The sandboxed process.
fn as_a_probe(told: &Told) {
    let open_before = TcpListener::bind("127.0.0.1:0").unwrap();
    let report = apply(told.profile, &told.grants(), Hardening::BestEffort).unwrap();
    println!("probe landlock {}", report.landlock);
    for (name, found) in tries(told, &open_before) {
        let found = match found {
            Ok(()) => "ok".to_owned(),
            Err(error) => match error.raw_os_error() {
                Some(number) => number.to_string(),
                None => error.to_string().replace(['\n', ' '], "_"),
            },
        };
        println!("probe {name} {found}");
    }
    println!("probe done -");
    io::stdout().flush().unwrap();
    // Until it was looked at from outside.
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    std::process::exit(0);
}

type Try = (&'static str, io::Result<()>);

fn tries(told: &Told, open_before: &TcpListener) -> Vec<Try> {
    let inside = told.folder.join("given");
    let new = told.folder.join("new");
    let connect = |port: u16| {
        TcpStream::connect_timeout(
            &SocketAddr::from(([127, 0, 0, 1], port)),
            Duration::from_secs(5),
        )
        .map(drop)
    };
    let parent = rustix::process::getppid().unwrap();
    let load = || match cryptoki::context::Pkcs11::new(&told.library) {
        Ok(_) => Ok(()),
        // Loaded; that it is no PKCS#11 module was found later.
        Err(cryptoki::error::Error::MissingSymbol(_)) => Ok(()),
        Err(error) if error.to_string().contains("failed to map segment") => {
            Err(io::Error::other("not-mapped"))
        }
        Err(error) if error.to_string().contains("cannot open") => {
            Err(io::Error::other("not-opened"))
        }
        Err(error) => Err(io::Error::other(error.to_string())),
    };
    vec![
        ("read-granted", std::fs::read(&inside).map(drop)),
        ("write-granted", std::fs::write(&inside, "x")),
        ("make-granted", std::fs::write(&new, "x")),
        ("remove-granted", std::fs::remove_file(&new)),
        ("read-other", std::fs::read("/etc/passwd").map(drop)),
        ("write-other", std::fs::write("/tmp/chancery-probe", "x")),
        ("list-other", std::fs::read_dir("/etc").map(drop)),
        ("program", Command::new("/bin/true").status().map(drop)),
        ("connect-granted", connect(told.port)),
        ("connect-other", connect(told.other_port)),
        ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        ("accept", accept(open_before)),
        (
            "unix-socket",
            std::os::unix::net::UnixDatagram::unbound().map(drop),
        ),
        (
            "netlink-socket",
            socket(rustix::net::AddressFamily::NETLINK),
        ),
        ("raw-socket", raw_socket()),
        ("load-library", load()),
        (
            "signal-other",
            rustix::process::test_kill_process(parent).map_err(Into::into),
        ),
        ("chroot", rustix::process::chroot("/").map_err(Into::into)),
        (
            "hidden-file",
            rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::CLOEXEC)
                .map(drop)
                .map_err(Into::into),
        ),
        (
            "other-process",
            rustix::process::pidfd_open(parent, rustix::process::PidfdFlags::empty())
                .map(drop)
                .map_err(Into::into),
        ),
        (
            "dump-again",
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
                .map_err(Into::into),
        ),
        ("runtime", runtime()),
        ("random", random()),
        ("database", database(&told.folder)),
        ("tls-library", tls_library()),
    ]
}

/// An end of file on a listener opened before, from a connection that nobody
/// makes: it is the call that counts.
fn accept(listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    match listener.accept() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        other => other.map(drop),
    }
}

fn socket(family: rustix::net::AddressFamily) -> io::Result<()> {
    let kind = rustix::net::SocketType::RAW;
    rustix::net::socket(family, kind, None)
        .map(drop)
        .map_err(Into::into)
}

fn raw_socket() -> io::Result<()> {
    socket(rustix::net::AddressFamily::INET)
}

/// What every daemon does: threads, timers, signals, sockets that are given.
fn runtime() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (mut a, mut b) = tokio::net::UnixStream::pair()?;
        let writing = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            tokio::io::AsyncWriteExt::write_all(&mut a, &[7; 100_000]).await
        });
        let mut all = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut b, &mut all).await?;
        writing.await??;
        let _hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        tokio::task::spawn_blocking(std::thread::yield_now).await?;
        if all.len() == 100_000 {
            Ok(())
        } else {
            Err(io::Error::other("bytes are missing"))
        }
    })
}

/// SQLite as core and the embedded token use it.
fn database(folder: &Path) -> io::Result<()> {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    let failed = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
    let path = folder.join("x.db");
    let mut one = SqliteConnection::establish(path.to_str().unwrap_or_default())
        .map_err(|error| failed(&error))?;
    let steps = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA mmap_size = 65536;
        CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE);";
    one.batch_execute(steps).map_err(|error| failed(&error))?;
    let mut two = SqliteConnection::establish(path.to_str().unwrap_or_default())
        .map_err(|error| failed(&error))?;
    two.batch_execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (2); COMMIT; VACUUM;")
        .map_err(|error| failed(&error))?;
    drop((one, two));
    std::fs::remove_file(path)
}

/// rustls' library, first used inside.
fn tls_library() -> io::Result<()> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut bytes = [0; 32];
    provider
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("not random"))?;
    let group = provider
        .kx_groups
        .first()
        .ok_or_else(|| io::Error::other("no group"))?;
    group
        .start()
        .map(drop)
        .map_err(|error| io::Error::other(error.to_string()))
}

fn random() -> io::Result<()> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    if bytes == [0; 32] {
        Err(io::Error::other("not random"))
    } else {
        Ok(())
    }
}

// === the test's end ===

const DENIED: &str = "13"; // EACCES
const ABSENT: &str = "2"; // ENOENT
const FORBIDDEN: &str = "1"; // EPERM
const OK: &str = "ok";
const NOT_MAPPED: &str = "not-mapped";
const NOT_OPENED: &str = "not-opened";

struct Probe {
    child: Child,
    found: BTreeMap<String, String>,
    status: String,
    limits: String,
    _folder: tempfile::TempDir,
}

fn probe(profile: &Profile, unix: bool) -> Probe {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::write(folder.path().join("given"), "x").unwrap();
    let (granted, other) = (listener(), listener());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("PROBE_PROFILE", profile.name)
        .env("PROBE_UNIX", unix.to_string())
        .env("PROBE_FOLDER", folder.path())
        .env(
            "PROBE_PORT",
            granted.local_addr().unwrap().port().to_string(),
        )
        .env(
            "PROBE_OTHER_PORT",
            other.local_addr().unwrap().port().to_string(),
        )
        .env("PROBE_LIBRARY", library())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut found = BTreeMap::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(line) = line.strip_prefix("probe ") else {
            continue;
        };
        let (name, result) = line.split_once(' ').unwrap();
        if name == "done" {
            break;
        }
        found.insert(name.to_owned(), result.to_owned());
    }
    let look = |what: &str| {
        std::fs::read_to_string(format!("/proc/{}/{what}", child.id())).unwrap_or_default()
    };
    let (status, limits) = (look("status"), look("limits"));
    drop(child.stdin.take());
    Probe {
        child,
        found,
        status,
        limits,
        _folder: folder,
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn library() -> PathBuf {
    [
        "/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
        "/lib64",
        "/usr/lib64",
        "/usr/lib",
    ]
    .into_iter()
    .map(|folder| Path::new(folder).join(LIBRARY))
    .find(|path| path.exists())
    .unwrap_or_else(|| panic!("{LIBRARY} of the C library is not installed"))
}

impl Probe {
    fn landlock(&self) -> u32 {
        self.found.get("landlock").unwrap().parse().unwrap()
    }

    fn expect(&self, expected: &[(&str, &[&str])]) {
        for (name, results) in expected {
            let found = self.found.get(*name).map_or("nothing", String::as_str);
            assert!(
                results.contains(&found),
                "{name}: {found}, not {results:?}\n{self:#?}"
            );
        }
    }

    fn status(&self, field: &str) -> &str {
        self.status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .unwrap_or_default()
            .trim()
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(&self.found).finish()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let ended = self.child.wait().unwrap();
        if !std::thread::panicking() {
            assert!(ended.success(), "the probe ended with {ended}");
        }
    }
}

/// What no daemon may, and what all may.
fn common(probe: &Probe) {
    probe.expect(&[
        ("program", &[FORBIDDEN]),
        ("listen", &[FORBIDDEN]),
        ("netlink-socket", &[FORBIDDEN]),
        ("raw-socket", &[FORBIDDEN]),
        ("signal-other", &[FORBIDDEN]),
        ("chroot", &[FORBIDDEN]),
        ("hidden-file", &[FORBIDDEN]),
        ("other-process", &[FORBIDDEN]),
        ("dump-again", &[FORBIDDEN]),
        ("accept", &[OK]),
        ("runtime", &[OK]),
        ("random", &[OK]),
        ("tls-library", &[OK]),
    ]);
    if probe.landlock() > 0 {
        probe.expect(&[
            ("read-other", &[DENIED, ABSENT]),
            ("list-other", &[DENIED, ABSENT]),
            ("write-other", &[DENIED, ABSENT]),
        ]);
    }
    assert_eq!(probe.status("NoNewPrivs"), "1");
    assert_eq!(probe.status("Seccomp"), "2");
    assert_eq!(probe.status("CapEff"), "0000000000000000");
    assert_eq!(probe.status("CapPrm"), "0000000000000000");
    let core = probe
        .limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

fn a_reader_has_nothing() {
    let reader = probe(&Profile::READER, false);
    common(&reader);
    reader.expect(&[
        ("read-granted", &[ABSENT]),
        ("write-granted", &[ABSENT]),
        ("read-other", &[ABSENT]),
        ("write-other", &[ABSENT]),
        ("list-other", &[ABSENT]),
        ("connect-granted", &[FORBIDDEN]),
        ("connect-other", &[FORBIDDEN]),
        ("unix-socket", &[FORBIDDEN]),
        ("load-library", &[NOT_OPENED, NOT_MAPPED]),
    ]);
}

fn a_door_reads_what_it_was_granted_and_makes_no_connection() {
    let door = probe(&Profile::DOOR, false);
    common(&door);
    door.expect(&[
        ("read-granted", &[OK]),
        ("write-granted", &[DENIED]),
        ("make-granted", &[DENIED]),
        ("remove-granted", &[DENIED]),
        ("write-other", &[DENIED]),
        ("connect-granted", &[FORBIDDEN]),
        ("unix-socket", &[FORBIDDEN]),
        ("load-library", &[NOT_OPENED, NOT_MAPPED]),
    ]);
}

fn a_door_that_delivers_reaches_its_relay_alone() {
    let door = probe(&Profile::DOOR_OUT, false);
    common(&door);
    door.expect(&[
        ("read-granted", &[OK]),
        ("write-granted", &[DENIED]),
        ("connect-granted", &[OK]),
        ("unix-socket", &[FORBIDDEN]),
        ("load-library", &[NOT_OPENED, NOT_MAPPED]),
    ]);
    if door.landlock() >= 4 {
        door.expect(&[("connect-other", &[DENIED])]);
    }
}

fn core_and_custodian_keep_their_folder_and_no_network() {
    for profile in [&Profile::CORE, &Profile::CUSTODIAN] {
        let inside = probe(profile, false);
        common(&inside);
        inside.expect(&[
            ("read-granted", &[OK]),
            ("write-granted", &[OK]),
            ("make-granted", &[OK]),
            ("remove-granted", &[OK]),
            ("database", &[OK]),
            ("connect-granted", &[FORBIDDEN]),
            ("connect-other", &[FORBIDDEN]),
            ("unix-socket", &[FORBIDDEN]),
            ("load-library", &[NOT_MAPPED]),
        ]);
    }
}

fn the_custodian_of_a_network_hsm_may_load_and_connect() {
    let custodian = probe(&Profile::CUSTODIAN_NETWORK, false);
    common(&custodian);
    custodian.expect(&[("connect-granted", &[OK]), ("load-library", &[OK])]);
    if custodian.landlock() >= 4 {
        custodian.expect(&[("connect-other", &[DENIED])]);
    }
}

fn unix_sockets_are_a_grant_and_open_no_internet() {
    let core = probe(&Profile::CORE, true);
    common(&core);
    core.expect(&[
        ("unix-socket", &[OK]),
        ("connect-granted", &[FORBIDDEN]),
        ("connect-other", &[FORBIDDEN]),
    ]);
}

fn threads_that_run_already_are_not_overlooked() {
    let waiting = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| waiting.wait());
        let result = apply(&Profile::READER, &Grants::default(), Hardening::BestEffort);
        waiting.wait();
        assert!(
            matches!(result, Err(SandboxError::Threads(n)) if n > 1),
            "{result:?}"
        );
    });
}

fn a_grant_beyond_the_profile_is_a_mistake() {
    let grants = Grants {
        read: vec!["/etc".into()],
        ..Grants::default()
    };
    let result = apply(&Profile::READER, &grants, Hardening::BestEffort);
    assert_eq!(
        result.unwrap_err().to_string(),
        "a reader may not have files to read: this is a mistake in the program"
    );
}
