//! The real GnuPG, each with a home of its own, at a fixed time.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A GnuPG of one person.
pub(crate) struct Gpg {
    home: TempDir,
}

/// What it answered.
pub(crate) struct Answer {
    pub(crate) good: bool,
    pub(crate) output: Vec<u8>,
    pub(crate) status: String,
}

impl Gpg {
    pub(crate) fn new() -> Self {
        let found = Command::new("gpg").arg("--version").output();
        assert!(
            found.is_ok_and(|output| output.status.success()),
            "these tests need GnuPG: install the package `gnupg`"
        );
        // In /tmp: the path of an agent's socket may have 108 octets at most.
        let home = tempfile::Builder::new()
            .prefix("gpg")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in("/tmp")
            .unwrap();
        Self { home }
    }

    /// One with a key.
    pub(crate) fn with_key(user: &str, algorithm: &str) -> Self {
        let gpg = Self::new();
        gpg.generate(user, algorithm, "never");
        gpg
    }

    /// A new key that signs, and encrypts if the algorithm can.
    pub(crate) fn generate(&self, user: &str, algorithm: &str, expire: &str) {
        let answer = self.run(
            "20260601T000000!",
            &["--quick-generate-key", user, algorithm, "sign", expire],
            b"",
        );
        assert!(answer.good, "{}", answer.status);
        let encryption = match algorithm {
            "ed25519" => "cv25519",
            other => other,
        };
        let fingerprint = self.fingerprint(user);
        let answer = self.run(
            "20260601T000000!",
            &["--quick-add-key", &fingerprint, encryption, "encr", expire],
            b"",
        );
        assert!(answer.good, "{}", answer.status);
    }

    pub(crate) fn fingerprint(&self, user: &str) -> String {
        let answer = self.run(TIME, &["--with-colons", "--list-keys", user], b"");
        let text = String::from_utf8(answer.output).unwrap();
        let line = text.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    pub(crate) fn export(&self, user: &str) -> Vec<u8> {
        self.run(TIME, &["--export", user], b"").output
    }

    pub(crate) fn import(&self, certificate: &[u8]) {
        let answer = self.run(TIME, &["--import"], certificate);
        assert!(answer.good, "{}", answer.status);
    }

    /// Runs it at the usual time; what is asked for must succeed.
    pub(crate) fn must(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let answer = self.run(TIME, arguments, input);
        assert!(answer.good, "{arguments:?}: {}", answer.status);
        answer.output
    }

    /// Runs it at a time of GnuPG's spelling.
    pub(crate) fn run(&self, time: &str, arguments: &[&str], input: &[u8]) -> Answer {
        let status = self.home.path().join("status");
        let mut child = Command::new("gpg")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GNUPGHOME", self.home.path())
            .args([
                "--batch",
                "--yes",
                "--no-tty",
                "--quiet",
                "--trust-model",
                "always",
            ])
            .args(["--pinentry-mode", "loopback", "--passphrase", ""])
            .args(["--faked-system-time", time])
            .arg("--status-file")
            .arg(&status)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // It may stop reading when it has seen enough.
            stdin.write_all(&input).ok();
        });
        let Output {
            status: code,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let octets = std::fs::read(&status).unwrap_or_default();
        let mut text = String::from_utf8_lossy(&octets).into_owned();
        text.push_str(&String::from_utf8_lossy(&stderr));
        Answer {
            good: code.success(),
            output: stdout,
            status: text,
        }
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// A little before the tests' now.
pub(crate) const TIME: &str = "20261122T092900!";

impl Drop for Gpg {
    fn drop(&mut self) {
        // Its agent lives on without its home otherwise.
        Command::new("gpgconf")
            .env("GNUPGHOME", self.home.path())
            .args(["--kill", "all"])
            .output()
            .ok();
    }
}
