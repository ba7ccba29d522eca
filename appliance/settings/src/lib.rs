//! The node's one settings file, `chancery.toml`.
//!
//! Every option has a meaning, a default and a place in the shipped file
//! `config/chancery.toml`, where all are listed. An option that does not exist
//! is an error, not a surprise. [`Settings::load`] reads the file and refuses
//! what must not be read at all (a file that others may change, a secret in
//! plain text); [`Settings::check`] says everything else that is wrong, all at
//! once.
//!
//! A process looks at its own part: doors at `doors.ZONE`, `limits` and `node`;
//! core at `database`, `rules`, `audit`, `limits`, `node` and
//! `custodian.log_origin`; the custodian at `custodian`; readers at `limits` and
//! `node`.
#![forbid(unsafe_code)]

mod check;
mod custodian;
mod doors;
mod finding;
mod load;
mod node;
mod template;
mod times;

use serde::{Deserialize, Serialize};

pub use custodian::{
    Custodian, CustodyLimit, CustodyLimits, CustodyPeriod, CustodyPeriods, ModuleKind, PinSource,
    Token,
};
pub use doors::{Door, Doors, Listen, MailDoor};
pub use finding::{Finding, Grade};
pub use load::SettingsError;
pub use node::{Audit, Database, Hardening, Limits, Metrics, Node, Place, Rules};
pub use template::{SHIPPED, fill};
pub use times::Times;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The node itself.
    pub node: Node,
    /// Where messages and the log are kept.
    pub database: Database,
    /// The process that holds the keys, and its token.
    pub custodian: Custodian,
    /// The audit log.
    pub audit: Audit,
    /// Who takes part and what may be released.
    pub rules: Rules,
    /// How much is taken.
    pub limits: Limits,
    /// By when people must have spoken.
    pub times: Times,
    /// Health and numbers for the operators.
    pub metrics: Metrics,
    /// Where the world comes in and messages go out. A door without its section
    /// is closed.
    pub doors: Doors,
}
