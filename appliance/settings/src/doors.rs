//! Where the world comes in and messages go out.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `[doors]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Doors {
    /// Mail with OpenPGP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailDoor>,
    /// SIENA-style XML over mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub siena: Option<Door>,
    /// REST over mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<Door>,
}

// === impl Doors ===

impl Doors {
    /// The zones whose doors are open: `mail`, `siena`, `rest`.
    #[must_use]
    pub fn zones(&self) -> Vec<&'static str> {
        [
            ("mail", self.mail.is_some()),
            ("siena", self.siena.is_some()),
            ("rest", self.rest.is_some()),
        ]
        .into_iter()
        .filter_map(|(zone, open)| open.then_some(zone))
        .collect()
    }
}

/// `[doors.siena]` and `[doors.rest]`: TLS with a certificate on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The door's certificate and its intermediates, leaf first, PEM. The key
    /// is in the token.
    pub certificate: PathBuf,
    /// Certificates of the authority whose clients may connect, PEM.
    pub client_ca: PathBuf,
    /// That authority's revocation lists, PEM. WARNING: without them a revoked
    /// certificate is good until it expires (a participant can still be
    /// suspended at once).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<PathBuf>,
}

/// `[doors.mail]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailDoor {
    /// Where SMTP with STARTTLS listens: address and port. Without it there is
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SocketAddr>,
    /// Where LMTP listens behind a mail server of this machine: `unix:PATH`, or
    /// an address of this machine alone. Without it there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lmtp: Option<Listen>,
    /// The name that the door greets with.
    pub hostname: String,
    /// The mail domains of the gateway; recipients elsewhere are refused.
    pub domains: Vec<String>,
    /// The door's certificate and its intermediates, leaf first, PEM. The key
    /// is in the token.
    pub certificate: PathBuf,
    /// The mail server that outgoing mail is given to, by TLS.
    pub relay_host: String,
    /// Its port.
    #[serde(default = "smtp_port")]
    pub relay_port: u16,
    /// Certificates of the authority that its certificate must be of, PEM;
    /// without it, those that the system trusts. WARNING: that is many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay_ca: Option<PathBuf>,
    /// Who sends: the envelope sender and the From address of outgoing mail.
    pub sender: String,
}

const fn smtp_port() -> u16 {
    25
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// Address and port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("after `unix:` comes a path".into()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text
                .parse()
                .map(Self::Tcp)
                .map_err(|_| "an address is `unix:PATH` or `ADDRESS:PORT`".into()),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}
