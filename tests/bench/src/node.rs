//! A node of the real programs, as an operator makes one, without the limits
//! that protect it from its peers.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long the daemons may take to serve.
const START: Duration = Duration::from_secs(120);

pub(crate) struct Node {
    folder: TempDir,
    child: Option<(Child, ChildStdin)>,
    pids: BTreeMap<String, u32>,
    /// Where it tells its condition.
    metrics: String,
}

/// The folder of the programs: beside this one.
fn programs() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let folder = me.parent().unwrap().to_owned();
    assert!(
        folder.join("chancery-core").is_file() && folder.join("libchancery_token.so").is_file(),
        "the programs and the token are not in {}: tests/long bench builds them",
        folder.display()
    );
    folder
}

/// Runs `chancery`, which must succeed; what it said.
pub(crate) fn chancery(arguments: &[&str]) -> String {
    let output = Command::new(programs().join("chancery"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "chancery {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

impl Node {
    /// Makes and starts a node with the example participants; `clients` are
    /// (participant, channel).
    pub(crate) fn start(clients: &[(&str, &str)]) -> Self {
        let mut node = Self::make("siena,rest", &[]);
        for (id, channel) in clients {
            let out = node.path(id).display().to_string();
            node.enroll(id, &["--channel", channel, "--out", &out]);
        }
        node.run();
        node
    }

    /// Makes a node with these doors and these options of `chancery init`.
    pub(crate) fn make(zones: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("node").display().to_string();
        let (rest, siena, metrics) = (free_port(), free_port(), free_port());
        let mut arguments = vec![
            "init",
            &dir,
            "--with-examples",
            "--zones",
            zones,
            "--rest",
            &rest,
            "--siena",
            &siena,
            "--best-effort",
        ];
        arguments.extend(options);
        chancery(&arguments);
        let node = Self {
            folder,
            child: None,
            pids: BTreeMap::new(),
            metrics: metrics.clone(),
        };
        node.edit("chancery.toml", |text| {
            text.replace(
                "#requests_per_minute = 1200",
                "requests_per_minute = 1000000",
            )
            .replace("#connections_per_peer = 32", "connections_per_peer = 512")
            .replace("#[metrics]", "[metrics]")
            .replace("[metrics]", &format!("[metrics]\nlisten = \"{metrics}\""))
        });
        node
    }

    /// Changes a file of the node.
    pub(crate) fn edit(&self, file: &str, change: impl FnOnce(String) -> String) {
        let file = self.path("node").join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, change(text)).unwrap();
    }

    /// Gives a participant its end of a channel.
    pub(crate) fn enroll(&self, id: &str, options: &[&str]) {
        let config = self.config();
        let mut arguments = vec!["participant", "--config", &config, "enroll", id];
        arguments.extend(options);
        chancery(&arguments);
    }

    /// What was asked of the custodian so far and answered, by operation.
    pub(crate) fn token_calls(&self) -> BTreeMap<String, u64> {
        let mut stream = TcpStream::connect(&self.metrics).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let mut calls = BTreeMap::new();
        for line in answer.lines() {
            let Some(rest) = line.strip_prefix("chancery_custody_calls_total{") else {
                continue;
            };
            let (labels, count) = rest.rsplit_once("} ").unwrap();
            if labels.contains("outcome=\"done\"") {
                let (_, operation) = labels.split_once("operation=\"").unwrap();
                let (operation, _) = operation.split_once('"').unwrap();
                *calls.entry(operation.to_owned()).or_default() += count.parse::<u64>().unwrap();
            }
        }
        assert!(!calls.is_empty(), "no calls of the custodian in {answer}");
        calls
    }

    /// Starts the daemons and waits until all serve.
    pub(crate) fn run(&mut self) {
        let log = std::fs::File::create(self.path("node.log")).unwrap();
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
        let lines = BufReader::new(child.stderr.take().unwrap());
        let (send, events) = mpsc::channel();
        std::thread::spawn(move || {
            let mut log = log;
            for line in lines.lines().map_while(Result::ok) {
                let _kept = writeln!(log, "{line}");
                let _gone = send.send(line);
            }
        });
        loop {
            let line = events.recv_timeout(START).unwrap();
            let Ok(event) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            match event["event"].as_str() {
                Some("started") => {
                    let pid = event["pid"].as_u64().unwrap();
                    let name = event["process"].as_str().unwrap().to_owned();
                    self.pids.insert(name, u32::try_from(pid).unwrap());
                }
                Some("died" | "cannot-start") => panic!("{line}"),
                Some("all-ready") => break,
                _ => {}
            }
        }
        let input = child.stdin.take().unwrap();
        self.child = Some((child, input));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> String {
        self.path("node/chancery.toml").display().to_string()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("node/data/chancery.db")
    }

    /// A participant's profile.
    pub(crate) fn profile(&self, id: &str, channel: &str) -> PathBuf {
        self.path(&format!("{id}/{id}-{channel}.toml"))
    }

    /// The most memory that each process had at one time, in KiB.
    pub(crate) fn peaks(&self) -> BTreeMap<String, u64> {
        let peak = |pid: u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        self.pids
            .iter()
            .filter_map(|(name, pid)| Some((name.clone(), peak(*pid)?)))
            .collect()
    }

    /// Processor time of all daemons since they started, in seconds.
    pub(crate) fn busy(&self) -> BTreeMap<String, f64> {
        let busy = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, rest) = stat.rsplit_once(')')?;
            let mut fields = rest.split_whitespace().skip(11);
            let ticks: f64 =
                fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
            // USER_HZ is 100 on every Linux that runs this.
            Some(ticks / 100.0)
        };
        self.pids
            .iter()
            .filter_map(|(name, pid)| Some((name.clone(), busy(*pid)?)))
            .collect()
    }

    /// Stops the daemons; the folder stays until the node is dropped.
    pub(crate) fn stop(&mut self) {
        if let Some((mut child, input)) = self.child.take() {
            drop(input);
            let _ended = child.wait();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Text of a TOML file's field.
pub(crate) fn field(file: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let table: toml::Table = text.parse().unwrap();
    table[name].as_str().unwrap().to_owned()
}
