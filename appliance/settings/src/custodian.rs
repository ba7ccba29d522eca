//! The process that holds the keys.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[custodian]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Custodian {
    /// What module it is: tells how the module is configured.
    pub kind: ModuleKind,
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// SHA-256 of the module's file, in hex; another file is not loaded.
    /// WARNING: without it whoever can replace the file gets the PIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_sha256: Option<String>,
    /// Folder where the module keeps the token (`kryoptic`, `softhsm`),
    /// relative to the data folder.
    pub store: PathBuf,
    /// Folder of the checkpoint book and of the custodian's own log, relative
    /// to the data folder.
    pub state: PathBuf,
    /// The token's label.
    pub label: String,
    /// The token's serial number, where labels alone do not tell tokens apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Where the PIN comes from: `{ file = "PATH" }` (mode 0400, relative to
    /// the data folder) or `{ credential = "NAME" }` (systemd).
    pub pin: PinSource,
    /// Sessions with the token at one time.
    pub sessions: u32,
    /// Milliseconds that a call waits for a session.
    pub patience_ms: u32,
    /// Seconds after which a call into the module counts as hanging: the
    /// custodian then ends and is started again.
    pub hanging_s: u32,
    /// TCP ports of a network HSM. WARNING: with any, the custodian has the network.
    pub network_ports: Vec<u16>,
    /// What this token does otherwise than the standard says.
    pub quirks: Quirks,
}

impl Default for Custodian {
    fn default() -> Self {
        Self {
            kind: ModuleKind::Kryoptic,
            module: "/usr/lib/chancery/libchancery_token.so".into(),
            module_sha256: None,
            store: "token".into(),
            state: "custodian".into(),
            label: "chancery".into(),
            serial: None,
            pin: PinSource::File("token.pin".into()),
            sessions: 2,
            patience_ms: 2000,
            hanging_s: 30,
            network_ports: Vec::new(),
            quirks: Quirks::default(),
        }
    }
}

/// What module it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModuleKind {
    /// The embedded token.
    #[default]
    Kryoptic,
    /// SoftHSM 2.
    Softhsm,
    /// Any other: configured by its own means.
    Other,
}

/// Where the PIN comes from; never an argument, never the environment, never
/// this file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PinSource {
    /// A file of the custodian's user with mode 0400.
    File(PathBuf),
    /// A systemd credential of that name (`LoadCredentialEncrypted=`).
    Credential(String),
}

/// `[custodian.quirks]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// False for tokens that know no `CKA_ALLOWED_MECHANISMS`. WARNING: then
    /// only the usage flags keep a KEK from other modes.
    pub allowed_mechanisms: bool,
    /// False for tokens that know no `CKA_COPYABLE`. WARNING: then whoever has
    /// the PIN may make a copy of a key that may do more.
    pub copyable: bool,
    /// True for tokens that want `CKA_VALUE_LEN` when they unwrap.
    pub unwrap_value_len: bool,
    /// True for tokens that know read-write sessions alone.
    pub read_write_sessions: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            allowed_mechanisms: true,
            copyable: true,
            unwrap_value_len: false,
            read_write_sessions: false,
        }
    }
}
