//! Everything that is wrong, all at once.

mod custodian;
mod doors;
mod files;

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::check::files::{folder, plain, range};
use crate::{Finding, Hardening, Place, Settings};

// === impl Settings (checking) ===

impl Settings {
    /// Everything that is wrong or weak, each with a sentence, in the order of
    /// the file. Looks at the files that are named, and changes nothing.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        self.check_node(&mut found);
        self.check_database(&mut found);
        self.check_custodian(&mut found);
        self.check_audit(&mut found);
        self.check_rules(&mut found);
        self.check_times(&mut found);
        self.check_limits(&mut found);
        self.check_doors(&mut found);
        found
    }

    fn check_node(&self, found: &mut Vec<Finding>) {
        let name = &self.node.name;
        let letters = name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if name.is_empty() || name.len() > 32 || !letters {
            found.push(Finding::wrong(
                "node.name",
                "a name is 1 to 32 lower-case letters, digits and `-`",
            ));
        }
        folder("node.data", &self.node.data, found);
        folder("node.run", &self.node.run, found);
        if self.node.hardening == Hardening::BestEffort {
            found.push(Finding::weak(
                "node.hardening",
                "daemons start even where the kernel lacks a part of the sandbox: set `required` on a node with real messages",
            ));
        }
    }

    fn check_database(&self, found: &mut Vec<Finding>) {
        let place = match self.database.place() {
            Ok(place) => place,
            Err(sentence) => return found.push(Finding::wrong("database.url", sentence)),
        };
        match place {
            Place::Sqlite(path) => {
                let missing = path.parent().is_none_or(|folder| !folder.is_dir());
                if missing {
                    found.push(Finding::wrong(
                        "database.url",
                        "the folder of the file does not exist: run `chancery init`, or create it",
                    ));
                } else if fs::metadata(&path).is_ok_and(|about| about.mode() & 0o007 != 0) {
                    found.push(Finding::wrong(
                        "database.url",
                        "others than its owner may use the file: chmod o-rwx it",
                    ));
                }
            }
            Place::Postgres { folder, .. } if !folder.is_dir() => found.push(Finding::wrong(
                "database.url",
                "the folder of PostgreSQL's socket does not exist: is the server running?",
            )),
            Place::Postgres { .. } => {}
        }
        range(
            "database.readers",
            self.database.readers.into(),
            1,
            64,
            found,
        );
        range(
            "database.patience_s",
            self.database.patience_s.into(),
            1,
            300,
            found,
        );
    }

    fn check_audit(&self, found: &mut Vec<Finding>) {
        range(
            "audit.checkpoint_every_s",
            self.audit.checkpoint_every_s.into(),
            1,
            86_400,
            found,
        );
        range(
            "audit.max_unsigned_records",
            self.audit.max_unsigned_records.into(),
            1,
            10_000_000,
            found,
        );
        if self.audit.max_unsigned_s <= self.audit.checkpoint_every_s {
            found.push(Finding::wrong(
                "audit.max_unsigned_s",
                "it must be longer than checkpoint_every_s, or the node stops between two checkpoints",
            ));
        }
    }

    fn check_rules(&self, found: &mut Vec<Finding>) {
        let rules = &self.rules;
        for (at, path) in [
            ("rules.schemes", &rules.schemes),
            ("rules.policies", &rules.policies),
            ("rules.mous", &rules.mous),
        ] {
            folder(at, path, found);
        }
        for (at, path) in [
            ("rules.participants", &rules.participants),
            ("rules.officers", &rules.officers),
        ] {
            plain(at, path, found);
        }
    }

    fn check_limits(&self, found: &mut Vec<Finding>) {
        let limits = &self.limits;
        range(
            "limits.message_bytes",
            limits.message_bytes,
            64 * 1024,
            256 << 20,
            found,
        );
        range(
            "limits.attachment_bytes",
            limits.attachment_bytes,
            64 * 1024,
            1 << 40,
            found,
        );
        range(
            "limits.upload_hours",
            limits.upload_hours.into(),
            1,
            168,
            found,
        );
        range("limits.reading_s", limits.reading_s.into(), 1, 600, found);
        range(
            "limits.connections",
            limits.connections.into(),
            1,
            65_536,
            found,
        );
        range(
            "limits.connections_per_peer",
            limits.connections_per_peer.into(),
            1,
            65_536,
            found,
        );
        range(
            "limits.requests_per_minute",
            limits.requests_per_minute.into(),
            1,
            1_000_000,
            found,
        );
        range(
            "limits.handshakes",
            limits.handshakes.into(),
            1,
            1024,
            found,
        );
        range(
            "limits.delivery_hours",
            limits.delivery_hours.into(),
            1,
            720,
            found,
        );
    }

    fn check_times(&self, found: &mut Vec<Finding>) {
        const MONTH: u64 = 30 * 24 * 60 * 60;
        let times = &self.times;
        for (at, seconds) in [
            ("times.consent_s", times.consent_s),
            ("times.flash_s", times.flash_s),
            ("times.immediate_s", times.immediate_s),
            ("times.priority_s", times.priority_s),
            ("times.routine_s", times.routine_s),
            ("times.deferred_s", times.deferred_s),
        ] {
            range(at, seconds.into(), 1, MONTH, found);
        }
        range("times.look_s", times.look_s.into(), 1, 3600, found);
    }
}
