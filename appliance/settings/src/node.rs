//! The node, its database, its log, its rules, its limits.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[node]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// The node's name: 1 to 32 lower-case letters, digits and `-`. It is in
    /// every record of the log, so it stays.
    pub name: String,
    /// Folder of everything that the node keeps.
    pub data: PathBuf,
    /// Folder of the sockets between its processes and for officers' commands.
    pub run: PathBuf,
    /// What happens where the kernel lacks a part of the sandbox.
    pub hardening: Hardening,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            name: "node-1".into(),
            data: "data".into(),
            run: "run".into(),
            hardening: Hardening::Required,
        }
    }
}

/// What happens where the kernel lacks a part of the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hardening {
    /// No daemon starts.
    #[default]
    Required,
    /// They warn and go on. WARNING: a hole in a parser then reaches further.
    BestEffort,
}

/// `[database]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite:FILE` (relative to the folder of this file), or
    /// `postgresql://USER@/DATABASE?host=FOLDER` with the folder of
    /// PostgreSQL's Unix socket. A password has no place here: the socket's
    /// peer authentication is used.
    pub url: String,
    /// Connections that read at the same time.
    pub readers: u32,
    /// Seconds that a lock, or a database that is gone, is waited for.
    pub patience_s: u32,
    /// Largest size of the SQLite file in bytes; without it the disk decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite:data/chancery.db".into(),
            readers: 4,
            patience_s: 5,
            max_bytes: None,
        }
    }
}

/// Where the database is, read from its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A server behind a Unix socket in this folder.
    Postgres {
        /// The URL in the one form that the store takes.
        url: String,
        /// The socket's folder.
        folder: PathBuf,
    },
}

// === impl Database ===

impl Database {
    /// Where it is.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the URL.
    pub fn place(&self) -> Result<Place, String> {
        if let Some(file) = self.url.strip_prefix("sqlite:") {
            if file.is_empty() || file.contains(['?', '\0']) {
                return Err("after `sqlite:` comes the name of a file".into());
            }
            return Ok(Place::Sqlite(file.into()));
        }
        let rest = self
            .url
            .strip_prefix("postgresql://")
            .or_else(|| self.url.strip_prefix("postgres://"))
            .ok_or("a database is `sqlite:FILE` or `postgresql://USER@/DATABASE?host=FOLDER`")?;
        let (authority, after) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if user.contains(':') || after.contains("password=") {
            return Err(
                "a password has no place in the settings: use the socket's peer authentication"
                    .into(),
            );
        }
        if user.is_empty() {
            return Err("name the database user: postgresql://USER@/DATABASE?host=FOLDER".into());
        }
        let (database, query) = after.split_once('?').unwrap_or((after, ""));
        let folder = query
            .strip_prefix("host=")
            .map(|folder| folder.replace("%2F", "/").replace("%2f", "/"))
            .filter(|folder| folder.starts_with('/') && host.is_empty())
            .ok_or(
                "core has no network: give the folder of PostgreSQL's Unix socket as ?host=/FOLDER, \
                 and nothing else (for a remote server put a local proxy unit in front that does TLS)",
            )?;
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !plain(user) || !plain(database) || !folder.split('/').skip(1).all(plain) {
            return Err(
                "a user, a database and the parts of the socket's folder have letters, digits, `-`, `_` and `.`"
                    .into(),
            );
        }
        Ok(Place::Postgres {
            url: format!("postgres:///{database}?host={folder}&user={user}"),
            folder: folder.into(),
        })
    }
}

/// `[audit]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Seconds between two signed checkpoints while records come.
    pub checkpoint_every_s: u32,
    /// Seconds after which an unsigned record holds up everything that follows.
    pub max_unsigned_s: u32,
    /// Unsigned records after which everything that follows is held up.
    pub max_unsigned_records: u32,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            checkpoint_every_s: 10,
            max_unsigned_s: 300,
            max_unsigned_records: 100_000,
        }
    }
}

/// `[rules]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Folder of label schemes of the node's own, beside the built-in ones; a
    /// file of the same name takes a built-in one's place. Read at start.
    pub schemes: PathBuf,
    /// Folder of the release rules, and of the cryptographic policy.
    pub policies: PathBuf,
    /// The participants.
    pub participants: PathBuf,
    /// Folder of the agreements.
    pub mous: PathBuf,
    /// The officers.
    pub officers: PathBuf,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            schemes: "schemes".into(),
            policies: "policies".into(),
            participants: "participants.toml".into(),
            mous: "mous".into(),
            officers: "officers.toml".into(),
        }
    }
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest submission in bytes, as it arrives (a mail, a JSON or XML document).
    pub message_bytes: u64,
    /// Largest attachment in bytes that is uploaded by itself.
    pub attachment_bytes: u64,
    /// Hours that an uploaded attachment waits for its message.
    pub upload_hours: u32,
    /// Seconds that a reader may take for one message before it is ended.
    pub reading_s: u32,
    /// Connections of one door at one time.
    pub connections: u32,
    /// Connections of one peer (its certificate; by SMTP its address) at one door at one time.
    pub connections_per_peer: u32,
    /// Requests (by SMTP, messages) of one peer in a minute.
    pub requests_per_minute: u32,
    /// TLS handshakes of one door at one time. They use the token.
    pub handshakes: u32,
    /// Hours that a delivery is tried before it expires.
    pub delivery_hours: u32,
    /// Whether nothing more is given to a recipient that owes an overdue receipt.
    pub hold_for_receipts: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 50 * 1024 * 1024,
            attachment_bytes: 1024 * 1024 * 1024,
            upload_hours: 24,
            reading_s: 30,
            connections: 512,
            connections_per_peer: 32,
            requests_per_minute: 1200,
            handshakes: 16,
            delivery_hours: 72,
            hold_for_receipts: false,
        }
    }
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Where `/healthz` and `/metrics` are served: an address of this machine
    /// alone. Without it they are not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<Place, String> {
        let database = Database {
            url: url.into(),
            ..Database::default()
        };
        database.place()
    }

    #[test]
    fn databases_are_files_or_local_sockets() {
        assert_eq!(
            place("sqlite:data/chancery.db"),
            Ok(Place::Sqlite("data/chancery.db".into()))
        );
        assert_eq!(
            place("sqlite:/srv/x.db"),
            Ok(Place::Sqlite("/srv/x.db".into()))
        );
        let socket = "postgresql://chancery@/chancery?host=/run/postgresql";
        assert_eq!(
            place(socket),
            Ok(Place::Postgres {
                url: "postgres:///chancery?host=/run/postgresql&user=chancery".into(),
                folder: "/run/postgresql".into()
            })
        );
        assert_eq!(
            place("postgres://chancery@/chancery?host=%2Frun%2Fpg"),
            place("postgresql://chancery@/chancery?host=/run/pg"),
        );
    }

    #[test]
    fn other_places_say_what_is_wrong() {
        for (url, word) in [
            ("mysql://x", "a database is"),
            ("sqlite:", "name of a file"),
            ("postgresql://u:geheim@/d?host=/run", "password"),
            ("postgresql://u@/d?host=/run&password=geheim", "password"),
            ("postgresql://u@db.example.org/d", "no network"),
            ("postgresql://u@10.0.0.1/d?host=/run", "no network"),
            ("postgresql://u@/d?host=db.example.org", "no network"),
            ("postgresql:///d?host=/run", "name the database user"),
            ("postgresql://u@/d?x=1&host=/run", "nothing else"),
            ("postgresql://u@/d?host=/run&sslmode=disable", "letters"),
            ("postgresql://u@/d?host=/run,10.0.0.1", "letters"),
            ("postgresql://u@/?host=/run", "letters"),
            ("postgresql://u@/d?host=/run/../tmp/ x", "letters"),
        ] {
            let error = place(url).unwrap_err();
            assert!(error.contains(word), "{url}: {error}");
            assert!(!error.contains("geheim"));
        }
    }
}
