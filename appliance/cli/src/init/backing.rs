//! What a new node stands on: its database and its token.

use std::path::{Path, PathBuf};

use chancery_settings::{Database, ModuleKind, Place};
use clap::ValueEnum;

use super::token;
use crate::failure::{Failure, failed};

/// Where distributions put SoftHSM 2.
const SOFTHSM: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// Sessions of SoftHSM 2, which uses several cores; two serve the embedded token best.
const SOFTHSM_SESSIONS: u32 = 8;

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Backing {
    /// `postgresql://USER@/DATABASE?host=FOLDER` with the folder of PostgreSQL's
    /// socket: an empty database in which USER may make tables. Without it, an
    /// SQLite file in the node's folder.
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// The token that holds the keys. SoftHSM 2 keeps them in files: for trials.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) token: Token,
    /// The token's PKCS#11 module; without it, libchancery_token.so beside the
    /// programs, or SoftHSM 2 where distributions put it.
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,
}

/// Tokens that can be set up here. Others: see docs/operations.md.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Token {
    /// The embedded one.
    #[default]
    #[value(alias = "embedded")]
    Kryoptic,
    /// SoftHSM 2, its keys and settings in the node's folder.
    #[value(alias = "softhsm")]
    Softhsm2,
}

impl Backing {
    /// Where the database is to be; none is the node's own file.
    pub(super) fn place(&self) -> Result<Option<Place>, Failure> {
        let Some(url) = &self.database else {
            return Ok(None);
        };
        let place = Database {
            url: url.clone(),
            ..Database::default()
        }
        .place()
        .map_err(|sentence| Failure::usage(format!("--database: {sentence}")))?;
        if let Place::Postgres { folder, .. } = &place
            && !folder.is_dir()
        {
            return Err(Failure::new(format!(
                "--database: {} is not there: is PostgreSQL running?",
                folder.display()
            )));
        }
        Ok(Some(place))
    }

    /// The module's file.
    pub(super) fn module(&self, programs: &Path) -> Result<PathBuf, Failure> {
        let (found, remedy) = match (&self.module, self.token) {
            (Some(file), _) => (
                std::path::absolute(file).map_err(failed("--module"))?,
                "name another with --module",
            ),
            (None, Token::Kryoptic) => (
                programs.join("libchancery_token.so"),
                "build the token (cargo build --manifest-path hsm/token/Cargo.toml), or name it with --module",
            ),
            (None, Token::Softhsm2) => (
                SOFTHSM
                    .iter()
                    .map(PathBuf::from)
                    .find(|file| file.is_file())
                    .unwrap_or_else(|| PathBuf::from(SOFTHSM[0])),
                "install softhsm2, or name its module with --module",
            ),
        };
        if found.is_file() {
            return Ok(found);
        }
        Err(Failure::new(format!(
            "{} is not there: {remedy}",
            found.display()
        )))
    }

    /// The settings that say so, each `(option, value as TOML)`.
    pub(super) fn options(&self, module: &Path) -> Result<Vec<(&'static str, String)>, Failure> {
        let string = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut options = vec![
            (
                "custodian.token.module",
                string(&module.display().to_string()),
            ),
            (
                "custodian.token.module_sha256",
                string(&token::digest(module)?),
            ),
        ];
        if self.token.kind() != ModuleKind::Kryoptic {
            options.push(("custodian.token.kind", string("softhsm")));
            options.push(("custodian.token.max_sessions", SOFTHSM_SESSIONS.to_string()));
        }
        if let Some(url) = &self.database {
            options.push(("database.url", string(url)));
        }
        Ok(options)
    }
}

impl Token {
    const fn kind(self) -> ModuleKind {
        match self {
            Self::Kryoptic => ModuleKind::Kryoptic,
            Self::Softhsm2 => ModuleKind::Softhsm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_cannot_be_is_said_before_anything_is_made() {
        let place = |url: &str| {
            Backing {
                database: Some(url.to_owned()),
                ..Backing::default()
            }
            .place()
        };
        for (url, told) in [
            ("mysql://x", "a database is"),
            ("postgresql://u@db.example.org/d", "no network"),
            ("postgresql://u@/d?host=/not/there", "PostgreSQL running"),
        ] {
            let error = place(url).unwrap_err().to_string();
            assert!(error.contains(told), "{url}: {error}");
        }
        assert!(place("postgresql://u@/d?host=/tmp").is_ok());
        assert!(Backing::default().place().unwrap().is_none());
    }
}
