//! A node of the real programs, for tests: made by `chancery init`, run by
//! `chancery run`, used by the commands that people type.
//!
//! The programs are found beside the test: `cargo build --workspace` makes
//! them, and `hsm/token` the token.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test may end where it fails"
)]

mod failing;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The folder of the programs.
#[must_use]
pub fn programs() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    // target/PROFILE/deps/TEST
    let folder = me.parent().and_then(Path::parent).unwrap().to_owned();
    let chancery = folder.join("chancery");
    assert!(
        chancery.is_file(),
        "{} is not built: cargo build --workspace",
        chancery.display()
    );
    folder
}

/// Runs `chancery` with these arguments and this input.
#[must_use]
pub fn chancery(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(programs().join("chancery"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that needs no input may be gone by now.
    let _written = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// What it said, for a message.
#[must_use]
pub fn told(output: &Output) -> String {
    format!(
        "{}: {} {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs a command that must succeed; its output.
#[must_use]
pub fn good(arguments: &[&str], input: &str) -> String {
    let output = chancery(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A node with the example participants, reached by REST.
#[derive(Debug)]
pub struct Node {
    folder: TempDir,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

/// What the supervisor told.
#[derive(Debug, Default)]
struct Seen {
    pids: BTreeMap<String, u32>,
    ready: BTreeMap<String, u32>,
    all: bool,
}

impl Node {
    /// Makes a node with the REST door, and clients for these participants.
    #[must_use]
    pub fn make(participants: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Self {
            folder,
            running: None,
        };
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let (dir, port) = (node.text("node"), port.to_string());
        let _made = good(
            &[
                "init",
                &dir,
                "--with-examples",
                "--zones",
                "rest",
                "--rest",
                &port,
                "--best-effort",
            ],
            "",
        );
        let config = node.config();
        for id in participants {
            let out = node.text(id);
            let _made = good(
                &[
                    "participant",
                    "--config",
                    &config,
                    "enroll",
                    id,
                    "--channel",
                    "rest",
                    "--out",
                    &out,
                ],
                "",
            );
        }
        node
    }

    /// A path in the test's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> String {
        self.text("node/chancery.toml")
    }

    /// A participant's profile.
    #[must_use]
    pub fn profile(&self, id: &str) -> String {
        self.text(&format!("{id}/{id}-rest.toml"))
    }

    /// Starts the daemons and waits until all serve.
    pub fn start(&mut self) {
        let mut child = Command::new(programs().join("chancery"))
            .args([
                "--json",
                "run",
                "--until-input-ends",
                "--config",
                &self.config(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let (lines, watched) = (
            BufReader::new(child.stderr.take().unwrap()),
            Arc::clone(&seen),
        );
        let mut log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("node.log"))
            .unwrap();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                writeln!(log, "{line}").unwrap();
                let Ok(event) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                let word = |key: &str| {
                    event
                        .get(key)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                let mut seen = watched.0.lock().unwrap();
                match word("event").as_str() {
                    "started" => {
                        let pid = event.get("pid").and_then(Value::as_u64).unwrap_or_default();
                        seen.pids
                            .insert(word("process"), u32::try_from(pid).unwrap());
                    }
                    "ready" => {
                        let name = word("process");
                        let pid = seen.pids.get(&name).copied().unwrap_or_default();
                        seen.ready.insert(name, pid);
                    }
                    "all-ready" => seen.all = true,
                    _ => {}
                }
                watched.1.notify_all();
            }
        });
        let input = child.stdin.take();
        self.running = Some(Running { child, input, seen });
        self.wait("all daemons to serve", |seen| seen.all);
    }

    fn wait(&self, what: &str, mut there: impl FnMut(&Seen) -> bool) {
        let running = self.running.as_ref().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let mut seen = running.seen.0.lock().unwrap();
        while !there(&seen) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited too long for {what}: {}",
                self.last_lines()
            );
            seen = running.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// The end of the node's log.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(self.path("node.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(20);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// Kills a daemon at once, and waits until another in its place serves.
    pub fn kill(&self, name: &str) {
        let pid = {
            let seen = self.running.as_ref().unwrap().seen.0.lock().unwrap();
            *seen
                .pids
                .get(name)
                .unwrap_or_else(|| panic!("{name} does not run"))
        };
        let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(raw, rustix::process::Signal::KILL).unwrap();
        self.wait("a new process to serve", |seen| {
            seen.ready.get(name).is_some_and(|new| *new != pid)
        });
    }

    /// An officer's command.
    #[must_use]
    pub fn as_officer(&self, officer: &str, arguments: &[&str]) -> Output {
        let key = self.text(&format!("node/officers/{officer}.key"));
        let passphrase = self.text("node/officers/passphrase");
        let config = self.config();
        let mut all = arguments.to_vec();
        all.extend([
            "--config",
            &config,
            "--officer",
            officer,
            "--key",
            &key,
            "--passphrase-file",
            &passphrase,
        ]);
        chancery(&all, "")
    }

    /// Exports the log; the file.
    #[must_use]
    pub fn export(&self, name: &str) -> PathBuf {
        let file = self.path(name);
        let output = self.as_officer("farid", &["audit", "export", &file.display().to_string()]);
        assert!(output.status.success(), "{}", told(&output));
        file
    }

    /// Verifies an export against the node's own key.
    #[must_use]
    pub fn verify(&self, export: &Path) -> Output {
        let key = self.text("node/data/audit.key");
        chancery(
            &[
                "audit",
                "verify",
                &export.display().to_string(),
                "--log-key",
                &key,
            ],
            "",
        )
    }

    /// Stops the daemons in order.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.input.take());
            let _ended = running.child.wait();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}
