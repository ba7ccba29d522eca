//! The token, its module, its PIN.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::check::files::{folder, others_write, range};
use crate::{Finding, Hardening, ModuleKind, PinSource, Settings};

impl Settings {
    pub(super) fn check_custodian(&self, found: &mut Vec<Finding>) {
        let custodian = &self.custodian;
        let token = &custodian.token;
        folder("custodian.state_dir", &custodian.state_dir, found);
        // C2SP signed-note: a name has no white space and no plus.
        let origin = &custodian.log_origin;
        let visible = origin.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        if origin.is_empty() || origin.len() > 128 || !visible {
            found.push(Finding::wrong(
                "custodian.log_origin",
                "an origin is 1 to 128 visible characters without `+`, for example `chancery/node-1`",
            ));
        }
        if custodian.hardening == Hardening::BestEffort {
            found.push(Finding::weak(
                "custodian.hardening",
                "the custodian starts even where the kernel lacks a part of the sandbox: set `required` on a node with real messages",
            ));
        }
        if let Some(uri) = &token.uri {
            // Read in full by the custodian itself.
            if !uri.starts_with("pkcs11:") {
                found.push(Finding::wrong(
                    "custodian.token.uri",
                    "a token's URI begins with `pkcs11:` (RFC 7512)",
                ));
            }
            if uri.contains("pin-value") {
                found.push(Finding::wrong(
                    "custodian.token.uri",
                    "a PIN stands in the settings: put it into a file of mode 0400, name that by `pin-source`, and change the PIN",
                ));
            }
        }
        match fs::metadata(&token.module) {
            Ok(about) if !about.is_file() => {
                found.push(Finding::wrong("custodian.token.module", "it is not a file"));
            }
            Ok(about) if others_write(&about) => found.push(Finding::wrong(
                "custodian.token.module",
                "others may change the module, and with it take the PIN: chmod go-w it",
            )),
            Ok(_) => {}
            Err(_) => found.push(Finding::wrong(
                "custodian.token.module",
                "there is no such file: install the module, or correct the path",
            )),
        }
        match &token.module_sha256 {
            Some(digest) if !is_sha256(digest) => found.push(Finding::wrong(
                "custodian.token.module_sha256",
                "a SHA-256 is 64 digits and letters a to f: see `sha256sum`",
            )),
            Some(_) => {}
            None => found.push(Finding::weak(
                "custodian.token.module_sha256",
                "the module's file is not pinned: whoever can replace it gets the PIN",
            )),
        }
        if token.kind != ModuleKind::Other
            && !token.store.as_ref().is_some_and(|store| store.is_dir())
        {
            found.push(Finding::wrong(
                "custodian.token.store",
                "the token's folder does not exist: run `chancery init`, or correct the path",
            ));
        }
        if token.label.is_empty() || token.label.len() > 32 {
            found.push(Finding::wrong(
                "custodian.token.label",
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
            "custodian.token.max_sessions",
            token.max_sessions.into(),
            1,
            256,
            found,
        );
        range(
            "custodian.token.patience_ms",
            token.patience_ms.into(),
            10,
            60_000,
            found,
        );
        range(
            "custodian.token.hanging_secs",
            token.hanging_secs.into(),
            2,
            600,
            found,
        );
        if !token.ports.is_empty() {
            found.push(Finding::weak(
                "custodian.token.ports",
                "the process that holds the keys has the network: right for a network HSM alone",
            ));
        }
        if !token.allowed_mechanisms {
            found.push(Finding::weak(
                "custodian.token.allowed_mechanisms",
                "only the usage flags keep a KEK from other modes",
            ));
        }
        if !token.copyable {
            found.push(Finding::weak(
                "custodian.token.copyable",
                "whoever has the PIN may copy a key into one that may do more",
            ));
        }
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
