//! What needs m of n custodians: the operation, the proposal that names one of
//! them once, and the dossier that carries a proposal with its approvals.
//!
//! The digest of a proposal is over its canonical JSON, so that an approval
//! fits exactly one operation, of one node, once.

use std::fmt::{self, Display};
use std::str::FromStr;

use chancery_hsm_api::KeyRole;
use chancery_hsm_api::approval::{Signed, read_time, time_text};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::RosterText;

/// The format's name: the first member of every proposal.
pub const FORMAT: &str = "chancery-key-operation-v1";

/// An operation that no single person may order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "do",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum Ceremony {
    /// Makes the next generation of a role's key; it is not used yet.
    Generate {
        /// Which role.
        #[serde(with = "as_text")]
        role: KeyRole,
        /// The generation that is to be made.
        generation: u32,
    },
    /// From now on new things are made with that generation; the one before
    /// only opens what it made.
    Activate {
        /// Which role.
        #[serde(with = "as_text")]
        role: KeyRole,
        /// Which generation.
        generation: u32,
    },
    /// Makes the next generation and activates it.
    Rotate {
        /// Which role.
        #[serde(with = "as_text")]
        role: KeyRole,
        /// The generation that is to be made.
        generation: u32,
    },
    /// Nothing is made with that generation any more; what it made is still opened.
    Retire {
        /// Which role.
        #[serde(with = "as_text")]
        role: KeyRole,
        /// Which generation.
        generation: u32,
    },
    /// Destroys a generation that was retired, and of a KEK only one that wraps nothing.
    Destroy {
        /// Which role.
        #[serde(with = "as_text")]
        role: KeyRole,
        /// Which generation.
        generation: u32,
    },
    /// Gives out the public half of a key pair.
    ExportPublic {
        /// Which role.
        #[serde(with = "as_text")]
        role: KeyRole,
        /// Which generation.
        generation: u32,
    },
    /// Takes requests away from clients that the built-in role table would
    /// allow them; an empty list gives all of them back. Nothing can be added.
    RoleTable {
        /// What is taken away, all of it.
        denied: Vec<Denial>,
    },
    /// Other custodians, or another number that must agree.
    Roster {
        /// The whole roster as it shall be.
        roster: RosterText,
    },
    /// A new user PIN for the token, from the file beside the present one
    /// (`FILE.next`). Needs the custodian stopped.
    ChangePin {},
    /// Takes the token with that serial number for this node's, after the old
    /// one was exchanged. Needs the custodian stopped.
    BindToken {
        /// Its serial number.
        serial: String,
    },
    /// Brings the backup with this digest back as this node. Needs the node stopped.
    Restore {
        /// SHA-256 of the backup's file, in hex.
        digest: String,
    },
}

/// One request that one client may not ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// The client's name, for example `door/rest`.
    pub client: String,
    /// The operation's name, for example `public-key`.
    pub operation: String,
}

impl Ceremony {
    /// The operation's name in approvals and in the log.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::Generate { .. } => "key.generate",
            Self::Activate { .. } => "key.activate",
            Self::Rotate { .. } => "key.rotate",
            Self::Retire { .. } => "key.retire",
            Self::Destroy { .. } => "key.destroy",
            Self::ExportPublic { .. } => "key.export-public",
            Self::RoleTable { .. } => "custody.role-table",
            Self::Roster { .. } => "custody.roster",
            Self::ChangePin {} => "token.change-pin",
            Self::BindToken { .. } => "token.bind",
            Self::Restore { .. } => "node.restore",
        }
    }

    /// True for what is done while the custodian is stopped.
    #[must_use]
    pub const fn is_offline(&self) -> bool {
        matches!(
            self,
            Self::ChangePin {} | Self::BindToken { .. } | Self::Restore { .. }
        )
    }
}

impl Display for Ceremony {
    /// In words, for who is to approve it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generate { role, generation } => {
                write!(f, "make generation {generation} of {role}, not used yet")
            }
            Self::Activate { role, generation } => {
                write!(f, "use generation {generation} of {role} from now on")
            }
            Self::Rotate { role, generation } => {
                write!(
                    f,
                    "make generation {generation} of {role} and use it from now on"
                )
            }
            Self::Retire { role, generation } => write!(
                f,
                "make nothing with generation {generation} of {role} any more"
            ),
            Self::Destroy { role, generation } => {
                write!(f, "destroy generation {generation} of {role} for ever")
            }
            Self::ExportPublic { role, generation } => write!(
                f,
                "give out the public half of generation {generation} of {role}"
            ),
            Self::RoleTable { denied } if denied.is_empty() => {
                f.write_str("give every client all that the built-in role table allows")
            }
            Self::RoleTable { denied } => {
                f.write_str("take away: ")?;
                for (place, one) in denied.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}{} from {}", one.operation, one.client)?;
                }
                Ok(())
            }
            Self::Roster { roster } => {
                write!(f, "let {} of these custodians decide:", roster.needed)?;
                roster
                    .custodians
                    .keys()
                    .try_for_each(|name| write!(f, " {name}"))
            }
            Self::ChangePin {} => f.write_str("change the token's user PIN"),
            Self::BindToken { serial } => {
                write!(
                    f,
                    "take the token with the serial number {serial} for this node's"
                )
            }
            Self::Restore { digest } => write!(f, "restore the backup {digest}"),
        }
    }
}

/// One operation, proposed once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    format: String,
    /// The origin of the node's log, for example `chancery/node-1`.
    pub node: String,
    /// Random: no two proposals are the same. 16 bytes, in hex.
    pub id: String,
    /// The moment after which it cannot be carried out, RFC 3339.
    pub not_after: String,
    /// What is to be done.
    pub operation: Ceremony,
}

/// A proposal with its approvals: the file that goes from custodian to custodian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dossier {
    /// What is proposed.
    pub proposal: Proposal,
    /// Who approved, or refused.
    pub approvals: Vec<Signed>,
}

impl Proposal {
    /// A proposal that may be carried out until `not_after` (microseconds since 1970).
    #[must_use]
    pub fn new(node: &str, id: [u8; 16], not_after: i64, operation: Ceremony) -> Self {
        Self {
            format: FORMAT.to_owned(),
            node: node.to_owned(),
            id: hex::encode(id),
            not_after: time_text(not_after).unwrap_or_default(),
            operation,
        }
    }

    /// What an approval of it signs.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(FORMAT.as_bytes());
        hash.update(b"\n");
        // Strings, numbers and lists alone: it can always be written.
        hash.update(serde_json::to_vec(self).unwrap_or_default());
        hash.finalize().into()
    }

    /// Until when it may be carried out; none where that is no time.
    #[must_use]
    pub fn ends(&self) -> Option<i64> {
        read_time(&self.not_after)
    }

    pub(crate) fn is_of_this_format(&self) -> bool {
        self.format == FORMAT && hex::decode(&self.id).is_ok_and(|id| id.len() == 16)
    }
}

/// As text, by `Display` and `FromStr`.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::{Display, FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, I>(input: I) -> Result<T, I::Error>
    where
        T: FromStr<Err: Display>,
        I: Deserializer<'de>,
    {
        String::deserialize(input)?
            .parse()
            .map_err(I::Error::custom)
    }
}
