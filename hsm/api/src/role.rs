//! The roles in which keys are used. One key has one role.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::KekId;

/// The zone whose door uses a TLS key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorZone {
    /// SMTP and LMTP.
    Mail,
    /// SIENA-style XML.
    Siena,
    /// REST.
    Rest,
}

impl DoorZone {
    /// All zones.
    pub const ALL: [Self; 3] = [Self::Mail, Self::Siena, Self::Rest];

    /// `mail`, `siena`, `rest`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Siena => "siena",
            Self::Rest => "rest",
        }
    }
}

impl fmt::Display for DoorZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DoorZone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|zone| zone.name() == text)
            .ok_or_else(|| format!("`{text}` is not a zone: mail, siena or rest"))
    }
}

/// What a keyed digest is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MacUse {
    /// Finding sealed values again (references, message ids of peers).
    Index,
    /// Authenticating a row with its place.
    Row,
}

/// What a key in the token is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyRole {
    /// Wraps content keys (AES-256).
    Kek(KekId),
    /// Keyed digests (HMAC-SHA-256).
    Mac(MacUse),
    /// Signs audit checkpoints (ECDSA P-256).
    AuditCheckpoint,
    /// Signs outgoing mail (ECDSA P-256, OpenPGP primary key).
    PgpSign,
    /// Decrypts incoming mail (ECDH P-256, OpenPGP encryption subkey).
    PgpDecrypt,
    /// Signs a door's TLS handshakes (ECDSA P-256).
    Tls(DoorZone),
}

impl fmt::Display for KeyRole {
    /// The role's name in the token (`CKA_LABEL`), logs and commands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kek(kek) => kek.fmt(f),
            Self::Mac(MacUse::Index) => f.write_str("mac/index"),
            Self::Mac(MacUse::Row) => f.write_str("mac/row"),
            Self::AuditCheckpoint => f.write_str("audit/checkpoint"),
            Self::PgpSign => f.write_str("pgp/sign"),
            Self::PgpDecrypt => f.write_str("pgp/decrypt"),
            Self::Tls(zone) => write!(f, "tls/{zone}"),
        }
    }
}

/// Not a role's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a key's role: kek/intake, kek/RANK/COMPARTMENT, mac/index, mac/row, audit/checkpoint, \
     pgp/sign, pgp/decrypt, tls/mail, tls/siena or tls/rest"
)]
pub struct UnknownRole;

impl FromStr for KeyRole {
    type Err = UnknownRole;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let role = match text {
            "mac/index" => Self::Mac(MacUse::Index),
            "mac/row" => Self::Mac(MacUse::Row),
            "audit/checkpoint" => Self::AuditCheckpoint,
            "pgp/sign" => Self::PgpSign,
            "pgp/decrypt" => Self::PgpDecrypt,
            _ => match text.strip_prefix("tls/") {
                Some(zone) => Self::Tls(zone.parse().map_err(|_| UnknownRole)?),
                None => Self::Kek(text.parse().map_err(|_| UnknownRole)?),
            },
        };
        Ok(role)
    }
}

impl KeyRole {
    /// True for a role whose key has a public half.
    #[must_use]
    pub const fn is_key_pair(&self) -> bool {
        match self {
            Self::Kek(_) | Self::Mac(_) => false,
            Self::AuditCheckpoint | Self::PgpSign | Self::PgpDecrypt | Self::Tls(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for name in [
            "kek/intake",
            "kek/0/public",
            "kek/4/cert-eu-2",
            "mac/index",
            "mac/row",
            "audit/checkpoint",
            "pgp/sign",
            "pgp/decrypt",
            "tls/mail",
            "tls/siena",
            "tls/rest",
        ] {
            let role: KeyRole = name.parse().expect(name);
            assert_eq!(role.to_string(), name);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "kek",
            "kek/",
            "kek/5/public",
            "kek/00/public",
            "kek/+1/public",
            "kek/1/",
            "kek/1/Public",
            "kek/1/a/b",
            "kek/1/public#2",
            "tls/web",
            "TLS/rest",
            "mac/rows",
            "pgp/sign ",
        ] {
            assert_eq!(name.parse::<KeyRole>(), Err(UnknownRole), "{name}");
        }
    }
}
