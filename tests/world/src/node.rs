//! A node: made, run, watched, killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{chancery, good, json, programs, told};
use crate::{Gpg, Siena, Sink, ports};

/// The gateway's mail domain.
pub const DOMAIN: &str = "gateway.example.eu";

/// What a node is to be.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The doors to open: `mail`, `siena`, `rest`.
    pub zones: Vec<&'static str>,
    /// The database's URL; none is SQLite.
    pub database: Option<String>,
    /// The token; none is the embedded one.
    pub token: Option<&'static str>,
    /// The mail server that outgoing mail is given to, and its authority.
    pub relay: Option<(SocketAddr, PathBuf)>,
    /// Where LMTP listens instead of SMTP.
    pub lmtp: Option<String>,
}

impl Setup {
    /// With these doors.
    pub fn with(zones: &[&'static str]) -> Self {
        Self {
            zones: zones.to_vec(),
            ..Self::default()
        }
    }

    /// Giving outgoing mail to this receiver.
    #[must_use]
    pub fn relaying_to(mut self, sink: &Sink) -> Self {
        self.relay = Some((sink.address(), sink.ca()));
        self
    }
}

/// A node with the example participants.
#[derive(Debug)]
pub struct Node {
    folder: TempDir,
    smtp: SocketAddr,
    pub(crate) running: Option<Running>,
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    pub(crate) seen: Arc<(Mutex<Seen>, Condvar)>,
}

/// What the supervisor told.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pids: BTreeMap<String, u32>,
    pub(crate) ready: BTreeMap<String, u32>,
    all: bool,
    reloads: u32,
}

// === making ===

impl Node {
    /// Makes a node with the REST door, and clients for these participants.
    pub fn make(participants: &[&str]) -> Self {
        let node = Self::new(&Setup::with(&["rest"]));
        for id in participants {
            node.enroll(id, "rest");
        }
        node
    }

    /// Makes a node with the example participants.
    pub fn new(setup: &Setup) -> Self {
        let [rest, siena, smtp] = ports::free();
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
            smtp,
            running: None,
        };
        let mut all = vec![
            "init".to_owned(),
            node.text("node"),
            "--with-examples".to_owned(),
            "--best-effort".to_owned(),
        ];
        let mut say = |option: &str, value: String| all.extend([option.to_owned(), value]);
        say("--zones", setup.zones.join(","));
        say("--rest", rest.to_string());
        say("--siena", siena.to_string());
        say("--mail-domain", DOMAIN.to_owned());
        match &setup.lmtp {
            Some(address) => say("--lmtp", address.clone()),
            None => say("--smtp", smtp.to_string()),
        }
        if let Some(url) = &setup.database {
            say("--database", url.clone());
        }
        if let Some(token) = setup.token {
            say("--token", token.to_owned());
        }
        if let Some((address, ca)) = &setup.relay {
            say("--relay", address.to_string());
            say("--relay-ca", ca.display().to_string());
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let _made = good(&all, "");
        // Tests ask again and again, faster than a client should.
        node.set("limits", "requests_per_minute", "100000");
        node
    }

    /// Gives a participant its end of REST or SIENA-style exchange.
    pub fn enroll(&self, id: &str, channel: &str) {
        let out = self.text(id);
        let _done = self.participant(&["enroll", id, "--channel", channel, "--out", &out]);
    }

    /// Gives a participant its end of mail: the fingerprint was told another way.
    pub fn enroll_mail(&self, id: &str, gpg: &Gpg, address: &str) {
        let file = gpg.certificate().display().to_string();
        let fingerprint = gpg.fingerprint(address);
        let _done = self.participant(&[
            "enroll",
            id,
            "--channel",
            "mail",
            "--openpgp",
            &file,
            "--fingerprint",
            &fingerprint,
        ]);
    }

    /// Sets an option of the settings (its value as TOML), before the start.
    pub fn set(&self, section: &str, option: &str, value: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let head = format!("[{section}]");
        let bare = |line: &str| line.trim_start_matches('#').to_owned();
        let at = lines.iter().position(|line| bare(line) == head).unwrap();
        lines[at] = head;
        let found = lines
            .iter()
            .enumerate()
            .skip(at + 1)
            .take_while(|(_, line)| !bare(line).starts_with('['))
            .find(|(_, line)| bare(line).starts_with(&format!("{option} = ")))
            .map(|(at, _)| at);
        let found = found.unwrap_or_else(|| panic!("{section}.{option} is no option"));
        lines[found] = format!("{option} = {value}");
        std::fs::write(self.config(), lines.join("\n") + "\n").unwrap();
    }

    fn participant(&self, arguments: &[&str]) -> String {
        let config = self.config();
        let mut all = vec!["participant", "--config", &config];
        all.extend(arguments);
        good(&all, "")
    }
}

// === its places ===

impl Node {
    /// A path in the test's folder; the node's own is `node`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The settings.
    pub fn config(&self) -> String {
        self.text("node/chancery.toml")
    }

    /// A participant's REST profile.
    pub fn profile(&self, id: &str) -> String {
        self.text(&format!("{id}/{id}-rest.toml"))
    }

    /// A participant's end of the SIENA-style exchange.
    pub fn siena(&self, id: &str) -> Siena {
        Siena::new(&self.path(&format!("{id}/{id}-siena.toml")))
    }

    /// Where SMTP with STARTTLS listens.
    pub const fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    /// The authority of the doors' certificates.
    pub fn ca(&self) -> PathBuf {
        self.path("node/ca/ca.pem")
    }

    /// The gateway's OpenPGP certificate; there after the first start.
    pub fn openpgp(&self) -> PathBuf {
        self.path("node/data/openpgp.pgp")
    }
}

// === running ===

impl Node {
    /// Starts the daemons and waits until all serve.
    pub fn start(&mut self) {
        self.start_from(&programs());
    }

    /// The same with the daemons' programs in that folder.
    pub fn start_from(&mut self, folder: &Path) {
        self.launch(folder);
        self.wait("all daemons to serve", |seen| seen.all);
    }

    /// Starts the daemons, and waits until the node's log says why they do not serve.
    pub fn start_in_vain(&mut self, wanted: &str) {
        self.launch(&programs());
        let until = Instant::now() + Duration::from_secs(90);
        let log = self.path("node.log");
        while !std::fs::read_to_string(&log)
            .unwrap_or_default()
            .contains(wanted)
        {
            assert!(
                Instant::now() < until,
                "not `{wanted}`: {}",
                self.last_lines()
            );
            std::thread::yield_now();
        }
        let serves = self.running().seen.0.lock().unwrap().all;
        assert!(!serves, "it serves all the same");
        self.stop();
    }

    fn launch(&mut self, folder: &Path) {
        let mut child = Command::new(programs().join("chancery"))
            .args(["--json", "run", "--until-input-ends", "--config"])
            .arg(self.config())
            .arg("--programs")
            .arg(folder)
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
                if let Ok(event) = serde_json::from_str::<Value>(&line) {
                    watched.0.lock().unwrap().note(&event);
                    watched.1.notify_all();
                }
            }
        });
        let input = child.stdin.take();
        self.running = Some(Running { child, input, seen });
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the node runs")
    }

    pub(crate) fn wait(&self, what: &str, mut there: impl FnMut(&Seen) -> bool) {
        let running = self.running();
        let until = Instant::now() + Duration::from_secs(90);
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
    pub fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(self.path("node.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(20);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// The names of the daemons.
    pub fn daemons(&self) -> Vec<String> {
        let seen = self.running().seen.0.lock().unwrap();
        seen.pids.keys().cloned().collect()
    }

    /// Kills a daemon at once, and waits until another in its place serves.
    pub fn kill(&self, name: &str) {
        let pid = self.kill_only(name);
        self.wait("a new process to serve", |seen| {
            seen.ready.get(name).is_some_and(|new| *new != pid)
        });
    }

    /// Kills a daemon at once; the id of the process that it was.
    pub fn kill_only(&self, name: &str) -> u32 {
        let pid = self.pid(name);
        signal(pid, rustix::process::Signal::KILL);
        pid
    }

    /// Lets a daemon stand still, as one that hangs would.
    pub fn freeze(&self, name: &str) {
        signal(self.pid(name), rustix::process::Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self, name: &str) {
        signal(self.pid(name), rustix::process::Signal::CONT);
    }

    /// Waits until every daemon serves, this one as another process than `dead`.
    pub fn wait_for_all(&self, name: &str, dead: u32) {
        self.wait("every daemon to serve", |seen| {
            seen.pids.get(name).is_some_and(|pid| *pid != dead)
                && seen
                    .pids
                    .iter()
                    .all(|(name, pid)| seen.ready.get(name) == Some(pid))
        });
    }

    /// Has the node read its directory and rules again.
    pub fn reload(&self) {
        let before = self.running().seen.0.lock().unwrap().reloads;
        signal(self.running().child.id(), rustix::process::Signal::HUP);
        self.wait("the rules to be read again", |seen| seen.reloads > before);
    }

    /// Stops the daemons in order.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.input.take());
            let _ended = running.child.wait();
        }
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // A process that died by itself meanwhile is dead as well.
    let _sent = rustix::process::kill_process(raw, signal);
}

impl Seen {
    fn note(&mut self, event: &Value) {
        let word = |key: &str| {
            event
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        match word("event").as_str() {
            "started" => {
                let pid = event.get("pid").and_then(Value::as_u64).unwrap_or_default();
                self.pids
                    .insert(word("process"), u32::try_from(pid).unwrap());
            }
            "ready" => {
                let name = word("process");
                let pid = self.pids.get(&name).copied().unwrap_or_default();
                self.ready.insert(name, pid);
            }
            "all-ready" => self.all = true,
            "reloading" => self.reloads += 1,
            _ => {}
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

// === its officers and its log ===

impl Node {
    /// An officer's command.
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

    /// An officer's command that must succeed: its answers for machines.
    pub fn officer(&self, officer: &str, arguments: &[&str]) -> Vec<Value> {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let output = self.as_officer(officer, &all);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// A user's command that must succeed: its answer for machines.
    pub fn user(&self, id: &str, arguments: &[&str], input: &str) -> Value {
        let profile = self.profile(id);
        let mut all = arguments.to_vec();
        all.extend(["--profile", &profile]);
        json(&all, input)
    }

    /// Exports the log; the file.
    pub fn export(&self, name: &str) -> PathBuf {
        let file = self.path(name);
        let output = self.as_officer("farid", &["audit", "export", &file.display().to_string()]);
        assert!(output.status.success(), "{}", told(&output));
        file
    }

    /// Verifies an export against the node's own key.
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

    /// Exports the log and verifies it; its text.
    pub fn sound_log(&self) -> String {
        let export = self.export("log.export");
        let verified = self.verify(&export);
        assert!(verified.status.success(), "{}", told(&verified));
        std::fs::read_to_string(export).unwrap()
    }
}
