//! A PostgreSQL server for one test process: its own folder, a Unix socket,
//! no network, never run as root.
//!
//! Needs the standard library and `tempfile` alone: the store's tests include
//! this file with `#[path]`, since no adapter may know this crate.
//!
//! A shell stands between us and the server and reads our commands. When this
//! process ends, however it ends, the shell sees the end of its input, stops
//! the server by its process id and removes the folder.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const SUPERVISOR: &str = r#"
dir=$1; shift
"$@" >"$dir/log" 2>&1 & pid=$!
while read -r line; do
    case $line in
        crash) kill -QUIT $pid; wait $pid; "$@" >>"$dir/log" 2>&1 & pid=$! ;;
        stop) kill -QUIT $pid; wait $pid; pid= ;;
        start) "$@" >>"$dir/log" 2>&1 & pid=$! ;;
    esac
done
[ -n "$pid" ] && kill -INT $pid && wait $pid
rm -rf "$dir"
"#;

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    dir: PathBuf,
    owner: Option<(u32, u32)>,
    supervisor: Mutex<(Child, Option<ChildStdin>)>,
    databases: AtomicU32,
}

impl Postgres {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    /// When PostgreSQL is not installed (it says which package), or does not start.
    pub fn start() -> Self {
        let bin = binaries().expect(
            "PostgreSQL is not installed: `apt-get install postgresql` (wanted: /usr/lib/postgresql/*/bin/postgres)",
        );
        let owner = is_root().then(unprivileged_user);
        let dir = tempfile::Builder::new()
            .prefix("chancery-pg-")
            .tempdir()
            .unwrap()
            .keep();
        if let Some((uid, gid)) = owner {
            chown(&dir, Some(uid), Some(gid)).unwrap();
        }
        let data = dir.join("data");
        let initdb = command(&bin.join("initdb"), &dir, owner)
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            initdb.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&initdb.stderr)
        );
        let mut supervisor = command(Path::new("/bin/sh"), &dir, owner)
            .args(["-c", SUPERVISOR, "postgres-for-tests"])
            .arg(&dir)
            .arg(bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c"])
            .arg(format!("unix_socket_directories={}", dir.display()))
            .args(["-c", "max_connections=200", "-c", "shared_buffers=32MB"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let input = supervisor.stdin.take();
        let server = Self {
            bin,
            dir,
            owner,
            supervisor: Mutex::new((supervisor, input)),
            databases: AtomicU32::new(0),
        };
        server.wait();
        server
    }

    /// The URL of a database, as its superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as(database, "postgres")
    }

    /// The URL of a database, as another role.
    pub fn url_as(&self, database: &str, role: &str) -> String {
        format!(
            "postgres:///{database}?host={}&user={role}",
            self.dir.display()
        )
    }

    /// Its folder: data, log, and the socket.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// A new, empty database; its name.
    pub fn create_database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", "postgres", &format!("CREATE DATABASE {name}"))
            .unwrap();
        name
    }

    /// A new database that a role `chancery`, who is no superuser, owns; its URL
    /// as the settings of a gateway have it.
    pub fn database_of_a_gateway(&self) -> String {
        for sql in [
            "CREATE ROLE chancery LOGIN",
            "CREATE DATABASE chancery OWNER chancery",
        ] {
            self.psql("postgres", "postgres", sql).unwrap();
        }
        format!(
            "postgresql://chancery@/chancery?host={}",
            self.dir.display()
        )
    }

    /// Runs SQL as a role; what it printed, or what was wrong.
    ///
    /// # Errors
    /// What `psql` says.
    pub fn psql(&self, database: &str, role: &str, sql: &str) -> Result<String, String> {
        let mut psql = command(&self.bin.join("psql"), &self.dir, self.owner)
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                role,
                "-d",
                database,
                "-h",
            ])
            .arg(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        psql.stdin
            .take()
            .unwrap()
            .write_all(sql.as_bytes())
            .unwrap();
        let output = psql.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// Ends all its processes at once, as a crash would, and starts it again.
    pub fn crash(&self) {
        self.tell("crash");
        self.wait();
    }

    /// Ends all its processes at once.
    pub fn stop(&self) {
        self.tell("stop");
        self.until(false);
    }

    /// Starts it again after [`Postgres::stop`].
    pub fn start_again(&self) {
        self.tell("start");
        self.wait();
    }

    fn tell(&self, word: &str) {
        let mut supervisor = self.supervisor.lock().unwrap();
        writeln!(supervisor.1.as_mut().unwrap(), "{word}").unwrap();
    }

    fn wait(&self) {
        self.until(true);
    }

    fn until(&self, up: bool) {
        let begin = Instant::now();
        loop {
            let ready = command(&self.bin.join("pg_isready"), &self.dir, self.owner)
                .args(["-q", "-h"])
                .arg(&self.dir)
                .status()
                .unwrap();
            if ready.success() == up {
                return;
            }
            let log = || std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(
                begin.elapsed() < Duration::from_secs(120),
                "PostgreSQL does not start:\n{}",
                log()
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut supervisor = self.supervisor.lock().unwrap();
        supervisor.1 = None;
        supervisor.0.wait().ok();
    }
}

fn command(program: &Path, dir: &Path, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C");
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command
}

/// The newest version's folder of programs.
fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            bin.join("postgres").is_file().then_some((version, bin))
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The server refuses to run as root: `postgres`, or else `nobody`.
fn unprivileged_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let fields: Vec<&str> =
            users
                .lines()
                .map(|line| line.split(':'))
                .find_map(|mut fields| {
                    (fields.clone().next() == Some(name)).then(|| fields.by_ref().collect())
                })?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .expect("neither `postgres` nor `nobody` is a user here")
}
