//! The process that holds the keys. It reads this table itself, in the same
//! form (`chancery-hsm-custodian`'s settings; a test holds the two together),
//! so what stands here is what it does.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Hardening;

/// `[custodian]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Custodian {
    /// Folder of the checkpoint book, the custodian's own log and the count of
    /// wrong PINs. Only the custodian's user may open it.
    pub state_dir: PathBuf,
    /// Origin line of the audit log in its signed checkpoints.
    pub log_origin: String,
    /// What happens where the kernel lacks a part of this process's sandbox.
    pub hardening: Hardening,
    /// Which token.
    pub token: Token,
    /// Where the PIN comes from: `{ file = "PATH" }` (mode 0400) or
    /// `{ credential = "NAME" }` (systemd).
    pub pin: PinSource,
    /// How much may be asked; without it, fitted to the number of sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<CustodyLimits>,
    /// For how long keys are used, by role.
    pub periods: CustodyPeriods,
}

impl Default for Custodian {
    fn default() -> Self {
        Self {
            state_dir: "data/custodian".into(),
            log_origin: "chancery/node-1".into(),
            hardening: Hardening::Required,
            token: Token::default(),
            pin: PinSource::File("data/token.pin".into()),
            limits: None,
            periods: CustodyPeriods::default(),
        }
    }
}

/// `[custodian.periods]`: fixed for a key when it is activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustodyPeriods {
    /// Key-encryption keys.
    pub kek: CustodyPeriod,
    /// Keyed digests over rows and indexes. WARNING: a node whose digest key
    /// has ended does not start.
    pub mac: CustodyPeriod,
    /// Checkpoints of the audit log. After its end nothing is released.
    pub checkpoint: CustodyPeriod,
    /// OpenPGP signatures.
    pub pgp_sign: CustodyPeriod,
    /// OpenPGP decryption.
    pub pgp_decrypt: CustodyPeriod,
    /// TLS handshakes of the doors.
    pub tls: CustodyPeriod,
}

/// One role's periods, in days from the activation; 0 means without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyPeriod {
    /// In which things are made with the key.
    pub make_days: u32,
    /// In which what it made is opened.
    pub open_days: u32,
}

impl Default for CustodyPeriods {
    fn default() -> Self {
        let days = |make_days| CustodyPeriod {
            make_days,
            open_days: 0,
        };
        Self {
            kek: days(730),
            mac: days(0),
            checkpoint: days(1095),
            pgp_sign: days(1095),
            pgp_decrypt: days(0),
            tls: days(730),
        }
    }
}

/// `[custodian.token]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Token {
    /// What module it is: tells how the module is configured.
    pub kind: ModuleKind,
    /// Which token, as a URI (RFC 7512): `pkcs11:token=LABEL;serial=NUMBER`, and
    /// behind `?` `module-path=PATH` and `pin-source=file:PATH` or
    /// `pin-source=credential:NAME`. What it says and these options say too must
    /// be the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// SHA-256 of the module's file, in hex; another file is not loaded.
    /// WARNING: without it whoever can replace the file gets the PIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_sha256: Option<String>,
    /// Folder where the module keeps the token (`kryoptic`, `softhsm`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<PathBuf>,
    /// The token's label.
    pub label: String,
    /// Its serial number, where labels alone do not tell tokens apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Most sessions used at once; two serve the embedded token best.
    pub max_sessions: u32,
    /// Milliseconds that a call waits for a session.
    pub patience_ms: u32,
    /// Seconds after which a call into the module counts as hanging: the
    /// custodian then ends and is started again.
    pub hanging_secs: u32,
    /// Further files and folders that the module reads while it runs.
    pub reads: Vec<PathBuf>,
    /// Further files and folders that the module writes while it runs.
    pub writes: Vec<PathBuf>,
    /// TCP ports of a network HSM. WARNING: with any of them the custodian may
    /// reach the network.
    pub ports: Vec<u16>,
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

impl Default for Token {
    fn default() -> Self {
        Self {
            kind: ModuleKind::Kryoptic,
            uri: None,
            module: "/usr/lib/chancery/libchancery_token.so".into(),
            module_sha256: None,
            store: Some("data/token".into()),
            label: "chancery".into(),
            serial: None,
            max_sessions: 2,
            patience_ms: 2000,
            hanging_secs: 30,
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

/// `[custodian.limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyLimits {
    /// Core.
    pub core: CustodyLimit,
    /// All doors together: TLS handshakes.
    pub doors: CustodyLimit,
    /// All readers together: opening mail.
    pub readers: CustodyLimit,
    /// Officers' commands.
    pub admin: CustodyLimit,
}

/// How much one kind of client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyLimit {
    /// Requests worked on at once.
    pub at_once: u32,
    /// Requests that may wait for that; more are turned away at once.
    pub waiting: u32,
    /// Milliseconds that one may wait.
    pub wait_ms: u32,
    /// Requests per second on average, for each client.
    pub per_second: u32,
}
