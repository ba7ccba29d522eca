//! Why the custodian cannot go on.

use std::io;
use std::path::PathBuf;

use chancery_hsm_api::KeyError;
use chancery_hsm_custodian::ChainError;
use chancery_hsm_pkcs11::PinError;
use chancery_ipc::LinksError;
use chancery_sandbox::SandboxError;

/// Why the custodian cannot go on, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file or folder.
    #[error("{}: {what}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The settings are wrong.
    #[error("{}: {why}", path.display())]
    Settings {
        /// The settings file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No settings file was named.
    #[error("no settings: say --config FILE")]
    NoConfig,
    /// Another custodian has the state folder.
    #[error("{}: another custodian uses it: stop that one first", .0.display())]
    InUse(PathBuf),
    /// The token or its keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The PIN.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The custodian's own log.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The sockets.
    #[error(transparent)]
    Links(#[from] LinksError),
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// What was typed has no meaning here.
    #[error("{0}")]
    Asked(String),
    /// The system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl Failure {
    pub(crate) fn file(
        path: &std::path::Path,
        what: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, what, source }
    }

    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
