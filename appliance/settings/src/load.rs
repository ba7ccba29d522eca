//! Reading the file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::{Listen, Settings};

/// The largest settings file, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Why a settings file is not read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be opened.
    #[error("{} cannot be read: {error}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It is not a plain file of somebody who may set the node up.
    #[error("{} is not used: {why}", path.display())]
    Untrusted {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// A secret stands in it.
    #[error(
        "`{at}` is a secret in plain text: keep it in a file of its own with mode 0400, or in a systemd credential, and name that here"
    )]
    Secret {
        /// Which option.
        at: String,
    },
    /// It is not what it should be.
    #[error("{} is not understood{place}: {why}", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// Where, for example ` in line 3`.
        place: String,
        /// What is wrong.
        why: String,
    },
}

// === impl Settings (reading) ===

impl Settings {
    /// Reads the file. Paths in it are relative to its folder and are absolute
    /// afterwards.
    ///
    /// # Errors
    /// When it cannot be read, when others than its owner may change it, when a
    /// secret stands in it, or when an option does not exist or has another form.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = read(path)?;
        let mut settings = Self::parse(&text).map_err(|error| match error {
            SettingsError::Form { place, why, .. } => SettingsError::Form {
                path: path.to_path_buf(),
                place,
                why,
            },
            other => other,
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).map_err(|error| SettingsError::Open {
            path: path.to_path_buf(),
            error,
        })?;
        settings.resolve(&folder);
        Ok(settings)
    }

    /// Reads settings from text; paths stay as they are.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let form = |error: &toml::de::Error| SettingsError::Form {
            path: PathBuf::from("chancery.toml"),
            place: place(text, error),
            why: without_values(error.message()),
        };
        let table: toml::Table = text.parse().map_err(|error| form(&error))?;
        if let Some(at) = secret_in(&table, "") {
            return Err(SettingsError::Secret { at });
        }
        toml::from_str(text).map_err(|error| form(&error))
    }

    fn resolve(&mut self, folder: &Path) {
        let below = |base: &Path, path: &mut PathBuf| *path = base.join(&*path);
        below(folder, &mut self.node.data);
        below(folder, &mut self.node.run);
        if let Some(file) = self
            .database
            .url
            .strip_prefix("sqlite:")
            .filter(|f| !f.is_empty())
        {
            self.database.url = format!("sqlite:{}", folder.join(file).display());
        }
        let custodian = &mut self.custodian;
        let token = &mut custodian.token;
        let paths = [&mut custodian.state_dir, &mut token.module]
            .into_iter()
            .chain(&mut token.store)
            .chain(&mut token.reads)
            .chain(&mut token.writes);
        for path in paths {
            below(folder, path);
        }
        if let crate::PinSource::File(path) = &mut custodian.pin {
            below(folder, path);
        }
        let rules = &mut self.rules;
        for path in [
            &mut rules.schemes,
            &mut rules.policies,
            &mut rules.participants,
            &mut rules.mous,
            &mut rules.officers,
        ] {
            below(folder, path);
        }
        for door in [&mut self.doors.siena, &mut self.doors.rest]
            .into_iter()
            .flatten()
        {
            below(folder, &mut door.certificate);
            below(folder, &mut door.client_ca);
            if let Some(crl) = &mut door.crl {
                below(folder, crl);
            }
        }
        if let Some(mail) = &mut self.doors.mail {
            below(folder, &mut mail.certificate);
            if let Some(ca) = &mut mail.relay_ca {
                below(folder, ca);
            }
            if let Some(Listen::Unix(path)) = &mut mail.lmtp {
                below(folder, path);
            }
        }
    }
}

fn read(path: &Path) -> Result<String, SettingsError> {
    let open = |error: io::Error| SettingsError::Open {
        path: path.to_path_buf(),
        error,
    };
    let untrusted = |why: &str| SettingsError::Untrusted {
        path: path.to_path_buf(),
        why: why.to_owned(),
    };
    // Looked at and read through one descriptor: what was looked at is what is
    // read. Not blocked by a pipe in its place.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) => {
            return Err(untrusted("it is a symbolic link: name the file itself"));
        }
        Err(error) => return Err(open(error.into())),
    };
    let about = file.metadata().map_err(open)?;
    if !about.is_file() {
        return Err(untrusted("it is not a plain file"));
    }
    if about.mode() & 0o022 != 0 {
        return Err(untrusted("others may change it: chmod go-w it"));
    }
    let me = rustix::process::geteuid().as_raw();
    if about.uid() != 0 && about.uid() != me {
        return Err(untrusted(
            "it belongs to neither root nor the user that runs this",
        ));
    }
    if about.len() > LARGEST {
        return Err(untrusted("it is larger than 1 MiB"));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(open)?;
    Ok(text)
}

/// The first option that looks like a secret given in plain text.
fn secret_in(table: &toml::Table, path: &str) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let at = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match value {
            toml::Value::Table(inner) => secret_in(inner, &at),
            toml::Value::Array(items) => items
                .iter()
                .filter_map(toml::Value::as_table)
                .find_map(|item| secret_in(item, &at)),
            toml::Value::String(text) => {
                let name = key.to_ascii_lowercase();
                let named = ["pin", "password", "passphrase", "secret", "private_key"]
                    .iter()
                    .any(|word| name == *word || name.ends_with(&format!("_{word}")));
                (named || text.contains("PRIVATE KEY-----")).then_some(at)
            }
            toml::Value::Integer(_) => (key == "pin").then_some(at),
            _ => None,
        }
    })
}

fn place(text: &str, error: &toml::de::Error) -> String {
    error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| format!(" in line {}", before.matches('\n').count() + 1))
        .unwrap_or_default()
}

/// The message without the values that it quotes: they may be what somebody
/// mistook for the place of a secret.
fn without_values(message: &str) -> String {
    match (
        message.find("invalid value: "),
        message.find("invalid type: "),
    ) {
        (None, None) => message.to_owned(),
        (value, kind) => {
            let begin = value.or(kind).unwrap_or_default();
            let expected = message.find(", expected").unwrap_or(message.len());
            let (before, after) = (
                message.get(..begin).unwrap_or_default(),
                message.get(expected..),
            );
            format!(
                "{before}the value has another form{}",
                after.unwrap_or_default()
            )
        }
    }
}
