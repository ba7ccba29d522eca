//! A node's folder with a token, and the real custodian in it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test file uses its part, and a test may end where it fails"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chancery_hsm_custodian::ModuleKind;

pub(crate) const ROLES: &str = "\
kek/intake   # what has no label yet
kek/1/acme
kek/3/acme
mac/index
mac/row
audit/checkpoint

pgp/sign
pgp/decrypt
tls/rest
tls/mail
tls/siena
";

pub(crate) struct Node {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) kind: ModuleKind,
}

impl Node {
    pub(crate) fn new(kind: ModuleKind) -> Self {
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
            kind,
        };
        std::fs::write(node.path("custodian.toml"), node.settings()).unwrap();
        std::fs::write(node.path("roles"), ROLES).unwrap();
        node
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn module(&self) -> PathBuf {
        match self.kind {
            ModuleKind::Kryoptic => kryoptic(),
            _ => PathBuf::from("/usr/lib/softhsm/libsofthsm2.so"),
        }
    }

    fn settings(&self) -> String {
        let module = self.module();
        let kind = match self.kind {
            ModuleKind::Kryoptic => "kryoptic",
            _ => "softhsm",
        };
        assert!(
            module.exists(),
            "the PKCS#11 module is not at {}",
            module.display()
        );
        format!(
            "state_dir = \"state\"\nlog_origin = \"chancery/test\"\nhardening = \"best-effort\"\n\
             [token]\nkind = \"{kind}\"\nmodule = {module:?}\nstore = \"token\"\n\
             label = \"test-node\"\n[pin]\nfile = \"pin\"\n"
        )
    }

    pub(crate) fn command(&self, args: &[&str]) -> Output {
        Command::new(program())
            .args(args)
            .arg("--config")
            .arg(self.path("custodian.toml"))
            .env_clear()
            .output()
            .unwrap()
    }

    pub(crate) fn provision(&self) -> Output {
        let (roles, officer) = (self.path("roles"), self.path("officer-pin"));
        self.command(&[
            "provision",
            "--roles-file",
            roles.to_str().unwrap(),
            "--officer-pin-file",
            officer.to_str().unwrap(),
            "--make-pins",
        ])
    }
}

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chancery-custodian"))
}

/// The embedded token, where it was built.
pub(crate) fn kryoptic() -> PathBuf {
    if let Some(path) = std::env::var_os("CHANCERY_TOKEN_MODULE") {
        return path.into();
    }
    let here = std::env::current_exe().unwrap();
    let built = here
        .ancestors()
        .nth(2)
        .unwrap()
        .join("libchancery_token.so");
    assert!(
        built.exists(),
        "the embedded token is not at {}: build it (cd hsm/token && cargo build), \
         or set CHANCERY_TOKEN_MODULE",
        built.display()
    );
    built
}

pub(crate) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
