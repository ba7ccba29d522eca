//! Channels and precedence.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidId;

/// How a message comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Email with OpenPGP.
    Mail,
    /// SIENA-style XML over mutual TLS.
    Siena,
    /// REST over mutual TLS.
    Rest,
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 3] = [Self::Mail, Self::Siena, Self::Rest];

    /// `mail`, `siena`, `rest`: also the name of its zone.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Siena => "siena",
            Self::Rest => "rest",
        }
    }

    /// True if the recipient fetches from an inbox; false if the gateway sends.
    #[must_use]
    pub const fn is_pulled(self) -> bool {
        matches!(self, Self::Siena | Self::Rest)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Channel {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.name() == text)
            .ok_or(InvalidId("channel"))
    }
}

/// How urgently a message goes (RFC 6477 section 3.8 names).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Precedence {
    /// 0.
    Deferred,
    /// 1.
    #[default]
    Routine,
    /// 2.
    Priority,
    /// 3.
    Immediate,
    /// 4.
    Flash,
    /// 5.
    Override,
}

impl Precedence {
    /// All, lowest first.
    pub const ALL: [Self; 6] = [
        Self::Deferred,
        Self::Routine,
        Self::Priority,
        Self::Immediate,
        Self::Flash,
        Self::Override,
    ];

    /// The RFC 6477 name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deferred => "deferred",
            Self::Routine => "routine",
            Self::Priority => "priority",
            Self::Immediate => "immediate",
            Self::Flash => "flash",
            Self::Override => "override",
        }
    }
}

impl fmt::Display for Precedence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precedence {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL
            .into_iter()
            .find(|precedence| precedence.name() == text)
            .ok_or(InvalidId("precedence"))
    }
}
