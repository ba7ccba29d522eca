//! A participant's real `gpg`, in a home folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::command::{piped, told};

/// A participant's keys.
#[derive(Debug)]
pub struct Gpg {
    /// Short: an agent's socket lies in it.
    home: TempDir,
    address: String,
}

/// What gpg made of a message.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The text.
    pub text: Vec<u8>,
    /// gpg calls the signature good, and it is of the key that was imported.
    pub signature_good: bool,
}

impl Gpg {
    /// New keys without passphrase for this address.
    pub fn new(address: &str) -> Self {
        let gpg = Self {
            home: tempfile::Builder::new().prefix("gpg-").tempdir().unwrap(),
            address: address.to_owned(),
        };
        let user = format!("Partner <{address}>");
        let _made = gpg.run(
            &[
                "--passphrase",
                "",
                "--quick-generate-key",
                &user,
                "future-default",
                "default",
                "2y",
            ],
            b"",
        );
        gpg
    }

    /// Its certificate, ASCII-armored, in a file.
    pub fn certificate(&self) -> PathBuf {
        let file = self.home.path().join("certificate.asc");
        let (out, _) = self.run(&["--armor", "--export", &self.address], b"");
        std::fs::write(&file, out).unwrap();
        file
    }

    /// The fingerprint of its certificate, or of another that it knows.
    pub fn fingerprint(&self, of: &str) -> String {
        let (shown, _) = self.run(&["--with-colons", "--list-keys", of], b"");
        String::from_utf8_lossy(&shown)
            .lines()
            .find_map(|line| line.strip_prefix("fpr:")?.split(':').nth(8))
            .unwrap()
            .to_owned()
    }

    /// Takes another's certificate; its fingerprint.
    pub fn import(&self, file: &Path) -> String {
        let bytes = std::fs::read(file).unwrap();
        let _imported = self.run(&["--import"], &bytes);
        let (shown, _) = self.run(
            &["--with-colons", "--import-options", "show-only", "--import"],
            &bytes,
        );
        String::from_utf8_lossy(&shown)
            .lines()
            .find_map(|line| line.strip_prefix("fpr:")?.split(':').nth(8))
            .unwrap()
            .to_owned()
    }

    /// Signs, and encrypts to a key; ASCII-armored.
    pub fn seal(&self, to: &str, bytes: &[u8]) -> Vec<u8> {
        let arguments = [
            "--armor",
            "--trust-model",
            "always",
            "--local-user",
            &self.address,
            "--sign",
            "--encrypt",
            "--recipient",
            to,
        ];
        self.run(&arguments, bytes).0
    }

    /// Opens a message that must be signed with the key of this fingerprint.
    pub fn open(&self, signer: &str, armored: &[u8]) -> Opened {
        let arguments = ["--trust-model", "always", "--status-fd", "2", "--decrypt"];
        let (text, status) = self.run(&arguments, armored);
        let status = String::from_utf8_lossy(&status).into_owned();
        let says = |word: &str, of: &str| {
            status.lines().any(|line| {
                line.strip_prefix("[GNUPG:] ")
                    .is_some_and(|line| line.starts_with(word) && line.contains(of))
            })
        };
        Opened {
            text,
            signature_good: says("GOODSIG ", "") && says("VALIDSIG ", signer),
        }
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut command = Command::new("gpg");
        command
            .args([
                "--batch",
                "--no-tty",
                "--pinentry-mode",
                "loopback",
                "--homedir",
            ])
            .arg(self.home.path())
            .args(arguments);
        let output = piped(command, input);
        assert!(
            output.status.success(),
            "gpg {arguments:?}: {}",
            told(&output)
        );
        (output.stdout, output.stderr)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // gpg leaves an agent behind for its home folder.
        let _ended = Command::new("gpgconf")
            .args(["--kill", "all"])
            .env("GNUPGHOME", self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
