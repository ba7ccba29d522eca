//! What each daemon may still do once it has read its settings and opened its
//! sockets.
//!
//! [`apply`] gives up, for good: new privileges and capabilities, core dumps
//! and being traced, every file but those granted (Landlock), every TCP port
//! but those granted (Landlock), and every system call that the process does
//! not need (seccomp), above all those that start programs, map code, make
//! sockets or reach into other processes. The profiles are a table,
//! [`PROFILES`]; `appliance/PROCESSES.md` shows it.
//!
//! The layers overlap on purpose: a reader that opens a file is refused by
//! Landlock and by seccomp.
#![forbid(unsafe_code)]

mod filter;
mod paths;
mod privileges;
mod profiles;
mod syscalls;

use std::fmt;
use std::path::PathBuf;

pub use profiles::{Files, Network, PROFILES, Profile, RESOLVER_FILES};

/// What to do where the kernel lacks a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hardening {
    /// Refuse to start.
    #[default]
    Required,
    /// Start without it, and say so.
    BestEffort,
}

/// What this process alone is granted, within its profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Files and folders (with all below) that it may read.
    pub read: Vec<PathBuf>,
    /// Files and folders (with all below) that it may read, change, make and remove.
    pub write: Vec<PathBuf>,
    /// TCP ports that it may connect to.
    pub connect: Vec<u16>,
    /// Whether it may connect to Unix sockets by path: under systemd, and core
    /// for PostgreSQL. Their file permissions then decide.
    pub unix: bool,
}

/// Why a process has no sandbox. It must not go on.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Threads run already: Landlock would not bind them.
    #[error("{0} threads run already: the sandbox must be put up before the runtime starts")]
    Threads(usize),
    /// A grant is outside the profile.
    #[error("a {profile} may not have {what}: this is a mistake in the program")]
    Beyond {
        /// The profile.
        profile: &'static str,
        /// What was asked for.
        what: &'static str,
    },
    /// A granted path does not exist or cannot be looked at.
    #[error("{} cannot be opened for the sandbox ({error}): create it, or correct the settings", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The kernel lacks a part and the hardening is `required`.
    #[error(
        "hardening is `required` and this kernel cannot: {0}. Use a newer kernel, or set hardening = \"best-effort\" and know what is missing"
    )]
    Missing(String),
    /// The kernel refused.
    #[error("the sandbox cannot be put up: {what}: {why}")]
    Refused {
        /// Which part.
        what: &'static str,
        /// What it said.
        why: String,
    },
}

impl Grants {
    /// The same, and what the C library reads to look up names (those of
    /// [`RESOLVER_FILES`] that exist).
    #[must_use]
    pub fn and_resolver(mut self) -> Self {
        let there = RESOLVER_FILES
            .into_iter()
            .map(PathBuf::from)
            .filter(|path| path.exists());
        self.read.extend(there);
        self
    }
}

impl SandboxError {
    pub(crate) fn refused(what: &'static str, why: impl fmt::Display) -> Self {
        Self::Refused {
            what,
            why: why.to_string(),
        }
    }
}

/// What was put up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The profile.
    pub profile: &'static str,
    /// The kernel's Landlock version, 0 without.
    pub landlock: u32,
    /// What the kernel could not do; empty when everything holds.
    pub missing: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sandbox of {}: Landlock {}", self.profile, self.landlock)?;
        if self.missing.is_empty() {
            f.write_str(", complete")
        } else {
            write!(f, ", missing: {}", self.missing.join("; "))
        }
    }
}

/// Puts the sandbox up around this process, for good. Call it after settings
/// are read and sockets are open, before any thread is started.
///
/// # Errors
/// See [`SandboxError`]. Part of it may be up by then: end the process.
pub fn apply(
    profile: &Profile,
    grants: &Grants,
    hardening: Hardening,
) -> Result<Report, SandboxError> {
    profile.allows(grants)?;
    privileges::one_thread()?;
    privileges::give_up()?;
    let mut missing = Vec::new();
    let landlock = paths::restrict(profile, grants, &mut missing)?;
    if hardening == Hardening::Required && !missing.is_empty() {
        return Err(SandboxError::Missing(missing.join("; ")));
    }
    filter::install(profile, grants)?;
    let report = Report {
        profile: profile.name,
        landlock,
        missing,
    };
    if report.missing.is_empty() {
        tracing::info!(%report, "sandboxed");
    } else {
        tracing::warn!(%report, "sandboxed, but this kernel lacks a part");
    }
    Ok(report)
}
