//! The token, its module, its PIN.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::check::files::{others_write, range};
use crate::{Finding, ModuleKind, PinSource, Settings};

impl Settings {
    pub(super) fn check_custodian(&self, found: &mut Vec<Finding>) {
        let custodian = &self.custodian;
        match fs::metadata(&custodian.module) {
            Ok(about) if !about.is_file() => {
                found.push(Finding::wrong("custodian.module", "it is not a file"));
            }
            Ok(about) if others_write(&about) => found.push(Finding::wrong(
                "custodian.module",
                "others may change the module, and with it take the PIN: chmod go-w it",
            )),
            Ok(_) => {}
            Err(_) => found.push(Finding::wrong(
                "custodian.module",
                "there is no such file: install the module, or correct the path",
            )),
        }
        match &custodian.module_sha256 {
            Some(digest) if !is_sha256(digest) => found.push(Finding::wrong(
                "custodian.module_sha256",
                "a SHA-256 is 64 digits and letters a to f: see `sha256sum`",
            )),
            Some(_) => {}
            None => found.push(Finding::weak(
                "custodian.module_sha256",
                "the module's file is not pinned: whoever can replace it gets the PIN",
            )),
        }
        if custodian.kind != ModuleKind::Other && !custodian.store.is_dir() {
            found.push(Finding::wrong(
                "custodian.store",
                "the token's folder does not exist: run `chancery init`, or correct the path",
            ));
        }
        if custodian.label.is_empty() || custodian.label.len() > 32 {
            found.push(Finding::wrong(
                "custodian.label",
                "a token's label has 1 to 32 bytes",
            ));
        }
        match &custodian.pin {
            PinSource::File(path) => match fs::symlink_metadata(path) {
                Ok(about) if !about.is_file() => found.push(Finding::wrong(
                    "custodian.pin",
                    "the PIN's place is not a plain file",
                )),
                Ok(about) if about.mode() & 0o377 != 0 => found.push(Finding::wrong(
                    "custodian.pin",
                    "the PIN's file must have mode 0400: chmod it, and change the PIN if others may have read it",
                )),
                Ok(_) => {}
                Err(_) => found.push(Finding::wrong(
                    "custodian.pin",
                    "the PIN's file does not exist: create it with mode 0400, or use a systemd credential",
                )),
            },
            PinSource::Credential(name) => {
                let letters =
                    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
                if name.is_empty() || !letters || name.starts_with('.') {
                    found.push(Finding::wrong(
                        "custodian.pin",
                        "a credential's name has letters, digits, `-`, `_` and `.`",
                    ));
                }
            }
        }
        range(
            "custodian.sessions",
            custodian.sessions.into(),
            1,
            1024,
            found,
        );
        range(
            "custodian.patience_ms",
            custodian.patience_ms.into(),
            10,
            60_000,
            found,
        );
        range(
            "custodian.hanging_s",
            custodian.hanging_s.into(),
            1,
            600,
            found,
        );
        if !custodian.network_ports.is_empty() {
            found.push(Finding::weak(
                "custodian.network_ports",
                "the process that holds the keys has the network: right for a network HSM alone",
            ));
        }
        if !custodian.quirks.allowed_mechanisms {
            found.push(Finding::weak(
                "custodian.quirks.allowed_mechanisms",
                "only the usage flags keep a KEK from other modes",
            ));
        }
        if !custodian.quirks.copyable {
            found.push(Finding::weak(
                "custodian.quirks.copyable",
                "whoever has the PIN may copy a key into one that may do more",
            ));
        }
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
