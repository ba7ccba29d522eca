//! What the custodian is told by its configuration file. The supervisor (or
//! `chancery init`) writes it, `chancery-custodian` reads it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Limits, Periods};

/// The custodian's configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodianSettings {
    /// Folder of the checkpoint book, the custodian's own log and the count of
    /// wrong PINs. Only the custodian's user may open it.
    pub state_dir: PathBuf,
    /// Origin of the one audit log whose checkpoints are signed, for example `chancery/node-1`.
    pub log_origin: String,
    /// What happens where the kernel lacks a part of the sandbox.
    #[serde(default)]
    pub hardening: Hardening,
    /// Which token.
    pub token: TokenSettings,
    /// Where the PIN comes from; may be left out where the token's URI says it.
    #[serde(default, skip_serializing_if = "PinSource::is_nowhere")]
    pub pin: PinSource,
    /// How much may be asked; by default fitted to the number of sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// For how long keys are used, by role.
    #[serde(default)]
    pub periods: Periods,
}

/// Which token, in which module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// What module it is: tells how the module is configured.
    pub kind: ModuleKind,
    /// Which token, as a URI (RFC 7512): `pkcs11:token=LABEL;serial=NUMBER`, and
    /// behind `?` `module-path=PATH` and `pin-source=file:PATH` or
    /// `pin-source=credential:NAME`. What it says need not be said again; what
    /// is said again must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The PKCS#11 module, an absolute path; empty where the URI names it.
    #[serde(default)]
    pub module: PathBuf,
    /// SHA-256 of the module's file, in hex; another file is not loaded.
    /// WARNING: without it whoever can replace the file gets the PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_sha256: Option<String>,
    /// Folder where the module keeps the token (kinds `kryoptic` and `softhsm`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<PathBuf>,
    /// The token's label; empty where the URI names it.
    #[serde(default)]
    pub label: String,
    /// Its serial number, where labels alone do not tell tokens apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Most sessions used at once; two serve Kryoptic best.
    #[serde(default = "two")]
    pub max_sessions: u32,
    /// Milliseconds that a call waits for a session.
    #[serde(default = "two_seconds")]
    pub patience_ms: u32,
    /// Seconds after which a call into the module counts as hanging: the
    /// custodian then ends and is started again.
    #[serde(default = "half_a_minute")]
    pub hanging_secs: u32,
    /// Further files and folders that the module reads while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<PathBuf>,
    /// Further files and folders that the module writes while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<PathBuf>,
    /// TCP ports of a network HSM. WARNING: with any of them the custodian may
    /// reach the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// False for tokens that know no `CKA_ALLOWED_MECHANISMS`. WARNING: then
    /// only the usage flags keep a KEK from other modes.
    #[serde(default = "yes")]
    pub allowed_mechanisms: bool,
    /// False for tokens that know no `CKA_COPYABLE`. WARNING: then whoever has
    /// the PIN may make a copy of a key that may do more.
    #[serde(default = "yes")]
    pub copyable: bool,
    /// True for tokens that want `CKA_VALUE_LEN` when they unwrap.
    #[serde(default)]
    pub unwrap_value_len: bool,
    /// True for tokens that know read-write sessions alone.
    #[serde(default)]
    pub read_write_sessions: bool,
}

impl TokenSettings {
    /// That token of that module, everything else as it is by default.
    pub fn new(kind: ModuleKind, module: PathBuf, store: Option<PathBuf>, label: String) -> Self {
        Self {
            kind,
            uri: None,
            module,
            module_sha256: None,
            store,
            label,
            serial: None,
            max_sessions: two(),
            patience_ms: two_seconds(),
            hanging_secs: half_a_minute(),
            reads: Vec::new(),
            writes: Vec::new(),
            ports: Vec::new(),
            allowed_mechanisms: true,
            copyable: true,
            unwrap_value_len: false,
            read_write_sessions: false,
        }
    }
}

const fn two() -> u32 {
    2
}

const fn two_seconds() -> u32 {
    2000
}

const fn half_a_minute() -> u32 {
    30
}

const fn yes() -> bool {
    true
}

/// What module it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModuleKind {
    /// The embedded token: `store` holds `token.sql` and `token.conf`.
    Kryoptic,
    /// SoftHSM 2: `store` holds the folder `tokens` and `softhsm2.conf`.
    Softhsm,
    /// Any other: configured by its own means.
    Other,
}

/// Where the PIN comes from; never an argument, never the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PinSource {
    /// Not said: then the token's URI must say it.
    #[default]
    #[serde(skip)]
    Nowhere,
    /// A file of the custodian's user with mode 0400.
    File(PathBuf),
    /// A systemd credential of that name (`LoadCredentialEncrypted=`).
    Credential(String),
}

impl PinSource {
    /// True if nothing says where the PIN is.
    #[must_use]
    pub const fn is_nowhere(&self) -> bool {
        matches!(self, Self::Nowhere)
    }
}

/// What happens where the kernel lacks a part of the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hardening {
    /// The custodian does not start.
    #[default]
    Required,
    /// It warns and goes on. WARNING: a hole in the module then reaches further.
    BestEffort,
}
