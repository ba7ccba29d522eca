//! The cryptographic policy: which algorithms may protect which level, until
//! when. It is part of the policy set (`crypto.toml`), so that it is carried by
//! the same officers' signatures and is in the hash that decisions record.
//!
//! It only narrows: a channel's approval stays the upper bound
//! ([`crate::facts::Facts::crypto_approval`] is never above it).

mod load;
mod names;

use std::collections::BTreeMap;
use std::fmt;

use chancery_label::{Caveat, Label, Level};
use chancery_message::Timestamp;

use crate::day::{Day, Validity};

pub use names::Use;

/// The file's name in a policy set.
pub const FILE: &str = "crypto.toml";

/// The shipped policy (`config/crypto.toml`), in force where a set has none.
pub const SHIPPED: &str = include_str!("../../../../config/crypto.toml");

/// A cryptographic policy, whole and consistent: a higher level allows nothing
/// that a lower one does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptoPolicy {
    /// By rank.
    levels: [Allowed; 5],
    /// Labels with one of these go over hybrids alone, whatever their level.
    hybrid_caveats: Vec<Caveat>,
}

/// What one level allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Allowed {
    min_version: TlsVersion,
    terms: BTreeMap<(Use, String), Validity>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2 (towards the relay alone; the doors speak TLS 1.3).
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3.
    #[default]
    #[serde(rename = "1.3")]
    V13,
}

/// What a label wants of whatever carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its level.
    pub level: Level,
    /// Whether hybrids alone will do, whatever the level allows.
    pub hybrid: bool,
}

/// A TLS session, as far as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session<'a> {
    /// Its version.
    pub version: TlsVersion,
    /// The negotiated group.
    pub group: &'a str,
    /// The signature of the peer's certificate key; none where the peer was
    /// not asked for a certificate.
    pub signature: Option<&'a str>,
}

/// How an OpenPGP message is protected, as far as it was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenPgp<'a> {
    /// Keys that it is encrypted to.
    pub encryption: &'a [String],
    /// Keys that sign it.
    pub signing: &'a [String],
    /// Its cipher.
    pub symmetric: Option<&'a str>,
    /// The digest of its signature.
    pub hash: Option<&'a str>,
}

/// An algorithm that the policy does not allow for a label now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotAllowed {
    /// What it is used for; none for the version of TLS.
    pub use_: Option<Use>,
    /// Its name.
    pub name: String,
    /// The level.
    pub level: Level,
    /// Until when it was allowed, where that is over.
    pub until: Option<Day>,
    /// What is allowed instead, now.
    pub instead: Vec<String>,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.use_.map_or("the version of TLS", Use::words);
        write!(f, "{what} (`{}`) ", self.name)?;
        match self.until {
            Some(day) => write!(f, "was allowed for {} until {day}", self.level)?,
            None => write!(f, "is not allowed for {}", self.level)?,
        }
        if self.instead.is_empty() {
            f.write_str(": nothing that this gateway knows is allowed there now")
        } else {
            write!(f, ": use {}", self.instead.join(" or "))
        }
    }
}

// === impl CryptoPolicy ===

impl CryptoPolicy {
    /// What a label wants.
    #[must_use]
    pub fn need(&self, label: &Label) -> Need {
        Need {
            level: label.level,
            hybrid: self
                .hybrid_caveats
                .iter()
                .any(|caveat| label.caveats.contains(caveat)),
        }
    }

    /// Whether one algorithm may be used for this need at this moment.
    ///
    /// # Errors
    /// [`NotAllowed`] with what may be used instead.
    pub fn allows(
        &self,
        use_: Use,
        name: &str,
        need: Need,
        now: Timestamp,
    ) -> Result<(), NotAllowed> {
        let allowed = self.of(need.level);
        let term = allowed.terms.get(&(use_, name.to_owned()));
        let kind = !need.hybrid || use_.is_hybrid(name);
        if kind && term.is_some_and(|term| term.holds(now)) {
            return Ok(());
        }
        Err(NotAllowed {
            use_: Some(use_),
            name: name.to_owned(),
            level: need.level,
            until: term
                .filter(|_| kind)
                .and_then(|term| term.until)
                .filter(|day| day.end() <= now),
            instead: self.allowed(use_, need, now).map(str::to_owned).collect(),
        })
    }

    /// All algorithms of a use that are allowed for this need at this moment,
    /// in the order of [`Use::names`].
    pub fn allowed(
        &self,
        use_: Use,
        need: Need,
        now: Timestamp,
    ) -> impl Iterator<Item = &'static str> + '_ {
        let allowed = self.of(need.level);
        use_.names().iter().copied().filter(move |name| {
            (!need.hybrid || use_.is_hybrid(name))
                && allowed
                    .terms
                    .get(&(use_, (*name).to_owned()))
                    .is_some_and(|term| term.holds(now))
        })
    }

    /// Whether a TLS session may carry it.
    ///
    /// # Errors
    /// [`NotAllowed`]: the first thing that is too weak.
    pub fn session(
        &self,
        session: &Session<'_>,
        need: Need,
        now: Timestamp,
    ) -> Result<(), NotAllowed> {
        self.version(session.version, need)?;
        self.allows(Use::TlsGroup, session.group, need, now)?;
        match session.signature {
            Some(name) => self.allows(Use::TlsSignature, name, need, now),
            None => Ok(()),
        }
    }

    /// Whether a version of TLS may carry it.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn version(&self, version: TlsVersion, need: Need) -> Result<(), NotAllowed> {
        let least = self.of(need.level).min_version;
        if version >= least {
            return Ok(());
        }
        Err(NotAllowed {
            use_: None,
            name: version.to_string(),
            level: need.level,
            until: None,
            instead: vec![least.to_string()],
        })
    }

    /// The least version of TLS for a level.
    #[must_use]
    pub fn min_version(&self, level: Level) -> TlsVersion {
        self.of(level).min_version
    }

    /// Whether OpenPGP of this kind may carry it. Every key counts: what can be
    /// opened with the weakest is as weak as that.
    ///
    /// # Errors
    /// [`NotAllowed`]: the first thing that is too weak.
    pub fn openpgp(
        &self,
        message: &OpenPgp<'_>,
        need: Need,
        now: Timestamp,
    ) -> Result<(), NotAllowed> {
        for name in message.encryption {
            self.allows(Use::OpenPgpEncryption, name, need, now)?;
        }
        for name in message.signing {
            self.allows(Use::OpenPgpSigning, name, need, now)?;
        }
        if let Some(name) = message.symmetric {
            self.allows(Use::OpenPgpSymmetric, name, need, now)?;
        }
        match message.hash {
            Some(name) => self.allows(Use::OpenPgpHash, name, need, now),
            None => Ok(()),
        }
    }

    /// The highest level for which `good` holds: what a way may carry at most.
    /// `hybrid` as of the label in question. `NC` where nothing does.
    #[must_use]
    pub fn ceiling(&self, hybrid: bool, good: impl Fn(Need) -> bool) -> Level {
        Level::ALL
            .into_iter()
            .rev()
            .find(|level| {
                good(Need {
                    level: *level,
                    hybrid,
                })
            })
            .unwrap_or(Level::Nc)
    }

    fn of(&self, level: Level) -> &Allowed {
        let [nc, r, c, s, ts] = &self.levels;
        match level {
            Level::Nc => nc,
            Level::Restricted => r,
            Level::Confidential => c,
            Level::Secret => s,
            Level::TopSecret => ts,
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V12 => "TLS 1.2",
            Self::V13 => "TLS 1.3",
        })
    }
}

#[cfg(test)]
mod tests;
