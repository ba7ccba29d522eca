//! A node whose token fails on command (`tests/shim`).

use std::path::PathBuf;

use crate::{Node, programs};

/// What to do to build it.
const REMEDY: &str = "is not built: cd tests/shim && cargo build";

impl Node {
    /// Puts the module that fails on command before the token's own. Before the
    /// node is started. `more` are further lines of its `shim.conf`.
    pub fn make_token_failing(&self, more: &str) {
        let shim = programs().join("libchancery_shim.so");
        assert!(shim.is_file(), "{} {REMEDY}", shim.display());
        let text = std::fs::read_to_string(self.config()).unwrap();
        let mut config: toml::Table = toml::from_str(&text).unwrap();
        let token = config
            .get_mut("custodian")
            .and_then(|custodian| custodian.get_mut("token"))
            .and_then(toml::Value::as_table_mut)
            .unwrap();
        let real = token.insert("module".to_owned(), shim.display().to_string().into());
        let real = real.as_ref().and_then(toml::Value::as_str).unwrap();
        let conf = format!("module = {real}\n{more}");
        std::fs::write(self.token_store().join("shim.conf"), conf).unwrap();
        let _pin = token.remove("module_sha256");
        let _slow = token.insert("hanging_secs".to_owned(), 3.into());
        std::fs::write(self.config(), toml::to_string(&config).unwrap()).unwrap();
    }

    /// Has the token fail so from now on; nothing means that it works.
    pub fn faults(&self, text: &str) {
        let fresh = self.token_store().join("shim.faults.new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(&fresh, fresh.with_file_name("shim.faults")).unwrap();
    }

    /// The folder of the token.
    #[must_use]
    pub fn token_store(&self) -> PathBuf {
        self.path("node/data/token")
    }

    /// Kills a daemon at once and does not wait for the next.
    pub fn strike(&self, name: &str) {
        let pid = self.pid(name);
        let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        // It may be gone by itself in this very moment.
        let _gone = rustix::process::kill_process(raw, rustix::process::Signal::KILL);
    }

    /// The process id of a daemon that serves, or served last.
    #[must_use]
    pub fn pid(&self, name: &str) -> u32 {
        let seen = self.running.as_ref().unwrap().seen.0.lock().unwrap();
        *seen.ready.get(name).unwrap()
    }

    /// Waits until a process of that name serves that is not `pid`.
    pub fn await_successor(&self, name: &str, pid: u32) {
        self.wait("a new process to serve", |seen| {
            seen.ready.get(name).is_some_and(|new| *new != pid)
        });
    }
}
